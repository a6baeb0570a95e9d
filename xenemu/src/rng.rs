//! Randomness by name.
//!
//! Every random draw of the simulation comes from a stream that is selected by the world's seed and a path such as
//! `domain/blog/isn`. Names select streams, not order, so that adding or removing one consumer never moves what
//! another draws.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use xxhash_rust::xxh3::xxh3_128;

const DOMAIN_SEPARATOR: &[u8] = b"evilbit/1";

/// The stream named `path` in the world with this seed.
pub fn stream(seed: u64, path: &str) -> ChaCha8Rng {
    let mut material = Vec::with_capacity(DOMAIN_SEPARATOR.len() + 8 + path.len());
    material.extend_from_slice(DOMAIN_SEPARATOR);
    material.extend_from_slice(&seed.to_le_bytes());
    material.extend_from_slice(path.as_bytes());
    let digest = xxh3_128(&material).to_le_bytes();
    let mut key = [0; 32];
    let (low, high) = key.split_at_mut(16);
    low.copy_from_slice(&digest);
    high.copy_from_slice(&digest);
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::stream;
    use rand_chacha::rand_core::RngCore;

    #[test]
    fn a_stream_is_its_seed_and_its_name() {
        assert_eq!(stream(7, "a").next_u64(), stream(7, "a").next_u64());
        assert_ne!(stream(7, "a").next_u64(), stream(8, "a").next_u64());
        assert_ne!(stream(7, "a").next_u64(), stream(7, "b").next_u64());
    }
}
