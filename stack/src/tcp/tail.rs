//! Tail loss probes (RFC 8985, section 7): when the last segments of a flight are lost, no ACK tells. After two round
//! trips of silence one segment more, a new one or the last one again, makes the peer speak, long before the
//! retransmission timer would.

use crate::profile::Recovery;
use crate::seq::SeqNumber;

/// A probe that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// TLP.end_seq: SND.NXT behind the probe.
    pub end: SeqNumber,
    /// TLP.is_retrans
    pub again: bool,
}

/// What an ACK says of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Waiting,
    /// All arrived before, or the probe was a new segment.
    NothingLost,
    /// The probe repaired a loss.
    Repaired,
}

/// TLP_calc_PTO (7.2): how long to wait before a probe. `lone`: one segment is out, whose ACK the peer may delay.
pub fn probe_timeout(srtt: Option<u64>, lone: bool, profile: &Recovery) -> u64 {
    let Some(srtt) = srtt else {
        return profile.tail_first;
    };
    let delay = if lone { profile.tail_delay } else { 0 };
    2 * srtt + delay + profile.slack
}

impl Tail {
    /// TLP_process_ack (7.4.2). `duplicate`: the ACK reports what ends where the probe ends as a duplicate; `repeats`:
    /// it acknowledges nothing new and nothing else.
    pub fn judge(&self, ack: SeqNumber, duplicate: bool, repeats: bool) -> Verdict {
        if ack.lt(self.end) {
            Verdict::Waiting
        } else if !self.again || duplicate {
            Verdict::NothingLost
        } else if ack.gt(self.end) {
            Verdict::Repaired
        } else if repeats {
            Verdict::NothingLost
        } else {
            Verdict::Waiting
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::MS;

    #[test]
    fn a_probe_goes_after_two_round_trips_and_later_if_the_ack_may_be_delayed() {
        let profile = Recovery::default();
        let wait = |srtt, lone| probe_timeout(srtt, lone, &profile) / MS;
        assert_eq!(wait(Some(40 * MS), false), 80);
        assert_eq!(wait(Some(40 * MS), true), 280);
        assert_eq!(wait(None, false), 1000);
    }

    #[test]
    fn only_the_ack_tells_whether_a_repeated_segment_was_lost() {
        let probe = |again| Tail {
            end: SeqNumber(100),
            again,
        };
        let at = SeqNumber;
        assert_eq!(probe(true).judge(at(99), false, false), Verdict::Waiting);
        assert_eq!(
            probe(false).judge(at(100), false, false),
            Verdict::NothingLost
        );
        assert_eq!(probe(true).judge(at(100), false, false), Verdict::Waiting);
        assert_eq!(probe(true).judge(at(100), true, true), Verdict::NothingLost);
        assert_eq!(
            probe(true).judge(at(100), false, true),
            Verdict::NothingLost
        );
        assert_eq!(probe(true).judge(at(101), false, false), Verdict::Repaired);
    }
}
