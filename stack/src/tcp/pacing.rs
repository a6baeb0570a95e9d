//! Pacing: when the device's queue lets a flow's segments go at the rate at which the path is thought to take them
//! (Linux, `sch_fq` with `tcp_update_pacing_rate()`), a window does not leave in one burst. How many segments leave
//! together is said here, too (`tcp_tso_autosize()`), with or without such a queue.

use xen_abi::Instant;

use crate::profile::TcpProfile;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::deadlines::Timer;
use crate::tcp::transmit::Plan;

const SECOND: u64 = 1_000_000_000;
/// Segments that are not paced: the initial window.
const FREE: u32 = 10;
/// For a near peer a unit is a share of the largest one that halves with each 512 µs of round trip (`tcp_tso_rtt_log`).
/// Linux adds what the pacing rate sends in a millisecond, which exceeds the least unit only in large windows.
const NEAR_SHIFT: u32 = 9;
/// The largest unit, octets (`GSO_LEGACY_MAX_SIZE`, less room for headers).
const UNIT_MAX: u64 = 65_215;

/// What a paced connection remembers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Segments that have left, as far as that matters.
    segments: u32,
    /// When the next unit may leave.
    next: Instant,
}

impl Pace {
    /// Of a connection that nothing holds back.
    pub const NONE: Pace = Pace {
        segments: 0,
        next: Instant(0),
    };
}

impl Connection {
    /// Octets a second; `None` as long as no round trip was measured.
    fn pacing_rate(&self, profile: &TcpProfile) -> Option<u64> {
        let srtt = self.rto.srtt()?;
        let window = self.congestion.cwnd();
        let used = self.recovery.out().map_or(0, |out| out.flight.pipe());
        let starting = self
            .congestion
            .ssthresh()
            .is_none_or(|threshold| window < threshold / 2);
        let percent = match starting {
            true => profile.growth.pacing_slow_start,
            false => profile.growth.pacing_avoidance,
        };
        let octets = u64::from(window.max(used)) * u64::from(percent) / 100;
        Some(octets.saturating_mul(SECOND) / srtt)
    }

    /// Segments of `full` octets that leave together at most.
    pub fn unit_segments(&self, profile: &TcpProfile, full: u32) -> u32 {
        let least = profile.growth.send_unit;
        let nearest = self.recovery.rack.min_rtt().or(self.rto.srtt());
        let halvings = (nearest.unwrap_or(u64::MAX) / 1_000) >> NEAR_SHIFT;
        let near = u32::try_from(halvings)
            .ok()
            .and_then(|halvings| UNIT_MAX.checked_shr(halvings))
            .unwrap_or(0);
        least.max((near / u64::from(full.max(1))) as u32)
    }

    /// A segment leaves through a queue that paces. The unit that it begins takes its time; the next one waits for that.
    pub fn note_paced(&mut self, profile: &TcpProfile, now: Instant, plan: &Plan) {
        let unit = self.recovery.out().and_then(|out| out.unit);
        let goes_on = unit.is_some_and(|end| plan.end().lt(end));
        let inside = plan.unit == 0 && unit.is_some_and(|end| plan.seq.lt(end));
        let mut pace = self.seldom().pace;
        if !inside {
            let octets = match plan.unit {
                0 => plan.len,
                unit => unit,
            };
            pace.segments = pace
                .segments
                .saturating_add(octets.div_ceil(self.agreed.smss().max(1)));
            let late = now.0.saturating_sub(pace.next.0);
            pace.next = pace.next.max(now);
            if pace.segments >= FREE
                && let Some(rate) = self.pacing_rate(profile).filter(|&rate| rate > 0)
            {
                let takes = u64::from(octets) * SECOND / rate;
                // Who was late may catch up, by half a unit.
                pace.next = pace.next.plus(takes - late.min(takes / 2));
            }
            self.seldom_mut().pace = pace;
        }
        if !goes_on && pace.next > now {
            self.marks |= Marks::PACED;
            self.deadlines.arm(Timer::Pace, pace.next);
        }
    }
}
