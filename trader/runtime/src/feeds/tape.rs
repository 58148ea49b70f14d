//! A recorded tape on the wall clock, in an endless loop.
//!
//! Times move by a multiple of the longest window, so a window of the tape opens when a real one
//! would; ids move along, and every round has tokens of its own. One round is a whole number of
//! windows: the seam lies between two windows. Orders, fills, leases and commands of whoever recorded
//! the tape are not ours and are left out. The whole file is checked before the first event plays.

use super::FeedError;
use super::synthetic::floor_to;
use crate::tape_file;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};
use trader_core::event::{Event, EventKind, WindowTick};
use trader_core::tape::{TAPE_LINE_MAX_BYTES, TapeParser, line_text};
use trader_core::units::{EpochMs, TokenId};
use trader_core::window::{Window, WindowId};

/// What one pass over the file found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// First instant that plays, aligned to the unit.
    start: EpochMs,
    /// First instant that does not play.
    end: EpochMs,
    /// Length of one round, ms: a multiple of the unit.
    period_ms: i64,
    /// The longest window in the tape, ms.
    unit_ms: i64,
}

/// A tape that plays for ever.
#[derive(Debug)]
pub(super) struct TapeLoop {
    path: PathBuf,
    span: Span,
    /// Added to the tape's times in this round, ms.
    shift_ms: i64,
    round: u64,
    /// Whether this round has brought an event: one that brings none would be searched for ever.
    plays: bool,
    lines: Lines,
    /// Outcomes told after the last whole window, held for the seam.
    late: VecDeque<Event>,
}

impl TapeLoop {
    /// Places a measured tape's start at or before `now` minus the history.
    pub(super) fn start(
        path: &Path,
        span: Span,
        now: EpochMs,
        warm_up_secs: u32,
    ) -> Result<Self, FeedError> {
        let history_ms = i64::from(warm_up_secs) * 1_000;
        let placed = floor_to(now.plus_ms(-history_ms), span.unit_ms);
        Ok(Self {
            path: path.to_owned(),
            span,
            shift_ms: placed - span.start,
            round: 0,
            plays: false,
            lines: Lines::open(path)?,
            late: VecDeque::new(),
        })
    }

    fn next_event(&mut self) -> Result<Event, FeedError> {
        loop {
            if let Some(mut event) = self.lines.next_event()? {
                if !is_market(&event.kind) {
                    continue;
                }
                let listed = if let EventKind::Window(tick) = &event.kind {
                    Some(self.lies_within(tick))
                } else {
                    None
                };
                if listed == Some(false) {
                    continue;
                }
                if event.t < self.span.start {
                    if listed.is_none() {
                        continue;
                    }
                    event.t = self.span.start;
                } else if event.t >= self.span.end {
                    if listed.is_some() {
                        event.t = self.span.end;
                        self.late.push_back(event);
                    }
                    continue;
                }
                self.plays = true;
                return Ok(self.moved(event));
            }
            if let Some(event) = self.late.pop_front() {
                return Ok(self.moved(event));
            }
            if !std::mem::take(&mut self.plays) {
                return Err(FeedError::NothingPlays {
                    path: self.path.clone(),
                });
            }
            self.round += 1;
            self.shift_ms = self.shift_ms.saturating_add(self.span.period_ms);
            self.lines = Lines::open(&self.path)?;
            crate::log::line(
                crate::log::Level::Info,
                "the tape starts again: seam",
                &[
                    ("round", self.round.into()),
                    ("tape", self.path.display().to_string().into()),
                ],
            );
        }
    }

    /// Whether the whole window lies in a round. One that reaches over the seam would meet another of
    /// the same id in the next round.
    fn lies_within(&self, tick: &WindowTick) -> bool {
        let id = tick.window.id;
        id.open() >= self.span.start && id.close() <= self.span.end
    }

    /// The event in this round's time, with this round's window ids and tokens.
    fn moved(&self, mut event: Event) -> Event {
        event.t = event.t.plus_ms(self.shift_ms);
        event.src = event.src.map(|src| src.plus_ms(self.shift_ms));
        match &mut event.kind {
            EventKind::Window(WindowTick { window, .. }) => self.move_window(window),
            EventKind::Book(tick) => tick.token = self.token(&tick.token),
            EventKind::Trade(tick) => tick.token = self.token(&tick.token),
            EventKind::Oracle(_)
            | EventKind::Spot(_)
            | EventKind::Order(_)
            | EventKind::Fill(_)
            | EventKind::Lease(_)
            | EventKind::Clock(_)
            | EventKind::Control(_) => {}
        }
        event
    }

    fn move_window(&self, window: &mut Window) {
        let open = window.id.open().plus_ms(self.shift_ms).0 / 1_000;
        // The shift is a multiple of every window's length, so the id stays valid.
        if let Ok(id) = WindowId::try_new(window.id.asset(), window.id.length(), open) {
            window.id = id;
        }
        window.up = self.token(&window.up);
        window.down = self.token(&window.down);
    }

    /// The same window in another round is another window: it needs tokens of its own.
    fn token(&self, token: &TokenId) -> TokenId {
        if self.round == 0 {
            return token.clone();
        }
        let digest = Sha256::digest(format!("{token}/{}", self.round).as_bytes());
        let head = digest
            .iter()
            .take(16)
            .fold(0_u128, |n, byte| (n << 8) | u128::from(*byte));
        head.to_string().parse().unwrap_or_else(|_| token.clone())
    }
}

impl Iterator for TapeLoop {
    type Item = Result<Event, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.next_event())
    }
}

/// Whether an event is about the market, not about whoever recorded it.
fn is_market(kind: &EventKind) -> bool {
    match kind {
        EventKind::Oracle(_)
        | EventKind::Spot(_)
        | EventKind::Book(_)
        | EventKind::Trade(_)
        | EventKind::Window(_)
        | EventKind::Clock(_) => true,
        EventKind::Order(_) | EventKind::Fill(_) | EventKind::Lease(_) | EventKind::Control(_) => {
            false
        }
    }
}

/// Reads the whole file: every line must be an event, and there must be a window to trade.
pub(super) fn measure(path: &Path) -> Result<Span, FeedError> {
    let mut lines = Lines::open(path)?;
    let (mut first, mut last, mut unit_ms) = (None, EpochMs(0), 0);
    while let Some(event) = lines.next_event()? {
        if !is_market(&event.kind) {
            continue;
        }
        if let EventKind::Window(tick) = &event.kind {
            unit_ms = unit_ms.max(tick.window.id.length().ms());
        }
        first.get_or_insert(event.t);
        last = event.t;
    }
    let Some(first) = first.filter(|_| unit_ms > 0) else {
        return Err(FeedError::NoWindows {
            path: path.to_owned(),
        });
    };
    let span = span(first, last, unit_ms);
    TapeLoop::start(path, span, span.start, 0)?.next_event()?;
    Ok(span)
}

/// Whole windows only, where there is at least one; else everything, with a silence at the seam.
fn span(first: EpochMs, last: EpochMs, unit_ms: i64) -> Span {
    let (start, end) = (
        floor_to(first.plus_ms(unit_ms - 1), unit_ms),
        floor_to(last, unit_ms),
    );
    if start < end {
        return Span {
            start,
            end,
            period_ms: end - start,
            unit_ms,
        };
    }
    let start = floor_to(first, unit_ms);
    let end = floor_to(last.plus_ms(unit_ms), unit_ms);
    Span {
        start,
        end,
        period_ms: end - start,
        unit_ms,
    }
}

/// The file line by line, with the parser's memory.
struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    parser: TapeParser,
    line: Vec<u8>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Lines {
    fn open(path: &Path) -> Result<Self, FeedError> {
        let read = |source| FeedError::Read {
            path: path.to_owned(),
            source,
        };
        let mut reader = tape_file::open(path).map_err(read)?;
        let mut line = Vec::new();
        read_line(&mut reader, &mut line).map_err(read)?;
        let parser = line_text(&line, 1)
            .and_then(TapeParser::new)
            .map_err(|source| FeedError::Tape {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            path: path.to_owned(),
            reader,
            parser,
            line,
        })
    }

    /// The next event; `None` at the end of the file.
    fn next_event(&mut self) -> Result<Option<Event>, FeedError> {
        loop {
            self.line.clear();
            let read =
                read_line(&mut self.reader, &mut self.line).map_err(|source| FeedError::Read {
                    path: self.path.clone(),
                    source,
                })?;
            if read == 0 {
                return Ok(None);
            }
            let number = self.parser.line_number().saturating_add(1);
            let event = line_text(&self.line, number)
                .and_then(|text| self.parser.line(text))
                .map_err(|source| FeedError::Tape {
                    path: self.path.clone(),
                    source,
                })?;
            if event.is_some() {
                return Ok(event);
            }
        }
    }
}

/// Reads one line, at most one byte more than the parser accepts: it names the line that is too long.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    let limit = u64::try_from(TAPE_LINE_MAX_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(2);
    reader.by_ref().take(limit).read_until(b'\n', line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use trader_core::sim::generator::Generator;
    use trader_core::tape::{Header, event_line, header_line};
    use trader_core::units::Asset;
    use trader_core::window::WindowLength;

    const RECORDED: EpochMs = EpochMs(1_769_949_123_000);
    const NOW: EpochMs = EpochMs(1_795_392_123_456);

    /// 25 minutes of generated market as a file.
    fn recorded(folder: &tempfile::TempDir) -> PathBuf {
        let header = Header {
            tape: 1,
            source: "generator:3".to_owned(),
            created_at: "2026-02-01T12:32:03Z".to_owned(),
            assets: vec![Asset::Btc],
        };
        let mut text = header_line(&header).unwrap();
        let market = Generator::new(3, RECORDED, &[Asset::Btc], &[WindowLength::Min5]);
        for event in market.take_while(|event| event.t - RECORDED < 25 * 60_000) {
            text.push('\n');
            text.push_str(&event_line(&event).unwrap());
        }
        let path = folder.path().join("tape.jsonl");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn open(path: &Path) -> Result<TapeLoop, FeedError> {
        TapeLoop::start(path, measure(path)?, NOW, 60)
    }

    #[test]
    fn windows_of_the_tape_open_when_real_windows_open() {
        let folder = tempfile::tempdir().unwrap();
        let play = open(&recorded(&folder)).unwrap();
        let mut last = EpochMs(0);
        let mut windows = BTreeSet::new();
        for event in play
            .map(Result::unwrap)
            .take_while(|event| event.t - NOW < 60 * 60_000)
        {
            assert!(event.t >= last, "time never runs backwards");
            assert!(
                event.t - last < 10_000 || last == EpochMs(0),
                "no silence at the seam"
            );
            last = event.t;
            if let EventKind::Window(tick) = &event.kind
                && let Some(reference) = tick.window.reference
            {
                assert!(
                    event.t >= tick.window.id.open(),
                    "reference {reference} before the open"
                );
                windows.insert((tick.window.id, tick.window.up.clone()));
            }
        }
        let ids: BTreeSet<_> = windows.iter().map(|(id, _)| id).collect();
        let tokens: BTreeSet<_> = windows.iter().map(|(_, up)| up).collect();
        assert!(ids.len() >= 12, "{}", ids.len());
        assert_eq!(
            ids.len(),
            tokens.len(),
            "every window of every round has its own tokens"
        );
        assert!(
            ids.iter().any(|id| id.open() <= NOW && NOW < id.close()),
            "one is open now"
        );
    }

    #[test]
    fn a_bad_line_is_refused_before_anything_plays() {
        let folder = tempfile::tempdir().unwrap();
        let path = recorded(&folder);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}\n{{\"t_ms\":1,\"kind\":\"oracle\"}}")).unwrap();
        let lines = text.lines().count();
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("line {}", lines + 1)), "{error}");
    }

    #[test]
    fn files_that_are_no_tape_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            open(&path).unwrap_err().to_string()
        };
        assert!(error(b"").contains("empty"));
        assert!(error(&tape_file::ZSTD_MAGIC).contains("zstd"));
        let header = br#"{"tape":1,"source":"s","created_at":"x","assets":["btc"]}"#;
        assert!(error(header).contains("no window"));
        let missing = open(&folder.path().join("none"));
        assert!(missing.unwrap_err().to_string().contains("cannot read"));
    }

    #[test]
    fn a_packed_tape_plays_as_the_plain_one() {
        let folder = tempfile::tempdir().unwrap();
        let plain = recorded(&folder);
        let packed = folder.path().join("tape.jsonl.zst");
        let bytes = ruzstd::encoding::compress_to_vec(
            std::fs::File::open(&plain).unwrap(),
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        assert!(bytes.len() * 2 < std::fs::read(&plain).unwrap().len());
        std::fs::write(&packed, &bytes).unwrap();
        let play = |path: &Path| -> Vec<Event> {
            open(path)
                .unwrap()
                .map(Result::unwrap)
                .take(5_000)
                .collect()
        };
        assert_eq!(play(&packed), play(&plain));
        std::fs::write(&packed, &bytes[..bytes.len() / 2]).unwrap();
        let error = open(&packed).unwrap_err().to_string();
        assert!(
            error.ends_with("packed with zstd, and its file is cut off"),
            "{error}"
        );
    }

    #[test]
    fn a_tape_of_which_nothing_plays_is_refused_and_no_endless_search() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t");
        let clock = |t: i64| format!(r#"{{"t_ms":{t},"kind":"clock"}}"#);
        let window = r#"{"t_ms":1769949010000,"kind":"window","asset":"btc","id":"btc-5m-1769949000","open_ms":1769949000000,"close_ms":1769949300000,"up":"1","down":"2","rule":"spot","twap_lookback_secs":0}"#;
        let header = r#"{"tape":1,"source":"s","created_at":"x","assets":["btc"]}"#;
        let text = [header, window, &clock(1_769_950_000_000)].join("\n");
        std::fs::write(&path, text).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains("no whole window"), "{error}");
    }

    #[test]
    fn one_round_is_whole_windows() {
        let unit = 300_000;
        let whole = span(EpochMs(unit + 5), EpochMs(5 * unit + 7), unit);
        assert_eq!(
            (whole.start, whole.period_ms),
            (EpochMs(2 * unit), 3 * unit)
        );
        let short = span(EpochMs(unit + 5), EpochMs(unit + 9), unit);
        assert_eq!((short.start, short.period_ms), (EpochMs(unit), unit));
    }
}
