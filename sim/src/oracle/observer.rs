//! Everyone who watches a run, behind one door: the trace's entries go in once, verdict and views come out.

use super::context::Context;
use super::expect::{Failure, Judge, Leaks};
use super::invariants::Invariants;
use super::tracker::Direction;
use crate::plan::{Plan, Scope};
use crate::trace::entry::Entry;
use crate::view::{Rendered, ViewError, Views, Wanted};

/// The watchers of a run.
pub struct Observer {
    context: Context,
    judge: Judge,
    invariants: Invariants,
    views: Views,
    packets: u64,
}

/// What they found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Expectations first, in the plan's order, then passive checks.
    pub failures: Vec<Failure>,
    /// Frames that domains sent.
    pub packets: u64,
    pub rendered: Rendered,
}

impl Observer {
    /// Of a run of that plan. `scope`: `Expect` for the scenario as written, `Always` for an explored run.
    pub fn new(plan: &Plan, scope: Scope, wanted: &Wanted) -> Result<Observer, ViewError> {
        Ok(Observer {
            context: Context::new(plan),
            judge: match scope {
                Scope::Expect => Judge::new(plan),
                Scope::Always => Judge::explored(plan),
            },
            invariants: Invariants::default(),
            views: Views::open(plan, wanted)?,
            packets: 0,
        })
    }

    /// Takes the next entry of the merged trace.
    pub fn feed(&mut self, entry: &Entry) {
        self.context.observe(entry);
        let sent = |s: &super::context::Sighting| s.direction == Direction::Out;
        self.packets += u64::from(self.context.sighting().is_some_and(sent));
        self.judge.feed(entry, &self.context);
        self.invariants.feed(entry, &self.context);
        self.views.feed(entry, &self.context);
    }

    /// Closes the files and judges. `leaks` is what the world found after it destroyed all domains.
    pub fn finish(self, leaks: &Leaks) -> Result<Findings, ViewError> {
        let mut failures = self.judge.failures(leaks);
        failures.extend(self.invariants.failures(leaks));
        Ok(Findings {
            failures,
            packets: self.packets,
            rendered: self.views.finish()?,
        })
    }
}
