//! What happens when a connection's timer expires: retransmission timeout and give-up (RFC 9293, 3.8.3), zero-window
//! probes (3.8.6.1), delayed ACK, keep-alive (3.8.4), the end of TIME-WAIT.

use xen_abi::Instant;

use crate::api::SocketError;
use crate::event::{TcpNote, TcpState};
use crate::tcp::connection::{Connection, Marks, Owner};
use crate::tcp::deadlines::Timer;
use crate::tcp::recovery::Phase;
use crate::tcp::shared::Shared;

impl Connection {
    /// Handles every timer that is due. Nothing is sent: what is due is marked.
    pub fn expire(&mut self, shared: &mut Shared, now: Instant) {
        while let Some(timer) = self.deadlines.take_due(now) {
            shared.fuel.burn(1);
            match timer {
                Timer::Early => self.early_timeout(shared, now),
                Timer::Retransmit => self.retransmission_timeout(shared, now),
                Timer::Persist => self.persist_timeout(shared, now),
                Timer::Pace => self.marks -= Marks::PACED,
                Timer::DelayedAck => self.ack.now(),
                Timer::KeepAlive => self.keep_alive_timeout(shared, now),
                Timer::Linger => self.die(shared, None),
            }
        }
    }

    /// RFC 6298, 5.4 to 5.6, and RFC 5681, 3.1.
    fn retransmission_timeout(&mut self, shared: &mut Shared, now: Instant) {
        if self.is_given_up(shared, now) {
            self.time_out(shared);
            return;
        }
        shared.note(&self.tuple, TcpNote::RtoExpired, self.snd.una);
        let first = self.rto.timeouts == 0;
        self.rto.back_off();
        // MUST-20, R1: perhaps there is a better route.
        if self.rto.timeouts == shared.tcp().r1_retransmits {
            self.marks -= Marks::ROUTED;
            self.suspect_mtu(shared);
        }
        self.suspect_blackhole(shared, now);
        if !self.snd.syn_acked() {
            self.snd.nxt = self.snd.una;
            self.marks |= Marks::SYN_LOST;
            if self.state() == TcpState::SynSent {
                self.fall_back_to_plain_syn();
                if self.rto.timeouts == shared.tcp().handshake.plain_after {
                    self.agreed.offer_nothing();
                }
            }
        }
        // A SYN is not among what recovery repairs; what Fast Open has sent behind it is.
        if self.recovery.out().is_none() {
            return;
        }
        let flight = self.snd.max.since(self.snd.una);
        let fresh = self.recovery.phase != Phase::Timeout;
        self.enter_timeout(shared, now, first && fresh);
        let flight = self.reduced_from(shared, flight);
        self.congestion.timeout(flight, first && fresh);
    }

    /// R2 (RFC 9293, 3.8.3): by time, longer for SYN segments (MUST-23). A half-open connection of a listener gets a
    /// few tries only, since anybody can cause it.
    fn is_given_up(&self, shared: &Shared, now: Instant) -> bool {
        let profile = shared.tcp();
        let waited = now.since(self.rto.since);
        match self.state() {
            TcpState::SynSent => match self.options.syn_retries(profile) {
                Some(retries) => self.rto.timeouts >= retries,
                None => waited >= self.options.keep_init(profile),
            },
            TcpState::SynReceived
                if matches!(self.owner, Owner::Listener(_))
                    || self.marks.contains(Marks::FAST_OPENING) =>
            {
                self.rto.timeouts >= profile.syn_ack_retries
            }
            TcpState::SynReceived => waited >= self.options.keep_init(profile),
            _ => waited >= self.options.user_timeout(profile),
        }
    }

    /// Gives up: with the reason that ICMP gave, if there is one.
    fn time_out(&mut self, shared: &mut Shared) {
        let error = self.soft_error.unwrap_or(SocketError::ETIMEDOUT);
        self.abort(shared, Some(error));
    }

    /// The peer's window has been shut, or too small to be worth a segment, for long enough.
    fn persist_timeout(&mut self, shared: &mut Shared, now: Instant) {
        if self.is_held_back_for_good(shared, now) {
            self.time_out(shared);
            return;
        }
        if self.snd.wnd > 0 {
            self.marks |= Marks::OVERRIDE;
            return;
        }
        if now.since(self.rto.since) >= self.options.user_timeout(shared.tcp()) {
            // MUST-37 keeps a connection whose peer acknowledges the probes; this one is silent.
            self.time_out(shared);
            return;
        }
        self.marks |= Marks::PROBE;
        // SHLD-30: the interval between probes grows exponentially.
        self.rto.back_off();
    }

    /// MUST-26: only when nothing was heard for the whole interval, so traffic only moves the deadline.
    fn keep_alive_timeout(&mut self, shared: &mut Shared, now: Instant) {
        let profile = shared.tcp();
        let quiet = now.since(self.last_heard);
        let idle = self.options.keep_idle(profile);
        let interval = self.options.keep_interval(profile);
        if quiet < idle {
            let at = self.last_heard.plus(idle);
            return self.deadlines.arm(Timer::KeepAlive, at);
        }
        if self.snd.has_outstanding() {
            // The retransmission timer watches over what is out. Silence begins to count when all of it is acknowledged.
            return self.deadlines.arm(Timer::KeepAlive, now.plus(idle));
        }
        // MUST-29: no single unanswered probe means that the connection is dead.
        if self.unanswered >= self.options.keep_count(profile) {
            self.time_out(shared);
            return;
        }
        self.unanswered += 1;
        self.marks |= Marks::KEEP_ALIVE;
        self.deadlines.arm(Timer::KeepAlive, now.plus(interval));
    }

    /// Nobody waits for the peer's FIN any more: FIN-WAIT-2 ends by itself.
    pub fn linger_in_fin_wait_2(&mut self, shared: &Shared, now: Instant) {
        self.deadlines.arm(
            Timer::Linger,
            now.plus(self.options.fin_wait_2(shared.tcp())),
        );
    }
}
