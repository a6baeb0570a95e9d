//! Every scenario is a test of its own: it passes, and its snapshot is the accepted one.
//!
//! insta reads and writes the file beside the scenario, which `evilbit test --accept` writes too: `cargo insta review`
//! and the command accept the same bytes.

use std::process::ExitCode;

use evilbit::failure;
use evilbit::view::Wanted;
use evilbit::world::RunOptions;
use libtest_mimic::{Arguments, Failed, Trial};
use tests::scenario::{self, Scenario};

fn main() -> ExitCode {
    let trial = |scenario: Scenario| Trial::test(scenario.name.clone(), move || holds(&scenario));
    let trials = scenario::all().into_iter().map(trial).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn holds(scenario: &Scenario) -> Result<(), Failed> {
    let wanted = Wanted {
        snapshot: true,
        ..Wanted::default()
    };
    let outcome = scenario.run(&wanted, &RunOptions::default());
    if !outcome.failures.is_empty() {
        let first = failure::replay_line(&scenario.path, scenario.plan.seed);
        let text = failure::text(&first, &scenario.path, &scenario.plan, &outcome.failures);
        return Err(text.into());
    }
    if !scenario.plan.snapshot.is_empty() {
        let snapshot = outcome.rendered.snapshot.ok_or("no snapshot was made")?;
        beside(scenario, || {
            insta::assert_snapshot!(file(scenario), snapshot)
        });
    }
    Ok(())
}

/// Has insta look for snapshots where scenarios are.
fn beside(scenario: &Scenario, assert: impl FnOnce()) {
    let mut settings = insta::Settings::new();
    let folder = scenario.path.parent().expect("a file is in a folder");
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(assert);
}

/// The snapshot's name in its folder.
fn file(scenario: &Scenario) -> String {
    let stem = scenario.path.file_stem().expect("it has a name");
    stem.to_string_lossy().into_owned()
}
