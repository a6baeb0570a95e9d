//! Where chance comes from: one ChaCha8 stream a name.
//!
//! A stream is seeded with the world's seed and a path such as `link/laptop-ec2/ab/loss`. Names select streams, not the
//! order of their use, so that removing one fault never moves another: shrinking depends on it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use xxhash_rust::xxh3::Xxh3;

/// The stream that `path` names in a world with this seed.
pub fn stream(seed: u64, path: &str) -> ChaCha8Rng {
    let mut hasher = Xxh3::new();
    hasher.update(b"evilbit/1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(path.as_bytes());
    let low = hasher.digest128().to_le_bytes();
    hasher.update(b"/high");
    let high = hasher.digest128().to_le_bytes();
    let mut key = [0; 32];
    key[..16].copy_from_slice(&low);
    key[16..].copy_from_slice(&high);
    ChaCha8Rng::from_seed(key)
}

/// Maps a 64-bit draw to `0..=most` by multiplication: no loop, so a draw is always one draw.
pub fn scale(draw: u64, most: u64) -> u64 {
    ((u128::from(draw) * (u128::from(most) + 1)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::RngCore;

    #[test]
    fn a_stream_depends_on_seed_and_path_only() {
        let first = |seed, path| stream(seed, path).next_u64();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }

    #[test]
    fn a_scaled_draw_reaches_both_ends_and_nothing_beyond() {
        assert_eq!(scale(0, 9), 0);
        assert_eq!(scale(u64::MAX, 9), 9);
        assert_eq!(scale(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(scale(u64::MAX, 0), 0);
    }
}
