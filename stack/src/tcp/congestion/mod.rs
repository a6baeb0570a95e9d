//! Congestion control (RFC 5681): the window and the one narrow trait behind which algorithms differ. *When* to
//! reduce is [`crate::tcp::recovery`]'s business, by how much and how to grow again is an algorithm's.
//!
//! - [`reno`]: RFC 5681
//! - [`cubic`]: RFC 9438, in integers

pub mod cubic;
pub mod reno;

use xen_abi::Instant;

use crate::profile::{CongestionAlgorithm, TcpProfile};
use cubic::Cubic;
use reno::Reno;

/// No window grows beyond what a scaled receive window can say (RFC 7323, 2.3).
const MOST: u32 = 1 << 30;

/// What all algorithms steer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// cwnd, octets.
    pub cwnd: u32,
    /// ssthresh, octets.
    pub ssthresh: u32,
    /// SMSS.
    pub smss: u32,
}

impl Window {
    /// Whether the window still grows by the round trip (RFC 5681, 3.1).
    pub fn in_slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }
    /// Slow start: at most SMSS for each ACK (RFC 5681, 3.1, equation 2).
    pub fn slow_start(&mut self, acked: u32) {
        self.grow(acked.min(self.smss));
    }
    /// Grows by so many octets.
    pub fn grow(&mut self, octets: u32) {
        self.cwnd = self.cwnd.saturating_add(octets).min(MOST);
    }
    /// Never below two segments (RFC 5681, 3.1, equation 4).
    fn reduce_to(&mut self, octets: u32) {
        self.ssthresh = octets.max(2 * self.smss);
        self.cwnd = self.ssthresh;
    }
}

/// New octets were acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Acked {
    pub octets: u32,
    pub now: Instant,
    /// SRTT in nanoseconds; 0: not measured.
    pub srtt: u64,
}

/// How a window grows, and how far it falls.
pub trait Algorithm {
    /// Congestion avoidance: grows the window.
    fn avoid(&mut self, window: &mut Window, acked: &Acked);
    /// A loss: what the slow-start threshold becomes, with so many octets in flight.
    fn threshold(&mut self, window: &Window, flight: u32) -> u32;
}

/// The algorithm of a connection, without dispatch by pointer or memory of its own.
enum Chosen {
    Reno(Reno),
    Cubic(Cubic),
}

/// A connection's congestion control.
pub struct Controller {
    window: Window,
    chosen: Chosen,
}

impl Controller {
    /// A window before the handshake.
    pub fn new(profile: &TcpProfile) -> Controller {
        Controller {
            window: Window {
                cwnd: u32::from(profile.default_mss),
                ssthresh: MOST,
                smss: u32::from(profile.default_mss),
            },
            chosen: match profile.congestion {
                CongestionAlgorithm::Reno => Chosen::Reno(Reno::default()),
                CongestionAlgorithm::Cubic => Chosen::Cubic(Cubic::default()),
            },
        }
    }

    /// The handshake is over. A lost SYN makes the initial window one segment (RFC 5681, 3.1).
    pub fn established(&mut self, smss: u32, syn_was_lost: bool, profile: &TcpProfile) {
        self.window.smss = smss;
        self.window.cwnd = if syn_was_lost {
            smss
        } else {
            initial_window(smss, profile)
        };
    }

    /// cwnd
    pub fn cwnd(&self) -> u32 {
        self.window.cwnd
    }
    /// ssthresh, once there was a loss
    pub fn ssthresh(&self) -> Option<u32> {
        (self.window.ssthresh < MOST).then_some(self.window.ssthresh)
    }
    /// SMSS
    pub fn smss(&self) -> u32 {
        self.window.smss
    }
    /// The path takes smaller segments now; the window keeps its octets.
    pub fn set_smss(&mut self, smss: u32) {
        self.window.smss = smss;
    }

    /// New octets were acknowledged outside fast recovery, while `flight` octets were out: a window that was not used
    /// does not grow (RFC 9438, 5.8).
    pub fn acknowledged(&mut self, acked: &Acked, flight: u32) {
        let window = &mut self.window;
        if window.in_slow_start() {
            if flight.saturating_mul(2) >= window.cwnd {
                window.slow_start(acked.octets);
            }
        } else if flight.saturating_add(window.smss) >= window.cwnd {
            match &mut self.chosen {
                Chosen::Reno(a) => a.avoid(window, acked),
                Chosen::Cubic(a) => a.avoid(window, acked),
            }
        }
    }

    /// Three duplicate ACKs or their like: RFC 5681, 3.2.
    pub fn loss(&mut self, flight: u32) {
        let threshold = self.threshold(flight);
        self.window.reduce_to(threshold);
    }

    /// The retransmission timer expired. `first`: not yet for this segment; the threshold falls only once
    /// (RFC 5681, 3.1).
    pub fn timeout(&mut self, flight: u32, first: bool) {
        if first {
            let threshold = self.threshold(flight);
            self.window.reduce_to(threshold);
        }
        self.window.cwnd = self.window.smss;
    }

    /// NewReno leaves fast recovery (RFC 6582, 3.2, step 3, option 1): no burst follows.
    pub fn leave_recovery(&mut self, flight: u32) {
        let window = &mut self.window;
        window.cwnd = window.ssthresh.min(flight.max(window.smss) + window.smss);
    }

    /// Nothing was sent for longer than the RTO: restart window (RFC 5681, 4.1).
    pub fn idle(&mut self, profile: &TcpProfile) {
        let restart = initial_window(self.window.smss, profile);
        self.window.cwnd = self.window.cwnd.min(restart);
    }

    fn threshold(&mut self, flight: u32) -> u32 {
        match &mut self.chosen {
            Chosen::Reno(a) => a.threshold(&self.window, flight),
            Chosen::Cubic(a) => a.threshold(&self.window, flight),
        }
    }
}

/// RFC 6928: min(10·MSS, max(2·MSS, 14600)).
fn initial_window(smss: u32, profile: &TcpProfile) -> u32 {
    (profile.initial_window_segments * smss).min(profile.initial_window_bytes.max(2 * smss))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn established(algorithm: CongestionAlgorithm) -> Controller {
        let profile = TcpProfile {
            congestion: algorithm,
            ..TcpProfile::default()
        };
        let mut controller = Controller::new(&profile);
        controller.established(1000, false, &profile);
        controller
    }

    fn acked(octets: u32) -> Acked {
        Acked {
            octets,
            now: Instant(0),
            srtt: 0,
        }
    }

    #[test]
    fn the_initial_window_is_ten_segments_or_one_if_the_syn_was_lost() {
        let mut c = established(CongestionAlgorithm::Reno);
        assert_eq!(c.cwnd(), 10_000);
        c.established(1000, true, &TcpProfile::default());
        assert_eq!(c.cwnd(), 1000);
    }

    #[test]
    fn slow_start_grows_by_no_more_than_a_segment_for_each_ack() {
        let mut c = established(CongestionAlgorithm::Reno);
        c.acknowledged(&acked(5000), 10_000);
        assert_eq!(c.cwnd(), 11_000);
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut c = established(CongestionAlgorithm::Cubic);
        c.acknowledged(&acked(1000), 1000);
        assert_eq!(c.cwnd(), 10_000);
    }

    #[test]
    fn a_timeout_leaves_one_segment_and_lowers_the_threshold_once() {
        let mut c = established(CongestionAlgorithm::Reno);
        c.timeout(10_000, true);
        assert_eq!((c.cwnd(), c.window.ssthresh), (1000, 5000));
        c.timeout(1000, false);
        assert_eq!((c.cwnd(), c.window.ssthresh), (1000, 5000));
    }

    #[test]
    fn a_loss_leaves_at_least_two_segments() {
        let mut c = established(CongestionAlgorithm::Reno);
        c.loss(1000);
        assert_eq!(c.cwnd(), 2000);
    }
}
