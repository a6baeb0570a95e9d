//! The packetdrill suites of others, where they are beside the repository.

use std::path::Path;

use evilbit::cli::discover::{self, Sort};
use evilbit::packetdrill::run::verdict::Ending;
use evilbit::packetdrill::run::{self, RunOptions, expected};
use evilbit::packetdrill::{self, Definitions, Loaded};

/// What came of all scripts.
#[derive(Clone, Copy, Default)]
pub struct Ran {
    pub passed: usize,
    /// Seconds that passed for the stack. A script that fails ends there.
    pub simulated: f64,
}

/// Reads both suites. What is no script, as one of them is not, is left out.
pub fn load(folder: &Path) -> Vec<Loaded> {
    let folders = ["google", "freebsd"].map(|name| folder.join(name));
    let files = discover::files(&folders, Sort::Script).expect("there are scripts");
    let definitions = Definitions::of_the_suites();
    let read = files
        .iter()
        .map(|path| packetdrill::load(path, &definitions));
    read.flatten().collect()
}

/// Runs them one after the other.
pub fn run(scripts: &[Loaded]) -> Ran {
    let mut ran = Ran::default();
    for loaded in scripts {
        let mut verdict = run::run(&loaded.script, &RunOptions::default());
        expected::apply(&mut verdict, loaded);
        ran.passed += usize::from(verdict.ending == Ending::Passed);
        ran.simulated += verdict.simulated as f64 / 1e9;
    }
    ran
}
