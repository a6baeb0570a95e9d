//! SEGMENT ARRIVES in the states behind SYN-SENT (RFC 9293, 3.10.7.4), step by step. Each step is a method that says
//! whether the next one follows; nothing is sent here, what is owed to the peer is only noted.

use core::ops::ControlFlow::{self, Break, Continue};

use xen_abi::Instant;

use crate::api::SocketError;
use crate::event::{TcpNote, TcpState};
use crate::seq::SeqNumber;
use crate::tcp::acceptance;
use crate::tcp::connection::{Connection, Marks, Owner};
use crate::tcp::incoming::Incoming;
use crate::tcp::reset::Reset;
use crate::tcp::shared::Shared;
use crate::tcp::state;
use crate::wire::tcp::Flags;

/// Whether the next step follows.
pub type Flow = ControlFlow<()>;

impl Connection {
    /// A segment of this connection arrives.
    pub fn segment_arrives(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        segment: &mut Incoming<'_>,
    ) {
        match self.state() {
            TcpState::Closed | TcpState::Listen => {}
            TcpState::SynSent => self.arrives_in_syn_sent(shared, now, segment),
            _ => drop(self.arrives(shared, now, segment)),
        }
    }

    fn arrives(&mut self, shared: &mut Shared, now: Instant, segment: &mut Incoming<'_>) -> Flow {
        if !segment.has(Flags::SYN) {
            segment.scale_window(self.agreed.send_shift);
        }
        self.answer_repeated_syn(segment)?;
        self.check_time_wait(shared, now, segment)?;
        self.check_timestamp(shared, now, segment)?;
        self.check_sequence(shared, now, segment)?;
        self.check_reset(shared, now, segment)?;
        self.check_syn(shared, now, segment)?;
        self.heard(now);
        self.take_ecn_marks(segment);
        self.check_ack(shared, now, segment)?;
        self.check_urgent(segment);
        self.take_text(shared, now, segment)?;
        self.check_fin(shared, now, segment);
        Continue(())
    }

    /// In SYN-RECEIVED the peer's SYN may come again: our SYN-ACK was lost, so it is repeated, never answered with a
    /// reset. In a simultaneous open it comes with an ACK: then only the ACK counts.
    fn answer_repeated_syn(&mut self, segment: &mut Incoming<'_>) -> Flow {
        let repeated = self.state() == TcpState::SynReceived
            && segment.has(Flags::SYN)
            && !segment.has(Flags::RST)
            && segment.seq == self.rcv.irs;
        if !repeated {
            return Continue(());
        }
        if segment.has(Flags::ACK) && segment.ack.gt(self.snd.una) && segment.ack.le(self.snd.max) {
            segment.seq = self.rcv.nxt;
            segment.flags -= Flags::SYN;
            return Continue(());
        }
        self.snd.nxt = self.snd.una;
        Break(())
    }

    /// TIME-WAIT where it listens to nothing but acknowledgments: resets cannot assassinate it (RFC 1337), and whatever
    /// is not the expected ACK is answered with ours again; a FIN that is due makes it last longer.
    fn check_time_wait(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        segment: &Incoming<'_>,
    ) -> Flow {
        if self.state() != TcpState::TimeWait {
            return Continue(());
        }
        let defence = &shared.tcp().defence;
        if segment.has(Flags::RST) && defence.time_wait_ignores_rst {
            return Break(());
        }
        if !defence.time_wait_wants_ack {
            return Continue(());
        }
        if !segment.has(Flags::ACK) {
            return Break(());
        }
        if segment.has(Flags::FIN) && segment.seq.plus(segment.len()) == self.rcv.nxt {
            self.time_wait(shared, now);
        }
        let expected = segment.flags == Flags::ACK
            && segment.payload.is_empty()
            && segment.seq == self.rcv.nxt
            && segment.ack == self.snd.max;
        if !expected {
            self.ack.now();
        }
        Break(())
    }

    /// PAWS (RFC 7323, 5.3, R1), before anything else. A reset is never too old.
    fn check_timestamp(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        segment: &Incoming<'_>,
    ) -> Flow {
        if !self.agreed.timestamps || segment.has(Flags::RST) {
            return Continue(());
        }
        match segment.stamp {
            // RFC 7323, 3.2: once agreed on, a segment without the option is dropped, unless the profile is lenient.
            None if shared.tcp().defence.tolerate_missing_stamp => Continue(()),
            None => Break(()),
            Some((value, _)) if self.stamps.is_old(value, now) => {
                self.answer_unacceptable(shared, now, segment);
                Break(())
            }
            Some((value, _)) => {
                let window = self.acceptable_window(shared.tcp());
                if acceptance::is_acceptable(&self.rcv, window, segment) {
                    self.stamps.update(value, segment.seq, now);
                }
                Continue(())
            }
        }
    }

    /// First: the sequence number.
    fn check_sequence(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        segment: &mut Incoming<'_>,
    ) -> Flow {
        let window = self.acceptable_window(shared.tcp());
        if !segment.has(Flags::SYN) {
            self.note_duplicate(shared, segment);
        }
        if acceptance::is_acceptable(&self.rcv, window, segment) {
            // What a reset or a SYN is depends on the number that its sender chose: with text before it, cut off here,
            // a blind reset would have many chances to begin at RCV.NXT.
            if !segment.flags.intersects(Flags::SYN | Flags::RST) {
                acceptance::trim(&self.rcv, window, segment);
            }
            return Continue(());
        }
        // "If the RCV.WND is zero, no segments will be acceptable, but special allowance should be made to accept
        // valid ACKs, URGs, and RSTs": the text is refused with an ACK, the rest is looked at.
        if window == 0 && segment.seq == self.rcv.nxt && !segment.has(Flags::SYN) {
            self.ack.now();
            segment.payload = &[];
            segment.flags -= Flags::FIN;
            return Continue(());
        }
        let ordinary =
            segment.has(Flags::ACK) && !segment.flags.intersects(Flags::SYN | Flags::RST);
        if shared.tcp().acks.of_old_segments && ordinary && segment.seq.lt(self.rcv.nxt) {
            self.ack.now();
            segment.seq = self.rcv.nxt;
            segment.payload = &[];
            segment.flags -= Flags::FIN;
            return Continue(());
        }
        if self.state() == TcpState::TimeWait && segment.has(Flags::FIN) && !segment.has(Flags::RST)
        {
            // The peer's FIN again: our last ACK was lost. "Acknowledge it, and restart the 2 MSL timeout."
            self.time_wait(shared, now);
        }
        if !segment.has(Flags::RST) {
            self.answer_unacceptable(shared, now, segment);
        }
        Break(())
    }

    /// Text that was taken already is reported with the ACK that it causes, so that the peer learns that it sent it
    /// again for nothing (RFC 2883, 4).
    fn note_duplicate(&mut self, shared: &Shared, segment: &Incoming<'_>) {
        let end = segment.seq.plus(segment.payload.len() as u32);
        let old = self.rcv.nxt.min(end);
        if self.reports_duplicates(shared) && segment.seq.lt(old) {
            self.inbox.note_duplicate(segment.seq, old);
            self.ack.now();
        }
    }

    fn reports_duplicates(&self, shared: &Shared) -> bool {
        self.agreed.sack && shared.tcp().recovery.dsack
    }

    /// "An acknowledgment should be sent in reply", but a pure ACK must not beget a pure ACK for ever: of those only
    /// the keep-alive's form and what proves that the ends disagree is answered, and not often.
    fn answer_unacceptable(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) {
        if segment.has(Flags::SYN) {
            self.challenge(shared, now);
        } else if !segment.is_pure_ack() {
            self.ack.now();
        } else if segment.seq == self.rcv.nxt.minus(1) {
            self.heard(now);
            if self.challenges.allow(now, shared.tcp()) {
                self.ack.now();
            }
        } else if segment.seq.gt(self.rcv.nxt) {
            self.challenge(shared, now);
        }
    }

    /// Second: the RST bit, with RFC 5961's defence against blind resets.
    fn check_reset(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) -> Flow {
        if !segment.has(Flags::RST) {
            return Continue(());
        }
        if segment.seq != self.rcv.nxt && !shared.tcp().defence.insecure_rst {
            // RFC 5961, 3.2: inside the window but not exactly next.
            self.challenge(shared, now);
            return Break(());
        }
        let error = match self.state() {
            TcpState::SynReceived if self.marks.contains(Marks::FAST_OPENING) => {
                Some(SocketError::ECONNRESET)
            }
            TcpState::SynReceived => Some(SocketError::ECONNREFUSED),
            TcpState::TimeWait => None,
            TcpState::Closing | TcpState::LastAck if !shared.tcp().closing.reset_is_told => None,
            TcpState::CloseWait => Some(shared.tcp().closing.reset_in_close_wait),
            _ => Some(SocketError::ECONNRESET),
        };
        self.die(shared, error);
        Break(())
    }

    /// Fourth: the SYN bit. RFC 5961, 4.2: whatever its sequence number, a challenge. RFC 793 sent a reset.
    fn check_syn(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) -> Flow {
        if segment.has(Flags::SYN) {
            if shared.tcp().defence.insecure_syn {
                self.reset_peer(shared);
                self.die(shared, Some(SocketError::ECONNRESET));
            } else {
                self.challenge(shared, now);
            }
            return Break(());
        }
        Continue(())
    }

    /// Fifth: the ACK field. "If the ACK bit is off, drop the segment and return."
    fn check_ack(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) -> Flow {
        if !segment.has(Flags::ACK) {
            return Break(());
        }
        if self.state() == TcpState::SynReceived {
            // SND.UNA < SEG.ACK =< SND.NXT enters ESTABLISHED; anything else is answered <SEQ=SEG.ACK><CTL=RST>.
            if !(segment.ack.gt(self.snd.una) && segment.ack.le(self.snd.max)) {
                if let Some(reset) = Reset::answer(self.tuple, segment, self.options.rare().ip) {
                    shared.reset(reset);
                }
                return Break(());
            }
            self.snd.set_window(segment);
            self.acknowledged(shared, now, segment);
            self.established(shared, now);
            if !segment.sack.is_empty() {
                // A connection that opened fast may have lost something already.
                self.take_ack(shared, now, segment)?;
            }
        } else {
            self.take_ack(shared, now, segment)?;
        }
        self.check_fin_acked(shared, now);
        if self.state() == TcpState::Closed {
            Break(())
        } else {
            Continue(())
        }
    }

    /// What the acknowledgment of our FIN means in each state.
    fn check_fin_acked(&mut self, shared: &mut Shared, now: Instant) {
        if !self.fin_acked() {
            return;
        }
        match self.state() {
            TcpState::FinWait1 => {
                self.enter(shared, TcpState::FinWait2);
                self.deadlines
                    .disarm(crate::tcp::deadlines::Timer::KeepAlive);
                if self.owner == Owner::Nobody {
                    self.linger_in_fin_wait_2(shared, now);
                }
            }
            TcpState::Closing => self.time_wait(shared, now),
            TcpState::LastAck => self.die(shared, None),
            _ => {}
        }
    }

    /// Seventh: the segment text.
    fn take_text(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) -> Flow {
        if segment.payload.is_empty() {
            return Continue(());
        }
        if !state::may_receive(self.state()) {
            // "This should not occur since a FIN has been received from the remote side. Ignore the segment text."
            return Continue(());
        }
        // RFC 9293, SHLD-3: text for an application that has closed is answered with a reset.
        if self.owner == Owner::Nobody {
            if shared.tcp().closing.text_is_for_nobody {
                let ip = self.options.rare().ip;
                if let Some(mut reset) = Reset::answer(self.tuple, segment, ip) {
                    reset.key = self.seldom().signature;
                    shared.reset(reset);
                }
                self.die(shared, None);
            } else {
                self.abort(shared, None);
            }
            return Break(());
        }
        self.receive_text(shared, now, segment.seq, segment.payload);
        Continue(())
    }

    /// Puts text where it belongs, and decides when it is acknowledged.
    pub fn receive_text(&mut self, shared: &mut Shared, now: Instant, seq: SeqNumber, text: &[u8]) {
        let most = shared.tcp().max_out_of_order;
        let had_gaps = self.inbox.has_gaps();
        let next = self.rcv.nxt;
        if had_gaps && self.reports_duplicates(shared) {
            let end = seq.plus(text.len() as u32);
            self.inbox.note_overlap(seq, end);
        }
        self.rcv.nxt = self.inbox.assemble(&mut shared.pool, next, seq, text, most);
        if self.rcv.nxt != next {
            if self.marks.contains(Marks::READ_SHUT) {
                self.inbox.discard(&mut shared.pool);
            }
            self.marks |= Marks::NEWS | Marks::NEWS_READ;
        }
        if had_gaps || seq != next {
            // RFC 5681, 4.2: out of order, or filling a gap: at once.
            self.ack.now();
        } else {
            self.text_to_acknowledge(shared, now, text.len());
        }
    }

    /// Eighth: the FIN bit.
    fn check_fin(&mut self, shared: &mut Shared, now: Instant, segment: &Incoming<'_>) {
        if segment.has(Flags::FIN) {
            if self.state() == TcpState::TimeWait {
                self.time_wait(shared, now);
                self.ack.now();
                return;
            }
            if state::has_received_fin(self.state()) {
                return;
            }
            self.inbox.note_fin(segment.fin_seq());
            self.ack.now();
        }
        if !self.inbox.take_fin(self.rcv.nxt) {
            return;
        }
        self.rcv.nxt = self.rcv.nxt.plus(1);
        self.rcv.offered(0);
        self.ack.now();
        self.marks |= Marks::NEWS_OF_ALL;
        match state::after_fin(self.state(), self.fin_acked()) {
            Some(TcpState::TimeWait) => self.time_wait(shared, now),
            Some(next) => self.enter(shared, next),
            None => unreachable!("{} takes no FIN", self.state().name()),
        }
    }

    /// A segment of the peer's is good: the connection lives.
    pub fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.unanswered = 0;
    }

    /// A challenge ACK (RFC 5961), if the limit allows.
    pub fn challenge(&mut self, shared: &mut Shared, now: Instant) {
        if self.challenges.allow(now, shared.tcp()) {
            self.ack.challenge();
            shared.note(&self.tuple, TcpNote::ChallengeAck, self.snd.max);
        }
    }
}
