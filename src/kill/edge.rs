//! The edge: runtime, signals, panics, printing. What `launch kill` and `launch-kill` both call.
//!
//! Nothing here may keep the kill waiting or make it fail: stderr and stdout are written by other
//! threads (a terminal that does not read blocks them, not us), a closed pipe is no error, one Ctrl-C
//! counts only before the first request, a second one ends it in 7, and so does a panic. The work itself
//! runs in a thread that is not waited for much beyond the deadline: a disk that hangs holds a thread
//! for ever.

use crate::args::{Format, KillArgs};
use crate::pace::Pace;
use crate::render;
use crate::report::Report;
use crate::run::{self, Progress};
use crate::sheet;
use crate::targets::{Surroundings, Unusable};
use crate::{card, curl};
use std::io::{ErrorKind, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// Exit code: something may still run.
const NOT_VERIFIED: u8 = 7;
/// Exit code: nothing could be asked.
const USAGE: u8 = 2;
/// Exit code of `--check`: not everything is there.
const NOT_READY: u8 = 3;
/// Exit code: interrupted before the first request.
const INTERRUPTED: u8 = 130;
/// Longest wait for whoever reads stdout and stderr: within the deadline …
const READER_MAX: Duration = Duration::from_secs(5);
/// … and past it.
const READER_PAST_DEADLINE: Duration = Duration::from_millis(250);
/// Longest wait for the work past the deadline: with the readers' it stays below the second that the
/// contract allows. It keeps the deadline itself, but for what the system does not let go of.
const WORK_PAST_DEADLINE: Duration = Duration::from_millis(650);

/// Stack of the thread that works: what the main thread would have.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// What the run leaves to be printed, and the exit code.
struct Ending {
    document: String,
    code: u8,
}

/// Runs the kill and returns its exit code. Makes its own runtime; call it from plain `main`.
pub fn main_with(args: &KillArgs) -> u8 {
    let start = Instant::now();
    let (lines, to_print) = channel();
    // No Err of a spawn may stop the kill: without this thread the notes are lost, nothing else.
    let notes = thread::Builder::new()
        .name("notes".into())
        .spawn(move || print_notes(&to_print))
        .ok();
    let progress = Progress::new(lines.clone());
    let ending = if args.check || args.card || args.print_curl {
        guarded(args, start, &progress)
    } else {
        bounded(args, start, &progress)
    };
    let Ending { document, code } = ending;
    let printer = thread::Builder::new()
        .name("document".into())
        .spawn(move || print(&document))
        .ok();
    drop((lines, progress));
    let left = args
        .deadline
        .saturating_sub(start.elapsed())
        .min(READER_MAX);
    let (waited, reader_max) = (Instant::now(), left.max(READER_PAST_DEADLINE));
    for thread in [printer, notes].into_iter().flatten() {
        while !thread.is_finished() && waited.elapsed() < reader_max {
            thread::sleep(Duration::from_millis(1));
        }
    }
    code
}

/// The work; a panic in it is an ending, too.
fn guarded(args: &KillArgs, start: Instant, progress: &Progress) -> Ending {
    catch_unwind(AssertUnwindSafe(|| work(args, start, progress))).unwrap_or_else(|_| {
        progress.say("launch kill broke: a bug. Something may still run (exit 7)".into());
        Ending {
            document: without_targets(args),
            code: NOT_VERIFIED,
        }
    })
}

/// [`guarded`] in a thread of its own; what does not come back in time is left behind.
fn bounded(args: &KillArgs, start: Instant, progress: &Progress) -> Ending {
    let (own_args, own_progress) = (args.clone(), progress.clone());
    let longest = args.deadline.saturating_add(WORK_PAST_DEADLINE);
    let left = longest.saturating_sub(start.elapsed());
    match in_time(left, move || guarded(&own_args, start, &own_progress)) {
        Ok(ending) => ending,
        Err(Late::NoThread) => guarded(args, start, progress),
        Err(Late::Hangs) => {
            let why = "something on this machine hangs (a disk?) beyond the deadline";
            progress.say(format!("{why}: the kill ends unproved (exit 7)"));
            cut_off(args, start, progress, why)
        }
    }
}

/// Why work in a thread of its own has no result.
#[derive(Debug, PartialEq, Eq)]
enum Late {
    /// There is no thread to be had.
    NoThread,
    /// It does not come back.
    Hangs,
}

/// Runs `work` in a thread that is waited for no longer than `left`.
fn in_time<T: Send + 'static>(
    left: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Late> {
    let (done, result) = channel();
    thread::Builder::new()
        .name("kill".into())
        .stack_size(STACK_BYTES)
        .spawn(move || drop(done.send(work())))
        .map_err(|_| Late::NoThread)?;
    result.recv_timeout(left).map_err(|_| Late::Hangs)
}

/// `--card` and `--print-curl`: on paper, without asking anybody.
fn on_paper(args: &KillArgs, progress: &Progress) -> Ending {
    let around = Surroundings::of_this_process(args.state_dir.as_deref());
    let (sheets, notes) = sheet::sheets(args, &around);
    for note in notes {
        progress.say(format!("note: {note}"));
    }
    let document = match (args.card, args.format) {
        (true, Format::Human) => card::text(&sheets),
        (true, Format::Json) => format!("{:#}\n", card::json(&sheets)),
        (false, Format::Human) => curl::text(&sheets),
        (false, Format::Json) => format!("{:#}\n", curl::json(&sheets)),
    };
    Ending { document, code: 0 }
}

fn work(args: &KillArgs, start: Instant, progress: &Progress) -> Ending {
    if args.card || args.print_curl {
        return on_paper(args, progress);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            progress.say(format!(
                "launch kill cannot start: {error}. Nothing was asked (exit 7)"
            ));
            return Ending {
                document: without_targets(args),
                code: NOT_VERIFIED,
            };
        }
    };
    let ending = runtime.block_on(async {
        tokio::select! {
            biased;
            () = interrupted(progress) => cut_short(args, start, progress),
            ending = ask(args, start, progress) => ending,
        }
    });
    // A name resolution that hangs must not hold the exit.
    runtime.shutdown_background();
    ending
}

async fn ask(args: &KillArgs, start: Instant, progress: &Progress) -> Ending {
    let around = Surroundings::of_this_process(args.state_dir.as_deref());
    let pace = Pace::default();
    let outcome = if args.check {
        run::check(args, &around, &pace, progress)
            .await
            .map(|report| Ending {
                document: match args.format {
                    Format::Human => render::check(&report),
                    Format::Json => {
                        serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
                    }
                },
                code: if report.ready { 0 } else { NOT_READY },
            })
    } else {
        run::run(args, &around, &pace, start, progress)
            .await
            .map(|report| Ending {
                document: match args.format {
                    Format::Human => render::report(&report, wants_color(args)),
                    Format::Json => report.to_json(),
                },
                code: report.verdict.exit_code(),
            })
    };
    outcome.unwrap_or_else(|Unusable(why)| {
        progress.say(format!("{}: {why}", args.command()));
        Ending {
            document: without_targets(args),
            code: USAGE,
        }
    })
}

/// The document of a run that has no report: for programs it keeps its form.
fn without_targets(args: &KillArgs) -> String {
    match args.format {
        Format::Human => String::new(),
        Format::Json => Report::new(Vec::new()).to_json(),
    }
}

/// What is left to say when the operator ends it.
fn cut_short(args: &KillArgs, start: Instant, progress: &Progress) -> Ending {
    if !progress.has_asked() {
        progress.say("interrupted before the first request: nothing was asked to stop".into());
        return Ending {
            document: without_targets(args),
            code: INTERRUPTED,
        };
    }
    cut_off(args, start, progress, "interrupted twice by the operator")
}

/// The report of a run that was ended before its own end.
fn cut_off(args: &KillArgs, start: Instant, progress: &Progress, why: &str) -> Ending {
    let report = run::cut_off(args, start.elapsed(), progress, why);
    for target in &report.targets {
        progress.say(format!(
            "ended before its end; may still run: {}",
            target.env
        ));
    }
    Ending {
        document: match args.format {
            Format::Human => render::report(&report, wants_color(args)),
            Format::Json => report.to_json(),
        },
        code: NOT_VERIFIED,
    }
}

/// Ends when the operator wants it to: at the first Ctrl-C or SIGTERM before any request, at the
/// second of the same kind after. A closed terminal (SIGHUP) never ends a kill: nobody said so.
async fn interrupted(progress: &Progress) {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::hangup(),
        SignalKind::terminate(),
    ];
    let [interrupt, hangup, terminate] = kinds.map(signal);
    let (Ok(mut interrupt), Ok(mut hangup), Ok(mut terminate)) = (interrupt, hangup, terminate)
    else {
        return std::future::pending().await;
    };
    let (mut interrupts, mut terms) = (0_u32, 0_u32);
    loop {
        let told: &mut u32 = tokio::select! {
            _ = interrupt.recv() => &mut interrupts,
            _ = terminate.recv() => &mut terms,
            _ = hangup.recv() => continue,
        };
        *told = told.saturating_add(1);
        if *told > 1 || !progress.has_asked() {
            return;
        }
        progress.hurry();
        progress.say(
            "the stop is on its way and goes on; it ends at the deadline at the latest (again: ends \
             now, unproved)"
                .into(),
        );
    }
}

fn wants_color(args: &KillArgs) -> bool {
    !args.no_color
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::io::stdout().is_terminal()
}

fn print_notes(lines: &Receiver<String>) {
    for line in lines {
        let mut stderr = std::io::stderr().lock();
        drop(writeln!(stderr, "{line}"));
    }
}

fn print(document: &str) {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(document.as_bytes())
        .and_then(|()| stdout.flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let mut stderr = std::io::stderr().lock();
        drop(writeln!(
            stderr,
            "the report on stdout is incomplete: {error}"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_left_behind() {
        assert_eq!(in_time(Duration::from_mins(1), || 7), Ok(7));
        let (_keeps_it_waiting, never) = channel::<()>();
        let hung = in_time(Duration::from_millis(20), move || never.recv().is_ok());
        assert_eq!(hung, Err(Late::Hangs));
    }
}
