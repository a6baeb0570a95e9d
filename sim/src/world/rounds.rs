//! Rounds: how far the next one goes, and the merge of what it left.
//!
//! end = min(N + lookahead, the next action, the end of the run). N is the least instant at which anything can happen:
//! every node's next event, every end of serialisation, every arrival that is not held (also of frames still inside
//! turmoil), and the instant of actions done since the last round. Whatever is sent in the round is sent at N or later,
//! so it matters at N + lookahead at the earliest, which is the next round's business.
//!
//! Cutting a round into several is always allowed and leaves no mark in the trace; [`WindowMode`] does it on purpose.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use xenemu::Time;

use super::World;
use super::options::{Observer, WindowMode, WorldError};
use super::schedule::Group;
use crate::rng::{scale, stream};
use crate::trace::{Author, Entry, Merge, WorldEvent};

/// The lookahead of a world without links and `when`s. It bounds how long after quiet a run ends.
const MOST_LOOKAHEAD: u64 = 100_000_000;

/// Where the present window is still to be cut.
pub struct Cuts {
    mode: WindowMode,
    rng: ChaCha8Rng,
    /// The window's beginning, and the ends of its rounds, last first.
    start: Time,
    ends: Vec<Time>,
}

impl Cuts {
    /// No window yet.
    pub fn new(mode: WindowMode) -> Cuts {
        let seed = match mode {
            WindowMode::Random(seed) => seed,
            _ => 0,
        };
        Cuts {
            mode,
            rng: stream(seed, "windows"),
            start: Time::ZERO,
            ends: Vec::new(),
        }
    }

    /// Forgets what is left of the window.
    pub fn clear(&mut self) {
        self.ends.clear();
    }

    /// Cuts the window from `start` to `end`; no round may end at `now` or before.
    fn begin(&mut self, start: Time, end: Time, now: Time) {
        let len = end.since(start);
        let place = |part: u64, of: u64| {
            let offset = u128::from(len) * u128::from(part) / u128::from(of);
            Time(start.0 + offset as u64)
        };
        self.start = start;
        self.ends.clear();
        self.ends.push(end);
        match self.mode {
            WindowMode::Whole => {}
            WindowMode::Halved => self.ends.push(place(1, 2)),
            WindowMode::Sevenths => self.ends.extend((1..7).rev().map(|part| place(part, 7))),
            WindowMode::Random(_) => {
                let (whether, place) = (self.rng.next_u32(), self.rng.next_u64());
                if whether & 3 != 0 {
                    self.ends.push(Time(start.0 + scale(place, len)));
                }
            }
        }
        self.ends.retain(|&cut| now < cut && cut <= end);
        self.ends.dedup();
    }

    /// The end of the round that begins at `now`, if the window is not over.
    fn next(&mut self, now: Time) -> Option<Time> {
        while self.ends.last().is_some_and(|end| *end <= now) {
            self.ends.pop();
        }
        self.ends.last().copied()
    }
}

impl World<'_> {
    /// Computes the lookahead anew: after actions, and only then.
    pub(super) fn look(&mut self) {
        let fabric = self.fabric.borrow();
        let links = fabric.links.iter().map(|link| link.lookahead()).min();
        let reaction = self.whens.reaction(&self.plan.whens);
        let least = [links, reaction].into_iter().flatten().min();
        self.lookahead = least.map_or(MOST_LOOKAHEAD, |l| l.min(MOST_LOOKAHEAD));
        assert!(self.lookahead > 0, "a world without lookahead stands still");
    }

    /// N: the least instant at which anything can happen.
    pub(super) fn next_window_start(&self) -> Time {
        let due = self.fabric.borrow().next_due();
        assert!(due >= self.now, "something is due in the past: {due:?}");
        if self.acted { self.now } else { due }
    }

    /// The next instant that no round may pass.
    pub(super) fn next_stop(&self) -> Time {
        let action = self.schedule.next().unwrap_or(Time::MAX);
        action.min(self.horizon())
    }

    /// Where the next cut of the window is; a new window, if the last one is over.
    fn round_end(&mut self) -> Time {
        if let Some(end) = self.cuts.next(self.now) {
            return end;
        }
        let end = self.next_window_start().plus(self.lookahead);
        let end = end.min(self.next_stop());
        let start = Time(end.0.saturating_sub(self.lookahead)).max(self.now);
        self.cuts.begin(start, end, self.now);
        self.cuts.next(self.now).expect("a window has an end")
    }

    /// One round, ending at `until` at the latest, and the merge of what it left.
    pub(super) fn round(
        &mut self,
        until: Time,
        observer: &mut dyn Observer,
    ) -> Result<(), WorldError> {
        let end = self.round_end().min(self.next_stop()).min(until);
        assert!(end > self.now, "a round goes nowhere");
        tracing::trace!(target: "evilbit::rounds", at = ?self.now, until = ?end, "round");
        self.fabric.borrow_mut().stats.rounds += 1;
        self.step(end)?;
        self.now = end;
        self.acted = false;
        self.collect(end);
        observer.on_round(self.cuts.start, end);
        self.read_merge(observer)
    }

    /// Empties turmoil before a fault: what it carries flies in the links' stores, where the fault finds it.
    pub(super) fn flush(&mut self) -> Result<(), WorldError> {
        if self.fabric.borrow().carries() {
            self.fabric.borrow_mut().stats.flushes += 1;
            self.step(self.now)?;
        }
        Ok(())
    }

    /// Records the world's own events that no round will merge.
    pub(super) fn record_own(&mut self, observer: &mut dyn Observer) -> Result<(), WorldError> {
        if self.events.is_empty() {
            return Ok(());
        }
        let mut own = Merge::default();
        own.take(&mut self.events, Time::MAX);
        for i in 0..own.len() {
            if let Some(entry) = self.record.take(&own.get(i), observer)? {
                self.record.trace.keep(entry);
            }
        }
        Ok(())
    }

    fn step(&mut self, end: Time) -> Result<(), WorldError> {
        self.fabric.borrow_mut().begin_step(end);
        self.net.step()
    }

    /// Takes everything stamped before `end`, and nothing else, into the merge.
    fn collect(&mut self, end: Time) {
        let fabric = &mut *self.fabric.borrow_mut();
        self.merge.clear();
        self.merge.take(&mut self.events, end);
        for direction in fabric.directions() {
            self.merge.take(&mut direction.events, end);
        }
        let mut records = std::mem::take(&mut fabric.records);
        for (i, slot) in fabric.slots.iter_mut().enumerate() {
            if let Some(node) = &mut slot.node {
                node.drain_events(end, &mut records);
                let author = Author::Node(i as u16);
                self.merge.take_records(author, &mut records, end);
            }
        }
        fabric.records = records;
        self.merge.sort();
    }

    /// Reads the merge in order, and judges quiet at the end of each instant.
    fn read_merge(&mut self, observer: &mut dyn Observer) -> Result<(), WorldError> {
        let merge = std::mem::take(&mut self.merge);
        for i in 0..merge.len() {
            self.read_one(&merge, i, observer)?;
            let at = merge.get(i).at;
            if merge.at(i + 1) != Some(at) {
                self.judge_quiet(at);
            }
        }
        self.merge = merge;
        Ok(())
    }

    /// Reads one entry. What it fires is written behind it.
    fn read_one(
        &mut self,
        merge: &Merge,
        i: usize,
        observer: &mut dyn Observer,
    ) -> Result<(), WorldError> {
        let Some(entry) = self.record.take(&merge.get(i), observer)? else {
            return Ok(());
        };
        self.see_arrival(&entry);
        self.pull_triggers(&entry, observer);
        self.record.trace.keep(entry);
        self.record_own(observer)
    }

    /// A node acted on a frame for the first time.
    fn see_arrival(&mut self, entry: &Entry) {
        if self.fabric.borrow_mut().acted_on(entry) {
            self.record.quiet.on_arrival();
        }
    }

    /// Lets an entry fire `when`s.
    fn pull_triggers(&mut self, entry: &Entry, observer: &mut dyn Observer) {
        if self.plan.whens.is_empty() {
            return;
        }
        let Some(triggers) = observer.triggers() else {
            return;
        };
        for when in triggers.feed(entry) {
            let n = when as usize;
            let Some(acts_at) = self.whens.matched(&self.plan.whens, n, entry.at) else {
                continue;
            };
            assert!(acts_at >= self.now, "a trigger was seen too late");
            self.schedule.add(acts_at, Group::When(n));
            self.count_trigger(entry.at);
            let event = WorldEvent::Trigger { when, acts_at };
            self.events.push(entry.at, |bytes| event.encode(bytes));
        }
    }

    fn count_trigger(&mut self, at: Time) {
        let stats = &mut self.fabric.borrow_mut().stats;
        stats.triggers += 1;
        let window = self.now.since(self.cuts.start);
        if u128::from(self.now.since(at)) * 100 <= u128::from(window) {
            stats.late_triggers += 1;
        }
    }

    /// The first quiet instant ends the run, a lookahead later: no window that saw it can have passed that.
    fn judge_quiet(&mut self, at: Time) {
        if self.latch.end().is_none() && self.record.is_quiet() && !self.schedule.is_open() {
            self.latch.close(at, self.lookahead);
            let end = self.latch.end().expect("it was closed");
            assert!(end >= self.now, "the end of the run was seen too late");
        }
    }
}
