//! Packets as bytes: what the script sends, with real checksums, whatever its length.

use std::net::IpAddr;

use stack::checksum::{Sum, checksum};

use super::icmp_names::Message;
use super::live::{TCP, UDP};
use crate::packetdrill::flags::Flags;
use crate::packetdrill::tcp::Ports;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const ICMP_HEADER: usize = 8;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// IP's lengths have 16 bits, and IPv6's does not count its header.
pub const LONGEST: usize = 65_535;

/// What an IP header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// IPv6 only.
    pub flow_label: u32,
}

/// A segment with its numbers as they go on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    pub ports: Ports,
    pub seq: u32,
    pub ack: u32,
    pub flags: Flags,
    pub window: u16,
    pub urgent: u16,
    /// Whole words.
    pub options: Vec<u8>,
    /// Bytes of text, all of them zero.
    pub len: u16,
    /// The ports of the UDP that it travels in.
    pub udp: Option<Ports>,
}

/// A packet that carries a segment; `None`: it is longer than IP can say.
pub fn tcp(envelope: &Envelope, segment: &Tcp) -> Option<Vec<u8>> {
    let Envelope {
        source,
        destination,
        ..
    } = *envelope;
    let mut bytes = tcp_header(segment);
    bytes.resize(bytes.len() + usize::from(segment.len), 0);
    let protocol = match segment.udp {
        None => {
            let mut sum = Sum::pseudo(source, destination, TCP, bytes.len());
            sum.add(&bytes);
            put16(&mut bytes, 16, sum.finish());
            TCP
        }
        Some(ports) => {
            let mut sum = Sum::pseudo(source, destination, TCP, bytes.len());
            sum.add(&bytes);
            put16(&mut bytes, 16, sum.finish());
            bytes = udp(envelope, ports, &bytes)?;
            UDP
        }
    };
    ip(envelope, protocol, &bytes)
}

/// A packet that carries a datagram of zeros; `None`: it is longer than IP can say.
pub fn datagram(envelope: &Envelope, ports: Ports, len: u16) -> Option<Vec<u8>> {
    let bytes = udp(envelope, ports, &vec![0; usize::from(len)])?;
    ip(envelope, UDP, &bytes)
}

/// What an ICMP message complains about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quoted {
    Segment(Tcp),
    Datagram { ports: Ports, len: u16 },
}

/// The protocol of what is quoted, its headers, and how much text follows that is not quoted.
fn quote(about: &Envelope, quoted: &Quoted) -> Option<(u8, Vec<u8>, u16)> {
    match quoted {
        Quoted::Segment(segment) => {
            let header = tcp_header(segment);
            match segment.udp {
                None => Some((TCP, header, segment.len)),
                Some(ports) => Some((UDP, udp(about, ports, &header)?, segment.len)),
            }
        }
        Quoted::Datagram { ports, len } => {
            let mut header = udp(about, *ports, &vec![0; usize::from(*len)])?;
            header.truncate(UDP_HEADER);
            Some((UDP, header, *len))
        }
    }
}

/// A packet that complains about one that was sent with this envelope.
pub fn icmp(
    envelope: &Envelope,
    message: Message,
    mtu: Option<u32>,
    about: &Envelope,
    quoted: &Quoted,
) -> Option<Vec<u8>> {
    let (protocol, headers, left) = quote(about, quoted)?;
    let mut quote = ip(about, protocol, &headers)?;
    // The quote says how long the packet was, though not all of it is there.
    let whole = quote.len() + usize::from(left);
    let is_v6 = envelope.source.is_ipv6();
    let said = u16::try_from(if is_v6 { whole - IPV6_HEADER } else { whole }).ok()?;
    put16(&mut quote, if is_v6 { 4 } else { 2 }, said);
    if !is_v6 {
        sum_ipv4_header(&mut quote);
    }
    let mut bytes = vec![0; ICMP_HEADER];
    bytes[0] = message.kind;
    bytes[1] = message.code;
    bytes[4..8].copy_from_slice(&mtu.unwrap_or(0).to_be_bytes());
    bytes.extend(quote);
    let (protocol, mut sum) = match is_v6 {
        false => (ICMP, Sum::new()),
        true => {
            let (source, destination) = (envelope.source, envelope.destination);
            let pseudo = Sum::pseudo(source, destination, ICMPV6, bytes.len());
            (ICMPV6, pseudo)
        }
    };
    sum.add(&bytes);
    put16(&mut bytes, 2, sum.finish());
    ip(envelope, protocol, &bytes)
}

/// A segment without its text and checksum.
fn tcp_header(segment: &Tcp) -> Vec<u8> {
    let header_len = TCP_HEADER + segment.options.len();
    assert!(
        header_len.is_multiple_of(4) && header_len <= 60,
        "the language lets options fill whole words, at most ten"
    );
    let mut bytes = vec![0; TCP_HEADER];
    put16(&mut bytes, 0, segment.ports.source);
    put16(&mut bytes, 2, segment.ports.destination);
    bytes[4..8].copy_from_slice(&segment.seq.to_be_bytes());
    bytes[8..12].copy_from_slice(&segment.ack.to_be_bytes());
    let words = u16::try_from(header_len / 4).expect("at most 15");
    put16(&mut bytes, 12, words << 12 | segment.flags.bits());
    put16(&mut bytes, 14, segment.window);
    put16(&mut bytes, 18, segment.urgent);
    bytes.extend(&segment.options);
    bytes
}

fn udp(envelope: &Envelope, ports: Ports, payload: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(UDP_HEADER + payload.len()).ok()?;
    let mut bytes = vec![0; UDP_HEADER];
    put16(&mut bytes, 0, ports.source);
    put16(&mut bytes, 2, ports.destination);
    put16(&mut bytes, 4, len);
    bytes.extend(payload);
    let mut sum = Sum::pseudo(envelope.source, envelope.destination, UDP, bytes.len());
    sum.add(&bytes);
    // RFC 768: a sum of zero is written as all ones, because zero says that there is none.
    let sum = match sum.finish() {
        0 => u16::MAX,
        sum => sum,
    };
    put16(&mut bytes, 6, sum);
    Some(bytes)
}

fn ip(envelope: &Envelope, protocol: u8, payload: &[u8]) -> Option<Vec<u8>> {
    match (envelope.source, envelope.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let total = u16::try_from(IPV4_HEADER + payload.len()).ok()?;
            let mut bytes = vec![0; IPV4_HEADER];
            bytes[0] = 0x45;
            bytes[1] = envelope.tos;
            put16(&mut bytes, 2, total);
            bytes[8] = envelope.ttl;
            bytes[9] = protocol;
            bytes[12..16].copy_from_slice(&source.octets());
            bytes[16..20].copy_from_slice(&destination.octets());
            sum_ipv4_header(&mut bytes);
            bytes.extend(payload);
            Some(bytes)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let len = u16::try_from(payload.len()).ok()?;
            let mut bytes = vec![0; IPV6_HEADER];
            let first = 6 << 28 | u32::from(envelope.tos) << 20 | envelope.flow_label;
            bytes[0..4].copy_from_slice(&first.to_be_bytes());
            put16(&mut bytes, 4, len);
            bytes[6] = protocol;
            bytes[7] = envelope.ttl;
            bytes[8..24].copy_from_slice(&source.octets());
            bytes[24..40].copy_from_slice(&destination.octets());
            bytes.extend(payload);
            Some(bytes)
        }
        _ => unreachable!("both addresses of a run are of its IP version"),
    }
}

/// Sets the evil bit of an IPv4 packet (RFC 3514): whatever the testbed forges carries it. IPv6 has none.
pub fn mark_evil(packet: &mut [u8]) {
    const FLAGS: usize = 6;
    const EVIL: u8 = 0x80;
    if packet.first().is_some_and(|first| first >> 4 == 4) {
        packet[FLAGS] |= EVIL;
        sum_ipv4_header(packet);
    }
}

fn sum_ipv4_header(packet: &mut [u8]) {
    put16(packet, 10, 0);
    let sum = checksum(&packet[..IPV4_HEADER]);
    put16(packet, 10, sum);
}

fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::run::icmp_names;
    use crate::packetdrill::run::live::Live;
    use stack::wire::tcp::Segment;
    use xenemu::abi::Instant;

    fn envelope(source: &str, destination: &str) -> Envelope {
        Envelope {
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
            tos: 2,
            ttl: 64,
            flow_label: 0,
        }
    }

    fn segment(udp: Option<Ports>) -> Tcp {
        Tcp {
            ports: Ports {
                source: 1,
                destination: 2,
            },
            seq: 3,
            ack: 4,
            flags: Flags::ACK,
            window: 5,
            urgent: 6,
            options: vec![1, 1, 1, 1],
            len: 7,
            udp,
        }
    }

    #[test]
    fn a_packet_of_either_version_is_read_as_it_was_built_and_its_sum_holds() {
        for (a, b) in [("192.0.2.1", "192.168.0.1"), ("fd00::1", "fd00::2")] {
            let envelope = envelope(a, b);
            let bytes = tcp(&envelope, &segment(None)).expect("a short packet");
            let live = Live::parse(Instant(0), bytes.clone()).expect("a packet");
            let header = if a.contains(':') { 40 } else { 20 };
            let sum = Segment::verify(&bytes[header..], envelope.source, envelope.destination);
            assert_eq!(sum, Ok(()));
            let read = live.tcp().expect("a segment");
            let numbers = (
                read.seq,
                read.ack,
                read.window,
                read.urgent,
                read.text.len(),
            );
            assert_eq!(numbers, (3, 4, 5, 6, 7));
            assert_eq!((live.ip.tos, live.ip.ttl), (2, 64));
            assert_eq!(live.options(read), [1; 4]);
        }
    }

    #[test]
    fn a_segment_may_travel_in_udp() {
        let ports = Ports {
            source: 9,
            destination: 8,
        };
        let envelope = envelope("fd00::1", "fd00::2");
        let bytes = tcp(&envelope, &segment(Some(ports))).expect("a short packet");
        let live = Live::parse(Instant(0), bytes).expect("a packet");
        assert_eq!(live.tcp().expect("a segment").udp, Some(ports));
    }

    #[test]
    fn what_ip_cannot_say_is_not_built() {
        let segment = Tcp {
            len: u16::MAX,
            ..segment(None)
        };
        assert_eq!(tcp(&envelope("192.0.2.1", "192.0.2.2"), &segment), None);
    }

    #[test]
    fn a_complaint_quotes_the_packet() {
        let (ours, theirs) = (
            envelope("192.0.2.1", "192.168.0.1"),
            envelope("192.168.0.1", "192.0.2.1"),
        );
        let message = icmp_names::find("unreachable", Some("frag_needed"), false);
        let message = message.expect("a message");
        let about = Quoted::Segment(segment(None));
        let bytes = icmp(&ours, message, Some(1300), &theirs, &about);
        let bytes = bytes.expect("a short packet");
        assert_eq!(checksum(&bytes[20..]), 0);
        assert_eq!(bytes[20..22], [3, 4]);
        assert_eq!(bytes[26..28], 1300_u16.to_be_bytes());
        // Version and header, total length of what was sent: 20 + 24 + 7.
        assert_eq!((bytes[28], bytes[31]), (0x45, 51));
    }
}
