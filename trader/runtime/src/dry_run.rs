//! The dry run: the same session in virtual time, as fast as it goes, with every order withheld.
//!
//! Same manifest, feed and windows give the same journal, bit for bit: time comes from the events, the
//! ledger lives in memory, and nothing reads a clock. Must not send anything and must not touch the
//! ledger of a running trader.

use crate::feeds::{self, FeedError, Source};
use crate::identity::{self, BUILD_COMMIT, IdentityError};
use crate::ledger_store::{LedgerStore, StoreError};
use crate::manifest_files::{self, ManifestFileError};
use crate::recorder::{RecordError, Recorder};
use crate::session::{Session, SessionError, Way};
use std::collections::BTreeSet;
use std::path::PathBuf;
use trader_core::engine::Engine;
use trader_core::event::{Event, EventKind, LeaseGrant};
use trader_core::feed::Feed;
use trader_core::ledger::LedgerState;
use trader_core::manifest::Mode;
use trader_core::sim::settlement::Settler;
use trader_core::tape::{Header, TAPE_VERSION};
use trader_core::units::EpochMs;
use trader_core::window::WindowId;
use trader_core::wire::{DryRunDocument, LEASE_TTL_MAX_MS};

/// Most windows of one dry run.
pub const WINDOWS_MAX: u32 = 2_000;

/// Virtual now of every dry run: 2026-01-01T00:00:00Z. Fixed, so that runs can be compared.
const START: EpochMs = EpochMs(1_767_225_600_000);

/// Virtual time after which a run without enough windows ends, per window wanted, ms. The longest
/// window and a quarter.
const PATIENCE_PER_WINDOW_MS: i64 = 1_125_000;

/// Virtual time for the first window to open and the last outcome to be told, ms.
const PATIENCE_MS: i64 = 3_600_000;

/// The lease of a dry run is renewed this often, ms of virtual time.
const LEASE_EVERY_MS: i64 = 5_000;

/// What to run.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// The manifest file.
    pub manifest: PathBuf,
    /// Where events come from.
    pub feed: Feed,
    /// Windows to see from open to outcome.
    pub windows: u32,
    /// Where to write the tape.
    pub tape_out: Option<PathBuf>,
}

/// Why a dry run gives no document.
#[derive(Debug, thiserror::Error)]
pub enum DryRunError {
    /// Manifest or strategies cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestFileError),
    /// The feed cannot be used.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The tape cannot be written.
    #[error(transparent)]
    Tape(#[from] RecordError),
    /// The ledger in memory failed.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// Engine or ledger.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The program cannot tell who it is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Too many windows were asked for.
    #[error("{seen} windows are asked for; a dry run has 1 to {WINDOWS_MAX}")]
    Windows {
        /// As asked.
        seen: u32,
    },
    /// The feed did not bring enough windows.
    #[error("only {seen} of {wanted} windows were seen from open to outcome")]
    TooFew {
        /// Seen.
        seen: u32,
        /// Asked for.
        wanted: u32,
    },
}

/// Runs to the end.
///
/// # Errors
/// See [`DryRunError`].
pub fn run(order: &DryRun) -> Result<DryRunDocument, DryRunError> {
    if order.windows == 0 || order.windows > WINDOWS_MAX {
        return Err(DryRunError::Windows {
            seen: order.windows,
        });
    }
    let mut declared = manifest_files::read(&order.manifest)?;
    // The one value that a dry run replaces: whatever is declared, nothing is sent.
    declared.manifest.mode = Mode::DryRun;
    let engine = Engine::new(
        &declared.manifest,
        &declared.strategies,
        LedgerState::default(),
    )
    .map_err(SessionError::from)?;
    let header = Header {
        tape: TAPE_VERSION,
        source: order.feed.to_string(),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        assets: declared.manifest.assets.clone(),
    };
    let recorder = match &order.tape_out {
        Some(path) => Recorder::tape_to(path, &header)?,
        None => Recorder::digest_only(),
    };
    let mut store = LedgerStore::in_memory()?;
    let fence = store.take_fence("dry-run", START)?;
    let mut session = Session::new(engine, store, fence, Way::Shut, recorder);
    let events = Source::check(&order.feed, &declared.manifest)?.start(START)?;
    let seen = play(&mut session, events, order.windows)?;
    session.close()?;
    let engine = session.engine();
    let (sent, tally) = (session.counts().sent, engine.tally());
    Ok(DryRunDocument {
        windows: u64::from(seen.windows),
        ticks: seen.ticks,
        signals: tally.signals,
        intents: tally.intents,
        sent,
        refusals: tally
            .refusals
            .iter()
            .map(|(code, n)| ((*code).to_owned(), *n))
            .collect(),
        journal_digest: session.recorder().journal_digest(),
        unexplained: tally.unexplained,
        manifest_digest: declared.digest,
        effective: engine.effective(),
        strategies: engine
            .strategies()
            .iter()
            .map(ToString::to_string)
            .collect(),
        components: engine.components(),
        build_commit: BUILD_COMMIT.to_owned(),
        trader_sha256: identity::trader_sha256()?,
    })
}

/// What has been seen so far.
#[derive(Debug, Default)]
struct Seen {
    windows: u32,
    ticks: u64,
    /// Windows that were listed before they opened, and have no outcome yet.
    listed: BTreeSet<WindowId>,
}

impl Seen {
    /// A window counts when it was listed before its open and its outcome was told.
    fn note(&mut self, event: &Event) {
        if let EventKind::Window(tick) = &event.kind {
            if event.t <= tick.window.id.open() {
                self.listed.insert(tick.window.id);
            }
            if tick.outcome.is_some() && self.listed.remove(&tick.window.id) {
                self.windows += 1;
            }
        }
    }
}

/// Plays until enough windows have been seen from open to outcome.
fn play(session: &mut Session, events: feeds::Events, wanted: u32) -> Result<Seen, DryRunError> {
    let mut seen = Seen::default();
    // Settles what the feed does not: a tape need not carry outcomes.
    let (mut settler, mut settled) = (Settler::default(), Vec::new());
    let mut lease_due = EpochMs(i64::MIN);
    let last = START.plus_ms(PATIENCE_MS + PATIENCE_PER_WINDOW_MS * i64::from(wanted));
    for event in events {
        let event = event?;
        if seen.windows >= wanted || event.t > last {
            break;
        }
        if event.t >= lease_due {
            lease_due = event.t.plus_ms(LEASE_EVERY_MS);
            session.take(lease(event.t))?;
        }
        settler.observe(&event, &mut settled);
        seen.ticks += 1;
        for event in std::iter::once(event).chain(settled.drain(..)) {
            seen.note(&event);
            session.take(event)?;
        }
    }
    if seen.windows < wanted {
        return Err(DryRunError::TooFew {
            seen: seen.windows,
            wanted,
        });
    }
    Ok(seen)
}

/// A dry run leases itself: the decision to enter must be reached for the order to be withheld.
fn lease(t: EpochMs) -> Event {
    let ttl_ms = i64::try_from(LEASE_TTL_MAX_MS).unwrap_or(0);
    let grant = LeaseGrant {
        holder: "dry-run".to_owned(),
        expires_at: t.plus_ms(ttl_ms),
    };
    Event {
        t,
        src: None,
        kind: EventKind::Lease(grant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::project;
    use trader_core::engine::Commands;
    use trader_core::journal::JournalDigest;
    use trader_core::tape::TapeReader;

    fn order(folder: &tempfile::TempDir, feed: &str, windows: u32) -> DryRun {
        DryRun {
            manifest: folder.path().join("staging.toml"),
            feed: feed.parse().unwrap(),
            windows,
            tape_out: Some(folder.path().join("tape.jsonl")),
        }
    }

    /// What a parent does with the tape: the engine alone, no session, no ledger.
    fn replayed(folder: &tempfile::TempDir) -> String {
        let mut declared = manifest_files::read(&folder.path().join("staging.toml")).unwrap();
        declared.manifest.mode = Mode::DryRun;
        let ledger = LedgerState::default();
        let mut engine = Engine::new(&declared.manifest, &declared.strategies, ledger).unwrap();
        let text = std::fs::read_to_string(folder.path().join("tape.jsonl")).unwrap();
        let (mut commands, mut digest) = (Commands::default(), JournalDigest::default());
        for event in TapeReader::new(text.lines()).unwrap() {
            commands.clear();
            engine.step(&event.unwrap(), &mut commands);
            commands.journal.iter().for_each(|line| digest.line(line));
        }
        digest.text()
    }

    #[test]
    fn two_runs_and_a_replay_give_the_same_journal() {
        let folder = project();
        let first = run(&order(&folder, "generator:7", 6)).unwrap();
        assert_eq!(replayed(&folder), first.journal_digest);
        assert_eq!(run(&order(&folder, "generator:7", 6)).unwrap(), first);
        assert_eq!((first.windows, first.sent, first.unexplained), (6, 0, 0));
        assert!(first.ticks > 0 && first.intents > 0, "{first:?}");
        assert!(
            first.components.iter().all(|c| c.state == "ready"),
            "{:?}",
            first.components
        );
        let other = run(&order(&folder, "generator:8", 6)).unwrap();
        assert_ne!(other.journal_digest, first.journal_digest);
    }

    #[test]
    fn a_tape_can_be_the_feed() {
        let folder = project();
        run(&order(&folder, "generator:7", 6)).unwrap();
        let tape = folder.path().join("recorded.jsonl");
        std::fs::rename(folder.path().join("tape.jsonl"), &tape).unwrap();
        let feed = format!("tape:{}", tape.display());
        let played = run(&order(&folder, &feed, 3)).unwrap();
        assert_eq!(played.windows, 3);
        assert_eq!(replayed(&folder), played.journal_digest);
    }

    #[test]
    fn everything_declared_is_effective() {
        let folder = project();
        let document = run(&order(&folder, "generator:7", 1)).unwrap();
        let mut declared = manifest_files::read(&folder.path().join("staging.toml"))
            .unwrap()
            .manifest;
        declared.mode = Mode::DryRun;
        assert_eq!(document.effective, declared.flattened());
    }

    #[test]
    fn windows_have_bounds() {
        let folder = project();
        for windows in [0, WINDOWS_MAX + 1] {
            let refused = run(&order(&folder, "generator:7", windows));
            assert!(matches!(refused, Err(DryRunError::Windows { .. })));
        }
        assert!(matches!(
            run(&order(&folder, "venue", 1)),
            Err(DryRunError::Feed(_))
        ));
    }
}
