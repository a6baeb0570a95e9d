//! The hashes in `tests/golden-hashes.txt`: one line a scenario, the same on every machine and in every profile.
//!
//! A line that changes is looked at like a snapshot. `EVILBIT_BLESS=1 cargo test -p tests --test determinism` writes the
//! file anew; where `CI=true` it refuses to.

use std::env;
use std::fs;
use std::path::PathBuf;

use tests::scenario;

use crate::PLAIN;

fn path() -> PathBuf {
    scenario::root().join("tests/golden-hashes.txt")
}

/// What the file should say.
fn lines() -> String {
    let line = |(scenario, run): &(scenario::Scenario, evilbit::world::Run)| {
        format!("{:032x} scenarios/{}.kdl\n", run.hash, scenario.name)
    };
    PLAIN.iter().map(line).collect()
}

#[test]
fn every_scenarios_hash_is_the_golden_one() {
    let now = lines();
    if env::var("EVILBIT_BLESS").is_ok_and(|v| v == "1") {
        let ci = env::var("CI").is_ok_and(|v| v == "true");
        assert!(!ci, "EVILBIT_BLESS is refused where CI=true");
        fs::write(path(), &now).expect("the file can be written");
    }
    let golden = fs::read_to_string(path()).expect("the file can be read");
    let differ = evilbit::view::snapfile::diff(&golden, &now);
    assert!(
        golden == now,
        "if these changes are meant: EVILBIT_BLESS=1 cargo test -p tests --test determinism\n{differ}"
    );
}
