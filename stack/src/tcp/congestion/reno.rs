//! Reno (RFC 5681, 3.1): a segment more for each window acknowledged, half the flight after a loss.

use super::{Acked, Algorithm, Window};

/// Octets acknowledged since the window last grew (RFC 5681 recommends counting them, against ACK division).
#[derive(Clone, Copy, Debug, Default)]
pub struct Reno {
    acked: u32,
}

impl Algorithm for Reno {
    fn avoid(&mut self, window: &mut Window, acked: &Acked) {
        self.acked = self.acked.saturating_add(acked.octets);
        if self.acked >= window.cwnd {
            self.acked -= window.cwnd;
            window.grow(window.smss);
        }
    }

    fn threshold(&mut self, _window: &Window, flight: u32) -> u32 {
        self.acked = 0;
        flight / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seq::SeqNumber;
    use xen_abi::Instant;

    #[test]
    fn a_whole_window_acknowledged_earns_one_segment() {
        let mut window = Window {
            cwnd: 4000,
            ssthresh: 4000,
            smss: 1000,
        };
        let mut reno = Reno::default();
        let acked = Acked {
            paced: false,
            octets: 1000,
            now: Instant(0),
            srtt: 0,
            rtt: None,
            una: SeqNumber(0),
            max: SeqNumber(0),
        };
        (0..3).for_each(|_| reno.avoid(&mut window, &acked));
        assert_eq!(window.cwnd, 4000);
        reno.avoid(&mut window, &acked);
        assert_eq!(window.cwnd, 5000);
    }

    #[test]
    fn a_loss_halves_the_flight() {
        let window = Window {
            cwnd: 9000,
            ssthresh: 9000,
            smss: 1000,
        };
        assert_eq!(Reno::default().threshold(&window, 8000), 4000);
    }
}
