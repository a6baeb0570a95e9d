//! Checked reads of big-endian numbers, and the Internet checksum (RFC 1071).

/// The byte at `at`.
pub fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The 16-bit number at `at`.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_be_bytes)
}

/// The 32-bit number at `at`.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_be_bytes)
}

/// The `N` bytes at `at`.
pub fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The one's complement sum of 16-bit words, folded; an odd last byte is padded with zero.
pub fn ones_complement_sum(start: u32, bytes: &[u8]) -> u32 {
    let mut sum = u64::from(start);
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u64::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u32
}

/// The sum of the pseudo-header that TCP, UDP and ICMPv6 checksum (RFC 9293, section 3.1; RFC 8200, section 8.1): the
/// addresses, of either version, the protocol and the length.
pub fn pseudo_header_sum(source: &[u8], destination: &[u8], protocol: u8, len: usize) -> u32 {
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    let [a, b, c, d] = len.to_be_bytes();
    let rest = [0, protocol, a, b, c, d];
    let sum = ones_complement_sum(0, source);
    let sum = ones_complement_sum(sum, destination);
    ones_complement_sum(sum, &rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_rfc_1071s_example() {
        let words = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(ones_complement_sum(0, &words), 0xddf2);
    }

    #[test]
    fn a_read_past_the_end_is_none() {
        assert_eq!(u16_at(&[1], 0), None);
        assert_eq!(u32_at(&[1, 2, 3, 4], usize::MAX), None);
        assert_eq!(u8_at(&[], 0), None);
    }
}
