//! Scripts, one or all below a directory.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::{Config, Options};
use crate::report::{Outcome, Report};
use crate::run::Runner;
use crate::script::Script;
use crate::shell::Shell;
use crate::stop::Stop;
use crate::wants;

/// The longest script, in bytes: those that people write have a few thousand.
const SCRIPT_BYTES_MAX: u64 = 1 << 20;

/// What runs scripts: options, and a shell whose commands change nothing.
pub struct Drill {
    options: Options,
    shell: Shell,
}

/// The text of a script. A device may have no end.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(SCRIPT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > SCRIPT_BYTES_MAX {
        return Err(io::Error::other(format!("it has more than {SCRIPT_BYTES_MAX} bytes")));
    }
    Ok(text)
}

impl Drill {
    /// # Errors
    ///
    /// When there is no place for the stand-ins of commands.
    pub fn new(options: Options) -> io::Result<Drill> {
        Ok(Drill { options, shell: Shell::new()? })
    }

    /// Runs the script in a file.
    pub fn run(&self, path: &Path) -> Report {
        let shown = path.display().to_string();
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        match read(path) {
            Ok(text) => self.run_text(&shown, directory, &text),
            Err(error) => Report {
                outcome: Outcome::Failed(format!("{shown}: cannot be read: {error}")),
                path: shown,
                said: Vec::new(),
            },
        }
    }

    /// Runs a script's text, as if it stood in a file of that name in `directory`.
    pub fn run_text(&self, path: &str, directory: &Path, text: &str) -> Report {
        let mut said = Vec::new();
        let outcome = match Script::parse(text, &self.options.defines()) {
            Err(error) => {
                let place = error.place;
                let failure =
                    format!("{path}:{}:{}: parse error: {}", place.line, place.column, error.sentence);
                ended(Stop::Failed(failure), wants::named(text))
            }
            Ok(script) => self.outcome(path, directory, &script, &mut said),
        };
        Report { path: path.to_owned(), outcome, said }
    }

    /// Runs many scripts, as many at a time as the machine has processors; reports come in the order of the paths.
    pub fn run_all(&self, paths: &[PathBuf]) -> Vec<Report> {
        let next = AtomicUsize::new(0);
        let reports = Mutex::new(Vec::new());
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(paths.len());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some((at, path)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        paths.get(at).map(|path| (at, path))
                    } {
                        let report = self.run(path);
                        reports.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((at, report));
                    }
                });
            }
        });
        let mut reports = reports.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        reports.sort_by_key(|(at, _)| *at);
        reports.into_iter().map(|(_, report)| report).collect()
    }

    fn outcome(&self, path: &str, directory: &Path, script: &Script, said: &mut Vec<String>) -> Outcome {
        let config = match Config::of(script, &self.options) {
            Ok(config) => config,
            Err(stop) => return ended(stop.map(|why| format!("{path}: {why}")), Vec::new()),
        };
        if config.dry_run {
            return Outcome::Passed;
        }
        let mut runner = match Runner::new(path, directory, script, config, &self.shell) {
            Ok(runner) => runner,
            Err(stop) => return ended(stop, Vec::new()),
        };
        let result = runner.run();
        said.append(&mut runner.said);
        match result {
            Ok(()) => Outcome::Passed,
            Err(stop) => {
                let mut missing = std::mem::take(&mut runner.settings.missing);
                missing.extend(wants::missing(script));
                ended(stop, missing)
            }
        }
    }
}

/// What a script's early end means when this was missing.
fn ended(stop: Stop, mut missing: Vec<String>) -> Outcome {
    match stop {
        Stop::Unsupported(what) => {
            missing.retain(|other| *other != what);
            missing.insert(0, what);
            Outcome::Unsupported { missing, failure: None }
        }
        Stop::Failed(report) if missing.is_empty() => Outcome::Failed(report),
        Stop::Failed(report) => Outcome::Unsupported { missing, failure: Some(report) },
    }
}

/// The scripts that a path means: itself, or every `*.pkt` below a directory, in order.
///
/// # Errors
///
/// When a directory cannot be read.
pub fn scripts_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort();
    let mut scripts = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            scripts.extend(scripts_below(&entry)?);
        } else if entry.extension().is_some_and(|extension| extension == "pkt") {
            scripts.push(entry);
        }
    }
    Ok(scripts)
}
