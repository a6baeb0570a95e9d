//! When a loss is recognised and how it is repaired before the timer: fast retransmit and fast recovery by SACK
//! (RFC 6675) or, with a peer that does not speak it, NewReno (RFC 6582); and the way back after a timeout.
//! What to do is said here; doing it is [`crate::tcp::transmit`]'s business.

use alloc::boxed::Box;

use crate::profile::TcpProfile;
use crate::seq::SeqNumber;
use crate::tcp::sack::{InFlight, NOTHING, Scoreboard};
use crate::wire::tcp_options::SackBlock;

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

/// What an ACK meant for recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    None,
    /// Fast recovery begins: reduce the window and send the first segment again.
    Enter,
    /// The first segment is lost again or the next one too: send it again (RFC 6582, 3.2, step 3: partial ACK).
    ResendHead,
    /// Recovery is over.
    Leave(Phase),
}

/// A connection's loss recovery.
pub struct Recovery {
    pub phase: Phase,
    /// "recover" (RFC 6582), RecoveryPoint (RFC 6675): behind the highest octet sent when this recovery began.
    pub point: SeqNumber,
    /// HighRxt + 1
    pub high_rxt: SeqNumber,
    /// RescueRxt + 1, if the rescue was sent.
    rescue: Option<SeqNumber>,
    /// Duplicate ACKs in a row.
    pub dup_acks: u8,
    /// NewReno's artificial window: a segment for each duplicate ACK.
    pub inflation: u32,
    /// Partial ACKs in this recovery.
    pub partial_acks: u8,
    board: Option<Box<Scoreboard>>,
}

impl Recovery {
    /// A connection that has sent nothing before `iss`.
    pub fn new(iss: SeqNumber) -> Recovery {
        Recovery {
            phase: Phase::Open,
            point: iss,
            high_rxt: iss,
            rescue: None,
            dup_acks: 0,
            inflation: 0,
            partial_acks: 0,
            board: None,
        }
    }

    /// What the peer holds out of order.
    pub fn board(&self) -> &Scoreboard {
        self.board.as_deref().unwrap_or(&NOTHING)
    }

    /// Notes SACK blocks; how many octets are new in them.
    pub fn note_sacked(
        &mut self,
        blocks: impl Iterator<Item = SackBlock>,
        una: SeqNumber,
        max: SeqNumber,
        profile: &TcpProfile,
    ) -> u32 {
        let board = self.board.get_or_insert_default();
        let new = blocks
            .map(|block| board.update(block, una, max, profile.max_sacked))
            .sum();
        self.forget_empty_board();
        new
    }

    /// A duplicate ACK (RFC 5681, 2; with SACK: RFC 6675, 2).
    pub fn duplicate(&mut self, f: &InFlight, sack: bool) -> Step {
        match self.phase {
            Phase::Timeout => Step::None,
            Phase::Fast => {
                // RFC 6582, 3.2, step 4 of RFC 5681: each one says that a segment has left the network.
                if !sack {
                    self.inflation = self.inflation.saturating_add(f.smss);
                }
                Step::None
            }
            Phase::Open => {
                self.dup_acks = self.dup_acks.saturating_add(1);
                let lost = self.board().head_is_lost(f);
                // RFC 6582, 3.2, step 2: not for octets of an earlier recovery.
                let new_loss = f.una.ge(self.point);
                if (self.dup_acks >= f.dup_thresh || lost) && new_loss {
                    self.enter(f, sack);
                    Step::Enter
                } else {
                    Step::None
                }
            }
        }
    }

    /// SND.UNA advanced by `acked` octets to `f.una`.
    pub fn advanced(&mut self, f: &InFlight, acked: u32, sack: bool) -> Step {
        self.dup_acks = 0;
        self.high_rxt = self.high_rxt.max(f.una);
        if let Some(board) = &mut self.board {
            board.acknowledge(f.una);
        }
        self.forget_empty_board();
        let phase = self.phase;
        if phase == Phase::Open {
            // "recover" must not fall half a circle behind.
            self.point = self.point.max(f.una);
            return Step::None;
        }
        if f.una.ge(self.point) {
            self.leave();
            return Step::Leave(phase);
        }
        if phase == Phase::Fast && !sack {
            // RFC 6582, 3.2, step 3: a partial ACK. Deflate by what was acknowledged, and add a segment back.
            let back = if acked >= f.smss { f.smss } else { 0 };
            self.inflation = self.inflation.saturating_sub(acked) + back;
            self.partial_acks = self.partial_acks.saturating_add(1);
            return Step::ResendHead;
        }
        Step::None
    }

    /// Whether the peer took back what it held; then the scoreboard is worth nothing (RFC 2018, section 8).
    pub fn forget_if_reneged(&mut self, una: SeqNumber) -> bool {
        let reneged = self.board().reneged(una);
        if reneged {
            self.board = None;
        }
        reneged
    }

    /// The retransmission timer expired. RFC 2018, section 8: the peer may have dropped what it held.
    pub fn timeout(&mut self, una: SeqNumber, max: SeqNumber) {
        self.leave();
        self.board = None;
        self.phase = Phase::Timeout;
        self.point = max;
        self.high_rxt = una;
    }

    /// NextSeg() rule 4 (RFC 6675): once in a recovery, the end of what is out.
    pub fn rescue(&self, f: &InFlight) -> Option<SackBlock> {
        if self.rescue.is_some_and(|rescue| f.una.le(rescue)) {
            return None;
        }
        self.board().last_hole(f)
    }

    /// The rescue was sent.
    pub fn rescued(&mut self) {
        self.rescue = Some(self.point);
    }

    fn enter(&mut self, f: &InFlight, sack: bool) {
        self.phase = Phase::Fast;
        self.point = f.max;
        self.high_rxt = f.una;
        self.rescue = None;
        // RFC 5681, 3.2, step 3: the three segments that made the duplicates have left the network.
        self.inflation = if sack {
            0
        } else {
            u32::from(f.dup_thresh) * f.smss
        };
    }

    fn leave(&mut self) {
        self.phase = Phase::Open;
        self.dup_acks = 0;
        self.inflation = 0;
        self.partial_acks = 0;
        self.rescue = None;
    }

    fn forget_empty_board(&mut self) {
        if self.board().is_empty() {
            self.board = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(una: u32, max: u32) -> InFlight {
        InFlight {
            una: SeqNumber(una),
            max: SeqNumber(max),
            high_rxt: SeqNumber(una),
            smss: 100,
            dup_thresh: 3,
        }
    }

    fn block(start: u32, end: u32) -> SackBlock {
        SackBlock {
            start: SeqNumber(start),
            end: SeqNumber(end),
        }
    }

    #[test]
    fn the_third_duplicate_enters_and_the_others_only_inflate() {
        let mut r = Recovery::new(SeqNumber(0));
        let f = flight(0, 1000);
        assert_eq!(r.duplicate(&f, false), Step::None);
        assert_eq!(r.duplicate(&f, false), Step::None);
        assert_eq!(r.duplicate(&f, false), Step::Enter);
        assert_eq!(r.duplicate(&f, false), Step::None);
        assert_eq!(r.inflation, 400);
    }

    #[test]
    fn a_partial_ack_resends_the_next_hole_and_the_full_one_leaves() {
        let mut r = Recovery::new(SeqNumber(0));
        (0..3).for_each(|_| {
            r.duplicate(&flight(0, 1000), false);
        });
        assert_eq!(r.advanced(&flight(200, 1000), 200, false), Step::ResendHead);
        assert_eq!(r.inflation, 200);
        assert_eq!(
            r.advanced(&flight(1000, 1200), 800, false),
            Step::Leave(Phase::Fast)
        );
    }

    #[test]
    fn duplicates_for_octets_of_the_last_recovery_do_not_enter_again() {
        let mut r = Recovery::new(SeqNumber(0));
        r.timeout(SeqNumber(0), SeqNumber(1000));
        assert_eq!(r.duplicate(&flight(0, 1000), false), Step::None);
        r.phase = Phase::Open;
        (0..5).for_each(|_| assert_eq!(r.duplicate(&flight(500, 1000), false), Step::None));
    }

    #[test]
    fn with_sack_enough_octets_above_the_hole_are_enough() {
        let mut r = Recovery::new(SeqNumber(0));
        let f = flight(0, 1000);
        let profile = TcpProfile::default();
        r.note_sacked([block(100, 400)].into_iter(), f.una, f.max, &profile);
        assert_eq!(r.duplicate(&f, true), Step::Enter);
        assert_eq!(r.inflation, 0);
    }

    #[test]
    fn the_rescue_is_sent_once_a_recovery() {
        let mut r = Recovery::new(SeqNumber(0));
        let f = flight(0, 1000);
        r.note_sacked(
            [block(100, 400)].into_iter(),
            f.una,
            f.max,
            &TcpProfile::default(),
        );
        r.duplicate(&f, true);
        assert_eq!(r.rescue(&f), Some(block(900, 1000)));
        r.rescued();
        assert_eq!(r.rescue(&f), None);
    }
}
