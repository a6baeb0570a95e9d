//! The hash of demultiplexing tables: a few multiplications, keyed by the domain's seed, so that nobody outside can
//! aim at one bucket, and every run of a world has the same buckets. Tables are looked up, never iterated.

use core::hash::{BuildHasher, Hasher};

/// A table's secret.
#[derive(Clone, Copy, Debug)]
pub struct Keyed(pub [u64; 2]);

/// The state of one hash.
#[derive(Clone, Copy, Debug)]
pub struct Folded {
    state: u64,
    key: u64,
}

impl BuildHasher for Keyed {
    type Hasher = Folded;
    fn build_hasher(&self) -> Folded {
        Folded {
            state: self.0[0],
            key: self.0[1] | 1,
        }
    }
}

impl Folded {
    /// Both halves of the product: each bit of the input reaches each bit of the state.
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word ^ 0x9E37_79B9_7F4A_7C15) * u128::from(self.key);
        self.state = (product as u64) ^ ((product >> 64) as u64) ^ self.state.rotate_left(23);
    }
}

impl Hasher for Folded {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }
    #[inline]
    fn write_u8(&mut self, word: u8) {
        self.mix(word.into());
    }
    #[inline]
    fn write_u16(&mut self, word: u16) {
        self.mix(word.into());
    }
    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.mix(word.into());
    }
    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }
    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
    // A derived `Hash` feeds an enum's tag as `isize`: the same numbers on every width of machine.
    #[inline]
    fn write_isize(&mut self, word: isize) {
        self.mix(word as i64 as u64);
    }
    #[inline]
    fn finish(&self) -> u64 {
        let mut last = *self;
        last.mix(0xE220_A839_7B1D_CDAF);
        last.state
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_spread_over_buckets_and_keys_move_them() {
        let buckets = |key: Keyed| -> BTreeSet<u64> {
            (0..4096u16).map(|port| key.hash_one(port) >> 52).collect()
        };
        let a = Keyed([0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344]);
        let b = Keyed([0xA409_3822_299F_31D0, 0x082E_FA98_EC4E_6C89]);
        for key in [a, b] {
            // 4096 balls into as many bins leave 63 % of them filled.
            assert!(buckets(key).len() > 2300, "{}", buckets(key).len());
        }
        assert_ne!(a.hash_one(80u16), b.hash_one(80u16));
    }
}
