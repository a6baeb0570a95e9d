//! How connections begin: the SYN that a listener takes (RFC 9293, 3.10.7.2), the answer to our own SYN, simultaneous
//! open included (3.10.7.3), and entering ESTABLISHED.

use xen_abi::Instant;

use crate::api::SocketError;
use crate::event::TcpState;
use crate::tcp::connection::{Connection, Marks, Owner};
use crate::tcp::deadlines::Timer;
use crate::tcp::incoming::Incoming;
use crate::tcp::recv_window::RecvSpace;
use crate::tcp::reset::Reset;
use crate::tcp::shared::Shared;
use crate::tcp::state;
use crate::wire::tcp::Flags;

impl Connection {
    /// A listener's connection takes the SYN that made it.
    pub fn take_first_syn(&mut self, shared: &mut Shared, now: Instant, syn: &Incoming<'_>) {
        self.take_syn(shared, now, syn);
        self.enter(shared, TcpState::SynReceived);
    }

    /// A segment arrives in SYN-SENT (RFC 9293, 3.10.7.3).
    pub fn arrives_in_syn_sent(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        segment: &Incoming<'_>,
    ) {
        // First: the ACK bit. SND.UNA < SEG.ACK =< SND.NXT is acceptable.
        let acked = segment.has(Flags::ACK);
        if acked && !(segment.ack.gt(self.snd.iss) && segment.ack.le(self.snd.max)) {
            if let Some(reset) = Reset::answer(self.tuple, segment, self.options.rare().ip) {
                shared.reset(reset);
            }
            return;
        }
        if acked && self.echoes_what_was_never_sent(shared, now, segment) {
            if let Some(reset) = Reset::answer(self.tuple, segment, self.options.rare().ip) {
                shared.reset(reset);
            }
            return;
        }
        // Second: the RST bit. "If the ACK was acceptable, then signal to the user 'error: connection reset'."
        if segment.has(Flags::RST) {
            if acked {
                self.die(shared, Some(SocketError::ECONNREFUSED));
            }
            return;
        }
        // Fourth: the SYN bit. Without it the segment says nothing.
        if !segment.has(Flags::SYN) {
            return;
        }
        self.take_syn(shared, now, segment);
        self.heard(now);
        if acked {
            self.fast_open_answered(shared, now, segment);
            self.snd.set_window(segment);
            self.acknowledged(shared, now, segment);
            self.established(shared, now);
            self.resend_syn_data();
            self.ack.now();
            self.take_rest_of_syn(shared, now, segment);
        } else {
            // Simultaneous open: SYN-RECEIVED, and <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>.
            self.fall_back_to_plain_syn();
            self.enter(shared, TcpState::SynReceived);
            self.snd.nxt = self.snd.una;
        }
    }

    /// Enters ESTABLISHED; our SYN is acknowledged.
    pub fn established(&mut self, shared: &mut Shared, now: Instant) {
        let syn_lost = self.marks.contains(Marks::SYN_LOST);
        self.rto.established(syn_lost, shared.tcp());
        if self.marks.contains(Marks::FAST_OPENING) {
            // RFC 7413, 4.2.2: it has been sending already.
            self.congestion.set_smss(self.agreed.smss());
        } else {
            self.take_opening();
            self.congestion
                .established(self.agreed.smss(), syn_lost, shared.tcp());
            if let Some(segments) = self.seldom().initial_window.filter(|_| !syn_lost) {
                self.congestion.begin_with(segments.max(1));
            }
        }
        if matches!(self.owner, Owner::Listener(_)) {
            self.round_buffers(shared.tcp());
        }
        self.begin_mtu_search(shared);
        let with_syn = self.rcv.nxt.since(self.rcv.irs) - 1;
        if with_syn > 0 {
            self.seldom_mut().with_syn = with_syn;
        }
        self.enter(shared, TcpState::Established);
        if let Some(meter) = self.meter_mut() {
            meter.last_data = now;
        }
        self.marks |= Marks::NEWS_OF_ALL;
        self.keep_alive_from(shared, now);
        // A CLOSE that came before is done now.
        if self.fin.is_some()
            && let Some(next) = state::after_close(self.state())
        {
            self.enter(shared, next);
        }
    }

    /// Whether the SYN-ACK answers another SYN than ours: it echoes a timestamp of before, or of the future.
    fn echoes_what_was_never_sent(
        &self,
        shared: &Shared,
        now: Instant,
        segment: &Incoming<'_>,
    ) -> bool {
        let Some((_, echo)) = segment.stamp else {
            return false;
        };
        let begun = self.stamps.clock(self.rto.since);
        let sent = echo.wrapping_sub(begun) <= self.stamps.clock(now).wrapping_sub(begun);
        shared.tcp().checks_syn_ack_echo && self.agreed.timestamps && echo != 0 && !sent
    }

    /// RCV.NXT, IRS, and what the options settle.
    pub fn take_syn(&mut self, shared: &mut Shared, now: Instant, syn: &Incoming<'_>) {
        self.rcv = RecvSpace::after_syn(syn.seq);
        self.stamps.last_ack_sent = self.rcv.nxt;
        let ipv6 = self.tuple.remote.is_ipv6();
        self.agreed.settle(syn, ipv6, shared.tcp());
        self.settle_ecn(shared, syn);
        if self.owner == Owner::Application {
            self.round_buffers(shared.tcp());
        }
        if let Some((value, _)) = syn.stamp.filter(|_| self.agreed.timestamps) {
            self.stamps.set(value, now);
        }
        // The window of a SYN is never scaled.
        self.snd.wnd = syn.window;
        self.snd.max_wnd = syn.window;
        self.snd.wl1 = syn.seq;
    }

    /// "If there are other controls or text in the segment, then continue processing at the sixth step": what came
    /// with the SYN-ACK is taken as far as the window that our SYN offered goes; as is what comes right behind it, before
    /// our ACK has left.
    fn take_rest_of_syn(&mut self, shared: &mut Shared, now: Instant, syn: &Incoming<'_>) {
        self.rcv
            .offered(self.window_to_offer(shared.tcp()).min(u32::from(u16::MAX)));
        if syn.payload.is_empty() && !syn.has(Flags::FIN) {
            return;
        }
        let mut rest = *syn;
        rest.window >>= self.agreed.send_shift;
        rest.flags -= Flags::SYN;
        rest.seq = syn.seq.plus(1);
        self.segment_arrives(shared, now, &mut rest);
    }

    /// (Re)starts the keep-alive timer, if the application asked for it (RFC 9293, MUST-24).
    pub fn keep_alive_from(&mut self, shared: &Shared, now: Instant) {
        let wanted = self.options.keep_alive || shared.tcp().sockets.always_keep_alive;
        if wanted && state::may_send(self.state()) {
            self.deadlines.arm(
                Timer::KeepAlive,
                now.plus(self.options.keep_idle(shared.tcp())),
            );
        } else {
            self.deadlines.disarm(Timer::KeepAlive);
        }
    }
}
