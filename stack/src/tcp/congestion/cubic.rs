//! CUBIC (RFC 9438) in integers: octets and milliseconds, and a cube root of our own, because `core` has none and
//! floats have no place in a protocol's decisions.

use xen_abi::Instant;

use super::{Acked, Algorithm, Window};
use crate::profile::MS;

/// CUBIC's memory: the last loss, and the epoch of congestion avoidance since then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cubic {
    /// When the epoch began, if it has: milliseconds, which come round after seven weeks.
    start: Option<u32>,
    /// K, milliseconds: how long the curve takes to come back to W_max.
    k: u32,
    /// W_max, or the window at which the epoch began if that is larger.
    origin: u32,
    /// W_est: what Reno would have by now (RFC 9438, 4.3).
    reno: u32,
    /// What is left of W_est's growth, and of the window's.
    rests: [Rest; 2],
    /// When the window was steered last, in milliseconds: what lies between was a pause of the application's.
    steered: u32,
    /// The window before the last loss, lowered for fast convergence; 0: no loss yet.
    w_max: u32,
    /// cwnd_prior: the window before the last loss.
    prior: u32,
}

/// The part of a quotient that does not make an octet yet: without it a window of thousands of segments, each of which
/// earns less than an octet, would never grow.
#[derive(Clone, Copy, Debug, Default)]
struct Rest(u16);

impl Rest {
    /// The whole octets of `n / d`, with what was left before.
    fn divide(&mut self, n: u128, d: u64) -> u32 {
        let octets = (n << 16) / u128::from(d.max(1)) + u128::from(self.0);
        self.0 = octets as u16;
        u32::try_from(octets >> 16).unwrap_or(u32::MAX)
    }
}

impl Cubic {
    fn begin_epoch(&mut self, window: &Window, now: Instant) {
        // RFC 9438, 4.2: K = cbrt((W_max - cwnd_epoch) / C), with C = 0.4 segments a second cubed.
        let distance = u64::from(self.w_max.saturating_sub(window.cwnd));
        self.k = cube_root(distance * 2_500_000_000 / u64::from(window.smss)) as u32;
        self.start = Some(milliseconds(now));
        self.rests = Default::default();
        self.origin = self.w_max.max(window.cwnd);
        self.reno = window.cwnd;
    }

    /// W_cubic(t) = C·(t − K)³ + W_max, in octets, for t in milliseconds.
    fn curve(&self, t: u64, smss: u32) -> u32 {
        let k = u64::from(self.k);
        // 2²¹ ms are 35 min; beyond, the curve has long met its bound.
        let distance = t.abs_diff(k).min(1 << 21);
        // 0.4 · smss · (ms / 1000)³
        let octets = u128::from(distance).pow(3) * u128::from(smss) / 2_500_000_000;
        let octets = u32::try_from(octets).unwrap_or(u32::MAX);
        if t < k {
            self.origin.saturating_sub(octets)
        } else {
            self.origin.saturating_add(octets)
        }
    }
}

impl Algorithm for Cubic {
    fn avoid(&mut self, window: &mut Window, acked: &Acked) {
        if self.start.is_none() {
            self.begin_epoch(window, acked.now);
        }
        let (cwnd, smss) = (u64::from(window.cwnd), u64::from(window.smss));
        let octets = u64::from(acked.octets);
        // RFC 9438, 4.3: Reno's window with alpha = 3·(1 − 0.7)/(1 + 0.7) = 9/17, and 1 once it is past cwnd_prior.
        let (num, den) = if self.reno < self.prior {
            (9, 17)
        } else {
            (1, 1)
        };
        let step = u128::from(smss * num) * u128::from(octets);
        let step = self.rests[0].divide(step, cwnd * den);
        self.reno = self.reno.saturating_add(step);
        self.steered = milliseconds(acked.now);
        let t = u64::from(self.steered.wrapping_sub(self.start.unwrap_or_default()));
        if self.curve(t, window.smss) < self.reno {
            window.grow(self.reno.saturating_sub(window.cwnd));
            return;
        }
        // RFC 9438, 4.4 and 4.5: towards the curve a round trip ahead, by no more than half of the window.
        let ahead = self.curve(t + acked.srtt / MS, window.smss);
        let target = u64::from(ahead).clamp(cwnd, cwnd + cwnd / 2);
        let step = u128::from(target - cwnd) * u128::from(octets);
        window.grow(self.rests[1].divide(step, cwnd));
    }

    fn paused(&mut self, now: Instant) {
        let now = milliseconds(now);
        if let Some(start) = &mut self.start {
            *start = start.wrapping_add(now.wrapping_sub(self.steered));
        }
        self.steered = now;
    }

    fn threshold(&mut self, window: &Window, flight: u32) -> u32 {
        // RFC 9438, 4.7: a loss below the last maximum leaves room for others.
        self.w_max = if window.cwnd < self.w_max {
            (u64::from(window.cwnd) * 17 / 20) as u32
        } else {
            window.cwnd
        };
        self.prior = window.cwnd;
        self.start = None;
        // RFC 9438, 4.6: beta is 0.7.
        (u64::from(flight) * 7 / 10) as u32
    }
}

fn milliseconds(now: Instant) -> u32 {
    (now.0 / MS) as u32
}

/// The greatest integer whose cube is not above `n`.
fn cube_root(n: u64) -> u64 {
    let mut root = 0u64;
    for bit in (0..22).rev() {
        let candidate = root | 1 << bit;
        if u128::from(candidate).pow(3) <= u128::from(n) {
            root = candidate;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::SEC;
    use crate::seq::SeqNumber;
    use proptest::prelude::*;

    fn after_a_loss() -> (Cubic, Window) {
        let mut window = Window {
            cwnd: 100_000,
            ssthresh: 100_000,
            smss: 1000,
        };
        let mut cubic = Cubic::default();
        window.cwnd = cubic.threshold(&window, 100_000);
        (cubic, window)
    }

    /// Acknowledges whole windows, a round trip of 100 ms each, for so long; the window then.
    fn grow(cubic: &mut Cubic, window: &mut Window, from: u64, seconds: u64) -> u32 {
        for round in 0..seconds * 10 {
            for _ in 0..window.cwnd / 1000 {
                let acked = Acked {
                    paced: false,
                    octets: 1000,
                    now: Instant(from + round * 100 * MS),
                    srtt: 100 * MS,
                    rtt: None,
                    una: SeqNumber(0),
                    max: SeqNumber(0),
                };
                cubic.avoid(window, &acked);
            }
        }
        window.cwnd
    }

    #[test]
    fn a_loss_leaves_seven_tenths() {
        assert_eq!(after_a_loss().1.cwnd, 70_000);
    }

    #[test]
    fn the_window_is_back_at_its_maximum_after_k() {
        // K = cbrt(30 / 0.4) = 4.2 s
        let (mut cubic, mut window) = after_a_loss();
        let early = grow(&mut cubic, &mut window, 0, 2);
        assert!((85_000..100_000).contains(&early), "{early}");
        let back = grow(&mut cubic, &mut window, 2 * SEC, 2);
        assert!((98_000..103_000).contains(&back), "{back}");
        let beyond = grow(&mut cubic, &mut window, 4 * SEC, 4);
        assert!(beyond > 115_000, "{beyond}");
    }

    /// RFC 9438, figure 1, in segments and seconds.
    fn oracle(w_max: f64, epoch: f64, t: f64) -> f64 {
        let k = ((w_max - epoch) / 0.4).cbrt();
        0.4 * (t - k).powi(3) + w_max
    }

    #[test]
    fn the_curve_is_that_of_the_specification_within_a_segment() {
        for (w_max, smss) in [(100, 1460), (1_000, 536), (20_000, 1448), (7_000, 8_948)] {
            let mut cubic = Cubic::default();
            let mut window = Window {
                cwnd: w_max * smss,
                ssthresh: 0,
                smss,
            };
            window.cwnd = cubic.threshold(&window, window.cwnd);
            cubic.begin_epoch(&window, Instant(5 * SEC));
            let epoch = f64::from(window.cwnd) / f64::from(smss);
            for t in (0..40_000).step_by(70) {
                let ours = f64::from(cubic.curve(t, smss)) / f64::from(smss);
                let wanted = oracle(w_max.into(), epoch, t as f64 / 1000.0);
                assert!((ours - wanted).abs() < 1.0, "{t} ms: {ours}, {wanted}");
            }
        }
    }

    #[test]
    fn a_large_window_follows_the_curve_though_no_ack_earns_an_octet() {
        let smss = 1000;
        let mut cubic = Cubic::default();
        let mut window = Window {
            cwnd: 5_000 * smss,
            ssthresh: 0,
            smss,
        };
        window.cwnd = cubic.threshold(&window, window.cwnd);
        for round in 0..200 {
            let t = round as f64 / 10.0;
            for _ in 0..window.cwnd / smss {
                let acked = Acked {
                    paced: false,
                    octets: smss,
                    now: Instant(round * 100 * MS),
                    srtt: 100 * MS,
                    rtt: None,
                    una: SeqNumber(0),
                    max: SeqNumber(0),
                };
                cubic.avoid(&mut window, &acked);
            }
            // Between the curve now and a round trip ahead.
            let at = |t| oracle(5_000.0, 3_500.0, t);
            let ours = f64::from(window.cwnd) / f64::from(smss);
            assert!(
                at(t) - 1.0 < ours && ours < at(t + 0.1) + 1.0,
                "{t} s: {ours}"
            );
        }
    }

    #[test]
    fn the_curve_does_not_go_on_while_the_application_pauses() {
        let (mut cubic, mut window) = after_a_loss();
        let before = grow(&mut cubic, &mut window, 0, 2);
        cubic.paused(Instant(60 * SEC));
        let mut other = (cubic, window);
        let resumed = grow(&mut other.0, &mut other.1, 60 * SEC, 1);
        assert!((before..before + 10_000).contains(&resumed), "{resumed}");
    }

    /// One ACK of a full segment, over a round trip of 10 ms.
    fn ack(cubic: &mut Cubic, window: &mut Window, now: u64) {
        let acked = Acked {
            paced: false,
            octets: 1000,
            now: Instant(now),
            srtt: 10 * MS,
            rtt: None,
            una: SeqNumber(0),
            max: SeqNumber(0),
        };
        cubic.avoid(window, &acked);
    }

    #[test]
    fn over_a_short_way_it_grows_as_reno_does() {
        // RFC 9438, 4.3: from 7 segments nine seventeenths of one a round trip, up to the 10 of before the loss, then one.
        let mut window = Window {
            cwnd: 10_000,
            ssthresh: 10_000,
            smss: 1000,
        };
        let mut cubic = Cubic::default();
        window.cwnd = cubic.threshold(&window, 10_000);
        let mut after = |cubic: &mut Cubic, rounds: core::ops::Range<u64>| {
            for round in rounds {
                for _ in 0..window.cwnd / 1000 {
                    ack(cubic, &mut window, round * 10 * MS);
                }
            }
            window.cwnd
        };
        let early = after(&mut cubic, 0..4);
        assert!((8_500..9_500).contains(&early), "{early}");
        let later = after(&mut cubic, 4..100);
        assert!((90_000..110_000).contains(&later), "{later}");
    }

    #[test]
    fn no_round_trip_makes_the_window_more_than_half_as_large_again() {
        // RFC 9438, 4.2: the target is at most one and a half times the window, however far the curve has gone.
        let (mut cubic, mut window) = after_a_loss();
        ack(&mut cubic, &mut window, 0);
        let before = window.cwnd;
        for _ in 0..before / 1000 {
            ack(&mut cubic, &mut window, 60 * SEC);
        }
        let growth = f64::from(window.cwnd) / f64::from(before);
        assert!((1.4..1.7).contains(&growth), "{growth}");
    }

    #[test]
    fn a_second_loss_below_the_maximum_lowers_it() {
        let (mut cubic, window) = after_a_loss();
        cubic.threshold(&window, 70_000);
        assert_eq!(cubic.w_max, 59_500);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_cube_root_is_exact(n in any::<u64>()) {
            let root = u128::from(cube_root(n));
            prop_assert!(root.pow(3) <= u128::from(n));
            prop_assert!(root == (1 << 22) - 1 || (root + 1).pow(3) > u128::from(n));
        }
    }
}
