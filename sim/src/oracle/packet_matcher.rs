//! Packets that a scenario speaks of: at the sender's vif, before the world impairs them, unless it says otherwise.

use super::context::{Context, Sighting};
use super::matcher::Verdict;
use super::tracker::Direction;
use crate::plan::{At, Count, PacketKind, PacketMatcher};
use crate::view::dissect::tcp::Flags;
use crate::view::packet::{Network, Packet, Transport};
use crate::view::tcpdump::payload;

/// Whether the packet that the context just saw could be meant, and whether it is.
pub fn judge(matcher: &PacketMatcher, context: &Context) -> Verdict {
    match context.sighting() {
        Some(sighting) if is_candidate(matcher, sighting) => Verdict {
            candidate: true,
            matched: is_match(matcher, sighting),
        },
        _ => Verdict::default(),
    }
}

/// The right kind of packet, at the right place, between the named domains whichever way: where `discard` is sent
/// datagrams, it could have sent one.
fn is_candidate(matcher: &PacketMatcher, sighting: &Sighting) -> bool {
    let here = match matcher.at {
        At::Sender => Direction::Out,
        At::Receiver => Direction::In,
    };
    let ends = [sighting.sender.as_deref(), receiver(matcher, sighting)];
    let involves = |wanted: &Option<String>| match wanted {
        Some(wanted) => ends.contains(&Some(wanted.as_str())),
        None => true,
    };
    sighting.direction == here
        && is_kind(matcher.kind, &sighting.packet)
        && involves(&matcher.from)
        && involves(&matcher.to)
}

/// Before the world impairs it, a packet's receiver is the one it is addressed to.
fn receiver<'a>(matcher: &PacketMatcher, sighting: &'a Sighting) -> Option<&'a str> {
    match matcher.at {
        At::Sender => sighting.addressee.as_deref(),
        At::Receiver => Some(&*sighting.domain),
    }
}

fn is_kind(kind: PacketKind, packet: &Packet) -> bool {
    match kind {
        PacketKind::Frame => true,
        PacketKind::Arp => matches!(packet.network, Network::Arp(_)),
        PacketKind::Ipv4 => matches!(packet.network, Network::Ipv4(..)),
        PacketKind::Ipv6 => matches!(packet.network, Network::Ipv6(..)),
        PacketKind::Icmp => matches!(packet.network, Network::Ipv4(_, Transport::Icmp(_))),
        PacketKind::Icmpv6 => matches!(packet.network, Network::Ipv6(_, Transport::Icmpv6(_))),
        PacketKind::Udp => packet.udp().is_some(),
        PacketKind::Tcp => packet.tcp().is_some(),
    }
}

fn is_match(matcher: &PacketMatcher, sighting: &Sighting) -> bool {
    let resent = sighting.is_retransmission();
    let wanted_once = matcher.only_retransmits && resent
        || !matcher.only_retransmits && (matcher.retransmits || !resent);
    wanted_once
        && ends_match(matcher, sighting)
        && ports_match(matcher, &sighting.packet)
        && tcp_matches(matcher, &sighting.packet)
        && content_matches(matcher, sighting)
        && is_or_absent(matcher.evil, sighting.packet.ipv4().map(|ip| ip.evil))
        && is_or_absent(matcher.icmp_type, sighting.packet.icmp_type())
}

fn ends_match(matcher: &PacketMatcher, sighting: &Sighting) -> bool {
    let is = |wanted: &Option<String>, found: Option<&str>| match wanted {
        Some(wanted) => found == Some(wanted.as_str()),
        None => true,
    };
    is(&matcher.from, sighting.sender.as_deref()) && is(&matcher.to, receiver(matcher, sighting))
}

fn is_or_absent<T: PartialEq>(wanted: Option<T>, found: Option<T>) -> bool {
    wanted.is_none() || wanted == found
}

fn ports_match(matcher: &PacketMatcher, packet: &Packet) -> bool {
    let (source, destination) = match packet.ports() {
        Some((source, destination)) => (Some(source), Some(destination)),
        None => (None, None),
    };
    is_or_absent(matcher.src_port, source)
        && is_or_absent(matcher.dst_port, destination)
        && (is_or_absent(matcher.port, source) || is_or_absent(matcher.port, destination))
}

fn tcp_matches(matcher: &PacketMatcher, packet: &Packet) -> bool {
    let tcp = packet.tcp().map(|(_, tcp)| tcp);
    let flags = match (&matcher.flags, tcp) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(text), Some(tcp)) => flags_match(text, tcp.flags),
    };
    let window = match (matcher.win, tcp) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(count), Some(tcp)) => count.contains(u64::from(tcp.window)),
    };
    flags && window
}

/// `F.`: these and no others; `~F`: at least these.
fn flags_match(text: &str, flags: Flags) -> bool {
    let (at_least, letters) = match text.strip_prefix('~') {
        Some(letters) => (true, letters),
        None => (false, text),
    };
    match Flags::parse(letters) {
        Some(wanted) if at_least => flags.has(wanted),
        Some(wanted) => flags == wanted,
        None => false,
    }
}

fn content_matches(matcher: &PacketMatcher, sighting: &Sighting) -> bool {
    let data = payload(&sighting.packet, &sighting.known.bytes);
    let len_ok = matcher
        .len
        .is_none_or(|len: Count| len.contains(data.len() as u64));
    let contains_ok = match &matcher.contains {
        Some(text) => contains(data, text.as_bytes()),
        None => true,
    };
    len_ok && contains_ok
}

fn contains(data: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || data.windows(wanted.len()).any(|window| window == wanted)
}
