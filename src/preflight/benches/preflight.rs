//! How fast a preflight is, beside `git status` on the same tree.
//!
//! `cargo bench --bench preflight` (`-- --plot FILE` draws time against the size of the repository). Every
//! figure is the whole process, from start to end, in a scaffolded project with so many small files, pushed to
//! a bare remote on this disk. Prints figures, limits and the worse of them; fails on nothing but a preflight
//! that does not pass: a loaded machine is no defect. Figures of record: `BENCHMARKS.md`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on fails here, and its figures are its output"
)]

use clap::Parser as _;
use plotters::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Runs per figure; the median is shown.
const RUNS: usize = 9;
/// The same for processes that live a few milliseconds.
const SHORT_RUNS: usize = 101;
/// Files of the repositories.
const SIZES: [u32; 4] = [200, 2_000, 10_000, 50_000];
/// Files per folder.
const FOLDER: u32 = 100;
/// What the two limits are about: files, milliseconds.
const LIMITS_MS: [(u32, f64); 2] = [(2_000, 300.0), (50_000, 2_000.0)];
/// Git, schema, manifest, limits.
const OFFLINE: &str = "LC-101,LC-103,LC-201,LC-202,LC-204,LC-205,LC-206";

/// A scaffolded project with a remote, gone when dropped.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn with(files: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self { folder };
        for name in ["home", "project", "state"] {
            std::fs::create_dir(project.folder.path().join(name)).unwrap();
        }
        project.git(&["init", "-q", "--bare", "-b", "main", "../remote.git"]);
        project.git(&["init", "-q", "-b", "main", "."]);
        project.git(&["remote", "add", "origin", "../remote.git"]);
        project.run(&["init", "."]);
        for number in 0..files {
            let folder = project.path().join(format!("src/{:04}", number / FOLDER));
            if number % FOLDER == 0 {
                std::fs::create_dir_all(&folder).unwrap();
            }
            let text = format!("// file {number}\n").repeat(16);
            std::fs::write(folder.join(format!("{number}.txt")), text).unwrap();
        }
        project.git(&["add", "-A"]);
        project.git(&["commit", "-q", "-m", "files"]);
        project.git(&["push", "-q", "origin", "main"]);
        project
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path().join("home"))
            .env("LAUNCH_STATE_DIR", self.folder.path().join("state"));
        command
    }

    fn git(&self, args: &[&str]) {
        let me = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
        let all = [&me[..], args].concat();
        let output = self.command("git", &all).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
    }

    /// `launch`, which must succeed.
    fn run(&self, args: &[&str]) {
        let launch = env!("CARGO_BIN_EXE_launch");
        let output = self.command(launch, args).output().unwrap();
        assert!(output.status.success(), "launch {args:?}: {output:?}");
    }

    fn preflight_ms(&self, args: &[&str]) -> f64 {
        let all = [&["preflight", "--env", "local"], args].concat();
        median(RUNS, || self.run(&all))
    }
}

/// A program that parses with clap and does nothing else: this one, asked for its version.
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Bare {
    /// How this program knows that it is the other one.
    #[arg(long)]
    bare: bool,
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("--bare") {
        assert!(Bare::parse().bare);
        return;
    }
    println!("medians; load {}", load());
    println!("{:<58} {:>10} {:>10}", "", "measured", "limit");
    let mut points = Vec::new();
    for files in SIZES {
        let project = Project::with(files);
        let status = median(RUNS, || project.git(&["status", "--porcelain"]));
        let offline = project.preflight_ms(&["--offline", "--no-cache", "--only", OFFLINE]);
        println!("-- {files} files");
        println!("{:<58} {status:>7.1} ms", "git status");
        let what = "offline preflight: git, schema, manifest, limits";
        match LIMITS_MS.iter().find(|(size, _)| *size == files) {
            Some((_, limit)) => line(what, offline, *limit),
            None => println!("{what:<58} {offline:>7.1} ms"),
        }
        println!("{:<58} {:>8.1}x", "  beside git status", offline / status);
        points.push((files, status, offline));
        if files == 2_000 {
            unchanged_and_whole(&project);
        }
    }
    version();
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--plot") {
        let file = args.get(at + 1).unwrap();
        plot(Path::new(file), &points);
    }
}

/// An unchanged tree, and everything with simulations and dry run.
fn unchanged_and_whole(project: &Project) {
    let whole = project.preflight_ms(&["--no-cache"]);
    line("whole local preflight, nothing kept", whole, 8_000.0);
    // Keeps what holds.
    project.run(&["preflight", "--env", "local"]);
    let unchanged = project.preflight_ms(&[]);
    let always = project.preflight_ms(&["--only", "LC-101,LC-102"]);
    println!("{:<58} {unchanged:>7.1} ms", "the same commit again");
    let more = unchanged - always;
    line("  on top of LC-101 and LC-102", more, 50.0);
}

fn version() {
    let of = |program: &Path, args: &[&str]| {
        median(SHORT_RUNS, || {
            let output = Command::new(program).args(args).output().unwrap();
            assert!(output.status.success());
        })
    };
    let bare = of(&std::env::current_exe().unwrap(), &["--bare", "--version"]);
    let launch = of(Path::new(env!("CARGO_BIN_EXE_launch")), &["--version"]);
    println!("-- start");
    println!("{:<58} {bare:>7.2} ms", "a bare clap program, --version");
    line("launch --version", launch, 2.5);
}

fn line(what: &str, measured: f64, limit: f64) {
    let verdict = if measured <= limit { "PASS" } else { "over" };
    println!("{what:<58} {measured:>7.1} ms {limit:>7.1} ms  {verdict}");
}

fn median(runs: usize, mut run: impl FnMut()) -> f64 {
    let mut took: Vec<f64> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took.get(runs / 2).copied().unwrap_or(f64::NAN)
}

/// The load of the last minute, so that figures can be judged.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// Time against the number of files, both logarithmic.
fn plot(file: &Path, points: &[(u32, f64, f64)]) {
    let area = SVGBackend::new(file, (640, 400)).into_drawing_area();
    area.fill(&WHITE).unwrap();
    let slowest = points.iter().map(|(_, a, b)| a.max(*b)).fold(1.0, f64::max);
    let (least, most) = (
        SIZES.into_iter().min().unwrap(),
        SIZES.into_iter().max().unwrap(),
    );
    let mut chart = ChartBuilder::on(&area)
        .caption("Time against files in the repository", ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(
            (f64::from(least)..f64::from(most)).log_scale(),
            (1.0..slowest * 2.0).log_scale(),
        )
        .unwrap();
    chart
        .configure_mesh()
        .x_desc("files")
        .y_desc("ms")
        .draw()
        .unwrap();
    for (name, color, pick) in [("git status", BLUE, 0_usize), ("offline preflight", RED, 1)] {
        let line = points.iter().map(|(files, status, offline)| {
            let ms = if pick == 0 { *status } else { *offline };
            (f64::from(*files), ms)
        });
        chart
            .draw_series(LineSeries::new(line, color).point_size(3))
            .unwrap()
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
    }
    chart
        .configure_series_labels()
        .border_style(BLACK)
        .draw()
        .unwrap();
    area.present().unwrap();
}
