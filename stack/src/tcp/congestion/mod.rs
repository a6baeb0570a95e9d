//! Congestion control (RFC 5681): the window and the one narrow trait behind which algorithms differ. *When* to
//! reduce is [`crate::tcp::recovery`]'s business, by how much and how to grow again is an algorithm's.
//!
//! - [`reno`]: RFC 5681
//! - [`cubic`]: RFC 9438, in integers
//! - [`slow_start`]: when slow start ends

pub mod cubic;
pub mod reno;
pub mod slow_start;

use alloc::boxed::Box;

use xen_abi::Instant;

use crate::profile::{Congestion, CongestionAlgorithm, SlowStart, TcpProfile};
use crate::seq::SeqNumber;
use cubic::Cubic;
use reno::Reno;
use slow_start::Watch;

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
    /// What this ACK has measured.
    pub rtt: Option<u64>,
    /// SND.UNA
    pub una: SeqNumber,
    /// SND.NXT
    pub max: SeqNumber,
    /// The device's queue paces what is sent.
    pub paced: bool,
}

/// How a window grows, and how far it falls.
pub trait Algorithm {
    /// Congestion avoidance: grows the window.
    fn avoid(&mut self, window: &mut Window, acked: &Acked);
    /// The window was not used until now, so it did not grow either.
    fn paused(&mut self, _now: Instant) {}
    /// A loss: what the slow-start threshold becomes, with so many octets in flight.
    fn threshold(&mut self, window: &Window, flight: u32) -> u32;
}

/// The algorithm of a connection, without dispatch by pointer or memory of its own.
#[derive(Clone, Copy)]
enum Chosen {
    Reno(Reno),
    Cubic(Cubic),
}

/// How things stood before a reduction, in case that it was a mistake.
#[derive(Clone, Copy)]
pub struct Saved {
    window: Window,
    chosen: Chosen,
}

/// A connection's congestion control.
pub struct Controller {
    window: Window,
    chosen: Chosen,
    /// Kept from the first growth to the end of the first slow start.
    watch: Option<Box<Watch>>,
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
            watch: None,
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

    /// The administrator says what the first window is, segments.
    pub fn begin_with(&mut self, segments: u32) {
        self.window.cwnd = segments.saturating_mul(self.window.smss).min(MOST);
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

    /// Whether slow start goes on.
    pub fn in_slow_start(&self) -> bool {
        self.window.in_slow_start()
    }

    /// New octets were acknowledged outside fast recovery, while `flight` octets were out, in slow start the most that
    /// were in this round trip: a window that was not used does not grow (RFC 9438, 5.8).
    pub fn acknowledged(&mut self, acked: &Acked, flight: u32, profile: &TcpProfile) {
        if self.window.in_slow_start() {
            if flight.saturating_mul(2) > self.window.cwnd {
                self.slow_start(acked, &profile.growth);
            }
        } else if flight.saturating_add(self.window.smss) >= self.window.cwnd {
            let window = &mut self.window;
            match &mut self.chosen {
                Chosen::Reno(a) => a.avoid(window, acked),
                Chosen::Cubic(a) => a.avoid(window, acked),
            }
        } else {
            self.paused(acked.now);
        }
    }

    /// RFC 9438, 4.2: time in which the application, not the window, was the limit does not count.
    fn paused(&mut self, now: Instant) {
        match &mut self.chosen {
            Chosen::Reno(a) => a.paused(now),
            Chosen::Cubic(a) => a.paused(now),
        }
    }

    /// RFC 5681, 3.1, equation 2, with RFC 9406's bound on what one ACK earns; in the first slow start of a connection
    /// somebody watches for its end.
    fn slow_start(&mut self, acked: &Acked, growth: &Congestion) {
        let window = &mut self.window;
        let first = window.ssthresh == MOST;
        let most = if first {
            growth.most_per_ack
        } else {
            growth.most_per_ack_later
        };
        let mut octets = acked.octets.min(most.saturating_mul(window.smss));
        if first && growth.slow_start != SlowStart::UntilLoss {
            let watch = self
                .watch
                .get_or_insert_with(|| Box::new(Watch::new(growth.slow_start)));
            let Some(earned) = watch.earns(window, acked, octets) else {
                window.ssthresh = window.cwnd;
                self.watch = None;
                return;
            };
            octets = earned;
        } else {
            self.watch = None;
        }
        window.grow(octets);
    }

    /// A loss (RFC 5681, 3.2): the threshold falls, and the window with it. In fast recovery
    /// [`crate::tcp::prr`] says how it gets there.
    pub fn loss(&mut self, flight: u32) {
        let threshold = self.threshold(flight);
        self.window.reduce_to(threshold);
    }

    /// The window of a moment in fast recovery.
    pub fn set_cwnd(&mut self, octets: u32) {
        self.window.cwnd = octets.min(MOST);
    }

    /// How things stand.
    pub fn save(&self) -> Saved {
        Saved {
            window: self.window,
            chosen: self.chosen,
        }
    }

    /// Nothing was lost (RFC 4015, 3): back to the window before, but no further beyond what is under way than an
    /// initial window or what was just acknowledged, and by slow start from there.
    pub fn undo(&mut self, saved: &Saved, pipe: u32, acked: u32, profile: &TcpProfile) {
        let window = &mut self.window;
        let burst = acked.max(initial_window(window.smss, profile));
        let back = saved.window.cwnd.min(pipe.saturating_add(burst));
        window.cwnd = if profile.growth.whole_undo {
            window.cwnd.max(saved.window.cwnd)
        } else {
            window.cwnd.max(back)
        };
        window.ssthresh = saved.window.ssthresh.max(saved.window.cwnd);
        self.chosen = saved.chosen;
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

    /// Fast recovery is over: the window is what the threshold says (RFC 9937, 6). `flight`: what is out, if nothing
    /// has seen to it that no burst follows (RFC 6582, 3.2, step 3, option 1).
    pub fn leave_recovery(&mut self, flight: Option<u32>) {
        let window = &mut self.window;
        let most = flight.map_or(MOST, |flight| flight.max(window.smss) + window.smss);
        window.cwnd = window.ssthresh.min(most);
    }

    /// Nothing was sent for longer than the RTO: restart window (RFC 5681, 4.1).
    pub fn idle(&mut self, now: Instant, profile: &TcpProfile) {
        self.paused(now);
        if !profile.growth.restart_after_idle {
            return;
        }
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
            paced: false,
            octets,
            now: Instant(0),
            srtt: 0,
            rtt: None,
            una: SeqNumber(0),
            max: SeqNumber(0),
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
    fn slow_start_grows_by_what_is_acknowledged_but_by_eight_segments_at_most() {
        let mut c = established(CongestionAlgorithm::Reno);
        c.acknowledged(&acked(5000), 10_000, &TcpProfile::default());
        assert_eq!(c.cwnd(), 15_000);
        c.acknowledged(&acked(9000), 15_000, &TcpProfile::default());
        assert_eq!(c.cwnd(), 23_000);
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut c = established(CongestionAlgorithm::Cubic);
        c.acknowledged(&acked(1000), 1000, &TcpProfile::default());
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
    fn at_the_threshold_slow_start_is_over_and_a_window_acknowledged_earns_one_segment() {
        let mut c = established(CongestionAlgorithm::Reno);
        c.loss(20_000);
        assert_eq!((c.cwnd(), c.ssthresh()), (10_000, Some(10_000)));
        let mut ack = || {
            c.acknowledged(&acked(1_000), 10_000, &TcpProfile::default());
            c.cwnd()
        };
        assert_eq!([(); 9].map(|()| ack()), [10_000; 9]);
        assert_eq!(ack(), 11_000);
    }

    #[test]
    fn a_loss_leaves_at_least_two_segments() {
        let mut c = established(CongestionAlgorithm::Reno);
        c.loss(1000);
        assert_eq!(c.cwnd(), 2000);
    }
}
