//! The retransmission timeout (RFC 6298): one smoothed estimate a connection, doubled while nothing is heard.
//! Karn's algorithm (RFC 9293, MUST-18): a segment that was sent twice is not timed.

use xen_abi::Instant;

use crate::profile::TcpProfile;
use crate::seq::SeqNumber;

const NEVER: Instant = Instant(u64::MAX);

/// RTT estimate, back-off, and the segment being timed.
pub struct Rto {
    /// SRTT in nanoseconds; 0: nothing measured yet.
    srtt: u64,
    rttvar: u64,
    /// RTO before back-off.
    base: u64,
    /// The segment being timed: an ACK of this number or a later one ends the measurement.
    timed: SeqNumber,
    /// When it was sent; never: none is timed.
    timed_at: Instant,
    /// When the oldest octet in flight, or the first probe, was sent for the first time: R2 counts from there.
    pub since: Instant,
    /// Timeouts since something new was acknowledged.
    pub timeouts: u8,
    /// Doublings in force: an ACK of what was sent twice ends none of them (Karn: RFC 6298, 5; RFC 9293, MUST-18).
    doublings: u8,
}

impl Rto {
    /// Nothing measured (RFC 6298, 2.1).
    pub fn new(profile: &TcpProfile) -> Rto {
        Rto {
            srtt: 0,
            rttvar: 0,
            base: profile.initial_rto,
            timed: SeqNumber(0),
            timed_at: NEVER,
            since: Instant(0),
            timeouts: 0,
            doublings: 0,
        }
    }

    /// The timeout in force: doubled with each expiry, up to the cap (RFC 6298, 5.5). The very first one is what it is;
    /// every other one has the profile's slop.
    pub fn timeout(&self, profile: &TcpProfile) -> u64 {
        let doublings = u32::from(self.doublings.min(20));
        let slop = if doublings == 0 && self.srtt == 0 {
            0
        } else {
            profile.rto_slop
        };
        self.base
            .saturating_mul(1 << doublings)
            .saturating_add(slop)
            .min(profile.max_rto)
    }

    /// What no timeout is shorter than.
    pub fn least(&self, profile: &TcpProfile) -> u64 {
        self.base.min(profile.max_rto)
    }

    /// SRTT, if anything was measured.
    pub fn srtt(&self) -> Option<u64> {
        (self.srtt > 0).then_some(self.srtt)
    }

    /// RTTVAR
    pub fn rttvar(&self) -> u64 {
        self.rttvar
    }

    /// A segment that ends before `end` is sent for the first time.
    pub fn time(&mut self, end: SeqNumber, now: Instant) {
        if self.timed_at == NEVER {
            self.timed = end;
            self.timed_at = now;
        }
    }

    /// Something is sent again: no measurement spans that.
    pub fn stop_timing(&mut self) {
        self.timed_at = NEVER;
    }

    /// The timer expired.
    pub fn back_off(&mut self) {
        self.timeouts = self.timeouts.saturating_add(1);
        self.doublings = self.doublings.saturating_add(1);
        self.stop_timing();
    }

    /// Everything up to `ack` is acknowledged. `echoed`: the age of the timestamp echoed, which is good even after a
    /// retransmission (RFC 7323, section 4).
    pub fn acknowledged(
        &mut self,
        ack: SeqNumber,
        now: Instant,
        echoed: Option<u64>,
        profile: &TcpProfile,
    ) {
        self.timeouts = 0;
        let sample = if self.timed_at == NEVER {
            echoed
        } else if self.timed.le(ack) {
            let sent = core::mem::replace(&mut self.timed_at, NEVER);
            Some(now.since(sent))
        } else {
            None
        };
        if let Some(sample) = sample {
            self.measure(sample.max(1), profile);
        }
    }

    /// The handshake is over. RFC 6298, 5.7: if the SYN was lost and nothing could be measured, RTO is 3 s.
    pub fn established(&mut self, syn_was_lost: bool, profile: &TcpProfile) {
        if syn_was_lost && self.srtt == 0 {
            self.base = profile.fallback_rto;
            self.doublings = 0;
        }
    }

    /// The timeouts were no sign of loss: the peer had its window shut, or the path was only slow.
    pub fn forget_timeouts(&mut self) {
        self.timeouts = 0;
        self.doublings = 0;
    }

    /// Doublings in force.
    pub fn doublings(&self) -> u8 {
        self.doublings
    }

    fn measure(&mut self, r: u64, profile: &TcpProfile) {
        self.doublings = 0;
        if self.srtt == 0 {
            // RFC 6298, 2.2
            self.srtt = r;
            self.rttvar = r / 2;
        } else {
            // RFC 6298, 2.3: RTTVAR before SRTT; alpha is 1/8, beta 1/4.
            self.rttvar = self.rttvar - self.rttvar / 4 + self.srtt.abs_diff(r) / 4;
            self.srtt = self.srtt - self.srtt / 8 + r / 8;
        }
        let spread = (4 * self.rttvar).max(profile.min_rto_spread);
        let rto = self.srtt + profile.clock_granularity.max(spread);
        let least = profile.min_rto.saturating_sub(profile.rto_slop);
        self.base = rto.clamp(least, profile.max_rto);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{MS, SEC};

    fn measured(samples: &[u64]) -> (Rto, TcpProfile) {
        let profile = TcpProfile {
            min_rto: 0,
            ..TcpProfile::default()
        };
        let mut rto = Rto::new(&profile);
        for &sample in samples {
            rto.time(SeqNumber(1), Instant(0));
            rto.acknowledged(SeqNumber(1), Instant(sample), None, &profile);
        }
        (rto, profile)
    }

    #[test]
    fn the_first_timeout_is_a_second() {
        let profile = TcpProfile::default();
        assert_eq!(Rto::new(&profile).timeout(&profile), SEC);
    }

    #[test]
    fn the_first_measurement_gives_three_times_itself() {
        let (rto, profile) = measured(&[100 * MS]);
        assert_eq!(rto.timeout(&profile), 300 * MS);
    }

    #[test]
    fn the_second_measurement_moves_the_variance_by_a_quarter_and_then_the_mean_by_an_eighth() {
        let (rto, profile) = measured(&[100 * MS, 200 * MS]);
        assert_eq!(rto.rttvar(), 62_500_000, "3/4 of 50 ms and 1/4 of 100 ms");
        assert_eq!(
            rto.srtt(),
            Some(112_500_000),
            "7/8 of 100 ms and 1/8 of 200 ms"
        );
        assert_eq!(rto.timeout(&profile), 362_500_000);
    }

    #[test]
    fn a_steady_path_brings_the_timeout_down_to_its_round_trip_time() {
        let (rto, profile) = measured(&[100 * MS; 60]);
        assert_eq!(rto.srtt(), Some(100 * MS));
        assert_eq!(rto.timeout(&profile), 101 * MS);
    }

    #[test]
    fn each_expiry_doubles_the_timeout_up_to_the_cap() {
        let (mut rto, profile) = measured(&[SEC]);
        let mut seen = alloc::vec::Vec::new();
        for _ in 0..7 {
            seen.push(rto.timeout(&profile) / SEC);
            rto.back_off();
        }
        assert_eq!(seen, [3, 6, 12, 24, 48, 60, 60]);
    }

    #[test]
    fn slop_is_added_to_all_but_the_very_first_timeout() {
        let profile = TcpProfile {
            rto_slop: 200 * MS,
            ..TcpProfile::default()
        };
        let mut rto = Rto::new(&profile);
        assert_eq!(rto.timeout(&profile), SEC);
        rto.back_off();
        assert_eq!(rto.timeout(&profile), 2200 * MS);
    }

    #[test]
    fn a_segment_sent_twice_is_not_timed() {
        let (mut rto, profile) = measured(&[SEC]);
        rto.time(SeqNumber(5), Instant(0));
        rto.back_off();
        rto.acknowledged(SeqNumber(5), Instant(100 * SEC), None, &profile);
        assert_eq!(rto.srtt(), Some(SEC));
        // Nor does its ACK end the back-off: it may be the first one's.
        assert_eq!(rto.timeout(&profile), 6 * SEC);
    }

    #[test]
    fn the_first_segment_is_timed_until_it_is_acknowledged() {
        let profile = TcpProfile::default();
        let mut rto = Rto::new(&profile);
        rto.time(SeqNumber(5), Instant(0));
        rto.time(SeqNumber(9), Instant(40 * MS));
        rto.acknowledged(SeqNumber(4), Instant(50 * MS), None, &profile);
        assert_eq!(rto.srtt(), None);
        rto.acknowledged(SeqNumber(5), Instant(100 * MS), None, &profile);
        assert_eq!(rto.srtt(), Some(100 * MS));
    }

    #[test]
    fn an_echoed_timestamp_measures_even_then() {
        let (mut rto, profile) = measured(&[]);
        rto.back_off();
        rto.acknowledged(SeqNumber(5), Instant(9), Some(70 * MS), &profile);
        assert_eq!(rto.srtt(), Some(70 * MS));
    }

    #[test]
    fn a_lost_syn_without_a_measurement_makes_it_three_seconds() {
        let profile = TcpProfile::default();
        let mut rto = Rto::new(&profile);
        rto.established(true, &profile);
        assert_eq!(rto.timeout(&profile), 3 * SEC);
    }
}
