//! A frame, decoded as far as its bytes go: what every view and oracle looks at.

use core::ops::Range;

use stack::addr::IpAddress;

use super::dissect::arp::{self, Arp};
use super::dissect::bytes::{ones_complement_sum, pseudo_header_sum};
use super::dissect::ethernet::{self, Ethernet};
use super::dissect::icmp::{self, Icmp};
use super::dissect::icmpv6::{self, Icmpv6};
use super::dissect::ipv4::{self, Ipv4};
use super::dissect::ipv6::{self, Ipv6};
use super::dissect::tcp::{self, Tcp};
use super::dissect::udp::{self, Udp};

/// A decoded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Bytes of the frame.
    pub len: usize,
    /// `None`: too short for a header.
    pub ethernet: Option<Ethernet>,
    pub network: Network,
}

/// What an Ethernet frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    Arp(Arp),
    Ipv4(Ipv4, Transport),
    Ipv6(Ipv6, Transport),
    /// Another protocol, or one of these that cannot be read.
    Unknown,
}

/// What an IP packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp(Tcp),
    Udp(Udp),
    Icmp(Icmp),
    Icmpv6(Icmpv6),
    /// A fragment that has no header of its own.
    Fragment,
    /// Another protocol, or one of these that cannot be read.
    Unknown,
}

/// What IP, of either version, says around what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Around {
    pub source: IpAddress,
    pub destination: IpAddress,
    /// Not all of the payload is here.
    pub partial: bool,
    /// Where the payload begins in the frame.
    pub at: usize,
}

impl Around {
    fn of_v4(ip: &Ipv4) -> Around {
        Around {
            source: ip.source.into(),
            destination: ip.destination.into(),
            partial: ip.more_fragments || ip.truncated,
            at: ethernet::HEADER_LEN + ip.payload.start,
        }
    }
    fn of_v6(ip: &Ipv6) -> Around {
        Around {
            source: ip.source.into(),
            destination: ip.destination.into(),
            partial: ip.is_partial(),
            at: ethernet::HEADER_LEN + ip.payload.start,
        }
    }
    /// Whether the checksum over pseudo-header and bytes holds.
    pub fn checksum_holds(&self, protocol: u8, bytes: &[u8]) -> bool {
        let pseudo = match (self.source, self.destination) {
            (IpAddress::V4(a), IpAddress::V4(b)) => {
                pseudo_header_sum(&a.octets(), &b.octets(), protocol, bytes.len())
            }
            (IpAddress::V6(a), IpAddress::V6(b)) => {
                pseudo_header_sum(&a.octets(), &b.octets(), protocol, bytes.len())
            }
            _ => return false,
        };
        ones_complement_sum(pseudo, bytes) == 0xFFFF
    }
}

impl Packet {
    /// Decodes a frame; whatever the bytes are.
    pub fn decode(frame: &[u8]) -> Packet {
        let header = ethernet::decode(frame);
        let body = frame.get(ethernet::HEADER_LEN..).unwrap_or_default();
        let network = match header.map(|h| h.ethertype) {
            Some(ethernet::TYPE_ARP) => arp::decode(body).map_or(Network::Unknown, Network::Arp),
            Some(ethernet::TYPE_IPV4) => decode_ipv4(body),
            Some(ethernet::TYPE_IPV6) => decode_ipv6(body),
            _ => Network::Unknown,
        };
        Packet {
            len: frame.len(),
            ethernet: header,
            network,
        }
    }

    /// The IPv4 header.
    pub fn ipv4(&self) -> Option<&Ipv4> {
        match &self.network {
            Network::Ipv4(ip, _) => Some(ip),
            _ => None,
        }
    }
    /// What IP carries, and what it says around it.
    fn carried(&self) -> Option<(Around, &Transport)> {
        match &self.network {
            Network::Ipv4(ip, transport) => Some((Around::of_v4(ip), transport)),
            Network::Ipv6(ip, transport) => Some((Around::of_v6(ip), transport)),
            Network::Arp(_) | Network::Unknown => None,
        }
    }
    /// The TCP header, with what IP says around it.
    pub fn tcp(&self) -> Option<(Around, &Tcp)> {
        match self.carried()? {
            (ip, Transport::Tcp(tcp)) => Some((ip, tcp)),
            _ => None,
        }
    }
    /// The UDP header.
    pub fn udp(&self) -> Option<&Udp> {
        match self.carried()? {
            (_, Transport::Udp(udp)) => Some(udp),
            _ => None,
        }
    }
    /// The ICMP message's type, of either version.
    pub fn icmp_type(&self) -> Option<u8> {
        match self.carried()? {
            (_, Transport::Icmp(icmp)) => Some(icmp.kind),
            (_, Transport::Icmpv6(icmp)) => Some(icmp.kind),
            _ => None,
        }
    }
    /// Whether it only helps others to find their neighbours: ARP, or Neighbor Discovery.
    pub fn is_discovery(&self) -> bool {
        match &self.network {
            Network::Arp(_) => true,
            Network::Ipv6(_, Transport::Icmpv6(icmp)) => icmp.is_discovery(),
            _ => false,
        }
    }
    /// Source and destination port of TCP or UDP.
    pub fn ports(&self) -> Option<(u16, u16)> {
        let tcp = self
            .tcp()
            .map(|(_, tcp)| (tcp.source_port, tcp.destination_port));
        tcp.or_else(|| {
            self.udp()
                .map(|udp| (udp.source_port, udp.destination_port))
        })
    }
    /// The IP address that it is meant for: of ARP the one asked for or answered.
    pub fn destination_ip(&self) -> Option<IpAddress> {
        match &self.network {
            Network::Arp(arp) => Some(arp.target_ip.into()),
            _ => self.carried().map(|(ip, _)| ip.destination),
        }
    }
    /// Where the payload of TCP or UDP lies in the frame.
    pub fn payload(&self) -> Option<Range<usize>> {
        let (ip, inner) = match self.carried()? {
            (ip, Transport::Tcp(tcp)) => (ip, &tcp.payload),
            (ip, Transport::Udp(udp)) => (ip, &udp.payload),
            _ => return None,
        };
        Some(ip.at + inner.start..ip.at + inner.end)
    }
    /// Whether every checksum that can be judged is right.
    pub fn checksums_ok(&self) -> bool {
        let header = self.ipv4().is_none_or(|ip| ip.checksum_ok);
        header
            && match self.carried() {
                Some((_, Transport::Tcp(tcp))) => tcp.checksum_ok,
                Some((_, Transport::Udp(udp))) => udp.checksum_ok,
                Some((ip, Transport::Icmp(icmp))) => icmp.checksum_ok || ip.partial,
                Some((_, Transport::Icmpv6(icmp))) => icmp.checksum_ok,
                Some((_, Transport::Fragment | Transport::Unknown)) | None => true,
            }
    }
}

fn decode_ipv4(packet: &[u8]) -> Network {
    let Some(ip) = ipv4::decode(packet) else {
        return Network::Unknown;
    };
    let payload = packet.get(ip.payload.clone()).unwrap_or_default();
    let around = Around::of_v4(&ip);
    let transport = if ip.is_later_fragment() {
        Transport::Fragment
    } else {
        let known = match ip.protocol {
            ipv4::TCP => tcp::decode(&around, payload).map(Transport::Tcp),
            ipv4::UDP => udp::decode(&around, payload).map(Transport::Udp),
            ipv4::ICMP => icmp::decode(payload).map(Transport::Icmp),
            _ => None,
        };
        known.unwrap_or(Transport::Unknown)
    };
    Network::Ipv4(ip, transport)
}

fn decode_ipv6(packet: &[u8]) -> Network {
    let Some(ip) = ipv6::decode(packet) else {
        return Network::Unknown;
    };
    let payload = packet.get(ip.payload.clone()).unwrap_or_default();
    let around = Around::of_v6(&ip);
    let transport = if ip.is_later_fragment() {
        Transport::Fragment
    } else {
        let known = match ip.protocol {
            ipv4::TCP => tcp::decode(&around, payload).map(Transport::Tcp),
            ipv4::UDP => udp::decode(&around, payload).map(Transport::Udp),
            ipv6::ICMPV6 => {
                let holds = around.partial || around.checksum_holds(ipv6::ICMPV6, payload);
                icmpv6::decode(payload, holds).map(Transport::Icmpv6)
            }
            _ => None,
        };
        known.unwrap_or(Transport::Unknown)
    };
    Network::Ipv6(ip, transport)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_bytes_make_the_decoder_panic(frame in proptest::collection::vec(any::<u8>(), 0..120)) {
            let packet = Packet::decode(&frame);
            prop_assert!(packet.payload().is_none_or(|range| frame.get(range).is_some()));
        }

        #[test]
        fn no_bytes_behind_a_plausible_header_make_the_decoder_panic(
            protocol in prop_oneof![Just(1_u8), Just(6), Just(17), any::<u8>()],
            ihl in 4_u8..=15,
            rest in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut frame = vec![0; 12];
            frame.extend([8, 0, 0x40 | ihl]);
            frame.extend(&rest);
            if let Some(at) = frame.get_mut(23) {
                *at = protocol;
            }
            let packet = Packet::decode(&frame);
            prop_assert!(packet.payload().is_none_or(|range| frame.get(range).is_some()));
            let _ = packet.checksums_ok();
        }

        #[test]
        fn no_bytes_behind_a_header_of_version_6_make_the_decoder_panic(
            protocol in prop_oneof![Just(0_u8), Just(6), Just(17), Just(43), Just(44), Just(58), Just(60), any::<u8>()],
            rest in proptest::collection::vec(any::<u8>(), 0..140),
        ) {
            let mut frame = vec![0; 12];
            frame.extend([0x86, 0xDD, 0x60]);
            frame.extend(&rest);
            if let Some(at) = frame.get_mut(20) {
                *at = protocol;
            }
            let packet = Packet::decode(&frame);
            prop_assert!(packet.payload().is_none_or(|range| frame.get(range).is_some()));
            let _ = packet.checksums_ok();
        }
    }
}
