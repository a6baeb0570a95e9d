//! Our parsers beside smoltcp's: whatever is valid for one is valid for the other, and says the same.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire as theirs;
use stack::wire::ipv4::{self, Protocol};
use stack::wire::{ethernet, icmpv4, udp};

fn address() -> impl Strategy<Value = Ipv4Addr> {
    (1u8..=223, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d))
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..64)
}

proptest! {
    #[test]
    fn an_ipv4_header_of_ours_is_one_of_theirs(
        (src, dst) in (address(), address()),
        (ttl, ident, dont_fragment) in (1u8.., any::<u16>(), any::<bool>()),
        payload in payload(),
        blow in (0usize..20, any::<u8>()),
    ) {
        let repr = ipv4::Repr {
            src, dst, ttl, ident, dont_fragment,
            protocol: Protocol::UDP,
            dscp: 46,
            ecn: 0,
            more_fragments: false,
            offset: 0,
            payload_len: payload.len(),
        };
        let mut bytes = vec![0; ipv4::HEADER + payload.len()];
        repr.emit(&mut bytes).copy_from_slice(&payload);
        let packet = theirs::Ipv4Packet::new_checked(&bytes[..]).unwrap();
        prop_assert!(packet.verify_checksum());
        prop_assert_eq!((packet.src_addr(), packet.dst_addr()), (src, dst));
        prop_assert_eq!((packet.hop_limit(), packet.ident()), (ttl, ident));
        prop_assert_eq!(packet.dont_frag(), dont_fragment);
        prop_assert_eq!(packet.payload(), &payload[..]);
        // A blow that they notice is noticed here.
        bytes[blow.0] ^= blow.1;
        let they_take = theirs::Ipv4Packet::new_checked(&bytes[..])
            .is_ok_and(|p| p.version() == 4 && p.verify_checksum());
        prop_assert_eq!(ipv4::Packet::parse(&bytes).is_ok(), they_take);
    }

    #[test]
    fn their_datagram_is_one_of_ours(
        (src, dst) in (address(), address()),
        (src_port, dst_port) in (1u16.., 1u16..),
        payload in payload(),
        blow in (8usize..72, any::<u8>()),
    ) {
        let repr = theirs::UdpRepr { src_port, dst_port };
        let mut bytes = vec![0; repr.header_len() + payload.len()];
        repr.emit(
            &mut theirs::UdpPacket::new_unchecked(&mut bytes[..]),
            &src.into(),
            &dst.into(),
            payload.len(),
            |to| to.copy_from_slice(&payload),
            &ChecksumCapabilities::default(),
        );
        let pseudo = udp::Pseudo {
            src: src.into(),
            dst: dst.into(),
        };
        let datagram = udp::Datagram::parse(&bytes, pseudo, false).unwrap();
        prop_assert_eq!((datagram.src_port(), datagram.dst_port()), (src_port, dst_port));
        prop_assert_eq!(datagram.payload(), &payload[..]);
        if let Some(byte) = bytes.get_mut(blow.0) {
            *byte ^= blow.1;
        }
        let they_take = theirs::UdpPacket::new_checked(&bytes[..])
            .is_ok_and(|p| p.verify_checksum(&src.into(), &dst.into()));
        prop_assert_eq!(udp::Datagram::parse(&bytes, pseudo, false).is_ok(), they_take);
    }

    #[test]
    fn an_echo_request_of_ours_is_one_of_theirs(ident: u16, seq: u16, data in payload()) {
        let repr = icmpv4::Repr { kind: icmpv4::Kind::EchoRequest { ident, seq }, payload: &data };
        let mut bytes = vec![0; repr.size()];
        repr.emit(&mut bytes);
        let packet = theirs::Icmpv4Packet::new_checked(&bytes[..]).unwrap();
        let parsed = theirs::Icmpv4Repr::parse(&packet, &ChecksumCapabilities::default());
        let expected = theirs::Icmpv4Repr::EchoRequest { ident, seq_no: seq, data: &data };
        prop_assert_eq!(parsed, Ok(expected));
    }

    #[test]
    fn any_bytes_at_all_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
        let both = ethernet::Frame::parse(&bytes).is_ok();
        prop_assert_eq!(both, theirs::EthernetFrame::new_checked(&bytes[..]).is_ok());
        let _ = ipv4::Packet::parse_quoted(&bytes);
        let _ = icmpv4::Message::parse(&bytes);
        let _ = stack::wire::arp::Packet::parse(&bytes);
    }
}
