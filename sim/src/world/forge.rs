//! The evil bit (RFC 3514): whatever the testbed forges of IPv4 carries it, so that a capture tells forged packets apart.
//! IPv6 has no such bit (RFC 3514 leaves it to a hop-by-hop option that was never defined, and an option more would make
//! it another packet): what is forged of it goes out as it is, and the trace, the views and the capture's comments say so.

use stack::checksum::checksum;

const ETHERNET_HEADER: usize = 14;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
/// The byte of the IPv4 header that holds the flags, and the reserved bit in it.
const FLAGS: usize = 6;
const EVIL: u8 = 0x80;
/// Where in the header its checksum lies.
const CHECKSUM: std::ops::Range<usize> = 10..12;

/// Sets the evil bit of the IPv4 packet in an Ethernet frame, and mends the header's checksum if it held before. What is
/// not IPv4, or too short to be, stays as it is.
pub fn mark_evil(frame: &mut [u8]) {
    if frame.get(12..ETHERNET_HEADER) != Some(&ETHERTYPE_IPV4) {
        return;
    }
    let Some(packet) = frame.get_mut(ETHERNET_HEADER..) else {
        return;
    };
    let header_len = packet
        .first()
        .map_or(0, |first| usize::from(first & 0xF) * 4);
    let Some(header) = packet
        .get_mut(..header_len)
        .filter(|header| header.len() >= 20)
    else {
        return;
    };
    // A wrong checksum may be what the experimenter wants: it stays wrong.
    let held = checksum(header) == 0;
    header[FLAGS] |= EVIL;
    if held {
        header[CHECKSUM].fill(0);
        let sum = checksum(header);
        header[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut frame = vec![0; 34];
        frame[12..14].copy_from_slice(&ETHERTYPE_IPV4);
        frame[14] = 0x45;
        let sum = checksum(&frame[14..]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
        frame
    }

    #[test]
    fn an_ipv4_packet_becomes_evil_and_its_checksum_holds() {
        let mut marked = frame();
        mark_evil(&mut marked);
        assert_eq!(marked[20], EVIL);
        assert_eq!(checksum(&marked[14..]), 0);
    }

    #[test]
    fn a_checksum_that_was_wrong_stays_wrong() {
        let mut marked = frame();
        marked[24] ^= 1;
        mark_evil(&mut marked);
        assert_eq!(marked[20], EVIL);
        assert_ne!(checksum(&marked[14..]), 0);
    }

    #[test]
    fn what_is_not_ipv4_stays_as_it_is() {
        for n in 0..34 {
            let mut cut = frame()[..n].to_vec();
            mark_evil(&mut cut);
            assert_eq!(cut, frame()[..n]);
        }
        let mut arp = frame();
        arp[13] = 6;
        let before = arp.clone();
        mark_evil(&mut arp);
        assert_eq!(arp, before);
    }
}
