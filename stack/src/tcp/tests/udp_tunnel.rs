//! Segments in UDP datagrams: what goes in one, and what keeps connections of different ways apart.

use alloc::string::String;
use alloc::vec::Vec;

use super::util::*;
use crate::api::{SocketError, SocketOption};
use crate::checksum::Sum;
use crate::profile::Profile;
use crate::tcp::IcmpError;
use crate::wire::ipv4::Protocol;

const TUNNEL: u16 = 9811;

fn on() -> Profile {
    let mut profile = Profile::default();
    profile.tcp.udp_tunnel.port = TUNNEL;
    profile
}

/// What is sent now: the UDP ports, if it is in a datagram whose checksum holds, and the segment.
fn sent(solo: &mut Solo) -> Vec<(Option<(u16, u16)>, String)> {
    let packets = solo.host.transmit(solo.now);
    let show = |(ip, bytes): (crate::tcp::IpPacket, Vec<u8>)| {
        if ip.protocol != Protocol::UDP.0 {
            return (None, solo.show(&bytes));
        }
        let mut sum = Sum::pseudo(ip.src, ip.dst, ip.protocol, bytes.len());
        sum.add(&bytes);
        assert_eq!(sum.finish(), 0, "the datagram's checksum");
        assert_eq!(bytes[24..26], [0, 0], "the segment's is left out");
        let port = |at| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        assert_eq!(usize::from(port(4)), bytes.len());
        (Some((port(0), port(2))), solo.show(&bytes[8..]))
    };
    packets.into_iter().map(show).collect()
}

fn connect(solo: &mut Solo, port: u16) -> crate::api::SocketId {
    let socket = solo.host.tcp.socket().expect("room");
    let option = SocketOption::RemoteUdpPort(port);
    solo.host.tcp.set_option(socket, option).expect("fresh");
    let (now, route) = (solo.now, route(solo.host.ip));
    let begun = solo.host.tcp.connect(now, socket, at(PEER), route);
    assert_eq!(begun, Err(SocketError::EINPROGRESS));
    solo.local = solo.host.tcp.local_addr(socket).expect("bound");
    socket
}

#[test]
fn a_port_is_refused_where_there_is_no_tunnel_and_once_a_socket_is_in_use() {
    let mut solo = Solo::new(Profile::default());
    let socket = solo.host.tcp.socket().expect("room");
    let mut set = |port| {
        let option = SocketOption::RemoteUdpPort(port);
        solo.host.tcp.set_option(socket, option)
    };
    assert_eq!(set(1), Err(SocketError::EINVAL));
    assert_eq!(set(0), Ok(()));
    let mut solo = Solo::new(on());
    let listener = solo.host.listen(at(LOCAL), 4);
    let option = SocketOption::RemoteUdpPort(0);
    let late = solo.host.tcp.set_option(listener, option);
    assert_eq!(late, Err(SocketError::EINVAL));
}

#[test]
fn a_connect_with_a_udp_port_travels_in_datagrams_and_announces_eight_octets_less() {
    let mut solo = Solo::new(on());
    connect(&mut solo, 1);
    let packets = solo.host.transmit(solo.now);
    let (ip, bytes) = &packets[0];
    assert_eq!((ip.protocol, &bytes[..4]), (17, &[0x26, 0x53, 0, 1][..]));
    assert_eq!(bytes[28..32], [2, 4, 5, 0xAC], "MSS 1452");
    solo.show(&bytes[8..]);
    solo.udp_port = 1;
    solo.inject(seg("S.", 0).ack(1));
    assert_eq!(
        sent(&mut solo),
        [(Some((TUNNEL, 1)), ". 1:1(0) ack 1".into())]
    );
}

#[test]
fn a_listener_answers_as_it_was_asked() {
    let mut solo = Solo::new(on());
    solo.host.listen(at(LOCAL), 4);
    solo.udp_port = 7;
    solo.inject(seg("S", 0));
    assert_eq!(
        sent(&mut solo),
        [(Some((TUNNEL, 7)), "S. 0:0(0) ack 1".into())]
    );
    solo.peer = at("10.0.0.2:4001");
    solo.local = at("10.0.0.1:81");
    solo.inject(seg("S", 0));
    let answers = sent(&mut solo);
    assert!(answers.iter().all(|(ports, _)| *ports == Some((TUNNEL, 7))));
    assert!(answers[0].1.starts_with("R. "), "{answers:?}");
}

#[test]
fn a_segment_that_came_another_way_is_reset_and_changes_nothing() {
    let mut solo = Solo::new(on());
    let listener = solo.host.listen(at(LOCAL), 4);
    solo.udp_port = 7;
    solo.inject(seg("S", 0));
    sent(&mut solo);
    for (port, ports) in [(0, None), (8, Some((TUNNEL, 8)))] {
        solo.udp_port = port;
        solo.inject(seg(".", 1).ack(1));
        assert_eq!(sent(&mut solo), [(ports, "R 1:1(0)".into())]);
    }
    assert_eq!(solo.host.tcp.accept(listener), Err(SocketError::EAGAIN));
    solo.udp_port = 7;
    solo.inject(seg(".", 1).ack(1));
    assert!(solo.host.tcp.accept(listener).is_ok());
}

#[test]
fn an_error_counts_that_quotes_the_right_datagram() {
    let mut solo = Solo::new(on());
    let socket = connect(&mut solo, 1);
    sent(&mut solo).clear();
    let (local, peer, seq) = (solo.local, solo.peer, solo.iss().0);
    let mut error = |port| {
        let unreachable = IcmpError::PortUnreachable;
        let tcp = &mut solo.host.tcp;
        tcp.icmp_error(solo.now, local, peer, seq, port, unreachable);
        tcp.take_error(socket)
    };
    assert_eq!(error(2), None);
    assert_eq!(error(0), None);
    assert_eq!(error(1), Some(SocketError::ECONNREFUSED));
}
