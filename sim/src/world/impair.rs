//! What chance does to a frame on a link.
//!
//! Every impairment of every direction has its own stream and takes the same number of draws from it for each frame,
//! also where its probability is 0: so switching one impairment on moves no draw of another, nor of another link.
//! Draws are made when a frame enters the queue. What a draw of jitter or reordering means is decided only when the
//! frame has been serialised, by the settings of that instant.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use crate::plan::{LinkSettings, Loss};
use crate::rng::{scale, stream};

/// The shortest time that a frame can take from the end of its serialisation to its arrival, ns.
pub const LEAST_DELAY: u64 = 1_000;

/// The streams of one direction of one link.
#[derive(Debug)]
pub struct Impairments {
    loss: ChaCha8Rng,
    duplicate: ChaCha8Rng,
    corrupt: ChaCha8Rng,
    reorder: ChaCha8Rng,
    jitter: ChaCha8Rng,
    /// Gilbert and Elliott's state.
    bad: bool,
}

/// What was drawn for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    pub lost: bool,
    pub duplicated: bool,
    /// Which bit is flipped, as a draw over all of them.
    pub corrupted: Option<u64>,
    /// For the frame, and for its copy.
    pub ways: [Way; 2],
}

/// Draws whose meaning depends on the settings when the frame leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    reorder: u32,
    jitter: u64,
}

impl Impairments {
    /// The streams of a direction, `ab` or `ba`.
    pub fn new(seed: u64, link: &str, direction: &str) -> Impairments {
        let named = |what: &str| stream(seed, &format!("link/{link}/{direction}/{what}"));
        Impairments {
            loss: named("loss"),
            duplicate: named("duplicate"),
            corrupt: named("corrupt"),
            reorder: named("reorder"),
            jitter: named("jitter"),
            bad: false,
        }
    }

    /// Draws for the next frame.
    pub fn draw(&mut self, settings: &LinkSettings) -> Fate {
        let (transition, loss) = (self.loss.next_u32(), self.loss.next_u32());
        let (corrupt, bit) = (self.corrupt.next_u32(), self.corrupt.next_u64());
        let mut way = || Way {
            reorder: self.reorder.next_u32(),
            jitter: self.jitter.next_u64(),
        };
        let ways = [way(), way()];
        Fate {
            lost: self.loses(settings.loss, transition, loss),
            duplicated: settings.duplicate.hits(self.duplicate.next_u32()),
            corrupted: settings.corrupt.hits(corrupt).then_some(bit),
            ways,
        }
    }

    /// As netem's `gemodel`: the state in which the frame finds the link decides, and the state moves on by itself.
    fn loses(&mut self, loss: Loss, transition: u32, draw: u32) -> bool {
        match loss {
            Loss::Independent(p) => p.hits(draw),
            Loss::GilbertElliott {
                p,
                r,
                loss_bad,
                loss_good,
            } => {
                let (leaves, lost) = if self.bad {
                    (r.hits(transition), loss_bad.hits(draw))
                } else {
                    (p.hits(transition), loss_good.hits(draw))
                };
                self.bad ^= leaves;
                lost
            }
        }
    }
}

impl Way {
    /// Whether the frame overtakes.
    pub fn reordered(self, settings: &LinkSettings) -> bool {
        settings.reorder.hits(self.reorder)
    }
    /// The time from the end of serialisation to the arrival, ns.
    pub fn delay(self, settings: &LinkSettings) -> u64 {
        if self.reordered(settings) {
            return LEAST_DELAY;
        }
        let spread = scale(self.jitter, settings.jitter.saturating_mul(2));
        settings
            .delay
            .saturating_add(spread)
            .saturating_sub(settings.jitter)
            .max(LEAST_DELAY)
    }
}

/// The least delay that these settings can draw: how far ahead of a frame's arrival the world surely knows of it.
pub fn lookahead(settings: &LinkSettings) -> u64 {
    if settings.reorder.0 > 0 {
        LEAST_DELAY
    } else {
        settings
            .delay
            .saturating_sub(settings.jitter)
            .max(LEAST_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Probability;
    use proptest::prelude::*;

    fn half() -> Probability {
        Probability::from_millionths(500_000)
    }

    fn fates(settings: &LinkSettings) -> Vec<Fate> {
        let mut streams = Impairments::new(1, "a-b", "ab");
        (0..200).map(|_| streams.draw(settings)).collect()
    }

    #[test]
    fn switching_one_impairment_on_moves_no_draw_of_another() {
        let clean = LinkSettings::default();
        let lossy = LinkSettings {
            loss: Loss::Independent(half()),
            ..clean
        };
        let all = LinkSettings {
            duplicate: half(),
            corrupt: half(),
            reorder: half(),
            ..lossy
        };
        let (clean, lossy, all) = (fates(&clean), fates(&lossy), fates(&all));
        assert!(clean.iter().all(|f| !f.lost && !f.duplicated));
        assert!(lossy.iter().any(|f| f.lost) && all.iter().any(|f| f.duplicated));
        for ((clean, lossy), all) in clean.iter().zip(&lossy).zip(&all) {
            assert_eq!(lossy.lost, all.lost);
            assert_eq!(clean.ways, all.ways);
        }
    }

    #[test]
    fn losses_come_in_bursts_when_gilbert_and_elliott_say_so() {
        let settings = LinkSettings {
            loss: Loss::GilbertElliott {
                p: Probability::from_millionths(50_000),
                r: Probability::from_millionths(300_000),
                loss_bad: Probability::ONE,
                loss_good: Probability(0),
            },
            ..LinkSettings::default()
        };
        let lost: Vec<bool> = fates(&settings).iter().map(|f| f.lost).collect();
        let losses = lost.iter().filter(|&&l| l).count();
        let pairs = lost.windows(2).filter(|w| w[0] && w[1]).count();
        assert!(losses > 10 && pairs * 2 > losses, "{losses} {pairs}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_delay_is_shorter_than_the_lookahead(
            delay in 0..u64::MAX, jitter: u64, reorder in 0..=1u64 << 32, draws: (u32, u64),
        ) {
            let settings = LinkSettings {
                delay,
                jitter,
                reorder: Probability(reorder),
                ..LinkSettings::default()
            };
            let way = Way { reorder: draws.0, jitter: draws.1 };
            prop_assert!(way.delay(&settings) >= lookahead(&settings));
        }
    }
}
