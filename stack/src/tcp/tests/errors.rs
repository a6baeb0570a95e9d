//! What ICMP messages do to connections (RFC 9293, 3.9.2.2; RFC 5927), and paths that are gone.

use super::util::*;
use crate::api::SocketError;
use crate::event::{TcpNote, TcpState};
use crate::profile::{Profile, SEC};
use crate::tcp::IcmpError;

/// The ICMP message quotes the octet `seq` behind our SYN.
fn icmp(solo: &mut Solo, seq: u32, error: IcmpError) {
    let quoted = solo.iss().plus(seq).0;
    let (local, peer) = (solo.local, solo.peer);
    solo.host
        .tcp
        .icmp_error(solo.now, local, peer, quoted, 0, error);
}

#[test]
fn a_port_that_is_unreachable_refuses_a_connect() {
    let mut solo = Solo::new(Profile::default());
    let socket = solo.host.connect(solo.now, at(PEER));
    solo.local = solo.host.tcp.local_addr(socket).expect("bound");
    solo.sent();
    icmp(&mut solo, 0, IcmpError::PortUnreachable);
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::ECONNREFUSED)
    );
}

#[test]
fn a_soft_error_is_only_the_reason_when_the_connection_times_out() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host
        .tcp
        .send(solo.now, socket, b"hello")
        .expect("room");
    solo.sent();
    icmp(&mut solo, 1, IcmpError::HostUnreachable);
    icmp(&mut solo, 1, IcmpError::SourceQuench);
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::Established));
    solo.sent_within(1_000 * SEC);
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::EHOSTUNREACH)
    );
}

#[test]
fn a_source_quench_changes_nothing() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
    let text = [7; 14_600];
    solo.host.tcp.send(solo.now, socket, &text).expect("room");
    assert_eq!(solo.sent().len(), 10);
    let window = |solo: &Solo| {
        let info = solo.host.tcp.info(solo.now, socket).expect("owned");
        (info.snd_cwnd, info.snd_ssthresh)
    };
    let before = window(&solo);
    icmp(&mut solo, 1, IcmpError::SourceQuench);
    assert_eq!(window(&solo), before);
    assert!(solo.sent().is_empty());
    solo.sent_within(1_000 * SEC);
    let error = solo.host.tcp.take_error(socket);
    assert_eq!(error, Some(SocketError::ETIMEDOUT), "not its reason either");
}

#[test]
fn a_port_that_is_unreachable_does_not_end_an_established_connection() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host
        .tcp
        .send(solo.now, socket, b"hello")
        .expect("room");
    solo.sent();
    icmp(&mut solo, 1, IcmpError::PortUnreachable);
    solo.inject(seg(".", 1).ack(6));
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::Established));
}

#[test]
fn a_message_about_what_is_not_under_way_is_ignored() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 3_000])
        .expect("room");
    solo.sent();
    for seq in [0, 50_000] {
        icmp(&mut solo, seq, IcmpError::PacketTooBig { mtu: 600 });
    }
    assert!(solo.sent().is_empty());
}

#[test]
fn a_smaller_path_gets_smaller_segments_at_once() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 2_920])
        .expect("room");
    assert_eq!(solo.sent().len(), 2);
    icmp(&mut solo, 1, IcmpError::PacketTooBig { mtu: 1_040 });
    assert_eq!(
        solo.sent(),
        [
            ". 1:1001(1000) ack 1",
            ". 1001:2001(1000) ack 1",
            "P. 2001:2921(920) ack 1"
        ]
    );
    assert_eq!(solo.host.log.count(TcpNote::RtoExpired), 0);
}

#[test]
fn a_path_that_takes_as_much_as_before_is_no_news() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
    let text = [7; 2_920];
    solo.host.tcp.send(solo.now, socket, &text).expect("room");
    assert_eq!(solo.sent().len(), 2);
    for mtu in [1_500, 9_000] {
        icmp(&mut solo, 1, IcmpError::PacketTooBig { mtu });
        assert!(solo.sent().is_empty(), "{mtu}");
    }
}

#[test]
fn a_tiny_path_is_not_believed() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 432])
        .expect("room");
    solo.sent();
    icmp(&mut solo, 1, IcmpError::PacketTooBig { mtu: 1 });
    assert_eq!(solo.sent(), [". 1:217(216) ack 1", "P. 217:433(216) ack 1"]);
}

#[test]
fn a_router_that_names_no_size_gets_the_next_lower_common_one() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 1_460])
        .expect("room");
    solo.sent();
    icmp(&mut solo, 1, IcmpError::PacketTooBig { mtu: 0 });
    // RFC 1191, 7.1: below 1500 comes 1492.
    assert_eq!(
        solo.sent(),
        [". 1:1453(1452) ack 1", "P. 1453:1461(8) ack 1"]
    );
}

#[test]
fn which_errors_end_a_connect_is_the_profile_s_choice() {
    let ends = |profile: Profile, error| {
        let mut solo = Solo::new(profile);
        let socket = solo.host.connect(solo.now, at(PEER));
        solo.local = solo.host.tcp.local_addr(socket).expect("bound");
        solo.sent();
        icmp(&mut solo, 0, error);
        solo.host.tcp.take_error(socket)
    };
    let host = |profile| ends(profile, IcmpError::HostUnreachable);
    assert_eq!(host(Profile::rfc()), None);
    assert_eq!(host(Profile::freebsd()), None);
    assert_eq!(host(Profile::linux()), Some(SocketError::EHOSTUNREACH));
    let prohibited = |profile| ends(profile, IcmpError::Prohibited);
    assert_eq!(prohibited(Profile::rfc()), None);
    assert_eq!(
        prohibited(Profile::freebsd()),
        Some(SocketError::ECONNREFUSED)
    );
    let late = |profile| ends(profile, IcmpError::TimeExceeded);
    assert_eq!(late(Profile::rfc()), None);
    assert_eq!(late(Profile::freebsd()), Some(SocketError::EHOSTUNREACH));
}

#[test]
fn a_half_open_connection_is_forgotten_where_the_profile_says_so() {
    let mut solo = Solo::new(Profile::linux());
    solo.host.listen(at(LOCAL), 4);
    solo.inject(seg("S", 0).options(&[2, 4, 5, 0xB4]));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
    icmp(&mut solo, 0, IcmpError::HostUnreachable);
    solo.inject(seg(".", 1).ack(1));
    assert_eq!(solo.sent(), ["R 1:1(0)"]);
}

#[test]
fn messages_about_what_is_not_under_way_are_counted() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    icmp(&mut solo, 5_000, IcmpError::HostUnreachable);
    assert_eq!(solo.host.tcp.out_of_window_icmps(), 1);
}

#[test]
fn the_application_can_set_when_its_connection_is_given_up() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    let option = crate::api::SocketOption::UserTimeout(3_000);
    solo.host.tcp.set_option(socket, option).expect("owned");
    solo.host.tcp.send(solo.now, socket, b"x").expect("room");
    let sent = solo.sent_within(60 * SEC);
    assert!(sent.last().expect("a reset").0 <= 4_000, "{sent:?}");
    let error = solo.host.tcp.take_error(socket);
    assert_eq!(error, Some(SocketError::ETIMEDOUT));
}

#[test]
fn what_is_written_meanwhile_does_not_put_off_the_end() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    for option in [
        crate::api::SocketOption::UserTimeout(5_000),
        crate::api::SocketOption::NoDelay(true),
    ] {
        solo.host.tcp.set_option(socket, option).expect("owned");
    }
    let writes = (0..20).take_while(|_| {
        solo.sent_within(SEC);
        solo.host.tcp.send(solo.now, socket, b"x").is_ok()
    });
    // The timeouts come after 1, 3 and 7 s.
    let writes = writes.count();
    assert!((7..=9).contains(&writes), "{writes}");
}

#[test]
fn an_application_can_ask_how_often_its_text_was_sent_again() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host.tcp.send(solo.now, socket, b"x").expect("room");
    solo.sent_within(8 * SEC);
    let now = solo.now;
    let info = solo.host.tcp.info(now, socket).expect("owned");
    // RFC 9293, 3.8.3: R1 is three retransmissions.
    assert_eq!(info.retransmits, Profile::default().tcp.r1_retransmits);
    assert_eq!(info.retransmits, 3);
}
