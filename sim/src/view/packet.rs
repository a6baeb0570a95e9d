//! A frame, decoded as far as its bytes go: what every view and oracle looks at.

use core::ops::Range;

use stack::addr::Ipv4Addr;

use super::dissect::arp::{self, Arp};
use super::dissect::ethernet::{self, Ethernet};
use super::dissect::icmp::{self, Icmp};
use super::dissect::ipv4::{self, Ipv4};
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
    /// Another protocol, or one of these that cannot be read.
    Unknown,
}

/// What an IPv4 packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp(Tcp),
    Udp(Udp),
    Icmp(Icmp),
    /// A fragment that has no header of its own.
    Fragment,
    /// Another protocol, or one of these that cannot be read.
    Unknown,
}

impl Packet {
    /// Decodes a frame; whatever the bytes are.
    pub fn decode(frame: &[u8]) -> Packet {
        let header = ethernet::decode(frame);
        let body = frame.get(ethernet::HEADER_LEN..).unwrap_or_default();
        let network = match header.map(|h| h.ethertype) {
            Some(ethernet::TYPE_ARP) => arp::decode(body).map_or(Network::Unknown, Network::Arp),
            Some(ethernet::TYPE_IPV4) => decode_ipv4(body),
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
    /// The TCP header, with the IPv4 header around it.
    pub fn tcp(&self) -> Option<(&Ipv4, &Tcp)> {
        match &self.network {
            Network::Ipv4(ip, Transport::Tcp(tcp)) => Some((ip, tcp)),
            _ => None,
        }
    }
    /// The UDP header.
    pub fn udp(&self) -> Option<&Udp> {
        match &self.network {
            Network::Ipv4(_, Transport::Udp(udp)) => Some(udp),
            _ => None,
        }
    }
    /// The ICMP header.
    pub fn icmp(&self) -> Option<&Icmp> {
        match &self.network {
            Network::Ipv4(_, Transport::Icmp(icmp)) => Some(icmp),
            _ => None,
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
    /// The IPv4 address that it is meant for: of ARP the one asked for or answered.
    pub fn destination_ip(&self) -> Option<Ipv4Addr> {
        match &self.network {
            Network::Arp(arp) => Some(arp.target_ip),
            Network::Ipv4(ip, _) => Some(ip.destination),
            Network::Unknown => None,
        }
    }
    /// Where the payload of TCP or UDP lies in the frame.
    pub fn payload(&self) -> Option<Range<usize>> {
        let (ip, inner) = match &self.network {
            Network::Ipv4(ip, Transport::Tcp(tcp)) => (ip, &tcp.payload),
            Network::Ipv4(ip, Transport::Udp(udp)) => (ip, &udp.payload),
            _ => return None,
        };
        let base = ethernet::HEADER_LEN + ip.payload.start;
        Some(base + inner.start..base + inner.end)
    }
    /// Whether every checksum that can be judged is right.
    pub fn checksums_ok(&self) -> bool {
        match &self.network {
            Network::Ipv4(ip, transport) => {
                ip.checksum_ok
                    && match transport {
                        Transport::Tcp(tcp) => tcp.checksum_ok,
                        Transport::Udp(udp) => udp.checksum_ok,
                        Transport::Icmp(icmp) => {
                            icmp.checksum_ok || ip.more_fragments || ip.truncated
                        }
                        Transport::Fragment | Transport::Unknown => true,
                    }
            }
            Network::Arp(_) | Network::Unknown => true,
        }
    }
}

fn decode_ipv4(packet: &[u8]) -> Network {
    let Some(ip) = ipv4::decode(packet) else {
        return Network::Unknown;
    };
    let payload = packet.get(ip.payload.clone()).unwrap_or_default();
    let transport = if ip.is_later_fragment() {
        Transport::Fragment
    } else {
        let known = match ip.protocol {
            ipv4::TCP => tcp::decode(&ip, payload).map(Transport::Tcp),
            ipv4::UDP => udp::decode(&ip, payload).map(Transport::Udp),
            ipv4::ICMP => icmp::decode(payload).map(Transport::Icmp),
            _ => None,
        };
        known.unwrap_or(Transport::Unknown)
    };
    Network::Ipv4(ip, transport)
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
    }
}
