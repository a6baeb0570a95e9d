//! `evilbit test`: scenarios as tests, against their snapshots, and packetdrill scripts.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::json;

use super::args::TestArgs;
use super::out::{Out, talk};
use super::scripts;
use super::session::{self, Inputs, Loaded, Ran};
use super::{BadInput, Exit};
use crate::oracle::Failure;
use crate::view::Wanted;
use crate::view::snapfile::{self, Comparison};
use crate::world::RunOptions;

/// A tested scenario: what to print, and whether it passed.
struct Tested {
    text: String,
    passed: bool,
    accepted: bool,
}

/// Tests scenarios.
pub fn test(args: &TestArgs, out: &mut Out) -> Result<Exit, BadInput> {
    if args.accept && std::env::var("CI").is_ok_and(|ci| ci == "true") {
        let hint =
            Some("accept on your own machine, and commit the snapshots after a look at them");
        return Err(BadInput::say("--accept is refused where CI=true", hint));
    }
    let all = session::load(&args.paths, None)?;
    let of_all = all.scenarios.len() + all.scripts.len();
    let (scenarios, scripts) = chosen(args, &all)?;
    // Whole runs are independent; each world lives and dies on one thread.
    let tested: Vec<Tested> = scenarios
        .par_iter()
        .map(|s| one(s, args))
        .collect::<Result<_, _>>()?;
    for t in &tested {
        out.text(&t.text);
    }
    let how = scripts::How {
        json: args.json,
        ..scripts::How::default()
    };
    let tally = scripts::run_all(&scripts, &how, None, out)?;
    let accepted = tested.iter().filter(|t| t.accepted).count();
    if accepted > 0 {
        talk(format_args!("{accepted} snapshots accepted"));
    }
    let held = tested.iter().filter(|t| t.passed).count();
    let passed = held + tally.passed;
    let failed = tested.len() - held + tally.failed + tally.bad;
    let skipped = of_all - passed - failed - tally.failed_as_expected;
    if args.json {
        out.line(json!({ "passed": passed, "failed": failed, "skipped": skipped }));
    } else {
        out.line(format_args!(
            "{passed} passed, {failed} failed, {skipped} skipped"
        ));
    }
    let exit = match tested.len() - held {
        0 => Exit::Held,
        _ => Exit::Failed,
    };
    Ok(exit.and(tally.exit()))
}

/// The scenarios and the scripts that the filter and the shard leave: one list, scenarios first, is divided.
fn chosen<'a>(
    args: &TestArgs,
    all: &'a Inputs,
) -> Result<(Vec<&'a Loaded>, Vec<PathBuf>), BadInput> {
    let is_chosen = |path: &Path| {
        let path = path.to_string_lossy();
        let mut filter = args.filter.iter();
        filter.all(|filter| path.contains(filter.as_str()))
    };
    let scenarios = all.scenarios.iter().filter(|s| is_chosen(&s.path));
    let scripts = all.scripts.iter().filter(|path| is_chosen(path));
    let (mut scenarios, mut scripts): (Vec<_>, Vec<_>) = (scenarios.collect(), scripts.collect());
    if let (Some(filter), true) = (&args.filter, scenarios.is_empty() && scripts.is_empty()) {
        let hint = Some("a filter is a part of the paths as they are printed");
        return Err(BadInput::say(
            format_args!("no path contains {filter:?}"),
            hint,
        ));
    }
    if let Some((i, n)) = args.shard {
        let before = scenarios.len();
        let is_mine = |at: &usize| at % n == i - 1;
        scenarios = (0..before)
            .filter(is_mine)
            .map(|at| scenarios[at])
            .collect();
        let places = before..before + scripts.len();
        scripts = places
            .filter(is_mine)
            .map(|at| scripts[at - before])
            .collect();
    }
    Ok((scenarios, scripts.into_iter().cloned().collect()))
}

fn one(scenario: &Loaded, args: &TestArgs) -> Result<Tested, BadInput> {
    let wanted = Wanted {
        snapshot: !scenario.plan.snapshot.is_empty(),
        ..Wanted::default()
    };
    let _log = tracing::info_span!("test", scenario = %scenario.plan.name).entered();
    let mut ran = session::run(scenario, &wanted, &RunOptions::default())?;
    let (diff, accepted) = compare(scenario, &mut ran, args.accept)?;
    let passed = ran.verdict.passed();
    let text = if args.json {
        let mut object = session::json(scenario, &ran);
        object["snapshot_diff"] = json!(diff);
        format!("{object}\n")
    } else if passed {
        format!("{}\n", ran.verdict.line())
    } else {
        session::failure_text(scenario, &ran) + &ran.verdict.line() + "\n"
    };
    Ok(Tested {
        text,
        passed,
        accepted,
    })
}

/// Compares a run's snapshot with the accepted one; the difference is a failure, or becomes the accepted one.
pub(super) fn compare(
    scenario: &Loaded,
    ran: &mut Ran,
    accept: bool,
) -> Result<(Option<String>, bool), BadInput> {
    let Some(snapshot) = &ran.outcome.rendered.snapshot else {
        return Ok((None, false));
    };
    let path = snapfile::path_of(&scenario.path);
    let say = |error| BadInput::say(error, None);
    let comparison = snapfile::compare(&path, snapshot).map_err(say)?;
    if comparison == Comparison::Same {
        return Ok((None, false));
    }
    if accept && ran.verdict.passed() {
        snapfile::accept(&path, snapshot).map_err(say)?;
        return Ok((None, true));
    }
    let (message, diff) = match comparison {
        Comparison::Different(diff) => ("the snapshot differs", diff),
        _ => ("there is no accepted snapshot", String::new()),
    };
    ran.verdict.failures.push(Failure {
        span: None,
        message: format!("{message}: {}", path.display()),
        evidence: diff.lines().map(str::to_owned).collect(),
    });
    Ok((Some(diff), false))
}
