//! The world: machines and switches, the links between them, time in rounds, and faults.
//!
//! In reading order: `node` what a machine or switch is to the world, `machine` the one that runs Xen with the `guests`
//! that a registry knows, `switch` the learning switch · `link` a link's two directions, with `impair` (chance), `egress`
//! (queue and rate), `mark` (congestion experienced), `flight` (what is on its way) · `datagram` and `turmoil` how frames travel between hosts · `fabric` a
//! node's round · `rounds` windows and the merge · `schedule`, `whens`, `actions`, `faults`, `forge` the experimenter's deeds ·
//! `scripts` commands for guests · `record` what becomes of an entry, `quiet` when a run is over · `build` a world from a
//! plan · `reality` bytes from and to the outside · `options` how a run is driven and what it gives back · `sample` random
//! plans.
//!
//! The way of a frame: a node transmits it at a stamp; it enters its link's egress, is serialised, travels in a datagram
//! through turmoil to the receiver's host, flies in the link's store until the window of its arrival, and is handed to
//! the node.
//!
//! Time is a conservative parallel simulation: a round acts on all that is due before its end, and its end is so near
//! that nothing sent in it can matter before the next. Where rounds end leaves no mark in the trace.

pub mod actions;
mod build;
mod datagram;
mod egress;
mod fabric;
mod faults;
mod flight;
mod forge;
pub mod guests;
mod impair;
mod link;
mod machine;
mod mark;
pub mod node;
pub mod options;
pub mod planted;
mod quiet;
mod reality;
mod record;
mod rounds;
pub mod sample;
pub mod schedule;
mod scripts;
mod switch;
mod turmoil;
mod whens;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use xenemu::Time;

use crate::plan::Plan;
use crate::trace::{Buffer, Merge, WorldEvent};

pub use guests::{Builtin, GuestRegistry};
pub use machine::XenMachines;
pub use node::{ActionError, Boot, Leaks, Machines, Node, NodeAction, PowerLoss};
pub use options::{
    Ended, Observer, RecordedInput, Run, RunOptions, ScriptFailure, Stats, Triggers, WindowMode,
    WorldError,
};

use build::Kind;
use fabric::Fabric;
use reality::Outside;
use record::{Latch, Record};
use rounds::Cuts;
use schedule::{Numbers, Schedule};
use turmoil::Net;
use whens::Whens;

/// A world that runs: built, driven and dropped on one thread.
pub struct World<'a> {
    plan: &'a Plan,
    machines: &'a dyn Machines,
    options: &'a RunOptions,
    fabric: Rc<RefCell<Fabric>>,
    net: Net,
    /// The world's own events.
    events: Buffer,
    schedule: Schedule,
    numbers: Numbers,
    whens: Whens,
    record: Record,
    merge: Merge,
    cuts: Cuts,
    latch: Latch,
    outside: Option<Outside>,
    /// The last round's end: everything before it has happened.
    now: Time,
    /// Whether actions were done at `now`.
    acted: bool,
    lookahead: u64,
    stopped: Option<Ended>,
    /// What stands in each slot of the fabric.
    kinds: Vec<Kind>,
    /// Each domain's node.
    homes: BTreeMap<&'a str, usize>,
    crashes: Vec<(String, String)>,
    /// What each node held when the world was taken down, as its [`Run`] tells; `None`: the world still stands.
    reported: Option<Vec<Leaks>>,
}

impl<'a> World<'a> {
    /// Builds a plan's world on emulated Xen machines, runs it to its end, and takes it down.
    pub fn run(
        plan: &Plan,
        guests: &dyn GuestRegistry,
        options: &RunOptions,
        observer: &mut dyn Observer,
    ) -> Result<Run, WorldError> {
        World::run_on(plan, &XenMachines(guests), options, observer)
    }

    /// Builds a plan's world on machines that `machines` makes, runs it to its end, and takes it down.
    ///
    /// turmoil cannot run inside a tokio runtime: a caller there waits while the world runs on a thread of its own.
    pub fn run_on(
        plan: &Plan,
        machines: &dyn Machines,
        options: &RunOptions,
        observer: &mut dyn Observer,
    ) -> Result<Run, WorldError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return World::build(plan, machines, options)?.run_to_end(observer);
        }
        let log = tracing::dispatcher::get_default(Clone::clone);
        let run = || {
            tracing::dispatcher::with_default(&log, || {
                World::build(plan, machines, options)?.run_to_end(observer)
            })
        };
        std::thread::scope(|scope| scope.spawn(run).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The world's clock: everything before it has happened.
    pub fn now(&self) -> Time {
        self.now
    }

    /// When anything is due next; `None`: never.
    pub fn next_due(&self) -> Option<Time> {
        let due = self.next_window_start().min(self.next_stop());
        (due < Time::MAX).then_some(due)
    }

    /// Runs until `until`, or to the world's end if that comes first: then it says why. What is to be done at `until`
    /// itself is done when the world runs on.
    pub fn advance(
        &mut self,
        until: Time,
        observer: &mut dyn Observer,
    ) -> Result<Option<Ended>, WorldError> {
        self.record.typed = self.wants_entries(observer);
        loop {
            if let Some(why) = self.over() {
                return Ok(Some(why));
            }
            if self.now >= until {
                return Ok(None);
            }
            self.act_now()?;
            if self.stopped.is_none() {
                self.round(until, observer)?;
            }
        }
    }

    /// Ends the world where it is, takes it down, and counts what was not given back.
    pub fn finish(mut self, why: Ended, observer: &mut dyn Observer) -> Result<Run, WorldError> {
        let end = self.now;
        self.say(WorldEvent::End {
            why: why.word().to_owned(),
        });
        self.record_own(observer)?;
        let mut fabric = self.fabric.borrow_mut();
        if why != Ended::Stop {
            let said = self.record.quiet.underway();
            assert_eq!(said, fabric.underway(), "the trace lost a frame");
        }
        let stats = Stats {
            entries: self.record.entries,
            frames: fabric.counts().0,
            ..fabric.stats
        };
        let mut crashes = std::mem::take(&mut self.crashes);
        crashes.extend(fabric.nodes().flat_map(|node| node.crash_texts()));
        fabric.destroy_all();
        let held = fabric.held();
        let leaks: Vec<_> = held.map(|(name, leaks)| (name.to_owned(), leaks)).collect();
        let internal_error = fabric.internal_error();
        drop(fabric);
        self.reported = Some(leaks.iter().map(|(_, leaks)| *leaks).collect());
        let scripts = std::mem::take(&mut self.record.scripts);
        let (script_failures, scripts_unfinished) = scripts.finish();
        Ok(Run {
            hash: self.record.hash.digest(),
            trace: std::mem::take(&mut self.record.trace),
            end,
            why,
            packets: self.record.packets,
            leaks,
            stats,
            script_failures,
            scripts_unfinished,
            crashes,
            internal_error,
        })
    }

    fn run_to_end(mut self, observer: &mut dyn Observer) -> Result<Run, WorldError> {
        let why = self.advance(Time::MAX, observer)?.unwrap_or(Ended::Caller);
        self.finish(why, observer)
    }

    fn wants_entries(&self, observer: &mut dyn Observer) -> bool {
        observer.observes()
            || self.options.retention != crate::trace::Retention::HashOnly
            || (!self.plan.whens.is_empty() && observer.triggers().is_some())
    }

    /// Why the world is over at `now`, if it is.
    fn over(&self) -> Option<Ended> {
        if self.stopped.is_some() {
            return self.stopped;
        }
        if self.now < self.horizon() {
            return None;
        }
        let quiet = self.latch.end().is_some_and(|end| end <= self.now);
        Some(if quiet { Ended::Quiet } else { Ended::Duration })
    }

    /// The instant that no round passes: the run ends there. A world with an outside ends when its caller says so.
    fn horizon(&self) -> Time {
        if self.outside.is_some() {
            return Time::MAX;
        }
        let duration = Time(self.plan.duration);
        self.latch.end().map_or(duration, |end| end.min(duration))
    }

    /// Appends an event of the world's own at `now`.
    fn say(&mut self, event: WorldEvent) {
        self.events.push(self.now, |bytes| event.encode(bytes));
    }
}

/// At its end a world holds nothing that its [`Run`] has not told of: a leak is the run's failure, and one that nobody
/// heard of is ours. A world that was not finished is taken down here, and holds nothing at all.
impl Drop for World<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut fabric = self.fabric.borrow_mut();
        if self.reported.is_none() {
            fabric.destroy_all();
        }
        let mut reported = self.reported.iter().flatten();
        for (name, held) in fabric.held() {
            let told = reported.next().copied().unwrap_or_default();
            assert_eq!(held, told, "{name} holds what nobody heard of");
        }
    }
}
