//! Running one scenario for a command: load, run, time, judge, and leave what a failure needs behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use thiserror::Error;

use super::BadInput;
use super::discover::Sort;
use super::out::talk;
use crate::failure;
use crate::plan::{Plan, Scope};
use crate::runner::{self, Outcome, RunError};
use crate::scenario::{self, Overrides};
use crate::verdict::Verdict;
use crate::view::Wanted;
use crate::view::snapfile::{self, Comparison};
use crate::world::{Builtin, RunOptions};

/// Where failing runs leave their traces.
const ARTIFACTS: &str = "target/evilbit";

/// A scenario, read and checked.
#[derive(Debug)]
pub struct Loaded {
    pub path: PathBuf,
    pub plan: Plan,
}

/// The files that a command's paths name: scenarios, read and checked, and packetdrill scripts.
#[derive(Debug)]
pub struct Inputs {
    pub scenarios: Vec<Loaded>,
    pub scripts: Vec<PathBuf>,
}

/// Reads all scenarios before any of them runs: a bad one stops the command while nothing is written.
pub fn load(paths: &[PathBuf], seed: Option<u64>) -> Result<Inputs, BadInput> {
    let found = super::discover::files(paths, Sort::Any).map_err(|e| {
        let hint = miette::Diagnostic::help(&e).map(|h| h.to_string());
        BadInput::say(&e, hint.as_deref())
    })?;
    let is_script = |path: &PathBuf| Sort::Script.fits(path);
    let (scripts, found): (Vec<PathBuf>, Vec<PathBuf>) = found.into_iter().partition(is_script);
    let mut scenarios = Vec::new();
    let mut bad = None;
    for path in found {
        let overrides = Overrides {
            seed,
            ..Overrides::default()
        };
        match scenario::load(&path, &overrides) {
            Ok(plan) => scenarios.push(Loaded { path, plan }),
            Err(report) => bad = Some(BadInput::show(&report)),
        }
    }
    match bad {
        Some(bad) => Err(bad),
        None => Ok(Inputs { scenarios, scripts }),
    }
}

/// Reads the one scenario that a command takes.
pub fn load_one(path: &Path, seed: Option<u64>) -> Result<Loaded, BadInput> {
    let mut inputs = load(&[path.to_owned()], seed)?;
    let scenarios = &mut inputs.scenarios;
    match (scenarios.pop(), scenarios.is_empty(), &inputs.scripts[..]) {
        (Some(scenario), true, []) => Ok(scenario),
        _ => Err(BadInput::say(
            "this command takes one scenario",
            Some("name one .kdl file"),
        )),
    }
}

/// A run and its verdict.
#[derive(Debug)]
pub struct Ran {
    pub outcome: Outcome,
    pub verdict: Verdict,
}

/// Runs a scenario as it is written.
pub fn run(loaded: &Loaded, wanted: &Wanted, options: &RunOptions) -> Result<Ran, BadInput> {
    let started = Instant::now();
    let outcome =
        runner::run(&loaded.plan, &Builtin, Scope::Expect, wanted, options).map_err(bad)?;
    let verdict = Verdict {
        path: loaded.path.display().to_string(),
        seed: loaded.plan.seed,
        trace: outcome.run.hash,
        simulated: outcome.run.end,
        wall_ms: started.elapsed().as_millis() as u64,
        packets: outcome.packets,
        failures: outcome.failures.clone(),
    };
    Ok(Ran { outcome, verdict })
}

fn bad(error: RunError) -> BadInput {
    let hint = match &error {
        RunError::World(_) => "the scenario describes what cannot be built",
        RunError::View(_) => "the run's other files were not written either",
    };
    BadInput::say(&error, Some(hint))
}

/// The text about a failed run, with the folder where its traces are left.
pub fn failure_text(loaded: &Loaded, ran: &Ran) -> String {
    let (path, plan) = (&loaded.path, &loaded.plan);
    let first = failure::replay_line(path, plan.seed);
    let mut text = failure::text(&first, path, plan, &ran.verdict.failures);
    if let Some(folder) = leave_traces(loaded) {
        text += &format!("  captures and trace: {}\n", folder.display());
    }
    text
}

/// The object about a run: the verdict's, and for a failed run how to see it again.
pub fn json(loaded: &Loaded, ran: &Ran) -> Value {
    let mut object = ran.verdict.json();
    let failed = !ran.verdict.passed();
    let traces = failed.then(|| leave_traces(loaded)).flatten();
    for (object, failure) in failures_of(&mut object).zip(&ran.verdict.failures) {
        let place = failure
            .span
            .map(|span| failure::place(&loaded.plan.source, span));
        object["line"] = place.map(|(line, _)| line).into();
        object["column"] = place.map(|(_, column)| column).into();
    }
    object["replay"] = match failed {
        true => failure::replay_line(&loaded.path, loaded.plan.seed).into(),
        false => Value::Null,
    };
    object["traces"] = traces.map(|folder| folder.display().to_string()).into();
    object
}

fn failures_of(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    let failures = object["failures"].as_array_mut();
    failures.expect("a verdict lists its failures").iter_mut()
}

/// Leaves a failed run's traces, and says where; that it could not is no failure of the run.
fn leave_traces(loaded: &Loaded) -> Option<PathBuf> {
    leave_artifacts(loaded)
        .inspect_err(|error| {
            talk(format_args!(
                "the failed run's captures and trace were not left behind: {error}"
            ));
        })
        .ok()
}

/// Why a failed run leaves no traces.
#[derive(Debug, Error)]
enum ArtifactError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Leaves captures, trace and the snapshot's difference of a failed run in a folder of its own, and says which.
///
/// The scenario is run once more for them, and does the same again: that is what determinism is for.
fn leave_artifacts(loaded: &Loaded) -> Result<PathBuf, ArtifactError> {
    let plan = &loaded.plan;
    let folder = Path::new(ARTIFACTS).join(format!("{}-{}", plan.name, plan.seed));
    let io = |path: &Path, error| ArtifactError::Io {
        path: path.to_owned(),
        error,
    };
    // What an earlier failure left there would mislead.
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(&folder, error)),
        _ => fs::create_dir_all(&folder).map_err(|error| io(&folder, error))?,
    }
    let wanted = Wanted {
        pcap_taps: Some(folder.clone()),
        trace: Some(folder.join("trace.jsonl")),
        snapshot: !plan.snapshot.is_empty(),
        ..Wanted::default()
    };
    let options = RunOptions::default();
    let outcome = runner::run(plan, &Builtin, Scope::Expect, &wanted, &options)?;
    if let Some(snapshot) = &outcome.rendered.snapshot
        && let Some(diff) = snapshot_diff(&loaded.path, snapshot)
    {
        let path = folder.join("snapshot.diff");
        fs::write(&path, diff).map_err(|error| io(&path, error))?;
    }
    Ok(folder)
}

/// From the accepted snapshot, or from nothing, to this one; `None` where they are the same.
fn snapshot_diff(scenario: &Path, snapshot: &str) -> Option<String> {
    match snapfile::compare(&snapfile::path_of(scenario), snapshot) {
        Ok(Comparison::Same) => None,
        Ok(Comparison::Different(diff)) => Some(diff),
        Ok(Comparison::Missing) | Err(_) => Some(snapfile::diff("", snapshot)),
    }
}
