//! Explicit Congestion Notification (RFC 3168): routers mark packets instead of dropping them, the receiver echoes the
//! mark, the sender answers as it would to a loss, and says that it has. Each half is a bit of the connection; nothing
//! else of TCP changes.

use crate::profile::ecn::{Ecn, EcnMode};
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::incoming::Incoming;
use crate::tcp::recovery::Phase;
use crate::tcp::shared::Shared;
use crate::tcp::transmit::{Plan, Why};
use crate::wire::tcp::Flags;

/// Not ECN-capable.
const NOT_ECT: u8 = 0b00;
/// ECN-capable: the codepoint that senders use.
const ECT_0: u8 = 0b10;
/// Congestion experienced.
pub const CE: u8 = 0b11;

impl Connection {
    /// The bits of a SYN: both ask (6.1.1). One that was lost too often asks no more (6.1.1.1).
    pub fn ecn_setup(&self, profile: &Ecn) -> Flags {
        let asks = profile.mode == EcnMode::Active && self.rto.timeouts <= profile.asking_retries;
        if asks {
            Flags::ECE | Flags::CWR
        } else {
            Flags::empty()
        }
    }

    /// The bit of a SYN-ACK: ECE alone grants (6.1.1).
    pub fn ecn_grant(&self) -> Flags {
        if self.agreed.ecn {
            Flags::ECE
        } else {
            Flags::empty()
        }
    }

    /// The peer's SYN, or SYN-ACK, says whether there will be ECN.
    pub fn settle_ecn(&mut self, shared: &Shared, syn: &Incoming<'_>) {
        let both = Flags::ECE | Flags::CWR;
        let bits = syn.flags & both;
        self.agreed.ecn = if syn.has(Flags::ACK) {
            // "ECN-setup SYN-ACK": ECE without CWR, and only to one who asked.
            shared.tcp().ecn.mode == EcnMode::Active && bits == Flags::ECE
        } else {
            shared.tcp().ecn.mode != EcnMode::Off && bits == both
        };
    }

    /// The receiver's half (6.1.3): a mark is echoed until the sender says that it has reduced its window.
    pub fn take_ecn_marks(&mut self, segment: &Incoming<'_>) {
        if !self.agreed.ecn {
            return;
        }
        if segment.has(Flags::CWR) {
            self.marks -= Marks::ECN_ECHO;
        }
        if segment.ce {
            self.marks |= Marks::ECN_ECHO;
            self.ack.now();
        }
    }

    /// The sender's half (6.1.2): an echo is a loss as far as the window is concerned, once a window of data, and nothing
    /// is sent again. `flight`: octets under way before it.
    pub fn take_ecn_echo(&mut self, shared: &Shared, segment: &Incoming<'_>, flight: u32) {
        let answers = self.agreed.ecn
            && segment.has(Flags::ECE)
            && self.seldom().ecn_until.is_none()
            && self.recovery.phase == Phase::Open;
        if answers {
            self.congestion.loss(self.reduced_from(shared, flight));
            self.seldom_mut().ecn_until = Some(self.snd.max);
            self.marks |= Marks::ECN_REDUCED;
        }
    }

    /// The window in which marks are one event is over when all of it is acknowledged. It is forgotten then, since half of
    /// the number space later it would lie ahead.
    pub fn end_ecn_window(&mut self, ack: SeqNumber) {
        if self.agreed.ecn && self.seldom().ecn_until.is_some_and(|until| ack.gt(until)) {
            self.seldom_mut().ecn_until = None;
        }
    }

    /// The bits that a segment adds to its plan, and the codepoint of its packet. Only new text is ECN-capable: neither
    /// what is sent again (6.1.5), nor probes (6.1.6), nor pure ACKs (6.1.4).
    pub fn ecn_of(&self, plan: &Plan) -> (Flags, u8) {
        let mut flags = Flags::empty();
        if !self.agreed.ecn || plan.flags.contains(Flags::SYN) {
            return (flags, NOT_ECT);
        }
        flags.set(Flags::ECE, self.marks.contains(Marks::ECN_ECHO));
        let fresh = plan.len > 0 && plan.why == Why::Next && plan.seq.ge(self.snd.max);
        if !fresh {
            return (flags, NOT_ECT);
        }
        flags.set(Flags::CWR, self.marks.contains(Marks::ECN_REDUCED));
        (flags, ECT_0)
    }
}
