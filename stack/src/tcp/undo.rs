//! Finding out that nothing was lost after all, and taking the reaction back: by timestamps (Eifel, RFC 3522), by what
//! arrives after a timeout (F-RTO, RFC 5682), or because the peer reports every retransmission as a duplicate
//! (RFC 2883; RFC 3708). The answer is RFC 4015's: the window returns, but without a burst.

use crate::seq::SeqNumber;
use crate::tcp::congestion::Saved;

/// What a reaction to a loss can be taken back to.
#[derive(Clone, Copy)]
pub struct Undo {
    /// The window before.
    pub saved: Saved,
    /// RetransmitTS (RFC 3522, 3.2, step 1): our clock at the first retransmission, until an ACK has decided.
    first: Option<u32>,
    /// Retransmissions that no report of a duplicate answers for.
    unanswered: u32,
    /// What was sent again lies at or behind this, and before the recovery point.
    una: SeqNumber,
}

impl Undo {
    /// A reaction begins.
    pub fn new(saved: Saved, una: SeqNumber) -> Undo {
        Undo {
            saved,
            first: None,
            unanswered: 0,
            una,
        }
    }

    /// A segment is sent again; our clock says `clock`.
    pub fn sent_again(&mut self, clock: u32) {
        if self.unanswered == 0 {
            self.first = Some(clock);
        }
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// RFC 3522, 3.2, steps 4 and 5: the first ACK of something new after the retransmission echoes `echo`; an older
    /// stamp than the retransmission's was sent with the original.
    pub fn is_spurious_by_echo(&mut self, echo: u32) -> bool {
        let first = self.first.take();
        echo != 0 && first.is_some_and(|first| SeqNumber(echo).lt(SeqNumber(first)))
    }

    /// Whether the report of a duplicate at `start` is the last of as many as there were retransmissions.
    pub fn is_spurious_by_report(&mut self, start: SeqNumber, point: SeqNumber) -> bool {
        let ours = self.una.le(start) && start.lt(point) && self.unanswered > 0;
        self.unanswered -= u32::from(ours);
        ours && self.unanswered == 0
    }
}

/// F-RTO with SACK (RFC 5682, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frto {
    /// It says nothing (any more).
    #[default]
    Off,
    /// Step 2: the first segment was sent again, its ACK will decide what to send.
    Armed,
    /// Step 3: instead of more retransmissions so many new segments, at most two, and what the next ACK says decides.
    Probing { sent: u8 },
}

impl Frto {
    /// An ACK arrives after the timeout. `advanced`: it acknowledges something; `original`: it says that octets have
    /// arrived which were sent before the timeout and not again; `can_probe`: there is something new to send. Whether
    /// the timeout was spurious.
    pub fn acknowledged(&mut self, advanced: bool, original: bool, can_probe: bool) -> bool {
        let (next, spurious) = match *self {
            Frto::Off => (Frto::Off, false),
            Frto::Armed if advanced && can_probe => (Frto::Probing { sent: 0 }, false),
            Frto::Probing { .. } if original => (Frto::Off, true),
            _ => (Frto::Off, false),
        };
        *self = next;
        spurious
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::TcpProfile;
    use crate::tcp::congestion::Controller;

    fn undo() -> Undo {
        Undo::new(
            Controller::new(&TcpProfile::default()).save(),
            SeqNumber(100),
        )
    }

    #[test]
    fn an_echo_older_than_the_first_retransmission_says_that_it_was_spurious() {
        let mut u = undo();
        u.sent_again(50);
        u.sent_again(60);
        assert!(u.is_spurious_by_echo(49));
        assert!(!u.is_spurious_by_echo(49), "only the first ACK decides");
        let mut u = undo();
        u.sent_again(50);
        assert!(!u.is_spurious_by_echo(50));
    }

    #[test]
    fn when_every_retransmission_is_reported_as_a_duplicate_all_were_spurious() {
        let mut u = undo();
        u.sent_again(50);
        u.sent_again(51);
        let point = SeqNumber(900);
        assert!(!u.is_spurious_by_report(SeqNumber(100), point));
        assert!(!u.is_spurious_by_report(SeqNumber(900), point), "not ours");
        assert!(u.is_spurious_by_report(SeqNumber(200), point));
    }

    #[test]
    fn f_rto_needs_two_acks_of_what_was_not_sent_again() {
        let mut f = Frto::Armed;
        assert!(!f.acknowledged(true, true, true));
        assert_eq!(f, Frto::Probing { sent: 0 });
        assert!(f.acknowledged(true, true, true));
        let mut f = Frto::Probing { sent: 2 };
        assert!(!f.acknowledged(false, false, true));
        assert_eq!(f, Frto::Off);
        let mut f = Frto::Armed;
        assert!(!f.acknowledged(false, false, true));
        assert_eq!(f, Frto::Off);
    }
}
