//! Packets in one line each, as tcpdump writes them without `-v` and with `-n`: ports stay numbers. Sequence numbers,
//! acknowledgements and timestamps are relative to each side's first, so that they are the same in every run.

use std::fmt::Write as _;

use super::dissect::arp::Arp;
use super::dissect::icmp::{self, Icmp, Quoted};
use super::dissect::icmpv6::{self, Icmpv6};
use super::dissect::ipv4::{self, Ipv4};
use super::dissect::ipv6::{self, Ipv6};
use super::dissect::tcp::{Flags, Tcp, TcpOption};
use super::dissect::text::http_line;
use super::dissect::udp::Udp;
use super::packet::{Network, Packet, Transport};
use crate::oracle::reading::Reading;

/// Unknown option bytes that are shown.
const MOST_OPTION_BYTES: usize = 38;
/// Octets of an MD5 digest (RFC 2385).
const SIGNATURE: usize = 16;

/// The line. Without a reading, numbers are absolute.
pub fn line(packet: &Packet, frame: &[u8], reading: Option<&Reading>) -> String {
    match &packet.network {
        Network::Arp(arp) => arp_line(arp, packet.len),
        Network::Ipv4(ip, Transport::Tcp(tcp)) => {
            let (from, to) = (
                endpoint(ip.source, tcp.source_port),
                endpoint(ip.destination, tcp.destination_port),
            );
            let body = tcp_body(tcp, payload(packet, frame), reading);
            format!("IP {from} > {to}: {body}")
        }
        Network::Ipv4(ip, transport) => ipv4_line(ip, transport),
        Network::Ipv6(ip, transport) => ipv6_line(ip, transport, payload(packet, frame), reading),
        Network::Unknown => unknown_line(packet),
    }
}

/// What stands behind the colon of a TCP line: `Flags [S], seq 0, win 64240, length 0`.
pub fn tcp_body(tcp: &Tcp, data: &[u8], reading: Option<&Reading>) -> String {
    let mut out = format!("Flags [{}]", tcp.flags);
    let absolute;
    let reading = match reading {
        Some(reading) => reading,
        None => {
            absolute = Reading {
                seq: tcp.seq,
                ack: tcp.ack,
                timestamps: tcp.timestamps(),
                ..Reading::default()
            };
            &absolute
        }
    };
    let numbered = [Flags::SYN, Flags::FIN, Flags::RST];
    if tcp.data_len() > 0 {
        // SYN takes a number of its own, which tcpdump counts into neither end.
        let end = reading.seq.wrapping_add(tcp.data_len());
        push(&mut out, format_args!(", seq {}:{end}", reading.seq));
    } else if numbered.iter().any(|&flag| tcp.flags.has(flag)) {
        push(&mut out, format_args!(", seq {}", reading.seq));
    }
    if tcp.flags.has(Flags::ACK) {
        push(&mut out, format_args!(", ack {}", reading.ack));
    }
    push(&mut out, format_args!(", win {}", tcp.window));
    if tcp.flags.0 & 0x20 != 0 {
        push(&mut out, format_args!(", urg {}", tcp.urgent));
    }
    if tcp.bad_offset {
        out.push_str(" [bad hdr length]");
    }
    if !tcp.options.is_empty() {
        let options: Vec<String> = tcp.options.iter().map(|o| option(o, reading)).collect();
        push(&mut out, format_args!(", options [{}]", options.join(",")));
    }
    push(&mut out, format_args!(", length {}", tcp.data_len()));
    if let Some(http) = http_line(data) {
        push(&mut out, format_args!(": HTTP: {http}"));
    }
    out
}

/// The payload of TCP or UDP.
pub fn payload<'a>(packet: &Packet, frame: &'a [u8]) -> &'a [u8] {
    let range = packet.payload();
    range.and_then(|range| frame.get(range)).unwrap_or_default()
}

fn endpoint(ip: impl std::fmt::Display, port: u16) -> String {
    format!("{ip}.{port}")
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes everything");
}

fn option(option: &TcpOption, reading: &Reading) -> String {
    match option {
        TcpOption::EndOfList => "eol".into(),
        TcpOption::Nop => "nop".into(),
        TcpOption::MaxSegmentSize(mss) => format!("mss {mss}"),
        TcpOption::WindowScale(shift) => format!("wscale {shift}"),
        TcpOption::SackPermitted => "sackOK".into(),
        TcpOption::Sack(blocks) => {
            let mut out = format!("sack {} ", blocks.len());
            for (left, right) in blocks {
                let left = left.wrapping_sub(reading.sack_base);
                let right = right.wrapping_sub(reading.sack_base);
                push(&mut out, format_args!("{{{left}:{right}}}"));
            }
            out
        }
        TcpOption::Timestamps { value, echo } => {
            let (value, echo) = reading.timestamps.unwrap_or((*value, *echo));
            format!("TS val {value} ecr {echo}")
        }
        TcpOption::Unknown { kind: 34, data } => match data.len() {
            0 => "tfo  cookiereq".into(),
            4 | 6 | 8 | 10 | 12 | 14 | 16 => format!("tfo  cookie {}", digits(data)),
            _ => "tfo  (invalid)".into(),
        },
        // As a tcpdump writes it that was built without libcrypto.
        TcpOption::Unknown { kind: 19, data } if data.len() == SIGNATURE => {
            format!("md5 {}", digits(data))
        }
        TcpOption::Unknown { kind: 19, .. } => "md5 [bad opt]".into(),
        TcpOption::Unknown { kind, data } if data.is_empty() => format!("unknown-{kind}"),
        TcpOption::Unknown { kind, data } => format!("unknown-{kind} 0x{}", digits(data)),
        TcpOption::Malformed { kind } => format!("{} [bad opt]", option_name(*kind)),
    }
}

fn digits(data: &[u8]) -> String {
    let mut out = String::new();
    for byte in data.iter().take(MOST_OPTION_BYTES) {
        push(&mut out, format_args!("{byte:02x}"));
    }
    out
}

fn option_name(kind: u8) -> String {
    match kind {
        2 => "mss".into(),
        3 => "wscale".into(),
        4 => "sackOK".into(),
        5 => "sack".into(),
        8 => "TS".into(),
        19 => "md5".into(),
        34 => "tfo".into(),
        _ => format!("unknown-{kind}"),
    }
}

fn arp_line(arp: &Arp, frame_len: usize) -> String {
    let length = frame_len.saturating_sub(super::dissect::ethernet::HEADER_LEN);
    let Arp {
        sender_ip,
        target_ip,
        sender_mac,
        ..
    } = arp;
    match arp.operation {
        1 => format!("ARP, Request who-has {target_ip} tell {sender_ip}, length {length}"),
        2 => format!("ARP, Reply {sender_ip} is-at {sender_mac}, length {length}"),
        other => format!("ARP, Unknown ({other}), length {length}"),
    }
}

fn ipv4_line(ip: &Ipv4, transport: &Transport) -> String {
    let Ipv4 {
        source,
        destination,
        ..
    } = ip;
    match transport {
        Transport::Udp(udp) => udp_line(ip, udp),
        Transport::Icmp(icmp) => {
            let body = icmp_body(icmp);
            format!(
                "IP {source} > {destination}: ICMP {body}, length {}",
                icmp.len
            )
        }
        // tcpdump -n knows protocols by number where it has no printer for what it sees.
        Transport::Fragment => format!("IP {source} > {destination}: ip-proto-{}", ip.protocol),
        Transport::Tcp(_) | Transport::Icmpv6(_) | Transport::Unknown => {
            let (protocol, length) = (ip.protocol, ip.payload.len());
            format!("IP {source} > {destination}:  ip-proto-{protocol} {length}")
        }
    }
}

/// Of version 6 tcpdump writes every header that it walks over, and ports behind addresses only where nothing stands in
/// between.
fn ipv6_line(ip: &Ipv6, transport: &Transport, data: &[u8], reading: Option<&Reading>) -> String {
    let Ipv6 {
        source,
        destination,
        protocol,
        ..
    } = ip;
    let ports = |from: u16, to: u16| {
        if ip.extensions.is_empty() {
            let (from, to) = (endpoint(source, from), endpoint(destination, to));
            format!("IP6 {from} > {to}: ")
        } else {
            format!(
                "IP6 {source} > {destination}: {}{from} > {to}: ",
                extensions(ip)
            )
        }
    };
    let plain = || format!("IP6 {source} > {destination}: {}", extensions(ip));
    match transport {
        Transport::Tcp(tcp) => {
            let body = tcp_body(tcp, data, reading);
            ports(tcp.source_port, tcp.destination_port) + &body
        }
        Transport::Udp(udp) => {
            let length = udp.len.saturating_sub(8);
            let body = format!("UDP, length {length}");
            ports(udp.source_port, udp.destination_port) + &body
        }
        Transport::Icmpv6(icmp) => {
            let body = icmpv6_body(icmp);
            format!("{}ICMP6, {body}, length {}", plain(), icmp.len)
        }
        Transport::Fragment => plain().trim_end().to_owned(),
        Transport::Icmp(_) | Transport::Unknown => {
            let length = ip.payload.len();
            format!("{} ip-proto-{protocol} {length}", plain())
        }
    }
}

/// `HBH `, `frag (0|1448) `, each with a space behind it.
fn extensions(ip: &Ipv6) -> String {
    let mut out = String::new();
    for extension in &ip.extensions {
        match (*extension, &ip.fragment) {
            (ipv6::HOP_BY_HOP, _) => out.push_str("HBH "),
            (ipv6::DESTINATION_OPTIONS, _) => out.push_str("DSTOPT "),
            (ipv6::FRAGMENT, Some(fragment)) => {
                let (offset, length) = (fragment.offset, ip.payload.len());
                push(&mut out, format_args!("frag ({offset}|{length}) "));
            }
            _ => out.push_str("srcrt "),
        }
    }
    out
}

fn icmpv6_body(icmp: &Icmpv6) -> String {
    let target = |words: &str| match icmp.target {
        Some(target) => format!("{words} {target}"),
        None => words.to_owned(),
    };
    match (icmp.kind, icmp.code) {
        (icmpv6::ECHO_REQUEST, _) => format!("echo request, id {}, seq {}", icmp.id(), icmp.seq()),
        (icmpv6::ECHO_REPLY, _) => format!("echo reply, id {}, seq {}", icmp.id(), icmp.seq()),
        (icmpv6::ROUTER_SOLICITATION, _) => "router solicitation".into(),
        (icmpv6::ROUTER_ADVERTISEMENT, _) => "router advertisement".into(),
        (icmpv6::NEIGHBOUR_SOLICITATION, _) => target("neighbor solicitation, who has"),
        (icmpv6::NEIGHBOUR_ADVERTISEMENT, _) => target("neighbor advertisement, tgt is"),
        (icmpv6::PACKET_TOO_BIG, _) => format!("packet too big, mtu {}", icmp.word),
        (icmpv6::UNREACHABLE, code) => unreachable_v6_body(code, icmp.quoted.as_ref()),
        (icmpv6::TIME_EXCEEDED, 0) => match &icmp.quoted {
            Some(quoted) => format!("time exceeded in-transit for {}", quoted.destination),
            None => "time exceeded in-transit".into(),
        },
        (icmpv6::TIME_EXCEEDED, 1) => "time exceeded in-transit (reassembly)".into(),
        (icmpv6::PARAMETER_PROBLEM, 0) => {
            format!("parameter problem, erroneous - octet {}", icmp.word)
        }
        (icmpv6::PARAMETER_PROBLEM, 1) => {
            format!("parameter problem, next header - octet {}", icmp.word)
        }
        (icmpv6::PARAMETER_PROBLEM, 2) => {
            format!("parameter problem, option - octet {}", icmp.word)
        }
        (icmpv6::PARAMETER_PROBLEM, code) => format!("parameter problem, code #{code}"),
        (kind, _) => format!("type-#{kind}"),
    }
}

fn unreachable_v6_body(code: u8, quoted: Option<&icmpv6::Quoted>) -> String {
    let mut out = String::from("destination unreachable, ");
    let Some(quoted) = quoted else {
        push(&mut out, format_args!("code #{code}"));
        return out;
    };
    let icmpv6::Quoted {
        destination,
        protocol,
        port,
    } = quoted;
    match (code, *protocol, port) {
        (0, ..) => push(&mut out, format_args!("unreachable route {destination}")),
        (1, ..) => push(
            &mut out,
            format_args!("unreachable prohibited {destination}"),
        ),
        (3, ..) => push(&mut out, format_args!("unreachable address {destination}")),
        (4, ipv4::UDP, Some(port)) => push(
            &mut out,
            format_args!("unreachable port, {destination} udp port {port}"),
        ),
        (4, ipv4::TCP, Some(port)) => push(
            &mut out,
            format_args!("unreachable port, {destination} tcp port {port}"),
        ),
        (code, ..) => push(&mut out, format_args!("unreachable code-#{code}")),
    }
    out
}

fn udp_line(ip: &Ipv4, udp: &Udp) -> String {
    let from = endpoint(ip.source, udp.source_port);
    let to = endpoint(ip.destination, udp.destination_port);
    let length = udp.len.saturating_sub(8);
    format!("IP {from} > {to}: UDP, length {length}")
}

fn icmp_body(icmp: &Icmp) -> String {
    match (icmp.kind, icmp.code) {
        (icmp::ECHO_REQUEST, _) => format!("echo request, id {}, seq {}", icmp.id, icmp.seq),
        (icmp::ECHO_REPLY, _) => format!("echo reply, id {}, seq {}", icmp.id, icmp.seq),
        (icmp::UNREACHABLE, code) => unreachable_body(code, icmp.quoted.as_ref()),
        (icmp::TIME_EXCEEDED, 0) => "time exceeded in-transit".into(),
        (icmp::TIME_EXCEEDED, 1) => "ip reassembly time exceeded".into(),
        (kind, code) => format!("type-#{kind} code-#{code}"),
    }
}

fn unreachable_body(code: u8, quoted: Option<&Quoted>) -> String {
    let Some(quoted) = quoted else {
        return format!("#{code} unreachable");
    };
    let Quoted {
        destination,
        protocol,
        port,
    } = quoted;
    match (code, *protocol, port) {
        (0, ..) => format!("net {destination} unreachable"),
        (1, ..) => format!("host {destination} unreachable"),
        (2, ..) => format!("{destination} protocol {protocol} unreachable"),
        (3, ipv4::UDP, Some(port)) => format!("{destination} udp port {port} unreachable"),
        (3, ipv4::TCP, Some(port)) => format!("{destination} tcp port {port} unreachable"),
        (3, ..) => format!("{destination} protocol {protocol} port unreachable"),
        (4, ..) => format!("{destination} unreachable - need to frag"),
        (code, ..) => format!("{destination} unreachable - #{code}"),
    }
}

fn unknown_line(packet: &Packet) -> String {
    match &packet.ethernet {
        Some(ethernet) => format!(
            "{} > {}, ethertype Unknown (0x{:04x}), length {}",
            ethernet.source, ethernet.destination, ethernet.ethertype, packet.len
        ),
        None => format!("runt frame, length {}", packet.len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{
        BLOG, READER, TcpSpec, arp_request, ipv4_frame, tcp_frame, udp_frame,
    };

    fn absolute(frame: &[u8]) -> String {
        line(&Packet::decode(frame), frame, None)
    }

    #[test]
    fn a_syn_reads_as_in_tcpdump() {
        let frame = tcp_frame(&TcpSpec {
            options: vec![
                2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7,
            ],
            window: 64240,
            seq: 17,
            ..TcpSpec::new(READER, BLOG, "S")
        });
        assert_eq!(
            absolute(&frame),
            "IP 10.0.0.9.40000 > 10.0.0.2.80: Flags [S], seq 17, win 64240, options \
             [mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7], length 0"
        );
    }

    #[test]
    fn data_shows_both_ends_and_the_line_of_http() {
        let frame = tcp_frame(&TcpSpec {
            seq: 1,
            ack: 9,
            window: 512,
            payload: b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            ..TcpSpec::new(READER, BLOG, "P.")
        });
        assert_eq!(
            absolute(&frame),
            "IP 10.0.0.9.40000 > 10.0.0.2.80: Flags [P.], seq 1:19, ack 9, win 512, length 18: HTTP: GET / HTTP/1.1"
        );
    }

    #[test]
    fn cookies_and_signatures_read_as_in_tcpdump() {
        let shown = |options: &[u8]| {
            absolute(&tcp_frame(&TcpSpec {
                options: options.to_vec(),
                ..TcpSpec::new(READER, BLOG, "S")
            }))
        };
        assert!(shown(&[34, 2, 1, 1]).contains("options [tfo  cookiereq,nop,nop]"));
        assert!(shown(&[34, 6, 1, 2, 3, 0xab, 1, 1]).contains("[tfo  cookie 010203ab,nop,nop]"));
        assert!(shown(&[34, 3, 1, 1]).contains("[tfo  (invalid),nop]"));
        let signed = [&[19, 18][..], &[0xcd; 16], &[1, 1]].concat();
        let digest = "cd".repeat(16);
        assert!(shown(&signed).contains(&format!("[md5 {digest},nop,nop]")));
        assert!(shown(&[19, 3, 1, 1]).contains("[md5 [bad opt],nop]"));
    }

    #[test]
    fn a_malformed_option_is_shown_as_bad() {
        let frame = tcp_frame(&TcpSpec {
            options: vec![1, 2, 0, 0],
            ..TcpSpec::new(READER, BLOG, "S")
        });
        assert!(absolute(&frame).contains("options [nop,mss [bad opt]], length 0"));
    }

    #[test]
    fn arp_and_udp_read_as_in_tcpdump() {
        let frame = arp_request(READER, BLOG);
        assert_eq!(
            absolute(&frame),
            "ARP, Request who-has 10.0.0.2 tell 10.0.0.9, length 28"
        );
        let frame = udp_frame((READER, 5000), (BLOG, 7), b"hello");
        assert_eq!(
            absolute(&frame),
            "IP 10.0.0.9.5000 > 10.0.0.2.7: UDP, length 5"
        );
    }

    #[test]
    fn a_port_that_nobody_listens_to_is_named_by_what_was_quoted() {
        let mut quote = udp_frame((READER, 5000), (BLOG, 9), b"hello").split_off(14);
        let mut message = vec![icmp::UNREACHABLE, 3, 0, 0, 0, 0, 0, 0];
        message.append(&mut quote);
        let frame = ipv4_frame(BLOG, READER, ipv4::ICMP, &message);
        assert_eq!(
            absolute(&frame),
            "IP 10.0.0.2 > 10.0.0.9: ICMP 10.0.0.2 udp port 9 unreachable, length 41"
        );
    }

    #[test]
    fn a_runt_is_named_as_one() {
        assert_eq!(absolute(&[1, 2, 3]), "runt frame, length 3");
    }

    /// Messages and datagrams of version 6 that tcpdump has a line for.
    fn well_formed_v6() -> Vec<Vec<u8>> {
        use crate::view::testing::{BLOG6, READER6, icmpv6_frame, ipv6_frame};
        let target = BLOG6.octets();
        let neighbour = |kind: u8, flags: u8| {
            let head = [kind, 0, 0, 0, flags, 0, 0, 0];
            [&head[..], &target, &[1 + (kind & 1), 1, 2, 0, 0, 0, 0, 1]].concat()
        };
        let datagram = [0x13, 0x88, 0, 9, 0, 13, 0, 0, b'h', b'e', b'l', b'l', b'o'];
        let quote = ipv6_frame(READER6, BLOG6, 17, &datagram).split_off(14);
        let error = |kind: u8, code: u8, word: u32| {
            let head = [&[kind, code, 0, 0][..], &word.to_be_bytes()].concat();
            icmpv6_frame(BLOG6, READER6, &[head, quote.clone()].concat())
        };
        let piece = |offset: u8, more: u8| {
            let header = [17, 0, 0, offset | more, 0, 0, 0, 9];
            [&header[..], &datagram, &[0; 3]].concat()
        };
        vec![
            icmpv6_frame(
                READER6,
                BLOG6,
                &neighbour(icmpv6::NEIGHBOUR_SOLICITATION, 0),
            ),
            icmpv6_frame(
                BLOG6,
                READER6,
                &neighbour(icmpv6::NEIGHBOUR_ADVERTISEMENT, 0x60),
            ),
            icmpv6_frame(READER6, BLOG6, &[133, 0, 0, 0, 0, 0, 0, 0]),
            icmpv6_frame(
                BLOG6,
                READER6,
                &[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            icmpv6_frame(READER6, BLOG6, &[128, 0, 0, 0, 0, 7, 0, 1, 1, 2]),
            icmpv6_frame(BLOG6, READER6, &[129, 0, 0, 0, 0, 7, 0, 1, 1, 2]),
            error(icmpv6::UNREACHABLE, 0, 0),
            error(icmpv6::UNREACHABLE, 3, 0),
            error(icmpv6::UNREACHABLE, 4, 0),
            error(icmpv6::PACKET_TOO_BIG, 0, 1280),
            error(icmpv6::TIME_EXCEEDED, 0, 0),
            error(icmpv6::TIME_EXCEEDED, 1, 0),
            error(icmpv6::PARAMETER_PROBLEM, 1, 6),
            ipv6_frame(READER6, BLOG6, 17, &datagram),
            ipv6_frame(READER6, BLOG6, ipv6::FRAGMENT, &piece(0, 1)),
            ipv6_frame(READER6, BLOG6, ipv6::FRAGMENT, &piece(16, 0)),
            ipv6_frame(READER6, BLOG6, 99, b"something"),
        ]
    }

    /// Frames that tcpdump has a line for, of every sort that is written here.
    fn well_formed() -> Vec<Vec<u8>> {
        let segment = |flags: &str, options: &[u8], payload: &[u8]| {
            tcp_frame(&TcpSpec {
                seq: 17,
                ack: 9,
                options: options.to_vec(),
                payload: payload.to_vec(),
                ..TcpSpec::new(READER, BLOG, flags)
            })
        };
        let icmp = |kind: u8, code: u8, rest: &[u8]| {
            let message = [&[kind, code, 0, 0, 0, 7, 0, 1], rest].concat();
            ipv4_frame(BLOG, READER, ipv4::ICMP, &message)
        };
        let quote = |port: u16| udp_frame((READER, 5000), (BLOG, port), b"hello").split_off(14);
        vec![
            arp_request(READER, BLOG),
            segment(
                "S",
                &[
                    2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7,
                ],
                b"",
            ),
            segment(".", &[1, 1, 5, 10, 0, 0, 0, 5, 0, 0, 0, 9], b""),
            segment("P.", &[], b"GET / HTTP/1.1\r\n\r\n"),
            segment("F.", &[], b""),
            segment("R", &[], b""),
            segment("", &[], b""),
            udp_frame((READER, 5000), (BLOG, 7777), b"hello"),
            icmp(icmp::ECHO_REQUEST, 0, b"ping"),
            icmp(icmp::ECHO_REPLY, 0, b"ping"),
            icmp(icmp::UNREACHABLE, 0, &quote(9)),
            icmp(icmp::UNREACHABLE, 1, &quote(9)),
            icmp(icmp::UNREACHABLE, 3, &quote(9)),
            icmp(icmp::TIME_EXCEEDED, 0, &quote(9)),
            ipv4_frame(READER, BLOG, 99, b"something"),
        ]
    }

    /// The capture of one machine's vif, in the oldest format that tcpdump reads.
    fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = pcap_file::pcap::PcapWriter::new(Vec::new()).expect("a Vec takes all");
        for frame in frames {
            let len = u32::try_from(frame.len()).expect("a short frame");
            let packet = pcap_file::pcap::PcapPacket::new(Default::default(), len, frame);
            writer.write_packet(&packet).expect("a Vec takes all");
        }
        writer.into_writer()
    }

    #[test]
    fn the_real_tcpdump_writes_the_same_lines() {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut command = Command::new("tcpdump");
        command.args(["-n", "-t", "-S", "-r", "-"]);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut tcpdump) = pipes.stderr(Stdio::null()).spawn() else {
            eprintln!("skipped: tcpdump is not installed");
            return;
        };
        let frames = [well_formed(), well_formed_v6()].concat();
        let mut stdin = tcpdump.stdin.take().expect("piped");
        stdin.write_all(&pcap(&frames)).expect("tcpdump reads");
        drop(stdin);
        let output = tcpdump.wait_with_output().expect("tcpdump ends");
        let theirs = String::from_utf8_lossy(&output.stdout);
        let ours: Vec<String> = frames.iter().map(|frame| absolute(frame)).collect();
        let theirs: Vec<&str> = theirs.lines().collect();
        assert_eq!(ours, theirs);
    }
}
