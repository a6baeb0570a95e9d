//! The mark that a router with a long queue leaves on a packet (RFC 3168, 5): *congestion experienced*, if the packet says
//! that its sender understands it.

/// Where an Ethernet frame's packet begins, after the type.
const PACKET: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
/// The two bits, in the last bits of IPv4's second octet; in the middle of IPv6's.
const ECN: u8 = 0b11;
/// Where IPv4's header checksum lies in the packet.
const CHECKSUM: usize = 10;

/// The frame with its packet marked; `None`: its sender does not understand marks, or it has one.
pub fn marked(frame: &[u8]) -> Option<Vec<u8>> {
    let ethertype = frame.get(PACKET - 2..PACKET)?;
    let shift = match ethertype {
        _ if ethertype == IPV4 => 0,
        _ if ethertype == IPV6 => 4,
        _ => return None,
    };
    let octet = *frame.get(PACKET + 1)?;
    let ecn = octet >> shift & ECN;
    if ecn == 0 || ecn == ECN {
        return None;
    }
    let mut bytes = frame.to_vec();
    bytes[PACKET + 1] = octet | ECN << shift;
    if ethertype == IPV4 {
        let added = u16::from(ECN - ecn);
        let at = PACKET + CHECKSUM;
        let sum = [*frame.get(at)?, *frame.get(at + 1)?];
        bytes[at..at + 2].copy_from_slice(&less(u16::from_be_bytes(sum), added).to_be_bytes());
    }
    Some(bytes)
}

/// The checksum of a header in which a word has grown by `added`: computed from the old one (RFC 1624), so that one which
/// was wrong before stays wrong.
fn less(checksum: u16, added: u16) -> u16 {
    let sum = u32::from(!checksum) + u32::from(added);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use stack::checksum::checksum;

    /// An IPv4 header that says `ecn`, in a frame.
    fn ipv4(ecn: u8) -> Vec<u8> {
        let mut frame = vec![0; PACKET + 20];
        frame[12..14].copy_from_slice(&IPV4);
        frame[PACKET..PACKET + 4].copy_from_slice(&[0x45, 0xb8 | ecn, 0, 20]);
        let sum = checksum(&frame[PACKET..]);
        frame[PACKET + CHECKSUM..PACKET + CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
        frame
    }

    #[test]
    fn either_capable_codepoint_becomes_congestion_experienced_and_the_sum_is_right() {
        for capable in [0b01, 0b10] {
            let out = marked(&ipv4(capable)).expect("marked");
            assert_eq!(out, ipv4(ECN));
        }
    }

    #[test]
    fn who_does_not_understand_marks_gets_none_and_who_has_one_no_second() {
        assert_eq!(marked(&ipv4(0b00)), None);
        assert_eq!(marked(&ipv4(ECN)), None);
        let mut arp = ipv4(0b10);
        arp[13] = 0x06;
        assert_eq!(marked(&arp), None);
        assert_eq!(marked(&ipv4(0b10)[..PACKET]), None);
    }

    #[test]
    fn a_checksum_that_was_wrong_stays_wrong() {
        let mut frame = ipv4(0b10);
        frame[PACKET + 3] ^= 1;
        let out = marked(&frame).expect("marked");
        assert_ne!(checksum(&out[PACKET..]), 0);
    }

    #[test]
    fn a_packet_of_version_6_keeps_all_but_the_two_bits() {
        let mut frame = vec![0; PACKET + 40];
        frame[12..14].copy_from_slice(&IPV6);
        frame[PACKET..PACKET + 4].copy_from_slice(&[0x6b, 0xa5, 0x12, 0x34]);
        let out = marked(&frame).expect("marked");
        assert_eq!(out[PACKET..PACKET + 4], [0x6b, 0xb5, 0x12, 0x34]);
    }
}
