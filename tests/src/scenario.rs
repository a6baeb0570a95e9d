//! The scenarios of the repository, as the tests find and run them.
//!
//! Whoever runs one here also learns whether it gave everything back: no test can forget to ask.

use std::path::{Path, PathBuf};

use evilbit::cli::discover::{self, Sort};
use evilbit::plan::{Plan, Scope};
use evilbit::runner::{self, Outcome};
use evilbit::scenario::{self, Overrides};
use evilbit::view::Wanted;
use evilbit::world::{Builtin, GuestRegistry, Run, RunOptions};

/// A scenario, read and checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `blog/blog`: its path below `scenarios/`, without the extension.
    pub name: String,
    pub path: PathBuf,
    pub plan: Plan,
}

/// Where the repository is.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("this crate lies in the workspace")
}

/// Every scenario, in order of names.
pub fn all() -> Vec<Scenario> {
    let found = discover::files(&[root().join("scenarios")], Sort::Scenario);
    let paths = found.expect("there are scenarios");
    paths.into_iter().map(read).collect()
}

/// The scenario called `blog/blog`, say.
pub fn named(name: &str) -> Scenario {
    read(root().join("scenarios").join(name).with_extension("kdl"))
}

fn read(path: PathBuf) -> Scenario {
    let below = path.strip_prefix(root().join("scenarios"));
    let name = below.expect("it lies in the folder").with_extension("");
    // Slashes everywhere: the name stands in files that are compared on every machine.
    let words: Vec<_> = name.iter().map(|word| word.to_string_lossy()).collect();
    let plan = scenario::load(&path, &Overrides::default());
    Scenario {
        name: words.join("/"),
        plan: plan.unwrap_or_else(|report| panic!("{report:?}")),
        path,
    }
}

impl Scenario {
    /// Runs it as it is written.
    pub fn run(&self, wanted: &Wanted, options: &RunOptions) -> Outcome {
        self.run_with(&Builtin, wanted, options)
    }

    /// Runs it with other guests.
    pub fn run_with(
        &self,
        guests: &dyn GuestRegistry,
        wanted: &Wanted,
        options: &RunOptions,
    ) -> Outcome {
        let outcome = runner::run(&self.plan, guests, Scope::Expect, wanted, options);
        let outcome = outcome.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert_gave_back(&self.name, &outcome.run);
        outcome
    }
}

/// Every counter of every machine is back to zero.
pub fn assert_gave_back(name: &str, run: &Run) {
    for (machine, leaks) in &run.leaks {
        assert_eq!(leaks.total(), 0, "{name}: {machine} leaks: {leaks:?}");
    }
}
