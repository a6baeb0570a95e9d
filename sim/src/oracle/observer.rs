//! Everyone who watches a run, behind one door: the trace's entries go in once, verdict and views come out.

use xenemu::Time;

use super::context::{Context, Sighting};
use super::deeds::Deeds;
use super::expect::{Failure, Judge, Leaks};
use super::invariants::Invariants;
use super::stuck::Stuck;
use super::tracker::Direction;
use super::trigger::Triggers;
use crate::plan::{Plan, Scope};
use crate::trace::entry::{Author, Entry};
use crate::view::{self, Rendered, ViewError, Views, Wanted};
use crate::world;

/// The watchers of a run, to be handed to the world.
pub struct Watch {
    context: Context,
    triggers: Triggers,
    /// The last entry, and the `when`s that it matches.
    last: Option<(EntryId, Vec<u32>)>,
    judge: Judge,
    invariants: Invariants,
    stuck: Stuck,
    deeds: Deeds,
    views: Views,
    packets: u64,
}

/// An entry's place in the trace.
type EntryId = (Time, Author, u64);

fn id(entry: &Entry) -> EntryId {
    (entry.at, entry.author, entry.seq)
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
            last: None,
            judge: match scope {
                Scope::Expect => Judge::new(plan),
                Scope::Always => Judge::explored(plan),
            },
            invariants: Invariants::default(),
            stuck: Stuck::new(plan),
            deeds: Deeds::new(plan),
            views: Views::open(plan, wanted)?,
            packets: 0,
        })
    }

    /// Takes the next entry of the merged trace.
    pub fn feed(&mut self, entry: &Entry) {
        self.context.observe(entry);
        view::log::entry(entry, &self.context);
        let sent = |sighting: &Sighting| sighting.direction == Direction::Out;
        self.packets += u64::from(self.context.sighting().is_some_and(sent));
        let matched = self.triggers.feed(entry, &self.context);
        self.last = Some((id(entry), matched));
        self.judge.feed(entry, &self.context);
        self.invariants.feed(entry, &self.context);
        self.stuck.feed(entry, &self.context);
        self.deeds.feed(entry, &self.context);
        self.views.feed(entry, &self.context);
    }

    /// Closes the files and judges. `leaks` is what the world found after it destroyed all domains.
    pub fn finish(self, leaks: &Leaks) -> Result<Findings, ViewError> {
        let mut failures = self.judge.failures(leaks);
        failures.extend(self.invariants.failures(leaks));
        failures.extend(self.stuck.failures());
        failures.extend(self.deeds.failures());
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
        Some(self)
    }
}

impl world::Triggers for Watch {
    /// The world shows an entry to its observer first, and asks then what it matched.
    fn feed(&mut self, entry: &Entry) -> Vec<u32> {
        if self
            .last
            .as_ref()
            .is_none_or(|(last, _)| *last != id(entry))
        {
            Watch::feed(self, entry);
        }
        let last = self.last.as_mut();
        last.map(|(_, matched)| std::mem::take(matched))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::SnapshotPart;
    use crate::view::testing::{EC2, LAPTOP, Stream, plan};
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_frames_make_a_watcher_panic(
            frames in proptest::collection::vec(
                (any::<bool>(), 0_u8..3, proptest::collection::vec(any::<u8>(), 0..80)),
                0..20,
            ),
        ) {
            let mut plan = plan();
            let only = Vec::new();
            plan.snapshot = vec![SnapshotPart::Ladder { only, arp: true }];
            let wanted = Wanted { ladder: true, xen: true, snapshot: true, ..Wanted::default() };
            let mut stream = Stream::begin();
            for (at, (out, fate, bytes)) in (0..).zip(frames) {
                let (from, to) = if out { (LAPTOP, EC2) } else { (EC2, LAPTOP) };
                let frame = stream.send(at * 1000, from, bytes);
                match fate {
                    0 => stream.deliver(at * 1000 + 500, to, frame),
                    1 => stream.lose(at * 1000 + 500, from, frame),
                    _ => {}
                }
            }
            let mut watch = Watch::new(&plan, Scope::Always, &wanted).expect("no files");
            stream.entries.iter().for_each(|entry| watch.feed(entry));
            let findings = watch.finish(&Leaks::default()).expect("no files");
            prop_assert!(findings.rendered.ladder.is_some());
        }
    }
}
