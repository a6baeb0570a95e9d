//! A keyed hash of a connection's addresses: SipHash-2-4 (Aumasson and Bernstein, 2012). Whoever does not know the key
//! can neither guess an initial sequence number (RFC 6528) nor fill one bucket of the demultiplexer.

use crate::addr::IpAddress;
use crate::tcp::tuple::Tuple;

/// A secret of 128 bits.
#[derive(Clone, Copy)]
pub struct Key(pub u64, pub u64);

impl Key {
    /// The hash of a connection's name.
    pub fn hash_tuple(self, tuple: &Tuple) -> u64 {
        let ports = u64::from(tuple.local_port) << 16 | u64::from(tuple.remote_port);
        match (tuple.local, tuple.remote) {
            (IpAddress::V4(local), IpAddress::V4(remote)) => {
                let addresses = u64::from(u32::from(local)) << 32 | u64::from(u32::from(remote));
                self.hash(&[addresses, ports])
            }
            (local, remote) => {
                let [a, b] = wide(local);
                let [c, d] = wide(remote);
                self.hash(&[a, b, c, d, ports])
            }
        }
    }

    /// The hash of whole words.
    pub fn hash(self, words: &[u64]) -> u64 {
        let mut v = State([
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ]);
        for &word in words {
            v.compress(word);
        }
        // The last block is empty but for the length, modulo 256, in its highest byte.
        v.compress((words.len() as u64 * 8) << 56);
        v.0[2] ^= 0xFF;
        (0..4).for_each(|_| v.round());
        v.0[0] ^ v.0[1] ^ v.0[2] ^ v.0[3]
    }
}

struct State([u64; 4]);

impl State {
    fn compress(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn round(&mut self) {
        let [a, b, c, d] = &mut self.0;
        *a = a.wrapping_add(*b);
        *c = c.wrapping_add(*d);
        *b = b.rotate_left(13) ^ *a;
        *d = d.rotate_left(16) ^ *c;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*b);
        *a = a.wrapping_add(*d);
        *b = b.rotate_left(17) ^ *c;
        *d = d.rotate_left(21) ^ *a;
        *c = c.rotate_left(32);
    }
}

fn wide(address: IpAddress) -> [u64; 2] {
    let bits = match address {
        IpAddress::V4(a) => u128::from(a.to_ipv6_mapped()),
        IpAddress::V6(a) => u128::from(a),
    };
    [(bits >> 64) as u64, bits as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_reference_vectors() {
        let key = Key(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908);
        assert_eq!(key.hash(&[]), 0x726f_db47_dd0e_0e31);
        let word = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(key.hash(&[word]), 0x93f5_f579_9a93_2462);
    }
}
