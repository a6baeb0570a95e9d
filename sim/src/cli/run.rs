//! `evilbit run` and `evilbit replay`: scenarios run and judged, with the views that were asked for.

use super::args::{ReplayArgs, RunArgs, ViewArgs};
use super::out::Out;
use super::outputs::{self, Outputs};
use super::scripts;
use super::session::{self, Inputs, Loaded};
use super::{BadInput, Exit, test};
use crate::divergence::divergence;
use crate::trace::Retention;
use crate::view::Wanted;
use crate::world::RunOptions;
use crate::world::planted::Planted;

/// Runs scenarios.
pub fn run(args: &RunArgs, out: &mut Out) -> Result<Exit, BadInput> {
    let Inputs { scenarios, scripts } = session::load(&args.paths, args.seed)?;
    if scenarios.is_empty() {
        only_for_scenarios(args)?;
    }
    let _outputs = Outputs::prepare(&scenarios, &args.views)?;
    let mut exit = Exit::Held;
    for scenario in &scenarios {
        let how = How {
            twice: args.twice,
            json: args.json,
            against_snapshot: false,
            planted: args.planted(),
        };
        exit = exit.and(one(scenario, &args.views, how, out)?);
    }
    let how = scripts::How {
        pcap: args.views.pcap.clone(),
        twice: args.twice,
        json: args.json,
        ..scripts::How::default()
    };
    let tally = scripts::run_all(&scripts, &how, None, out)?;
    Ok(exit.and(tally.exit()))
}

/// What scripts have no use for is refused where nothing else would use it.
fn only_for_scenarios(args: &RunArgs) -> Result<(), BadInput> {
    let views = &args.views;
    let given = [
        ("--seed", args.seed.is_some()),
        ("--trace", views.trace.is_some()),
        ("--ladder", views.ladder),
        ("--xen", views.xen),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((option, _)) => Err(BadInput::say(
            format_args!("{option} is for scenarios, and there is none"),
            Some(
                "a packetdrill script's ladder is shown where it fails; --pcap writes its packets",
            ),
        )),
    }
}

/// Runs one scenario again.
pub fn replay(args: &ReplayArgs, out: &mut Out) -> Result<Exit, BadInput> {
    let scenario = session::load_one(&args.scenario, args.seed)?;
    let _outputs = Outputs::prepare(std::slice::from_ref(&scenario), &args.views)?;
    // What failed may have been the snapshot, which is of the scenario's own seed.
    let own_seed = session::load_one(&args.scenario, None)?.plan.seed;
    let how = How {
        against_snapshot: own_seed == scenario.plan.seed && !scenario.plan.snapshot.is_empty(),
        ..How::default()
    };
    one(&scenario, &args.views, how, out)
}

/// How a scenario is run.
#[derive(Clone, Copy, Default)]
struct How {
    /// And once more, to compare.
    twice: bool,
    /// The result as JSON.
    json: bool,
    /// A snapshot that differs is a failure.
    against_snapshot: bool,
    /// The mistake that each run makes.
    planted: Planted,
}

fn one(scenario: &Loaded, views: &ViewArgs, how: How, out: &mut Out) -> Result<Exit, BadInput> {
    let wanted = Wanted {
        snapshot: how.against_snapshot,
        ..outputs::wanted(scenario, views)
    };
    let retention = if how.twice {
        Retention::Full
    } else {
        Retention::HashOnly
    };
    let options = RunOptions {
        retention,
        planted: how.planted,
        ..RunOptions::default()
    };
    let mut ran = session::run(scenario, &wanted, &options)?;
    if how.against_snapshot {
        test::compare(scenario, &mut ran, false)?;
    }
    if how.twice {
        let again = session::run(scenario, &Wanted::default(), &options)?;
        let failure = divergence(&scenario.plan, &ran.outcome.run, &again.outcome.run);
        ran.verdict.failures.extend(failure);
    }
    if how.json {
        out.line(session::json(scenario, &ran));
    } else {
        let rendered = &ran.outcome.rendered;
        for view in [&rendered.ladder, &rendered.xen].into_iter().flatten() {
            out.text(view);
        }
        if !ran.verdict.passed() {
            out.text(session::failure_text(scenario, &ran));
        }
        out.line(ran.verdict.line());
    }
    Ok(if ran.verdict.passed() {
        Exit::Held
    } else {
        Exit::Failed
    })
}
