//! The machine's one append-only buffer of stamped events, for Xen, dom0 and guests alike.
//!
//! The machine stamps time and sequence. Guests report through a [`Sink`] while they run, so the buffer is shared by
//! handle; it is always sorted by time because the clock that stamps never goes back.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use xen_abi::{DomId, Sink};

use crate::event::{Event, Record, Source};
use crate::time::Time;

struct Inner {
    clock: Cell<Time>,
    next_seq: Cell<u64>,
    records: RefCell<VecDeque<Record>>,
    /// Where an event is encoded before its length is known.
    scratch: RefCell<Vec<u8>>,
}

/// A handle to the buffer and its clock.
#[derive(Clone)]
pub struct Log(Rc<Inner>);

impl Log {
    /// An empty buffer whose clock shows `started` and whose next record has number `first_seq`.
    pub fn new(started: Time, first_seq: u64) -> Log {
        Log(Rc::new(Inner {
            clock: Cell::new(started),
            next_seq: Cell::new(first_seq),
            records: RefCell::new(VecDeque::new()),
            scratch: RefCell::new(Vec::new()),
        }))
    }

    /// The machine's clock.
    pub fn clock(&self) -> Time {
        self.0.clock.get()
    }

    /// Moves the clock, never back.
    pub fn set_clock(&self, to: Time) {
        assert!(to >= self.clock(), "the clock goes back");
        self.0.clock.set(to);
    }

    /// Appends one of the machine's own events.
    pub fn emit(&self, event: &Event) {
        let mut scratch = self.0.scratch.borrow_mut();
        scratch.clear();
        event.encode(&mut scratch);
        self.append(Source::Machine, &scratch);
    }

    fn append(&self, source: Source, payload: &[u8]) {
        let (at, seq) = (self.clock(), self.0.next_seq.get());
        self.0.next_seq.set(seq + 1);
        let mut records = self.0.records.borrow_mut();
        assert!(records.back().is_none_or(|last| last.at <= at));
        records.push_back(Record {
            at,
            seq,
            source,
            payload: payload.to_vec(),
        });
    }

    /// The stamp of the first record that was not drained.
    pub fn first(&self) -> Option<Time> {
        self.0.records.borrow().front().map(|record| record.at)
    }

    /// Moves the records stamped before `before` to `out`.
    pub fn drain(&self, before: Time, out: &mut Vec<Record>) {
        let mut records = self.0.records.borrow_mut();
        let n = records.partition_point(|record| record.at < before);
        out.extend(records.drain(..n));
    }

    /// The number of the next record, as if those that are still here had not happened.
    pub fn next_seq(&self) -> u64 {
        let records = self.0.records.borrow();
        records
            .front()
            .map_or(self.0.next_seq.get(), |record| record.seq)
    }

    /// Where the guest of `domid` reports.
    pub fn sink(&self, domid: DomId) -> Rc<dyn Sink> {
        Rc::new(GuestSink {
            log: self.clone(),
            domid,
        })
    }
}

struct GuestSink {
    log: Log,
    domid: DomId,
}

impl Sink for GuestSink {
    fn emit(&self, event: &[u8]) {
        self.log.append(Source::Guest(self.domid), event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_stamped_and_drained_in_order() {
        let log = Log::new(Time(5), 10);
        log.emit(&Event::Busy);
        log.set_clock(Time(8));
        log.sink(DomId(1)).emit(b"guest's words");
        let mut out = vec![];
        log.drain(Time(8), &mut out);
        assert_eq!((out.len(), out[0].at, out[0].seq), (1, Time(5), 10));
        assert_eq!((log.first(), log.next_seq()), (Some(Time(8)), 11));
        log.drain(Time(9), &mut out);
        assert_eq!(out[1].source, Source::Guest(DomId(1)));
        assert_eq!(log.next_seq(), 12);
    }

    #[test]
    #[should_panic(expected = "the clock goes back")]
    fn the_clock_never_goes_back() {
        Log::new(Time(5), 0).set_clock(Time(4));
    }
}
