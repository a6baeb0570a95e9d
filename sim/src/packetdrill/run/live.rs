//! A packet that the stack under test sent, taken apart: the fields of its headers as they stand, nothing mapped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use stack::checksum::{Sum, checksum};
use thiserror::Error;
use xenemu::abi::Instant;

use crate::packetdrill::flags::Flags;
use crate::packetdrill::tcp::Ports;

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
/// Where a datagram's checksum is.
const UDP_SUM: usize = 6;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;

/// A packet, and when it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub at: Instant,
    pub bytes: Vec<u8>,
    pub ip: Ip,
    pub transport: Transport,
    /// The datagram that it is, even if what that carries is taken for a segment.
    pub udp: Option<Udp>,
}

/// A datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    pub ports: Ports,
    /// Where in the packet the text is.
    pub text: Range<usize>,
}

/// Fields of an IP header, of either version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    pub flow_label: u32,
    pub protocol: u8,
}

/// What it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp(Tcp),
    Other,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// The ports of the UDP that it travels in.
    pub udp: Option<Ports>,
    pub ports: Ports,
    pub seq: u32,
    pub ack: u32,
    pub flags: Flags,
    /// The bits of the header that have no meaning yet.
    pub reserved: u8,
    pub window: u16,
    pub urgent: u16,
    /// Where in the packet the options are.
    pub options: Range<usize>,
    /// Where in the packet the text is.
    pub text: Range<usize>,
}

/// Why bytes are not a packet that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotAPacket {
    #[error("the packet is cut short")]
    Short,
    #[error("the IP version is neither 4 nor 6")]
    Version,
    #[error("the IP header says another length than the packet has")]
    Length,
    #[error("the IPv4 header's checksum is wrong")]
    Checksum,
    #[error("the TCP header's length is out of range")]
    DataOffset,
    #[error("the checksum of what it carries is wrong")]
    Sum,
}

impl Live {
    /// Takes a packet apart.
    pub fn parse(at: Instant, bytes: Vec<u8>) -> Result<Live, NotAPacket> {
        let (ip, start) = match bytes.first().ok_or(NotAPacket::Short)? >> 4 {
            4 => ipv4(&bytes)?,
            6 => ipv6(&bytes)?,
            _ => return Err(NotAPacket::Version),
        };
        let mut datagram = None;
        let transport = match ip.protocol {
            // A part of a packet is nothing that a line could mean.
            _ if is_fragment(&bytes) => Transport::Other,
            TCP => {
                let segment = tcp(&bytes, start, None)?;
                sum_holds(&bytes, start, &ip)?;
                Transport::Tcp(segment)
            }
            UDP => {
                // RFC 768: zero says that there is no sum.
                if be16(&bytes, start + UDP_SUM)? != 0 {
                    sum_holds(&bytes, start, &ip)?;
                }
                datagram = Some(udp(&bytes, start)?);
                in_udp(&bytes, start)
            }
            _ => Transport::Other,
        };
        Ok(Live {
            at,
            bytes,
            ip,
            transport,
            udp: datagram,
        })
    }

    /// The segment that it carries.
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.transport {
            Transport::Tcp(tcp) => Some(tcp),
            Transport::Other => None,
        }
    }

    /// A segment's options, as they stand.
    pub fn options(&self, tcp: &Tcp) -> &[u8] {
        &self.bytes[tcp.options.clone()]
    }

    /// A segment's text.
    pub fn text(&self, tcp: &Tcp) -> &[u8] {
        &self.bytes[tcp.text.clone()]
    }
}

/// The sum over pseudo-header, header and text: the one of TCP's and UDP's own that a receiver would check.
fn sum_holds(bytes: &[u8], start: usize, ip: &Ip) -> Result<(), NotAPacket> {
    let payload = &bytes[start..];
    let mut sum = Sum::pseudo(ip.source, ip.destination, ip.protocol, payload.len());
    sum.add(payload);
    match sum.finish() {
        0 => Ok(()),
        _ => Err(NotAPacket::Sum),
    }
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, NotAPacket> {
    let word = bytes.get(at..at + 2).ok_or(NotAPacket::Short)?;
    Ok(u16::from_be_bytes([word[0], word[1]]))
}

fn be32(bytes: &[u8], at: usize) -> Result<u32, NotAPacket> {
    let word = bytes.get(at..at + 4).ok_or(NotAPacket::Short)?;
    Ok(u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
}

fn ipv4(bytes: &[u8]) -> Result<(Ip, usize), NotAPacket> {
    if bytes.len() < IPV4_HEADER {
        return Err(NotAPacket::Short);
    }
    let header_len = usize::from(bytes[0] & 0xf) * 4;
    let total = usize::from(be16(bytes, 2)?);
    if header_len < IPV4_HEADER || header_len > total || total != bytes.len() {
        return Err(NotAPacket::Length);
    }
    if checksum(&bytes[..header_len]) != 0 {
        return Err(NotAPacket::Checksum);
    }
    let ip = Ip {
        source: Ipv4Addr::from(be32(bytes, 12)?).into(),
        destination: Ipv4Addr::from(be32(bytes, 16)?).into(),
        tos: bytes[1],
        ttl: bytes[8],
        flow_label: 0,
        protocol: bytes[9],
    };
    Ok((ip, header_len))
}

fn ipv6(bytes: &[u8]) -> Result<(Ip, usize), NotAPacket> {
    if bytes.len() < IPV6_HEADER {
        return Err(NotAPacket::Short);
    }
    if usize::from(be16(bytes, 4)?) != bytes.len() - IPV6_HEADER {
        return Err(NotAPacket::Length);
    }
    let address = |at: usize| {
        let octets: [u8; 16] = bytes[at..at + 16].try_into().expect("16 bytes");
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    let first = be32(bytes, 0)?;
    let ip = Ip {
        source: address(8),
        destination: address(24),
        tos: (first >> 20 & 0xff) as u8,
        ttl: bytes[7],
        flow_label: first & 0xf_ffff,
        protocol: bytes[6],
    };
    Ok((ip, IPV6_HEADER))
}

/// Is it an IPv4 packet of which there is more? IPv6 says so in a header of its own, which is no transport.
fn is_fragment(bytes: &[u8]) -> bool {
    const MORE_OR_OFFSET: u16 = 0x3fff;
    bytes[0] >> 4 == 4 && be16(bytes, 6).is_ok_and(|word| word & MORE_OR_OFFSET != 0)
}

fn udp(bytes: &[u8], start: usize) -> Result<Udp, NotAPacket> {
    let len = usize::from(be16(bytes, start + 4)?);
    if len < UDP_HEADER || start + len != bytes.len() {
        return Err(NotAPacket::Length);
    }
    Ok(Udp {
        ports: Ports {
            source: be16(bytes, start)?,
            destination: be16(bytes, start + 2)?,
        },
        text: start + UDP_HEADER..bytes.len(),
    })
}

/// Text of a datagram that can be a segment may be one.
fn in_udp(bytes: &[u8], start: usize) -> Transport {
    let ports = udp(bytes, start).map(|datagram| datagram.ports);
    let segment = ports.and_then(|ports| tcp(bytes, start + UDP_HEADER, Some(ports)));
    segment.map_or(Transport::Other, Transport::Tcp)
}

fn tcp(bytes: &[u8], start: usize, udp: Option<Ports>) -> Result<Tcp, NotAPacket> {
    let bits = be16(bytes, start + 12)?;
    let header_len = usize::from(bits >> 12) * 4;
    if header_len < TCP_HEADER || start + header_len > bytes.len() {
        return Err(NotAPacket::DataOffset);
    }
    Ok(Tcp {
        udp,
        ports: Ports {
            source: be16(bytes, start)?,
            destination: be16(bytes, start + 2)?,
        },
        seq: be32(bytes, start + 4)?,
        ack: be32(bytes, start + 8)?,
        flags: Flags::of_header(bits),
        reserved: (bits >> 9 & 0x7) as u8,
        window: be16(bytes, start + 14)?,
        urgent: be16(bytes, start + 18)?,
        options: start + TCP_HEADER..start + header_len,
        text: start + header_len..bytes.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packetdrill::run::build::{self, Envelope};

    fn packet(source: &str, destination: &str, udp: Option<Ports>) -> Vec<u8> {
        let envelope = Envelope {
            source: source.parse().expect("an address"),
            destination: destination.parse().expect("an address"),
            tos: 0,
            ttl: 64,
            flow_label: 0,
        };
        let segment = build::Tcp {
            ports: Ports {
                source: 1,
                destination: 2,
            },
            seq: 3,
            ack: 4,
            flags: Flags::ACK,
            window: 5,
            urgent: 0,
            options: vec![1; 4],
            len: 8,
            udp,
        };
        build::tcp(&envelope, &segment).expect("a short packet")
    }

    #[test]
    fn a_segment_of_which_any_bit_is_flipped_is_none() {
        let ports = Ports {
            source: 9,
            destination: 8,
        };
        for (source, destination, header) in
            [("192.0.2.1", "192.0.2.2", 20), ("fd00::1", "fd00::2", 40)]
        {
            for udp in [None, Some(ports)] {
                let whole = packet(source, destination, udp);
                assert!(Live::parse(Instant(0), whole.clone()).is_ok());
                for bit in header * 8..whole.len() * 8 {
                    let mut other = whole.clone();
                    other[bit / 8] ^= 0x80 >> (bit % 8);
                    let read = Live::parse(Instant(0), other);
                    assert!(read.is_err(), "{source} {udp:?}: bit {bit}");
                }
            }
        }
    }
}
