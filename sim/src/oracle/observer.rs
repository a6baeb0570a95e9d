//! Everyone who watches a run, behind one door: the trace's entries go in once, verdict and views come out.

use super::context::{Context, Sighting};
use super::expect::{Failure, Judge, Leaks};
use super::invariants::Invariants;
use super::tracker::Direction;
use super::trigger::Triggers;
use crate::plan::{Plan, Scope};
use crate::trace::entry::Entry;
use crate::view::{Rendered, ViewError, Views, Wanted};
use crate::world;

/// The watchers of a run, to be handed to the world.
pub struct Watch {
    context: Context,
    triggers: Triggers,
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

impl Watch {
    /// Of a run of that plan. `scope`: `Expect` for the scenario as written, `Always` for an explored run.
    pub fn new(plan: &Plan, scope: Scope, wanted: &Wanted) -> Result<Watch, ViewError> {
        Ok(Watch {
            context: Context::new(plan),
            triggers: Triggers::new(plan),
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
        let sent = |sighting: &Sighting| sighting.direction == Direction::Out;
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

impl world::Observer for Watch {
    fn on_entry(&mut self, entry: &Entry) {
        self.feed(entry);
    }
    fn triggers(&mut self) -> Option<&mut dyn world::Triggers> {
        Some(&mut self.triggers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::SnapshotPart;
    use crate::view::testing::{Stream, plan};

    #[test]
    fn the_same_entries_make_the_same_findings() {
        let mut plan = plan();
        let only = Vec::new();
        plan.snapshot = vec![
            SnapshotPart::Ladder { only, arp: true },
            SnapshotPart::XenSummary,
        ];
        let wanted = Wanted {
            ladder: true,
            xen: true,
            snapshot: true,
            ..Wanted::default()
        };
        let mut stream = Stream::begin();
        stream.handshake();
        let watch = |wanted: &Wanted| {
            let mut watch = Watch::new(&plan, Scope::Expect, wanted).expect("no files");
            stream.entries.iter().for_each(|entry| watch.feed(entry));
            watch.finish(&Leaks::default()).expect("no files")
        };
        let findings = watch(&wanted);
        assert_eq!(findings, watch(&wanted));
        assert_eq!(findings.packets, 3);
        assert_eq!(findings.failures, watch(&Wanted::default()).failures);
        let snapshot = findings.rendered.snapshot.expect("asked for");
        assert!(snapshot.starts_with("== ladder ==\n       sent     arrived  blog"));
    }
}
