//! Running one scenario for a command: load, run, time, judge, and leave what a failure needs behind.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::BadInput;
use super::args::ViewArgs;
use super::report;
use crate::plan::{Plan, Scope};
use crate::runner::{self, Outcome, RunError};
use crate::scenario::{self, Overrides};
use crate::verdict::Verdict;
use crate::view::Wanted;
use crate::world::{Builtin, RunOptions};

/// Where failing runs leave their traces.
const ARTIFACTS: &str = "target/evilbit";

/// A scenario, read and checked.
pub struct Loaded {
    pub path: PathBuf,
    pub plan: Plan,
}

/// Reads all scenarios before any of them runs: a bad one stops the command while nothing is written.
pub fn load(paths: &[PathBuf], seed: Option<u64>) -> Result<Vec<Loaded>, BadInput> {
    let found = super::discover::files(paths, super::discover::Sort::Scenario).map_err(|e| {
        let hint = miette::Diagnostic::help(&e).map(|h| h.to_string());
        BadInput::say(&e, hint.as_deref())
    })?;
    let mut loaded = Vec::new();
    let mut bad = None;
    for path in found {
        let overrides = Overrides {
            seed,
            ..Overrides::default()
        };
        match scenario::load(&path, &overrides) {
            Ok(plan) => loaded.push(Loaded { path, plan }),
            Err(report) => bad = Some(BadInput::show(&report)),
        }
    }
    match bad {
        Some(bad) => Err(bad),
        None => Ok(loaded),
    }
}

/// A run and its verdict.
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
    BadInput::say(error, None)
}

/// What the command line wants to see of a run. Folders are made here.
pub fn wanted(loaded: &Loaded, views: &ViewArgs) -> Result<Wanted, BadInput> {
    Ok(Wanted {
        ladder: views.ladder,
        xen: views.xen,
        snapshot: false,
        pcap: match &views.pcap {
            None => None,
            Some(folder) => Some(capture_path(folder, loaded)?),
        },
        trace: views.trace.clone(),
        ..Wanted::default()
    })
}

fn capture_path(folder: &Path, loaded: &Loaded) -> Result<PathBuf, BadInput> {
    let refuse = |why: &dyn std::fmt::Display| {
        let hint = Some("--pcap takes a folder, which is made if it is not there");
        BadInput::say(format_args!("--pcap {}: {why}", folder.display()), hint)
    };
    if folder.exists() && !folder.is_dir() {
        return Err(refuse(&"not a folder"));
    }
    std::fs::create_dir_all(folder).map_err(|error| refuse(&error))?;
    Ok(folder.join(format!("{}.pcapng", loaded.plan.name)))
}

/// Leaves capture, trace and snapshot's difference of a failed run in a folder of its own, and says which.
pub fn leave_artifacts(loaded: &Loaded, snapshot_diff: Option<&str>) -> Option<PathBuf> {
    let folder = Path::new(ARTIFACTS).join(format!("{}-{}", loaded.plan.name, loaded.plan.seed));
    std::fs::create_dir_all(&folder).ok()?;
    let wanted = Wanted {
        pcap: Some(folder.join("capture.pcapng")),
        trace: Some(folder.join("trace.jsonl")),
        ..Wanted::default()
    };
    // The run is the same again: that is what determinism is for.
    runner::run(
        &loaded.plan,
        &Builtin,
        Scope::Expect,
        &wanted,
        &RunOptions::default(),
    )
    .ok()?;
    if let Some(diff) = snapshot_diff {
        std::fs::write(folder.join("snapshot.diff"), diff).ok()?;
    }
    Some(folder)
}

/// The text about a failed run, with the folder that holds its traces.
pub fn failure_text(loaded: &Loaded, ran: &Ran, snapshot_diff: Option<&str>) -> String {
    let mut text = report::text(&loaded.path, &loaded.plan, &ran.verdict.failures);
    if let Some(folder) = leave_artifacts(loaded, snapshot_diff) {
        text += &format!("  capture and trace: {}\n", folder.display());
    }
    text
}
