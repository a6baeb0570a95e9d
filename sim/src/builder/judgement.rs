//! What a scenario gives back: a run, judged, or why there is none.

use std::fmt;
use std::path::Path;

use thiserror::Error;

use crate::failure;
use crate::oracle::Failure;
use crate::plan::Plan;
use crate::runner::{Outcome, RunError};
use crate::scenario::Report;

/// What messages call a scenario that is in no file.
pub const NAME: &str = "scenario";

/// A run, judged.
#[derive(Debug)]
pub struct Judgement {
    pub plan: Plan,
    pub outcome: Outcome,
}

impl Judgement {
    /// The run's identity.
    pub fn hash(&self) -> u128 {
        self.outcome.run.hash
    }

    /// What did not hold.
    pub fn failures(&self) -> &[Failure] {
        &self.outcome.failures
    }

    /// Whether everything held.
    pub fn passed(&self) -> bool {
        self.failures().is_empty()
    }

    /// Panics unless everything held, with what did not and the lines of the trace that show it.
    #[track_caller]
    pub fn assert_passed(&self) {
        let plan = &self.plan;
        let first = format!(
            "scenario {:?} seed={} trace={:032x}: this test does the same each time",
            plan.name,
            plan.seed,
            self.hash()
        );
        let text = || failure::text(&first, Path::new(NAME), plan, self.failures());
        assert!(self.passed(), "{}", text());
    }
}

/// Why there is no judgement.
#[derive(Error)]
pub enum ScenarioError {
    /// It says what it cannot mean.
    #[error("{0}")]
    Report(#[from] Report),
    /// It cannot be run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// As a test shows an error: with place, caret and hint.
impl fmt::Debug for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}
