//! How a connection's loss recovery stands, and what it keeps for that while something is out. Fast recovery is by
//! SACK (RFC 6675, RFC 8985) or, with a peer that does not speak it, NewReno (RFC 6582). What an ACK means is
//! [`crate::tcp::ack`]'s business, what is sent [`crate::tcp::transmit`]'s.

use alloc::boxed::Box;
use alloc::vec::Vec;

use xen_abi::Instant;

use crate::seq::SeqNumber;
use crate::tcp::flight::Flight;
use crate::tcp::prr::Prr;
use crate::tcp::rack::{Latest, Rack};
use crate::tcp::tail::Tail;
use crate::tcp::undo::{Frto, Undo};

/// How things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing is known to be lost.
    Open,
    /// Fast recovery.
    Fast,
    /// After a timeout, until everything that was out then is acknowledged.
    Timeout,
}

/// What the timer before the retransmission timer waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Early {
    /// A tail loss probe (RFC 8985, 7.3).
    #[default]
    Probe,
    /// The end of the reordering window (RFC 8985, 6.2, step 5).
    Reorder,
}

/// A connection's loss recovery.
pub struct Recovery {
    pub phase: Phase,
    /// "recover" (RFC 6582), RecoveryPoint (RFC 6675): behind the highest octet sent when this recovery began.
    pub point: SeqNumber,
    /// Duplicate ACKs in a row.
    pub dup_acks: u8,
    /// Partial ACKs in this recovery.
    pub partial_acks: u8,
    pub rack: Rack,
    out: Option<Box<Out>>,
}

/// What is kept while something is out.
#[derive(Default)]
pub struct Out {
    pub flight: Flight,
    pub latest: Latest,
    pub early: Early,
    pub tail: Option<Tail>,
    pub prr: Prr,
    pub undo: Option<Undo>,
    pub frto: Frto,
    /// A retransmission is due whatever the window says: the first one of a recovery.
    pub force: bool,
    /// The most octets that were under way since SND.UNA passed [`Out::used_until`].
    pub used: u32,
    pub used_until: SeqNumber,
    /// Where the unit of segments ends that leaves now.
    pub unit: Option<SeqNumber>,
    /// RFC 6675's rescue was sent in this recovery.
    pub rescued: bool,
}

impl Out {
    /// Forgets all but the memory.
    fn reset(&mut self) {
        let Out {
            flight,
            latest,
            early,
            tail,
            prr,
            undo,
            frto,
            force,
            used,
            used_until,
            unit,
            rescued,
        } = self;
        flight.reset();
        // In place: this is done as often as a connection has nothing out, which may be with every segment.
        *latest = Latest::default();
        *early = Early::default();
        *tail = None;
        *prr = Prr::default();
        *undo = None;
        *frto = Frto::Off;
        *force = false;
        *used = 0;
        *used_until = SeqNumber::default();
        *unit = None;
        *rescued = false;
    }

    /// New octets left, up to `end`: how much of the window is used.
    pub fn note_use(&mut self, una: SeqNumber, end: SeqNumber) {
        let pipe = self.flight.pipe();
        if pipe > self.used || una.ge(self.used_until) {
            self.used = pipe;
            self.used_until = end;
        }
    }
}

/// Boxes that connections with nothing out have given back, so that the next segment allocates nothing.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "it is the boxes themselves that are used again"
)]
pub struct Spare(Vec<Box<Out>>);

/// Boxes kept.
const MOST_SPARE: usize = 64;

impl Recovery {
    /// A connection that has sent nothing before `iss`.
    pub fn new(iss: SeqNumber) -> Recovery {
        Recovery {
            phase: Phase::Open,
            point: iss,
            dup_acks: 0,
            partial_acks: 0,
            rack: Rack::default(),
            out: None,
        }
    }

    /// What is kept while something is out.
    pub fn out(&self) -> Option<&Out> {
        self.out.as_deref()
    }
    /// The same, to be changed.
    pub fn out_mut(&mut self) -> Option<&mut Out> {
        self.out.as_deref_mut()
    }
    /// The same, with a place for the first octets from `una` on.
    pub fn begin(&mut self, spare: &mut Spare, una: SeqNumber) -> &mut Out {
        self.out.get_or_insert_with(|| {
            let mut out = spare.0.pop().unwrap_or_default();
            out.latest = Latest::new(una);
            out.used_until = una;
            out
        })
    }

    /// Nothing is out any more.
    pub fn end(&mut self, spare: &mut Spare) {
        let Some(mut out) = self.out.take() else {
            return;
        };
        if spare.0.len() < MOST_SPARE {
            out.reset();
            spare.0.push(out);
        }
    }

    /// If something is out of which nothing is known but when it left, no loss, no probe, no reaction that could be
    /// taken back: how many octets, and when the last of them left.
    #[inline]
    pub fn undoubted(&self) -> Option<(u32, Instant)> {
        let out = self.out()?;
        let plain = out.undo.is_none() && out.tail.is_none() && out.frto == Frto::Off;
        out.flight.undisturbed().filter(|_| plain)
    }

    /// Octets under way.
    pub fn pipe(&self) -> u32 {
        self.out().map_or(0, |out| out.flight.pipe())
    }
    /// Octets to be sent again.
    pub fn lost(&self) -> u32 {
        self.out().map_or(0, |out| out.flight.lost())
    }
    /// Whether everything is as header prediction expects.
    pub fn is_calm(&self) -> bool {
        self.phase == Phase::Open
            && self
                .out()
                .is_none_or(|out| !out.flight.is_held_or_guessed())
    }

    /// A recovery begins; everything before `max` was sent.
    pub fn enter(&mut self, phase: Phase, max: SeqNumber) {
        self.phase = phase;
        self.point = max;
        self.dup_acks = 0;
        self.partial_acks = 0;
        if let Some(out) = &mut self.out {
            out.tail = None;
            out.force = true;
            out.rescued = false;
            out.frto = Frto::Off;
        }
    }

    /// The recovery is over.
    pub fn leave(&mut self) {
        self.phase = Phase::Open;
        self.dup_acks = 0;
        self.partial_acks = 0;
        self.rack.recovered();
        if let Some(out) = &mut self.out {
            out.force = false;
            out.frto = Frto::Off;
            out.flight.forget_guess();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_for_one_flight_is_used_for_the_next() {
        let (mut recovery, mut spare) = (Recovery::new(SeqNumber(0)), Spare::default());
        let out = recovery.begin(&mut spare, SeqNumber(0));
        out.flight
            .push(SeqNumber(0), SeqNumber(10), Instant(0), 100);
        out.force = true;
        recovery.end(&mut spare);
        assert_eq!((recovery.pipe(), spare.0.len()), (0, 1));
        let out = recovery.begin(&mut spare, SeqNumber(10));
        assert!(out.flight.pipe() == 0 && !out.force);
        assert!(spare.0.is_empty());
    }
}
