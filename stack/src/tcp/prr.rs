//! Proportional Rate Reduction (RFC 9937): in fast recovery each segment that is delivered lets a fraction of one out,
//! so that the window comes down to the threshold within a round trip instead of falling silent for half of it.

/// One recovery.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prr {
    /// prr_delivered
    delivered: u64,
    /// prr_out
    out: u64,
    /// RecoverFS: octets in flight when the recovery began.
    flight: u32,
}

impl Prr {
    /// A recovery begins with so many octets in flight.
    pub fn new(flight: u32) -> Prr {
        Prr {
            flight: flight.max(1),
            ..Prr::default()
        }
    }

    /// So many octets were sent, new or again.
    pub fn sent(&mut self, octets: u32) {
        self.out += u64::from(octets);
    }

    /// An ACK says that `delivered` octets more have arrived: the window from now on. `safe`: it acknowledged octets
    /// and no further loss came to light.
    pub fn window(
        &mut self,
        delivered: u32,
        pipe: u32,
        ssthresh: u32,
        smss: u32,
        safe: bool,
    ) -> u32 {
        let (delivered, smss) = (u64::from(delivered), u64::from(smss.max(1)));
        self.delivered += delivered;
        let mut send = if pipe > ssthresh {
            // Whole segments: the first octet of one earns it.
            let share = (self.delivered * u64::from(ssthresh)).div_ceil(u64::from(self.flight));
            share.next_multiple_of(smss).saturating_sub(self.out)
        } else {
            // The slow-start and the conservative reduction bound.
            let conserved = self.delivered.saturating_sub(self.out).max(delivered);
            let bound = if safe { conserved + smss } else { conserved };
            bound.min(u64::from(ssthresh - pipe))
        };
        if self.out == 0 {
            // The fast retransmission itself.
            send = send.max(smss);
        }
        u32::try_from(u64::from(pipe) + send).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty segments of 100 octets are out, one is lost, and an ACK comes for each of the others: whether each lets a
    /// segment out.
    fn one_of_twenty_lost(ssthresh: u32) -> alloc::vec::Vec<bool> {
        let mut prr = Prr::new(2000);
        let mut pipe = 1900;
        (0..19)
            .map(|_| {
                pipe -= 100;
                let sends = prr.window(100, pipe, ssthresh, 100, false) >= pipe + 100;
                if sends {
                    prr.sent(100);
                    pipe += 100;
                }
                sends
            })
            .collect()
    }

    #[test]
    fn a_halved_window_lets_one_segment_out_for_two() {
        let sent = one_of_twenty_lost(1000);
        assert_eq!(sent.iter().filter(|&&s| s).count(), 10);
        assert!(sent[0], "the fast retransmission");
        let silent = sent.windows(3).any(|w| !(w[0] || w[1] || w[2]));
        assert!(!silent, "{sent:?}");
    }

    #[test]
    fn seven_tenths_of_a_window_let_seven_of_ten_out() {
        let sent = one_of_twenty_lost(1400);
        assert_eq!(sent.iter().filter(|&&s| s).count(), 14);
    }

    #[test]
    fn below_the_threshold_what_arrives_is_replaced_and_a_segment_more_if_that_is_safe() {
        let mut prr = Prr::new(2000);
        prr.sent(100);
        assert_eq!(prr.window(300, 200, 1000, 100, false), 500);
        assert_eq!(prr.window(300, 200, 1000, 100, true), 200 + 500 + 100);
        assert_eq!(prr.window(3000, 200, 1000, 100, true), 1000);
    }
}
