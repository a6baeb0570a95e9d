//! How connections begin: RFC 9293, 3.5, figures 6 to 9, and listeners.

use alloc::string::ToString;

use super::util::*;
use crate::api::{Ready, SocketError, SocketOption};
use crate::event::{TcpNote, TcpState::*};
use crate::profile::{MS, Profile, SEC};

/// A server that has the text of a SYN may answer at once (RFC 7413, 4.2.2), and a device hands over both segments
/// together.
#[test]
fn text_right_behind_the_syn_ack_is_taken_although_nothing_was_sent_since() {
    let mut solo = Solo::new(Profile::default());
    let socket = solo.host.connect(solo.now, at(PEER));
    solo.local = solo.host.tcp.local_addr(socket).expect("bound");
    assert_eq!(solo.sent(), ["S 0:0(0)"]);
    solo.inject(seg("S.", 0).ack(1));
    solo.inject(seg("P.", 1).ack(1).text(b"hello"));
    let mut to = [0; 10];
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut to), Ok(5));
    assert_eq!(solo.sent(), [". 1:1(0) ack 6"]);
}

#[test]
fn a_three_way_handshake_opens_both_ends() {
    let mut pair = Pair::new(Profile::default());
    let (client, server) = pair.connected();
    assert_eq!(pair.hosts[0].log.states(), [SynSent, Established]);
    assert_eq!(
        pair.hosts[1].log.states(),
        [Listen, SynReceived, Established]
    );
    assert!(pair.hosts[0].tcp.ready(client).contains(Ready::WRITE));
    assert_eq!(
        pair.hosts[1].tcp.peer_addr(server),
        pair.hosts[0].tcp.local_addr(client)
    );
    assert_eq!(pair.packets(), 3);
}

#[test]
fn both_ends_may_open_at_once() {
    let mut pair = Pair::new(Profile::default());
    let mut sockets = alloc::vec::Vec::new();
    for (host, local, remote) in [
        (0, "10.0.0.1:5000", "10.0.0.2:6000"),
        (1, "10.0.0.2:6000", "10.0.0.1:5000"),
    ] {
        let h = &mut pair.hosts[host];
        let socket = h.tcp.socket().expect("room");
        h.tcp.bind(socket, at(local)).expect("free");
        let begun = h.tcp.connect(pair.now, socket, at(remote), route(h.ip));
        assert_eq!(begun, Err(SocketError::EINPROGRESS));
        sockets.push(socket);
    }
    pair.run(SEC);
    for host in &pair.hosts {
        assert_eq!(host.log.states(), [SynSent, SynReceived, Established]);
    }
    assert_eq!(
        pair.hosts[0].tcp.send(pair.now, sockets[0], b"hello"),
        Ok(5)
    );
    pair.run(SEC);
    let mut to = [0; 8];
    assert_eq!(pair.hosts[1].tcp.recv(pair.now, sockets[1], &mut to), Ok(5));
}

#[test]
fn a_lost_syn_is_sent_again_after_a_second_then_after_two() {
    let mut solo = Solo::new(Profile::default());
    solo.host.connect(solo.now, at(PEER));
    let times: alloc::vec::Vec<u64> = solo
        .sent_within(20 * SEC)
        .into_iter()
        .map(|(ms, _)| ms)
        .collect();
    assert_eq!(times, [0, 1000, 3000, 7000, 15_000]);
}

#[test]
fn a_syn_that_nobody_answers_times_out_after_three_minutes() {
    let mut solo = Solo::new(Profile::default());
    let socket = solo.host.connect(solo.now, at(PEER));
    solo.sent_within(179 * SEC);
    assert_eq!(solo.host.tcp.take_error(socket), None);
    solo.sent_within(60 * SEC);
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::ETIMEDOUT)
    );
    assert_eq!(solo.host.log.states(), [SynSent, Closed]);
}

#[test]
fn a_reset_refuses_a_connect() {
    let mut pair = Pair::new(Profile::default());
    let client = pair.hosts[0].connect(pair.now, at("10.0.0.2:81"));
    pair.run(SEC);
    let tcp = &mut pair.hosts[0].tcp;
    assert_eq!(tcp.next_ready(), Some(client));
    assert!(
        tcp.ready(client)
            .contains(Ready::WRITE | Ready::ERROR | Ready::HANGUP)
    );
    assert_eq!(tcp.take_error(client), Some(SocketError::ECONNREFUSED));
    assert_eq!(tcp.close(pair.now, client), Ok(()));
    assert_eq!(tcp.close(pair.now, client), Err(SocketError::EBADF));
}

/// A connection in SYN-SENT.
fn in_syn_sent() -> (Solo, crate::api::SocketId) {
    let mut solo = Solo::new(Profile::default());
    let socket = solo.host.connect(solo.now, at(PEER));
    solo.local = solo.host.tcp.local_addr(socket).expect("bound");
    assert_eq!(solo.sent(), ["S 0:0(0)"]);
    (solo, socket)
}

#[test]
fn in_syn_sent_only_a_syn_counts_and_a_reset_that_acknowledges_it() {
    let (mut solo, _) = in_syn_sent();
    for ignored in [seg("R", 0), seg(".", 0).ack(1), seg("F.", 0).ack(1)] {
        solo.inject(ignored);
        assert!(solo.sent().is_empty());
    }
    solo.inject(seg("R.", 0).ack(2));
    assert_eq!(solo.host.log.states(), [SynSent]);
    solo.inject(seg("R.", 0).ack(1));
    assert_eq!(solo.host.log.states(), [SynSent, Closed]);
}

#[test]
fn text_that_comes_with_the_answer_to_a_syn_is_kept() {
    let (mut solo, socket) = in_syn_sent();
    solo.inject(seg("S.", 0).ack(1).text(b"hello"));
    assert_eq!(solo.sent(), [". 1:1(0) ack 6"]);
    let mut to = [0; 8];
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut to), Ok(5));
}

#[test]
fn the_window_of_a_syn_that_crosses_ours_is_not_scaled() {
    let (mut solo, socket) = in_syn_sent();
    let shift = [3, 3, 7, 1];
    solo.inject(seg("S", 0).win(1_000).options(&shift));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
    solo.inject(seg("S.", 0).ack(1).win(1_000).options(&shift));
    let window = |solo: &Solo| {
        let info = solo.host.tcp.info(solo.now, socket).expect("owned");
        (info.state, info.snd_wnd)
    };
    assert_eq!(window(&solo), (Established, 1_000));
    solo.inject(seg("P.", 1).ack(1).win(1_000).text(b"x"));
    assert_eq!(window(&solo), (Established, 128_000));
}

#[test]
fn a_listener_answers_neither_a_reset_nor_what_acknowledges_nothing() {
    let mut solo = Solo::new(Profile::default());
    solo.host.listen(at(LOCAL), 4);
    for flags in ["R", "SR", "F", "P", ""] {
        solo.inject(seg(flags, 5).text(b"x"));
        assert!(solo.sent().is_empty(), "{flags}");
    }
    assert_eq!(solo.host.log.states(), [Listen]);
    solo.inject(seg(".", 5).ack(9));
    assert_eq!(solo.sent(), ["R 9:9(0)"]);
}

#[test]
fn a_repeated_syn_gets_the_syn_ack_again_and_never_a_reset() {
    let mut solo = Solo::new(Profile::default());
    solo.host.listen(at(LOCAL), 1);
    for _ in 0..3 {
        solo.inject(seg("S", 0));
        assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
    }
}

#[test]
fn an_ack_that_acknowledges_nothing_of_ours_is_reset_in_syn_received() {
    let mut solo = Solo::new(Profile::default());
    solo.host.listen(at(LOCAL), 1);
    solo.inject(seg("S", 0));
    solo.sent();
    solo.inject(seg(".", 1).ack(77));
    assert_eq!(solo.sent(), ["R 77:77(0)"]);
}

#[test]
fn an_ack_for_nobody_is_reset_and_a_reset_is_not() {
    let mut solo = Solo::new(Profile::default());
    solo.inject(seg(".", 5).ack(9));
    assert_eq!(solo.sent(), ["R 9:9(0)"]);
    solo.inject(seg("S", 5));
    assert_eq!(solo.sent_bytes().len(), 1);
    solo.inject(seg("R", 5));
    assert_eq!(solo.sent_bytes().len(), 0);
}

#[test]
fn syns_beyond_the_backlog_are_dropped_and_counted() {
    let mut pair = Pair::new(Profile::default());
    let listener = pair.hosts[1].listen(at("10.0.0.2:80"), 1);
    for _ in 0..3 {
        pair.hosts[0].connect(pair.now, at("10.0.0.2:80"));
        pair.run(100 * MS);
    }
    assert_eq!(pair.hosts[1].log.count(TcpNote::ListenOverflow), 2);
    pair.hosts[1].tcp.accept(listener).expect("one waits");
    pair.run(5 * SEC);
    pair.hosts[1]
        .tcp
        .accept(listener)
        .expect("its SYN came again");
}

#[test]
fn half_open_connections_are_bounded_and_forgotten() {
    let mut profile = Profile::default();
    profile.tcp.syn_queue = 10;
    let mut solo = Solo::new(profile);
    solo.host.listen(at(LOCAL), 100);
    for port in 1..=20 {
        solo.peer.set_port(port);
        solo.inject(seg("S", 0));
    }
    assert_eq!(solo.host.log.count(TcpNote::ListenOverflow), 10);
    solo.sent_within(120 * SEC);
    assert_eq!(solo.host.tcp.poll_at(solo.now), None);
}

#[test]
fn text_that_comes_with_the_last_ack_of_the_handshake_is_kept() {
    let mut solo = Solo::new(Profile::default());
    let listener = solo.host.listen(at(LOCAL), 1);
    solo.inject(seg("S", 0));
    solo.sent();
    solo.inject(seg("P.", 1).ack(1).text(b"GET"));
    let (socket, peer) = solo.host.tcp.accept(listener).expect("established");
    assert_eq!(peer, at(PEER));
    let mut to = [0; 8];
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut to), Ok(3));
}

#[test]
fn closing_a_listener_resets_what_nobody_accepted() {
    let mut pair = Pair::new(Profile::default());
    let listener = pair.hosts[1].listen(at("10.0.0.2:80"), 1);
    let client = pair.hosts[0].connect(pair.now, at("10.0.0.2:80"));
    pair.run(SEC);
    pair.hosts[1].tcp.close(pair.now, listener).expect("open");
    pair.run(SEC);
    assert_eq!(
        pair.hosts[0].tcp.take_error(client),
        Some(SocketError::ECONNRESET)
    );
}

#[test]
fn groups_are_refused_in_both_versions() {
    let mut solo = Solo::new(Profile::default());
    let socket = solo.host.tcp.socket().expect("room");
    let tcp = &mut solo.host.tcp;
    let bound = tcp.bind(socket, at("224.0.0.1:80"));
    assert_eq!(bound, Err(SocketError::EADDRNOTAVAIL));
    let way = route(at(LOCAL).ip());
    let mut connect = |to| tcp.connect(solo.now, socket, at(to), way);
    assert_eq!(connect("[ff02::1]:80"), Err(SocketError::EADDRNOTAVAIL));
    assert_eq!(connect("224.0.0.1:80"), Err(SocketError::EADDRNOTAVAIL));
    for nobody in ["255.255.255.255:80", "0.0.0.0:80", "[::]:80"] {
        assert_eq!(connect(nobody), Err(SocketError::EADDRNOTAVAIL));
    }
}

#[test]
fn the_segment_size_stands_in_syn_segments_and_nowhere_else() {
    let mut solo = Solo::new(Profile::default());
    let socket = solo.host.connect(solo.now, at(PEER));
    solo.local = solo.host.tcp.local_addr(socket).expect("bound");
    let syn = solo.sent_bytes();
    assert_eq!(syn[0][20..24], [2, 4, 5, 0xB4]);
    solo.show(&syn[0]);
    solo.inject(seg("S.", 0).ack(1).options(&[2, 4, 5, 0xB4]));
    solo.host.tcp.send(solo.now, socket, b"x").expect("room");
    let later = solo.sent_bytes();
    assert!(!later.is_empty());
    assert!(later.iter().all(|bytes| bytes[12] >> 4 == 5), "no options");
    // The answer to a SYN names it too, even if that SYN does not.
    let mut solo = Solo::new(Profile::default());
    solo.host.listen(at(LOCAL), 1);
    solo.inject(seg("S", 0));
    assert_eq!(solo.sent_bytes()[0][20..24], [2, 4, 5, 0xB4]);
}

#[test]
fn a_reset_sends_a_half_open_connection_back_to_where_it_came_from() {
    // From LISTEN: nobody learns of it, and it leaves nothing behind. There is room for the listener and one more.
    let mut profile = Profile::default();
    profile.tcp.max_sockets = 2;
    let mut solo = Solo::new(profile);
    let listener = solo.host.listen(at(LOCAL), 4);
    for _ in 0..5 {
        solo.inject(seg("S", 0));
        assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
        solo.inject(seg("R", 1));
    }
    let accepted = solo.host.tcp.accept(listener);
    assert_eq!(accepted, Err(SocketError::EAGAIN));
    // From an active OPEN: "connection refused".
    let mut solo = Solo::new(Profile::default());
    let socket = solo.host.connect(solo.now, at(PEER));
    solo.local = solo.host.tcp.local_addr(socket).expect("bound");
    solo.sent();
    solo.inject(seg("S", 0));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
    solo.inject(seg("R", 1));
    assert_eq!(solo.host.log.states(), [SynSent, SynReceived, Closed]);
    let error = solo.host.tcp.take_error(socket);
    assert_eq!(error, Some(SocketError::ECONNREFUSED));
}

#[test]
fn a_second_passive_open_of_an_address_is_refused_and_the_first_goes_on() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    for reuse in [false, true] {
        let tcp = &mut solo.host.tcp;
        let second = tcp.socket().expect("room");
        let option = SocketOption::ReuseAddr(reuse);
        tcp.set_option(second, option).expect("fresh");
        let bound = tcp.bind(second, at(LOCAL));
        assert_eq!(bound, Err(SocketError::EADDRINUSE));
        let listens = tcp.listen(second, 4);
        assert_eq!(listens, Err(SocketError::EDESTADDRREQ));
    }
    solo.host.tcp.send(solo.now, socket, b"x").expect("room");
    assert_eq!(solo.sent(), ["P. 1:2(1) ack 1"]);
    solo.peer.set_port(5);
    solo.inject(seg("S", 0));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
}

#[test]
fn a_port_can_listen_while_a_connection_from_it_opens() {
    let mut solo = Solo::new(Profile::default());
    let connecting = solo.host.connect(solo.now, at(PEER));
    solo.local = solo.host.tcp.local_addr(connecting).expect("bound");
    assert_eq!(solo.sent(), ["S 0:0(0)"]);
    let tcp = &mut solo.host.tcp;
    let listener = tcp.socket().expect("room");
    let option = SocketOption::ReuseAddr(true);
    tcp.set_option(listener, option).expect("fresh");
    tcp.bind(listener, solo.local)
        .expect("SYN-SENT is no hindrance");
    tcp.listen(listener, 4).expect("bound");
    // Our SYN is answered to the connection, another one by the listener.
    solo.inject(seg("S.", 0).ack(1));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
    assert!(solo.host.tcp.ready(connecting).contains(Ready::WRITE));
    solo.peer.set_port(5);
    solo.inject(seg("S", 0));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
    // And with that one in SYN-RECEIVED the port listens on.
    solo.peer.set_port(6);
    solo.inject(seg("S", 0));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
}

#[test]
fn an_open_may_name_the_local_address_and_otherwise_ip_does() {
    for (named, source) in [(Some("10.0.0.7:5000"), "10.0.0.7"), (None, "10.0.0.1")] {
        let mut solo = Solo::new(Profile::default());
        let socket = solo.host.tcp.socket().expect("room");
        if let Some(local) = named {
            solo.host.tcp.bind(socket, at(local)).expect("free");
        }
        let way = route(solo.host.ip);
        let begun = solo.host.tcp.connect(solo.now, socket, at(PEER), way);
        assert_eq!(begun, Err(SocketError::EINPROGRESS));
        let packets = solo.host.transmit(solo.now);
        assert_eq!(packets[0].0.src.to_string(), source);
    }
    // A passive one as well: who asks for another address finds nobody.
    let mut solo = Solo::new(Profile::default());
    solo.host.listen(at("10.0.0.7:80"), 4);
    for (to, answer) in [
        ("10.0.0.7:80", "S. 0:0(0) ack 1"),
        (LOCAL, "R. 0:0(0) ack 1"),
    ] {
        solo.local = at(to);
        solo.inject(seg("S", 0));
        let sent = solo.sent_bytes();
        solo.show(&sent[0]);
        let flags = &solo.show(&sent[0])[..2];
        assert_eq!(flags, &answer[..2]);
    }
}

#[test]
fn a_connection_keeps_its_address_when_its_way_changes() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host.ip = at("10.0.0.7:0").ip();
    solo.host.tcp.route_changed(solo.peer.ip());
    solo.host.tcp.send(solo.now, socket, b"x").expect("room");
    let packets = solo.host.transmit(solo.now);
    assert_eq!(packets[0].0.src, solo.local.ip());
}

#[test]
fn a_reset_may_hold_text() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg("R", 1).text(b"why"));
    let error = solo.host.tcp.take_error(socket);
    assert_eq!(error, Some(SocketError::ECONNRESET));
}

#[test]
fn a_listener_for_version_6_only_takes_nobody_of_version_4() {
    for (only, answer) in [(false, "S. 0:0(0) ack 1"), (true, "R. 0:0(0) ack 1")] {
        let mut solo = Solo::new(Profile::default());
        let tcp = &mut solo.host.tcp;
        let socket = tcp.socket().expect("room");
        let option = crate::api::SocketOption::OnlyV6(only);
        tcp.set_option(socket, option).expect("it is known");
        tcp.bind(socket, at("[::]:80")).expect("free");
        tcp.listen(socket, 1).expect("bound");
        solo.inject(seg("S", 0));
        assert_eq!(solo.sent(), [answer]);
    }
}
