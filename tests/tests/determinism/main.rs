//! One scenario, one trace: however a run is driven, watched or accompanied, and on whatever machine.
//!
//! - [`ways`]: the ways of driving a run that must leave no mark, over all scenarios.
//! - [`aim`]: the same with faults and triggers put where a cut hurts most.
//! - [`golden`]: the hashes that hold on every machine and in every profile.
//! - [`set`]: what the scenarios must contain for all this to mean anything.

mod aim;
mod golden;
mod set;
mod ways;

use std::sync::LazyLock;

use evilbit::trace::Retention;
use evilbit::view::Wanted;
use evilbit::world::{Run, RunOptions, WindowMode};
use rayon::prelude::*;
use tests::scenario::{self, Scenario};

/// Every scenario with its run, alone on its thread and driven in the plainest way: what others are compared with.
static PLAIN: LazyLock<Vec<(Scenario, Run)>> = LazyLock::new(|| {
    let options = RunOptions {
        retention: Retention::Headers,
        ..RunOptions::default()
    };
    let run = |scenario: Scenario| {
        let run = scenario.run(&Wanted::default(), &options).run;
        (scenario, run)
    };
    scenario::all().into_par_iter().map(run).collect()
});

/// The ways of cutting windows and registering hosts.
fn cuts() -> [RunOptions; 5] {
    let way = |windows, reverse_hosts| RunOptions {
        windows,
        reverse_hosts,
        ..RunOptions::default()
    };
    [
        way(WindowMode::Whole, false),
        way(WindowMode::Whole, true),
        way(WindowMode::Halved, false),
        way(WindowMode::Sevenths, false),
        way(WindowMode::Random(1), true),
    ]
}
