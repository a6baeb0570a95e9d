//! What a connection sends next. [`Connection::next_segment`] decides and changes nothing; the engine writes the
//! segment; only when the device has taken it does [`Connection::sent`] move the connection on. So a full device at
//! any point loses nothing.

use xen_abi::Instant;

use crate::event::{TcpNote, TcpState};
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::deadlines::Timer;
use crate::tcp::delayed_ack::Owed;
use crate::tcp::recovery::Phase;
use crate::tcp::shared::Shared;
use crate::tcp::state;
use crate::wire::tcp::Flags;
use crate::wire::tcp_options::{MAX_SACK_BLOCKS, SackBlock};

/// Why a segment is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Syn,
    /// At SND.NXT: new octets, or after a timeout old ones again.
    Next,
    /// The first segment again: fast retransmit, or a partial ACK.
    Head,
    /// A hole of the scoreboard.
    Hole,
    /// RFC 6675's rescue.
    Rescue,
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
}

impl Plan {
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
        let busy = Marks::RESEND_HEAD | Marks::PROBE | Marks::KEEP_ALIVE | Marks::OVERRIDE;
        self.ack.owed == Owed::Now
            || self.marks.intersects(busy)
            || self.recovery.phase == Phase::Fast
            || self.snd.nxt == self.snd.iss
            || ((state::may_have_unsent(self.state()) || self.may_send_early())
                && self.snd.nxt.le(self.data_end()))
                && !(self.snd.nxt == self.data_end() && self.fin.is_none())
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
            .or_else(|| self.pure_ack())
    }

    fn syn(&self, flags: Flags) -> Option<Plan> {
        let due = self.snd.nxt == self.snd.iss && !self.syn_waits_for_data();
        due.then(|| Plan {
            why: Why::Syn,
            seq: self.snd.iss,
            len: self.syn_text(),
            flags,
        })
    }

    fn text_or_fin(&self, shared: &Shared) -> Option<Plan> {
        if self.marks.contains(Marks::RESEND_HEAD) {
            let held = self.recovery.board().next_held(self.snd.una);
            let end = held.unwrap_or(self.snd.max).min(self.snd.max);
            return Some(self.part(Why::Head, self.snd.una, end));
        }
        if self.recovery.phase == Phase::Fast && self.agreed.sack {
            return self.next_by_scoreboard(shared);
        }
        let limited = if self.agreed.sack || self.recovery.phase != Phase::Open {
            0
        } else {
            // Limited Transmit (RFC 3042): each of the first two duplicate ACKs lets a new segment out.
            u32::from(self.recovery.dup_acks.min(shared.tcp().dup_thresh - 1))
                * self.congestion.smss()
        };
        let window = self.congestion.cwnd() + self.recovery.inflation;
        self.next_in_order(window.saturating_add(limited), self.octets_out(shared))
    }

    /// RFC 6675, section 5, step C: while cwnd − pipe ≥ 1 SMSS, NextSeg().
    fn next_by_scoreboard(&self, shared: &Shared) -> Option<Plan> {
        let f = self.in_flight(shared);
        let board = self.recovery.board();
        let pipe = board.pipe(&f);
        let cwnd = self.congestion.cwnd();
        if cwnd < pipe.saturating_add(f.smss) {
            return None;
        }
        let hole = |block: SackBlock| self.part(Why::Hole, block.start, block.end);
        board
            .next_hole(&f, true)
            .map(hole)
            .or_else(|| self.next_in_order(cwnd, pipe))
            .or_else(|| board.next_hole(&f, false).map(hole))
            .or_else(|| {
                let block = self.recovery.rescue(&f)?;
                Some(self.part(Why::Rescue, block.start, block.end))
            })
    }

    /// From SND.NXT on, as the windows, Nagle and silly-window avoidance allow.
    fn next_in_order(&self, cwnd: u32, out: u32) -> Option<Plan> {
        let board = self.recovery.board();
        let start = board.held_until(self.snd.nxt).unwrap_or(self.snd.nxt);
        let end = self.data_end();
        if start.gt(end) {
            return None;
        }
        let full = self.full_size();
        let held = board
            .next_held(start)
            .map_or(u32::MAX, |at| at.since(start));
        let queued = end.since(start);
        let offered = self.snd.una.plus(self.snd.wnd).after(start);
        let record = self.within_record(start, queued);
        let len = record.min(full).min(offered).min(held);
        // A FIN takes no room in the peer's buffer, so it does not wait for the window.
        let fin = self.fin.is_some() && len == queued;
        if len == 0 && !fin {
            return None;
        }
        if out > 0 && len > 0 && out.saturating_add(len) > cwnd {
            return None;
        }
        let again = start.lt(self.snd.max);
        // What a record's end keeps from growing has nothing to wait for.
        let whole = len == record && record < queued;
        if again || fin || whole || self.is_worth_sending(len, full, queued) {
            return Some(self.part(Why::Next, start, start.plus(len + u32::from(fin))));
        }
        None
    }

    /// Sender silly-window avoidance (RFC 9293, 3.8.6.2.1) and Nagle (3.7.4).
    fn is_worth_sending(&self, len: u32, full: u32, queued: u32) -> bool {
        if len < full && (self.options.cork || self.marks.contains(Marks::MORE)) {
            return self.marks.contains(Marks::OVERRIDE);
        }
        // Nagle's algorithm waits for text; a SYN that is out holds nothing back.
        let nothing_out = !self.snd.has_outstanding() || self.snd.max == self.snd.iss.plus(1);
        len >= full
            || (len == queued && (nothing_out || self.options.no_delay))
            || (nothing_out || self.options.no_delay) && len >= (self.snd.max_wnd / 2).max(1)
            || self.marks.contains(Marks::OVERRIDE)
    }

    /// The octets from `start` on, at most a full-sized segment and not past `end`, with the FIN if it lies there.
    fn part(&self, why: Why, start: SeqNumber, end: SeqNumber) -> Plan {
        let data_end = self.data_end();
        let len = end.min(data_end).after(start).min(self.full_size());
        let len = self.within_record(start, len);
        let fin = self.fin.is_some() && start.plus(len) == data_end && end.gt(data_end);
        let mut flags = Flags::ACK;
        flags.set(Flags::FIN, fin);
        let last = start.plus(len) == data_end || self.ends_record(start.plus(len));
        flags.set(Flags::PSH, len > 0 && last);
        Plan {
            why,
            seq: start,
            len,
            flags,
        }
    }

    fn probe(&self) -> Option<Plan> {
        let due = self.marks.contains(Marks::PROBE) && state::may_have_unsent(self.state());
        (due && !self.outbox.is_empty()).then_some(Plan {
            why: Why::Probe,
            seq: self.snd.una,
            len: 1,
            flags: Flags::ACK,
        })
    }

    /// SHLD-12: without text, its number just below the window, so that the peer must answer.
    fn keep_alive(&self) -> Option<Plan> {
        self.marks.contains(Marks::KEEP_ALIVE).then_some(Plan {
            why: Why::KeepAlive,
            seq: self.snd.max.minus(1),
            len: 0,
            flags: Flags::ACK,
        })
    }

    fn pure_ack(&self) -> Option<Plan> {
        (self.ack.owed == Owed::Now).then_some(Plan {
            why: Why::Ack,
            seq: self.snd.acceptable(),
            len: 0,
            flags: Flags::ACK,
        })
    }

    /// Octets of text in a full-sized segment, with the options that it would have now (RFC 9293, MUST-16).
    fn full_size(&self) -> u32 {
        if !self.agreed.sack || !self.inbox.has_gaps() {
            return self.agreed.smss();
        }
        let nothing = SackBlock {
            start: SeqNumber(0),
            end: SeqNumber(0),
        };
        let blocks = self.inbox.sack_blocks(&mut [nothing; MAX_SACK_BLOCKS]);
        if blocks == 0 {
            // Only a FIN waits: it makes no block.
            return self.agreed.smss();
        }
        let fit = if self.agreed.timestamps {
            3
        } else {
            MAX_SACK_BLOCKS
        };
        let taken = 4 + 8 * blocks.min(fit) as u32;
        self.agreed.smss().saturating_sub(taken).max(1)
    }

    /// The device has taken the segment, in which a window of `window` octets was offered.
    pub fn sent(&mut self, shared: &mut Shared, now: Instant, plan: &Plan, window: u32) {
        let end = plan.end();
        let again = end != plan.seq && plan.seq.lt(self.snd.max);
        match plan.why {
            Why::Syn | Why::Next => self.snd.nxt = self.snd.nxt.max(end),
            Why::Head => {
                self.marks -= Marks::RESEND_HEAD;
                self.recovery.high_rxt = self.recovery.high_rxt.max(end);
            }
            Why::Hole => self.recovery.high_rxt = end,
            Why::Rescue => self.recovery.rescued(),
            Why::Probe => {
                self.marks -= Marks::PROBE;
                shared.note(&self.tuple, TcpNote::WindowProbe, plan.seq);
            }
            Why::KeepAlive => {
                self.marks -= Marks::KEEP_ALIVE;
                shared.note(&self.tuple, TcpNote::KeepAlive, plan.seq);
            }
            Why::Ack => {}
        }
        if let Some(meter) = &mut self.meter {
            meter.sent(plan, again);
        }
        if plan.len > 0 {
            self.note_sent(now, plan.seq.plus(plan.len));
        }
        self.marks -= Marks::OVERRIDE;
        if self.agreed.ecn && plan.why == Why::Next && plan.len > 0 && !again {
            self.marks -= Marks::ECN_REDUCED;
        }
        if end != plan.seq && plan.why != Why::Probe {
            self.sequence_sent(shared, now, plan, again);
        }
        self.snd.max = self.snd.max.max(end);
        if plan.why == Why::Probe {
            self.arm_persist(shared, now);
        }
        if plan.flags.contains(Flags::ACK) {
            self.ack.sent();
            self.inbox.sack_sent();
            self.deadlines.disarm(Timer::DelayedAck);
            self.stamps.last_ack_sent = self.rcv.nxt;
            self.rcv.offered(window);
            self.note_window_grown(shared.tcp());
        }
    }

    /// Octets left: the retransmission timer runs (RFC 6298, 5.1), and a new segment may be timed.
    fn sequence_sent(&mut self, shared: &mut Shared, now: Instant, plan: &Plan, again: bool) {
        self.last_sent = now;
        self.deadlines.disarm(Timer::Persist);
        if again {
            self.rto.stop_timing();
            shared.note(&self.tuple, TcpNote::Retransmit, plan.seq);
        } else {
            if !self.snd.has_outstanding() {
                self.rto.since = now;
            }
            self.rto.time(plan.end(), now);
        }
        // RFC 6675, 6, and RFC 6582: what is sent again in recovery gets a whole timeout.
        let fresh = !self.deadlines.is_armed(Timer::Retransmit) || plan.why == Why::Head;
        if fresh {
            let timeout = self.wait_for_ack(shared, now);
            self.deadlines.arm(Timer::Retransmit, now.plus(timeout));
        }
    }

    /// How long the ACK of what is sent now may take.
    fn wait_for_ack(&self, shared: &Shared, now: Instant) -> u64 {
        let profile = shared.tcp();
        let timeout = self.rto.timeout(profile);
        if profile.handshake.r2_is_exact && self.state() == TcpState::SynSent {
            let most = self.options.keep_init(profile);
            return timeout.min(most.saturating_sub(now.since(self.rto.since)));
        }
        timeout
    }

    /// Nothing more can be sent now. If that is because of the peer's window and nothing is out whose ACK could open
    /// it, a timer must (RFC 9293, MUST-36; 3.8.6.2.1: the override timeout).
    pub fn rest(&mut self, shared: &mut Shared, now: Instant) {
        self.note_limit(now);
        let waiting = state::may_have_unsent(self.state())
            && self.snd.nxt.lt(self.data_end())
            && !self.deadlines.is_armed(Timer::Retransmit)
            && !self.deadlines.is_armed(Timer::Persist);
        if waiting {
            self.rto.since = now;
            self.arm_persist(shared, now);
        }
    }

    /// SHLD-29: the first probe when the window has been shut for the retransmission timeout.
    fn arm_persist(&mut self, shared: &Shared, now: Instant) {
        let wait = if self.snd.wnd == 0 {
            self.rto.timeout(shared.tcp())
        } else {
            shared.tcp().sws_override
        };
        self.deadlines.arm(Timer::Persist, now.plus(wait));
    }

    /// Text is queued after a pause longer than the timeout: the old window says nothing about the path any more.
    pub fn restart_if_idle(&mut self, shared: &Shared, now: Instant) {
        if !self.snd.has_outstanding() && now.since(self.last_sent) > self.rto.timeout(shared.tcp())
        {
            self.congestion.idle(shared.tcp());
        }
    }
}
