//! What a router tells the sender of a packet that goes no further (RFC 792, RFC 4443), in packets that every link takes.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::wire::icmpv6::Pseudo;
use crate::wire::ipv4::Protocol;
use crate::wire::{icmpv4, icmpv6, ipv4, ipv6};

/// Bytes of a packet that an IPv4 error quotes: as many as RFC 1812, 4.3.2.3 allows.
const QUOTE_V4: usize = 576 - ipv4::HEADER - icmpv4::HEADER;
/// The same of version 6 (RFC 4443, 2.4 (c)).
const QUOTE_V6: usize = ipv6::MIN_MTU - ipv6::HEADER - icmpv6::HEADER;
const HOPS: u8 = 64;

/// Why a packet goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It has used up its hops.
    Hops,
    /// The way on takes only so much.
    TooBig { mtu: usize },
    /// Nobody knows the network that it is for.
    NoRoute,
}

/// The error about an IPv4 packet, from `ours`; `None`: nothing is said about such a packet (RFC 1122, 3.2.2).
pub fn about_v4(why: Why, ours: Ipv4Addr, packet: &ipv4::Packet<'_>) -> Option<Vec<u8>> {
    if packet.offset() > 0 || (packet.protocol() == Protocol::ICMP && !is_echo_v4(packet)) {
        return None;
    }
    let kind = match why {
        Why::Hops => icmpv4::Kind::TimeExceeded(icmpv4::TimeExceeded::Transit),
        Why::TooBig { mtu } => icmpv4::Kind::Unreachable(icmpv4::Unreachable::PacketTooBig {
            mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
        }),
        Why::NoRoute => icmpv4::Kind::Unreachable(icmpv4::Unreachable::Net),
    };
    let quoted = packet.bytes();
    let payload = &quoted[..quoted.len().min(QUOTE_V4)];
    let message = icmpv4::Repr { kind, payload };
    let header = ipv4::Repr {
        src: ours,
        dst: packet.src(),
        protocol: Protocol::ICMP,
        ttl: HOPS,
        dscp: 0,
        ecn: 0,
        ident: 0,
        dont_fragment: true,
        more_fragments: false,
        offset: 0,
        payload_len: message.size(),
    };
    let mut bytes = vec![0; ipv4::HEADER + message.size()];
    message.emit(header.emit(&mut bytes));
    Some(bytes)
}

fn is_echo_v4(packet: &ipv4::Packet<'_>) -> bool {
    let message = icmpv4::Message::parse(packet.payload());
    let is_echo = |kind| {
        matches!(
            kind,
            icmpv4::Kind::EchoRequest { .. } | icmpv4::Kind::EchoReply { .. }
        )
    };
    message.is_ok_and(|message| is_echo(message.kind()))
}

/// The error about an IPv6 packet; `None`: nothing is said about such a packet (RFC 4443, 2.4 (e)).
pub fn about_v6(why: Why, ours: Ipv6Addr, packet: &ipv6::Packet<'_>) -> Option<Vec<u8>> {
    let (src, dst) = (packet.src(), packet.dst());
    if packet.next_header() == Protocol::ICMPV6 {
        let message = icmpv6::Message::parse(packet.payload(), Pseudo { src, dst }).ok()?;
        if message.kind().is_error() {
            return None;
        }
    }
    let kind = match why {
        Why::Hops => icmpv6::Kind::TimeExceeded(icmpv6::TimeExceeded::Transit),
        Why::TooBig { mtu } => icmpv6::Kind::PacketTooBig {
            mtu: u32::try_from(mtu).unwrap_or(u32::MAX),
        },
        Why::NoRoute => icmpv6::Kind::Unreachable(icmpv6::Unreachable::NoRoute),
    };
    let quoted = packet.bytes();
    let payload = &quoted[..quoted.len().min(QUOTE_V6)];
    let message = icmpv6::Repr { kind, payload };
    let header = ipv6::Repr {
        src: ours,
        dst: src,
        next_header: Protocol::ICMPV6,
        hop_limit: HOPS,
        traffic_class: 0,
        flow_label: 0,
        payload_len: message.size(),
    };
    let mut bytes = vec![0; ipv6::HEADER + message.size()];
    let pseudo = Pseudo {
        src: ours,
        dst: src,
    };
    message.emit(header.emit(&mut bytes), pseudo);
    Some(bytes)
}
