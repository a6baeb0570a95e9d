//! The Internet checksum (RFC 1071): the same few lines serve every protocol, and a payload is summed while it is
//! copied, because a second pass over the bytes would cost as much as the copy itself.
//!
//! Words are summed little-endian, eight bytes at a time; RFC 1071, section 2(B): the byte order of the sum does not
//! matter as long as the result is stored in the same order, so only [`Sum::finish`] swaps.

use crate::addr::IpAddress;

/// A running sum of 16-bit words, fed with byte strings of any length in the order of the packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    words: u64,
    /// An odd number of bytes was fed: the next byte is the low half of a word.
    odd: bool,
}

impl Sum {
    /// The sum of nothing.
    pub const fn new() -> Sum {
        Sum {
            words: 0,
            odd: false,
        }
    }

    /// The pseudo-header's sum (RFC 9293, section 3.1; RFC 8200, section 8.1). Mixed families sum what they hold.
    #[inline]
    pub fn pseudo(src: IpAddress, dst: IpAddress, protocol: u8, len: usize) -> Sum {
        let mut sum = Sum::new();
        let mut add = |address: IpAddress| match address {
            IpAddress::V4(a) => sum.words += u64::from(u32::from_le_bytes(a.octets())),
            IpAddress::V6(a) => sum.add(&a.octets()),
        };
        add(src);
        add(dst);
        sum.words += u64::from((len as u32).swap_bytes());
        sum.words += u64::from(u16::from_le_bytes([0, protocol]));
        sum
    }

    /// Feeds bytes.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        let words = sum_words(bytes);
        self.join(words, bytes.len());
    }

    /// Copies `from` to `to`, which are equally long, and feeds the bytes on the way.
    pub fn add_copy(&mut self, to: &mut [u8], from: &[u8]) {
        assert_eq!(to.len(), from.len(), "a copy has one length");
        let (from_blocks, from_tail) = from.as_chunks::<BLOCK>();
        let (to_blocks, to_tail) = to.as_chunks_mut::<BLOCK>();
        let mut lanes = Lanes::default();
        for (to, from) in to_blocks.iter_mut().zip(from_blocks) {
            *to = *from;
            lanes.add(from);
        }
        to_tail.copy_from_slice(from_tail);
        self.join(lanes.sum() + sum_tail(from_tail), from.len());
    }

    /// Feeds a header's field by its value: to read back what was just written in other pieces would make a processor
    /// wait. Only where an even number of bytes was fed.
    #[inline]
    pub fn add_u16(&mut self, field: u16) {
        assert!(!self.odd, "a field stands at an even offset");
        self.words += u64::from(field.swap_bytes());
    }

    /// The same for a field of four bytes.
    #[inline]
    pub fn add_u32(&mut self, field: u32) {
        assert!(!self.odd, "a field stands at an even offset");
        self.words += u64::from(field.swap_bytes());
    }

    /// The sum, folded to 16 bits and not complemented, as it stands in a packet whose checksum the device completes.
    #[inline]
    pub fn partial(self) -> u16 {
        fold(self.words).swap_bytes()
    }

    /// The checksum: the complement of the sum.
    #[inline]
    pub fn finish(self) -> u16 {
        !self.partial()
    }

    /// Adds the sum of `len` bytes: below 2⁴⁸ for any packet, so that no number of them overflows before it is folded.
    #[inline]
    fn join(&mut self, words: u64, len: usize) {
        self.words += if self.odd {
            // RFC 1071, section 2(B): at an odd offset every byte changes its half of the word.
            u64::from(fold(words).swap_bytes())
        } else {
            words
        };
        self.odd ^= len % 2 == 1;
    }
}

/// The checksum of one byte string.
#[inline]
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = Sum::new();
    sum.add(bytes);
    sum.finish()
}

/// Bytes that are summed in one go.
const BLOCK: usize = 16;

/// Sums of the words of eight bytes at even and at odd places, the carry added at the other end (RFC 1071, section 2(C)):
/// two, since the one need not wait for the other.
#[derive(Default)]
struct Lanes([u64; 2]);

impl Lanes {
    #[inline]
    fn add(&mut self, block: &[u8; BLOCK]) {
        let (words, _) = block.as_chunks::<8>();
        for (lane, &word) in self.0.iter_mut().zip(words) {
            let (sum, carry) = lane.overflowing_add(u64::from_le_bytes(word));
            *lane = sum + u64::from(carry);
        }
    }
    #[inline]
    fn sum(&self) -> u64 {
        let halves = |word: u64| (word & 0xFFFF_FFFF) + (word >> 32);
        halves(self.0[0]) + halves(self.0[1])
    }
}

#[inline]
fn sum_words(bytes: &[u8]) -> u64 {
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    let mut lanes = Lanes::default();
    for block in blocks {
        lanes.add(block);
    }
    lanes.sum() + sum_tail(tail)
}

/// The sum of less than a block.
#[inline]
fn sum_tail(tail: &[u8]) -> u64 {
    let (words, rest) = tail.as_chunks::<4>();
    let mut sum: u64 = words
        .iter()
        .map(|&w| u64::from(u32::from_le_bytes(w)))
        .sum();
    let mut rest = rest;
    if let Some((&two, behind)) = rest.split_first_chunk::<2>() {
        sum += u64::from(u16::from_le_bytes(two));
        rest = behind;
    }
    sum + rest.first().map_or(0, |&last| u64::from(last))
}

#[inline]
fn fold(words: u64) -> u16 {
    // The upper half of a number added to itself, halves swapped, is the sum of both halves and of its carry.
    let words = (words.wrapping_add(words.rotate_left(32)) >> 32) as u32;
    (words.wrapping_add(words.rotate_left(16)) >> 16) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// RFC 1071, section 4.1, as it is written there.
    fn reference(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn the_example_of_rfc_1071_sums_to_ddf2() {
        let bytes = [0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7];
        assert_eq!(checksum(&bytes), !0xDDF2);
    }

    #[test]
    fn a_packet_that_holds_its_checksum_sums_to_zero() {
        let mut bytes = [0x45, 0, 0, 20, 1, 2, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1];
        let sum = checksum(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(checksum(&bytes), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_split_of_the_bytes_has_the_reference_sum(bytes in proptest::collection::vec(any::<u8>(), 0..200), cuts in proptest::collection::vec(0usize..200, 0..4)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut added, mut copied) = (Sum::new(), Sum::new());
            let mut copy = vec![0; bytes.len()];
            for pair in cuts.windows(2) {
                let range = pair[0]..pair[1];
                added.add(&bytes[range.clone()]);
                copied.add_copy(&mut copy[range.clone()], &bytes[range]);
            }
            prop_assert_eq!(added.finish(), reference(&bytes));
            prop_assert_eq!(copied.finish(), reference(&bytes));
            prop_assert_eq!(copy, bytes);
        }
    }
}
