//! What a connection sends next. [`Connection::next_segment`] decides and changes nothing; the engine writes the
//! segment; only when the device has taken it does [`Connection::sent`] move the connection on (`sent`). So a full device
//! at any point loses nothing.

use core::ops::ControlFlow::{self, Break, Continue};

use crate::event::TcpState;
use crate::profile::{Nagle, TcpProfile};
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::delayed_ack::Owed;
use crate::tcp::recovery::{Out, Phase};
use crate::tcp::shared::Shared;
use crate::tcp::state;
use crate::tcp::undo::Frto;
use crate::wire::tcp::Flags;
use crate::wire::tcp_options::{MAX_SACK_BLOCKS, SackBlock};

/// Why a segment is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Syn,
    /// At SND.NXT.
    Next,
    /// What was lost, again.
    Again,
    /// A tail loss probe.
    Tail,
    /// RFC 6675's rescue.
    Rescue,
    /// New text in a segment larger than the path is known to take (RFC 4821).
    MtuProbe,
    /// One octet into a shut window.
    Probe,
    KeepAlive,
    Ack,
}

/// A segment to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub why: Why,
    pub seq: SeqNumber,
    /// Octets of text.
    pub len: u32,
    pub flags: Flags,
    /// It begins a unit of segments of so many octets; 0: it does not. A number, so that a plan fits into two registers.
    pub unit: u32,
}

impl Plan {
    /// Where the unit ends that begins with it.
    pub fn unit_end(&self) -> Option<SeqNumber> {
        (self.unit > 0).then(|| self.seq.plus(self.unit))
    }
    /// Behind its last octet, SYN and FIN counted.
    pub fn end(&self) -> SeqNumber {
        let control =
            u32::from(self.flags.contains(Flags::SYN)) + u32::from(self.flags.contains(Flags::FIN));
        self.seq.plus(self.len + control)
    }
}

impl Connection {
    /// Whether asking [`Connection::next_segment`] could be worth while.
    pub fn may_have_something_to_send(&self) -> bool {
        let busy = Marks::TAIL_PROBE | Marks::PROBE | Marks::KEEP_ALIVE | Marks::OVERRIDE;
        let end = self.data_end();
        let unsent = self.snd.nxt.lt(end) || self.snd.nxt == end && self.fin.is_some();
        unsent && (state::may_have_unsent(self.state()) || self.may_send_early())
            || self.ack.is_due()
            || self.marks.intersects(busy)
            || self.snd.nxt == self.snd.iss
            || self.recovery.phase == Phase::Fast
            || self.recovery.lost() > 0
    }

    /// The next segment, if one is due.
    pub fn next_segment(&self, shared: &Shared) -> Option<Plan> {
        match self.state() {
            TcpState::Closed | TcpState::Listen => return None,
            TcpState::SynSent => {
                return self.syn(Flags::SYN | self.ecn_setup(&shared.tcp().ecn));
            }
            TcpState::SynReceived => {
                if let Some(plan) = self.syn(Flags::SYN | Flags::ACK | self.ecn_grant()) {
                    return Some(plan);
                }
                if self.may_send_early()
                    && let Some(plan) = self.text_or_fin(shared)
                {
                    return Some(plan);
                }
            }
            state if state::may_have_unsent(state) => {
                if let Some(plan) = self.text_or_fin(shared) {
                    return Some(plan);
                }
            }
            _ => {}
        }
        self.probe()
            .or_else(|| self.keep_alive())
            .or_else(|| self.pure_ack(shared))
    }

    fn syn(&self, flags: Flags) -> Option<Plan> {
        let due = self.snd.nxt == self.snd.iss && !self.syn_waits_for_data();
        due.then(|| Plan {
            why: Why::Syn,
            seq: self.snd.iss,
            len: self.syn_text(),
            flags,
            unit: 0,
        })
    }

    #[inline]
    fn text_or_fin(&self, shared: &Shared) -> Option<Plan> {
        if self.marks.contains(Marks::PACED) {
            return None;
        }
        let cwnd = self.congestion.cwnd();
        let pipe = match self.recovery.out() {
            None => 0,
            Some(out) => {
                let pipe = self.octets_out(shared, out);
                if let Break(plan) = self.repair_first(shared, out, cwnd, pipe) {
                    return plan;
                }
                pipe
            }
        };
        if let Some(probe) = self.mtu_probe(shared, cwnd, pipe) {
            return Some(probe);
        }
        let plan = self.next_in_order(shared, cwnd, pipe);
        if plan.is_some() {
            return plan;
        }
        self.rescue(shared)
    }

    /// What goes before text in order, or in its place.
    #[inline]
    fn repair_first(
        &self,
        shared: &Shared,
        out: &Out,
        cwnd: u32,
        pipe: u32,
    ) -> ControlFlow<Option<Plan>> {
        if self.marks.contains(Marks::TAIL_PROBE) {
            return Break(self.tail_probe(out));
        }
        if let Frto::Probing { sent } = out.frto {
            // RFC 5682, 2.1, step 2b: up to two new segments; with nothing new to send, the old way.
            let new = match sent < 2 {
                true => self.next_in_order(shared, cwnd, pipe),
                false => None,
            };
            if new.is_some() || sent > 0 {
                return Break(new);
            }
        }
        match out.flight.next_lost(self.full_size()) {
            Some(lost) => Break(self.lost_again(out, lost, cwnd)),
            None => Continue(()),
        }
    }

    /// Octets under way, as far as the windows are concerned.
    #[inline]
    fn octets_out(&self, shared: &Shared, out: &Out) -> u32 {
        if self.recovery.phase == Phase::Open && !shared.tcp().recovery.limited_transmit {
            self.snd.nxt.since(self.snd.una)
        } else {
            out.flight.pipe()
        }
    }

    /// RFC 6675, section 5, NextSeg() rule 1, as far as the peer's window goes.
    fn lost_again(&self, out: &Out, lost: SackBlock, cwnd: u32) -> Option<Plan> {
        let len = lost.end.since(lost.start);
        let record_end = lost.start.plus(self.within_record(lost.start, len));
        let offered = self.snd.una.plus(self.snd.wnd);
        // A FIN takes no room in the peer's buffer.
        let end = if record_end.min(self.data_end()).le(offered) {
            record_end
        } else {
            offered
        };
        let pipe = out.flight.pipe();
        let fits = out.force || pipe == 0 || pipe.saturating_add(end.since(lost.start)) <= cwnd;
        (lost.start.lt(end) && fits).then(|| self.part(Why::Again, lost.start, end))
    }

    /// NextSeg() rule 4: once in a recovery, the end of what is out. RACK has a better way.
    #[inline]
    fn rescue(&self, shared: &Shared) -> Option<Plan> {
        if self.recovery.phase != Phase::Fast {
            return None;
        }
        let out = self.recovery.out()?;
        let rack = shared.tcp().recovery.rack;
        let due = self.agreed.sack && !rack && !out.rescued;
        let room = self.congestion.cwnd() >= out.flight.pipe() + self.congestion.smss();
        let last = out.flight.last(self.full_size()).filter(|_| due && room)?;
        Some(self.part(Why::Rescue, last.start, last.end))
    }

    /// RFC 8985, 7.3: a new segment if the peer has room for one, otherwise the last one again; the congestion window
    /// does not matter.
    fn tail_probe(&self, out: &Out) -> Option<Plan> {
        let offered = self.snd.una.plus(self.snd.wnd);
        let end = self.data_end().min(offered);
        if self.snd.nxt.lt(end) {
            let fin = u32::from(self.fin.is_some());
            return Some(self.part(Why::Tail, self.snd.nxt, end.plus(fin)));
        }
        let last = out.flight.last(self.full_size());
        last.map(|last| self.part(Why::Tail, last.start, last.end))
    }

    /// From SND.NXT on, as the windows, Nagle and silly-window avoidance allow.
    #[inline]
    fn next_in_order(&self, shared: &Shared, cwnd: u32, out: u32) -> Option<Plan> {
        let start = self.snd.nxt;
        let end = self.data_end();
        if start.gt(end) {
            return None;
        }
        let full = self.full_size();
        let queued = end.since(start);
        let offered = self.snd.una.plus(self.snd.wnd).after(start);
        let record = self.within_record(start, queued);
        let len = record.min(full).min(offered);
        // A FIN takes no room in the peer's buffer, so it does not wait for the window.
        let fin = self.fin.is_some() && len == queued;
        if len == 0 && !fin {
            return None;
        }
        if out > 0 && len > 0 && out.saturating_add(len) > cwnd {
            return None;
        }
        // What a zero-window probe has sent already does not wait.
        let again = start.lt(self.snd.max);
        // What a record's end keeps from growing has nothing to wait for.
        let whole = len == record && record < queued;
        if again || fin || whole || self.is_worth_sending(shared.tcp(), len, full, queued) {
            let plan = self.plan(Why::Next, start, len, fin, end);
            return Some(if shared.tcp().growth.send_unit == 0 {
                plan
            } else {
                self.in_unit(
                    shared.tcp(),
                    plan,
                    cwnd.saturating_sub(out),
                    queued.min(offered),
                )
            });
        }
        None
    }

    /// The segment as part of a unit: as many segments as leave together, at most the profile's, `room` octets, and half of the
    /// window. The last one of several is pushed, as it is when a network card cuts them.
    fn in_unit(&self, profile: &TcpProfile, mut plan: Plan, room: u32, text: u32) -> Plan {
        let end = plan.seq.plus(plan.len);
        let under_way = self.recovery.out().and_then(|out| out.unit);
        if let Some(unit) = under_way.filter(|&unit| plan.seq.lt(unit)) {
            plan.flags
                .set(Flags::PSH, plan.flags.contains(Flags::PSH) || end == unit);
            return plan;
        }
        let full = self.full_size().max(1);
        let half = (self.congestion.cwnd() / full / 2).max(1);
        let most = self.unit_segments(profile, full);
        let segments = most.min(half).min(room / full).max(1);
        let mut octets = (segments * full)
            .min(text)
            .min(self.rest_of_chunk(plan.seq));
        let rest = octets % full;
        if octets == text && rest > 0 && !self.is_worth_sending(profile, rest, full, rest) {
            octets -= rest;
        }
        plan.unit = octets.max(plan.len);
        plan
    }

    /// Sender silly-window avoidance (RFC 9293, 3.8.6.2.1) and Nagle (3.7.4).
    #[inline]
    fn is_worth_sending(&self, profile: &TcpProfile, len: u32, full: u32, queued: u32) -> bool {
        if len < full && (self.options.cork || self.marks.contains(Marks::MORE)) {
            return self.marks.contains(Marks::OVERRIDE);
        }
        let nothing_out = self.nothing_holds_back(profile);
        len >= full
            || (len == queued && (nothing_out || self.options.no_delay))
            || (nothing_out || self.options.no_delay) && len >= (self.snd.max_wnd / 2).max(1)
            || self.marks.contains(Marks::OVERRIDE)
    }

    /// Whether Nagle's algorithm has nothing to wait for. It waits for text; a SYN that is out holds nothing back.
    #[inline]
    fn nothing_holds_back(&self, profile: &TcpProfile) -> bool {
        let idle = !self.snd.has_outstanding() || self.snd.max == self.snd.iss.plus(1);
        idle || match profile.nagle {
            Nagle::AnythingOut => false,
            Nagle::SmallSegmentOut => self.snd.small.le(self.snd.una),
            Nagle::OutBefore => self.marks.contains(Marks::WAS_IDLE),
        }
    }

    /// The octets from `start` on, at most a full-sized segment and not past `end`, with the FIN if it lies there.
    #[inline]
    fn part(&self, why: Why, start: SeqNumber, end: SeqNumber) -> Plan {
        let data_end = self.data_end();
        let len = end.min(data_end).after(start).min(self.full_size());
        let len = self.within_record(start, len);
        let fin = self.fin.is_some() && start.plus(len) == data_end && end.gt(data_end);
        self.plan(why, start, len, fin, data_end)
    }

    /// `len` octets of text from `start` on, and the FIN behind them. `data_end`: behind all that is queued.
    #[inline]
    fn plan(&self, why: Why, start: SeqNumber, len: u32, fin: bool, data_end: SeqNumber) -> Plan {
        let mut flags = Flags::ACK;
        flags.set(Flags::FIN, fin);
        let end = start.plus(len);
        let last = end == data_end || self.ends_record(end);
        flags.set(Flags::PSH, len > 0 && last);
        Plan {
            why,
            seq: start,
            len,
            flags,
            unit: 0,
        }
    }

    fn probe(&self) -> Option<Plan> {
        let due = self.marks.contains(Marks::PROBE) && state::may_have_unsent(self.state());
        (due && !self.outbox.is_empty()).then_some(Plan {
            why: Why::Probe,
            seq: self.snd.una,
            len: 1,
            flags: Flags::ACK,
            unit: 0,
        })
    }

    /// SHLD-12: without text, its number just below the window, so that the peer must answer.
    fn keep_alive(&self) -> Option<Plan> {
        self.marks.contains(Marks::KEEP_ALIVE).then_some(Plan {
            why: Why::KeepAlive,
            seq: self.snd.max.minus(1),
            len: 0,
            flags: Flags::ACK,
            unit: 0,
        })
    }

    fn pure_ack(&self, shared: &Shared) -> Option<Plan> {
        if !self.ack.is_due() {
            return None;
        }
        let mut plan = Plan {
            why: Why::Ack,
            seq: self.snd.acceptable(),
            len: 0,
            flags: Flags::ACK,
            unit: 0,
        };
        if self.ack.owed == Owed::Now
            && shared.tcp().closing.repeats_fin
            && let Some(fin) = self.fin
            && self.snd.max.gt(fin)
            && !self.fin_acked()
        {
            plan.seq = fin;
            plan.flags |= Flags::FIN;
        }
        Some(plan)
    }

    /// Octets of text in a full-sized segment, with the options that it would have now (RFC 9293, MUST-16).
    #[inline]
    pub fn full_size(&self) -> u32 {
        if !self.inbox.has_gaps() || !self.agreed.sack {
            return self.agreed.smss();
        }
        self.full_size_beside_blocks()
    }

    #[cold]
    fn full_size_beside_blocks(&self) -> u32 {
        let nothing = SackBlock {
            start: SeqNumber(0),
            end: SeqNumber(0),
        };
        let blocks = self.inbox.sack_blocks(&mut [nothing; MAX_SACK_BLOCKS]);
        if blocks == 0 {
            // Only a FIN waits: it makes no block.
            return self.agreed.smss();
        }
        let fit = if self.agreed.signed {
            2
        } else if self.agreed.timestamps {
            3
        } else {
            MAX_SACK_BLOCKS
        };
        let taken = 4 + 8 * blocks.min(fit) as u32;
        self.agreed.smss().saturating_sub(taken).max(1)
    }
}
