//! The end of slow start, before the queue overflows: round trips that get longer say that it fills. HyStart++
//! (RFC 9406) then grows slowly for some rounds, and goes back if it was mistaken; Linux's HyStart stops at once.

use xen_abi::Instant;

use super::{Acked, Window};
use crate::profile::{MS, SlowStart};
use crate::seq::SeqNumber;

/// MIN_RTT_THRESH, MAX_RTT_THRESH; the same in both.
const THRESHOLD: (u64, u64) = (4 * MS, 16 * MS);
/// MIN_RTT_DIVISOR
const DIVISOR: u64 = 8;
/// N_RTT_SAMPLE; the same in both.
const SAMPLES: u8 = 8;
/// CSS_GROWTH_DIVISOR
const CSS_GROWTH_DIVISOR: u32 = 4;
/// CSS_ROUNDS
const CSS_ROUNDS: u8 = 5;
/// Linux: segments below which no delay means anything.
const LOW_WINDOW: u32 = 16;
/// Linux: ACKs that follow each other so closely are a train.
const TRAIN: u64 = 2 * MS;

/// The initial slow start of a connection.
#[derive(Clone, Debug)]
pub struct Watch {
    kind: SlowStart,
    /// windowEnd
    round_end: Option<SeqNumber>,
    /// lastRoundMinRTT
    last: Option<u64>,
    /// currentRoundMinRTT
    current: Option<u64>,
    /// rttSampleCount
    samples: u8,
    /// cssBaselineMinRtt, in conservative slow start.
    baseline: Option<u64>,
    /// Rounds of conservative slow start.
    rounds: u8,
    /// The least round trip of all.
    least: u64,
    round_start: Instant,
    last_of_train: Instant,
}

impl Watch {
    /// Slow start begins.
    pub fn new(kind: SlowStart) -> Watch {
        Watch {
            kind,
            round_end: None,
            last: None,
            current: None,
            samples: 0,
            baseline: None,
            rounds: 0,
            least: u64::MAX,
            round_start: Instant(0),
            last_of_train: Instant(0),
        }
    }

    /// What an ACK earns of `octets`; None: slow start is over.
    pub fn earns(&mut self, window: &Window, acked: &Acked, octets: u32) -> Option<u32> {
        match self.kind {
            SlowStart::UntilLoss => Some(octets),
            SlowStart::HystartPlusPlus => self.hystart_plus_plus(acked, octets),
            SlowStart::Hystart { train, delay } => {
                (!self.hystart(window, acked, train, delay)).then_some(octets)
            }
        }
    }

    /// A round trip is over when what was sent last at its beginning is acknowledged.
    fn begins_round(&mut self, acked: &Acked) -> bool {
        if self.round_end.is_some_and(|end| acked.una.le(end)) {
            return false;
        }
        self.round_end = Some(acked.max);
        self.last = self.current.take();
        self.samples = 0;
        self.round_start = acked.now;
        self.last_of_train = acked.now;
        true
    }

    /// RFC 9406, 4.2.
    fn hystart_plus_plus(&mut self, acked: &Acked, octets: u32) -> Option<u32> {
        if self.begins_round(acked) && self.baseline.is_some() {
            self.rounds += 1;
            if self.rounds >= CSS_ROUNDS {
                return None;
            }
        }
        if let Some(rtt) = acked.rtt {
            self.current = Some(self.current.map_or(rtt, |least| least.min(rtt)));
            self.samples = self.samples.saturating_add(1);
        }
        if self.samples >= SAMPLES
            && let (Some(current), Some(last)) = (self.current, self.last)
        {
            match self.baseline {
                None if current >= last + threshold(last) => {
                    self.baseline = Some(current);
                    self.rounds = 0;
                }
                // It was mistaken: on with slow start.
                Some(baseline) if current < baseline => self.baseline = None,
                _ => {}
            }
        }
        Some(if self.baseline.is_some() {
            octets / CSS_GROWTH_DIVISOR
        } else {
            octets
        })
    }

    /// Linux, `hystart_update`. Whether it ends.
    fn hystart(&mut self, window: &Window, acked: &Acked, train: bool, delay: bool) -> bool {
        let Some(rtt) = acked.rtt else {
            return false;
        };
        self.least = self.least.min(rtt);
        if window.cwnd < LOW_WINDOW * window.smss {
            return false;
        }
        self.begins_round(acked);
        if train && acked.now.since(self.last_of_train) <= TRAIN {
            self.last_of_train = acked.now;
            let longest = match acked.paced {
                true => self.least,
                false => self.least / 2,
            };
            if acked.now.since(self.round_start) > longest {
                return true;
            }
        }
        self.current = Some(self.current.map_or(rtt, |least| least.min(rtt)));
        if self.samples < SAMPLES {
            self.samples += 1;
            return false;
        }
        let current = self.current.unwrap_or(rtt);
        delay && current > self.least + threshold(self.least)
    }
}

/// RttThresh
fn threshold(rtt: u64) -> u64 {
    (rtt / DIVISOR).clamp(THRESHOLD.0, THRESHOLD.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYSTART: SlowStart = SlowStart::Hystart {
        train: true,
        delay: true,
    };

    /// Twenty ACKs of a segment for each round trip: what they earn together in each, until slow start ends.
    fn rounds(kind: SlowStart, rtts: &[u64]) -> alloc::vec::Vec<u32> {
        let mut watch = Watch::new(kind);
        let window = Window {
            cwnd: 20_000,
            ssthresh: u32::MAX,
            smss: 1000,
        };
        let mut earned = alloc::vec::Vec::new();
        let mut now = 0;
        for (round, &rtt) in (0u32..).zip(rtts) {
            now += rtt;
            let mut sum = 0;
            for n in 1..=20 {
                let acked = Acked {
                    paced: false,
                    octets: 1000,
                    now: Instant((now + 5 * u64::from(n)) * MS),
                    srtt: rtt * MS,
                    rtt: Some(rtt * MS),
                    una: SeqNumber(round * 20_000 + n * 1000),
                    max: SeqNumber(round * 20_000 + 20_000 + n * 1000),
                };
                match watch.earns(&window, &acked, 1000) {
                    Some(octets) => sum += octets,
                    None => return earned,
                }
            }
            earned.push(sum);
        }
        earned
    }

    #[test]
    fn steady_round_trips_leave_slow_start_alone() {
        let steady = [100; 4];
        for kind in [SlowStart::UntilLoss, SlowStart::HystartPlusPlus, HYSTART] {
            assert_eq!(rounds(kind, &steady), [20_000; 4]);
        }
    }

    #[test]
    fn when_they_get_longer_growth_is_a_quarter_for_five_rounds() {
        let earned = rounds(
            SlowStart::HystartPlusPlus,
            &[100, 100, 120, 120, 120, 120, 120, 120, 120],
        );
        assert_eq!(earned.len(), 7, "{earned:?}");
        assert!(earned[2] < 13_000 && earned[2] > 5_000, "{earned:?}");
        assert!(earned[3..].iter().all(|&e| e == 5_000), "{earned:?}");
    }

    #[test]
    fn if_they_get_shorter_again_it_was_a_mistake() {
        let earned = rounds(SlowStart::HystartPlusPlus, &[100, 120, 105, 105, 105]);
        assert_eq!(earned.last(), Some(&20_000), "{earned:?}");
    }

    #[test]
    fn linux_stops_at_the_ninth_sample() {
        assert_eq!(rounds(HYSTART, &[100, 100, 120]).len(), 2);
    }
}
