//! What is true of a connection when the device has taken a segment, or when nothing more can be sent: numbers move on,
//! what is out is recorded, timers run. What is sent is [`crate::tcp::transmit`]'s business.

use xen_abi::Instant;

use crate::event::{TcpNote, TcpState};
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::deadlines::Timer;
use crate::tcp::recovery::Phase;
use crate::tcp::shared::Shared;
use crate::tcp::state;
use crate::tcp::tail::Tail;
use crate::tcp::transmit::{Plan, Why};
use crate::tcp::undo::Frto;
use crate::wire::tcp::Flags;

impl Connection {
    /// The device has taken the segment, in which a window of `window` octets was offered.
    pub fn sent(&mut self, shared: &mut Shared, now: Instant, plan: &Plan, window: u32) {
        let end = plan.end();
        let again = end != plan.seq && plan.seq.lt(self.snd.max);
        match plan.why {
            Why::Syn => self.snd.nxt = self.snd.nxt.max(end),
            Why::Next | Why::Again | Why::Tail | Why::Rescue | Why::MtuProbe => {
                self.note_transmission(shared, now, plan);
            }
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
        if plan.why == Why::MtuProbe {
            self.mtu_probe_sent(plan);
        } else if again {
            self.mtu_probe_lost(plan.seq);
        }
        if let Some(meter) = self.meter_mut() {
            meter.sent(plan, again);
        }
        if plan.len > 0 {
            self.note_sent(now, plan.seq.plus(plan.len));
        }
        self.marks -= Marks::OVERRIDE | Marks::HELD_BACK;
        if plan.len > 0 {
            self.note_text(plan, end, again);
        }
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
            self.ack_sent(shared, window);
        }
    }

    /// Text left, up to `end`: what Nagle's algorithm looks at later.
    #[inline]
    pub fn note_text(&mut self, plan: &Plan, end: SeqNumber, again: bool) {
        if !self.snd.has_outstanding() {
            self.marks |= Marks::WAS_IDLE;
        }
        if plan.len < self.full_size() && !again && plan.why != Why::Syn {
            self.snd.small = end;
        }
    }

    /// An ACK left that offers a window of `window` octets.
    #[inline]
    pub fn ack_sent(&mut self, shared: &Shared, window: u32) {
        self.ack.sent();
        self.inbox.sack_sent();
        self.deadlines.disarm(Timer::DelayedAck);
        self.stamps.last_ack_sent = self.rcv.nxt;
        self.rcv.offered(window);
        self.note_window_grown(shared.tcp());
    }

    /// Octets that are to be acknowledged left: what is out grows, or something of it is out again.
    fn note_transmission(&mut self, shared: &mut Shared, now: Instant, plan: &Plan) {
        let end = plan.end();
        let clock = self.stamps.clock(now);
        let limit = shared.tcp().recovery.max_records;
        let new = plan.seq == self.snd.nxt;
        self.snd.nxt = self.snd.nxt.max(end);
        let fast = self.recovery.phase == Phase::Fast;
        let out = self.recovery.begin(&mut shared.spare, plan.seq);
        if new {
            out.flight.push(plan.seq, end, now, limit);
            out.unit = plan.unit_end().or(out.unit);
            out.note_use(self.snd.una, end);
            if let Frto::Probing { sent } = &mut out.frto {
                *sent += 1;
            }
        } else {
            out.flight.sent_again(plan.seq, end, now);
            out.force = false;
            if let Some(undo) = &mut out.undo {
                undo.sent_again(clock);
            }
        }
        if fast {
            out.prr.sent(end.since(plan.seq));
        }
        match plan.why {
            Why::Rescue => out.rescued = true,
            Why::Tail => {
                out.tail = Some(Tail { end, again: !new });
                self.marks -= Marks::TAIL_PROBE;
                // RFC 8985, 7.3: the retransmission timer begins anew.
                self.deadlines.disarm(Timer::Retransmit);
                self.deadlines.disarm(Timer::Early);
                shared.note(&self.tuple, TcpNote::TailProbe, plan.seq);
            }
            _ => {}
        }
        if shared.paced {
            self.note_paced(shared.tcp(), now, plan);
        }
    }

    /// Octets left: the retransmission timer runs (RFC 6298, 5.1), and a new segment may be timed.
    // Half of it is known to be idle where new text is sent.
    #[inline(always)]
    pub fn sequence_sent(&mut self, shared: &mut Shared, now: Instant, plan: &Plan, again: bool) {
        // Only text of the peer's can be answered.
        let answers = plan.len > 0 && self.ack.largest() > 0;
        if answers && now.since(self.last_heard) < shared.tcp().delayed_ack {
            self.ack.is_interactive();
        }
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
        // RFC 6675, 6, and RFC 6582: what is sent again first in a recovery gets a whole timeout.
        let first = plan.why == Why::Again && plan.seq == self.snd.una;
        if first || !self.deadlines.is_armed(Timer::Retransmit) {
            let timeout = self.wait_for_ack(shared, now);
            self.deadlines.arm(Timer::Retransmit, now.plus(timeout));
        }
        if plan.why == Why::Next && !self.waits_for_reordering() {
            self.arm_tail_probe(shared, now);
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
        self.marks -= Marks::WAS_IDLE;
        self.marks -= Marks::TAIL_PROBE;
        let unsent = self.snd.nxt.lt(self.data_end()) || self.recovery.lost() > 0;
        let waiting = state::may_have_unsent(self.state())
            && unsent
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
        let pause = now.since(self.last_sent);
        // Nearly always shorter than any timeout.
        if pause <= self.rto.least(shared.tcp()) || self.snd.has_outstanding() {
            return;
        }
        if pause > self.rto.timeout(shared.tcp()) {
            self.congestion.idle(now, shared.tcp());
        }
    }
}
