//! A run's identity: 128 bits of xxh3 over the canonical bytes of every entry, in the merged order.
//!
//! Two runs with one hash did the same things at the same times. The hash is fed from bytes that nobody had to decode,
//! so no view, flag or retention can change it.

use xxhash_rust::xxh3::Xxh3;

use super::encode::{Raw, TRACE_VERSION};

/// The hash of a trace as far as it has gone.
pub struct TraceHash(Box<Xxh3>);

impl TraceHash {
    /// The empty trace's.
    pub fn new() -> TraceHash {
        let mut state = Box::new(Xxh3::new());
        state.update(&TRACE_VERSION.to_le_bytes());
        TraceHash(state)
    }
    /// Takes the next entry.
    pub fn update(&mut self, entry: &Raw<'_>) {
        self.0.update(&entry.header());
        self.0.update(entry.payload);
    }
    /// The hash of what was taken so far.
    pub fn digest(&self) -> u128 {
        self.0.digest128()
    }
}

impl Default for TraceHash {
    fn default() -> Self {
        TraceHash::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Author;
    use xenemu::{Source, Time};

    fn hash(at: u64, payload: &[u8]) -> u128 {
        let mut hash = TraceHash::new();
        hash.update(&Raw {
            at: Time(at),
            author: Author::Node(1),
            seq: 7,
            source: Source::Machine,
            payload,
        });
        hash.digest()
    }

    #[test]
    fn any_flipped_bit_of_stamp_or_payload_changes_the_hash() {
        let payload = [0x55; 40];
        let whole = hash(1 << 40, &payload);
        for bit in 0..64 {
            assert_ne!(hash((1 << 40) ^ (1 << bit), &payload), whole);
        }
        for bit in 0..payload.len() * 8 {
            let mut flipped = payload;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(hash(1 << 40, &flipped), whole);
        }
    }

    #[test]
    fn bytes_cannot_move_between_entries_unseen() {
        let two = |a: &[u8], b: &[u8]| {
            let mut hash = TraceHash::new();
            for payload in [a, b] {
                hash.update(&Raw {
                    at: Time(0),
                    author: Author::World,
                    seq: 0,
                    source: Source::Machine,
                    payload,
                });
            }
            hash.digest()
        };
        assert_ne!(two(b"ab", b"c"), two(b"a", b"bc"));
    }
}
