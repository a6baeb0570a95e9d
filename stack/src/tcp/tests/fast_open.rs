//! TCP Fast Open (RFC 7413): what a client and a server say to each other, and what goes on when one of them, or
//! something between them, will not have it.

use alloc::vec::Vec;

use xen_abi::Fuel;

use super::util::*;
use crate::api::{Ready, SocketError, SocketId, SocketOption};
use crate::event::TcpState;
use crate::profile::{FastOpen, MS, Profile, SEC};
use crate::tcp::IcmpError;
use crate::wire::tcp::Segment;
use crate::wire::tcp_options::{Options, TcpOption};

/// MSS 1460, and the cookie `abcd1234`.
const WITH_COOKIE: [u8; 12] = [2, 4, 5, 0xB4, 34, 6, 0xAB, 0xCD, 0x12, 0x34, 1, 1];
const COOKIE: [u8; 4] = [0xAB, 0xCD, 0x12, 0x34];
const NO_OPTIONS: [u8; 4] = [2, 4, 5, 0xB4];

fn profile(fast_open: FastOpen) -> Profile {
    let mut profile = Profile::default();
    profile.tcp.fast_open = FastOpen {
        client: true,
        server: true,
        every_listener: true,
        keys: [Some([7; 16]), None],
        ..fast_open
    };
    profile
}

fn on() -> Profile {
    profile(FastOpen::default())
}

/// The octets of the Fast Open option of a segment.
fn option(bytes: &[u8]) -> Option<Vec<u8>> {
    let segment = Segment::parse(bytes).expect("well formed");
    Options::new(segment.options, &Fuel::unlimited(), &Profile::default()).find_map(|o| match o {
        TcpOption::FastOpen { cookie, .. } => Some(cookie.to_vec()),
        _ => None,
    })
}

/// What is sent now: each segment, and its Fast Open option.
fn sent(solo: &mut Solo) -> Vec<(alloc::string::String, Option<Vec<u8>>)> {
    let all = solo.sent_bytes();
    all.iter().map(|b| (solo.show(b), option(b))).collect()
}

/// A client begins to connect with data; what the call said.
fn connect(solo: &mut Solo, data: &[u8]) -> (SocketId, Result<usize, SocketError>) {
    let socket = solo.host.tcp.socket().expect("room");
    let (route, now) = (route(solo.host.ip), solo.now);
    let tcp = &mut solo.host.tcp;
    let taken = tcp.connect_sending(now, socket, at(PEER), route, data, true);
    if let Ok(local) = solo.host.tcp.local_addr(socket) {
        solo.local = local;
    }
    (socket, taken)
}

/// A client that has got the cookie `abcd1234` before.
fn client(profile: Profile) -> Solo {
    let mut solo = Solo::new(profile);
    let (socket, taken) = connect(&mut solo, b"");
    assert_eq!(taken, Err(SocketError::EINPROGRESS));
    assert_eq!(sent(&mut solo), [("S 0:0(0)".into(), Some(Vec::new()))]);
    solo.inject(seg("S.", 0).ack(1).options(&WITH_COOKIE));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
    solo.host.tcp.abort(solo.now, socket).expect("owned");
    solo.sent();
    solo
}

/// A server's SYN-ACK to a client that asks, and the cookie in it.
fn granted(solo: &mut Solo) -> Vec<u8> {
    solo.peer = at("10.0.0.2:3999");
    solo.inject(seg("S", 0).options(&[34, 2, 1, 1]));
    let answer = sent(solo);
    solo.inject(seg("R", 1));
    solo.peer = at(PEER);
    assert_eq!(answer[0].0, "S. 0:0(0) ack 1");
    answer[0].1.clone().expect("a cookie")
}

fn cookie_option(cookie: &[u8]) -> Vec<u8> {
    let mut bytes = alloc::vec![34, 2 + cookie.len() as u8];
    bytes.extend(cookie);
    bytes.resize(bytes.len().next_multiple_of(4), 1);
    bytes
}

#[test]
fn nobody_gets_fast_open_who_has_not_switched_it_on() {
    let mut solo = Solo::new(Profile::default());
    assert_eq!(connect(&mut solo, b"hi").1, Err(SocketError::EOPNOTSUPP));
}

#[test]
fn a_cookie_lets_data_travel_in_the_syn() {
    let mut solo = client(on());
    let (socket, taken) = connect(&mut solo, b"hello");
    assert_eq!(taken, Ok(5));
    assert_eq!(
        sent(&mut solo),
        [("S 0:5(5)".into(), Some(COOKIE.to_vec()))]
    );
    solo.inject(seg("S.", 0).ack(6).options(&NO_OPTIONS));
    assert_eq!(solo.sent(), [". 6:6(0) ack 1"]);
    assert_eq!(solo.host.tcp.take_error(socket), None);
    assert!(solo.sent_within(10 * SEC).is_empty());
}

#[test]
fn a_syn_holds_no_more_than_the_segment_size_less_the_options() {
    let mut solo = client(on());
    let (_, taken) = connect(&mut solo, &[7; 5_000]);
    // MSS 4, SACK 4, timestamps 12, window scale 4, cookie 8.
    assert_eq!(taken, Ok(1_460 - 32));
    assert_eq!(solo.sent(), ["S 0:1428(1428)"]);
}

#[test]
fn a_syn_that_is_sent_again_is_plain_and_its_data_follow_the_handshake() {
    let mut solo = client(on());
    let _ = connect(&mut solo, b"hello");
    solo.sent();
    solo.now = solo.now.plus(SEC);
    assert_eq!(sent(&mut solo), [("S 0:0(0)".into(), None)]);
    solo.inject(seg("S.", 0).ack(1).options(&NO_OPTIONS));
    assert_eq!(solo.sent(), ["P. 1:6(5) ack 1"]);
}

#[test]
fn data_that_the_syn_ack_does_not_acknowledge_go_again_at_once() {
    let mut solo = client(on());
    let _ = connect(&mut solo, b"hello");
    solo.sent();
    solo.inject(seg("S.", 0).ack(3).options(&NO_OPTIONS));
    assert_eq!(solo.sent(), ["P. 3:6(3) ack 1"]);
}

#[test]
fn a_syn_ack_that_acknowledges_more_than_was_sent_is_reset() {
    let mut solo = client(on());
    let _ = connect(&mut solo, b"hello");
    solo.sent();
    solo.inject(seg("S.", 0).ack(7).options(&NO_OPTIONS));
    assert_eq!(solo.sent(), ["R 7:7(0)"]);
}

#[test]
fn a_connect_that_waits_for_data_is_done_at_once_and_sends_nothing() {
    let mut solo = client(on());
    let socket = solo.host.tcp.socket().expect("room");
    let waits = SocketOption::FastOpenConnect(true);
    solo.host.tcp.set_option(socket, waits).expect("fresh");
    let (now, route) = (solo.now, route(solo.host.ip));
    assert_eq!(solo.host.tcp.connect(now, socket, at(PEER), route), Ok(()));
    assert!(solo.sent_within(SEC).is_empty());
    assert!(solo.host.tcp.ready(socket).contains(Ready::WRITE));
    let mut to = [0; 4];
    let nothing = solo.host.tcp.recv(solo.now, socket, &mut to);
    assert_eq!(nothing, Err(SocketError::EAGAIN));
    assert_eq!(solo.host.tcp.send(solo.now, socket, b"hello"), Ok(5));
    assert_eq!(
        sent(&mut solo),
        [("S 0:5(5)".into(), Some(COOKIE.to_vec()))]
    );
}

#[test]
fn without_a_cookie_a_connect_that_would_wait_asks_for_one() {
    let mut solo = Solo::new(on());
    let socket = solo.host.tcp.socket().expect("room");
    let waits = SocketOption::FastOpenConnect(true);
    solo.host.tcp.set_option(socket, waits).expect("fresh");
    let (now, route) = (solo.now, route(solo.host.ip));
    let begun = solo.host.tcp.connect(now, socket, at(PEER), route);
    assert_eq!(begun, Err(SocketError::EINPROGRESS));
    assert_eq!(sent(&mut solo), [("S 0:0(0)".into(), Some(Vec::new()))]);
}

#[test]
fn a_socket_that_has_fast_open_set_queues_what_does_not_fit() {
    let mut solo = client(on());
    let socket = solo.host.tcp.socket().expect("room");
    let queue = SocketOption::FastOpen(1);
    solo.host.tcp.set_option(socket, queue).expect("fresh");
    let (now, route) = (solo.now, route(solo.host.ip));
    let tcp = &mut solo.host.tcp;
    let taken = tcp.connect_sending(now, socket, at(PEER), route, &[7; 2_000], false);
    assert_eq!(taken, Ok(2_000));
    solo.local = solo.host.tcp.local_addr(socket).expect("bound");
    assert_eq!(solo.sent(), ["S 0:1428(1428)"]);
    solo.inject(seg("S.", 0).ack(1429).options(&NO_OPTIONS));
    assert_eq!(solo.sent(), ["P. 1429:2001(572) ack 1"]);
}

#[test]
fn a_path_that_takes_no_such_syn_gets_a_plain_one_at_once() {
    let mut solo = client(on());
    let _ = connect(&mut solo, &[7; 1_400]);
    solo.sent();
    let (local, peer, quoted) = (solo.local, solo.peer, solo.iss().0);
    let error = IcmpError::PacketTooBig { mtu: 840 };
    solo.host
        .tcp
        .icmp_error(solo.now, local, peer, quoted, 0, error);
    assert_eq!(sent(&mut solo), [("S 0:0(0)".into(), None)]);
    solo.inject(seg("S.", 0).ack(1).options(&NO_OPTIONS));
    assert_eq!(
        solo.sent(),
        [". 1:801(800) ack 1", "P. 801:1401(600) ack 1"]
    );
}

#[test]
fn a_server_gives_a_cookie_and_takes_data_that_come_with_it() {
    let mut solo = Solo::new(on());
    let listener = solo.host.listen(at(LOCAL), 4);
    let cookie = granted(&mut solo);
    let option = cookie_option(&cookie);
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    assert_eq!(sent(&mut solo), [("S. 0:0(0) ack 6".into(), None)]);
    // RFC 7413, 4.2.2: accepted, read and answered before the handshake is over.
    let (socket, _) = solo.host.tcp.accept(listener).expect("opened");
    let mut to = [0; 8];
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut to), Ok(5));
    assert_eq!(solo.host.tcp.send(solo.now, socket, b"world"), Ok(5));
    assert_eq!(solo.sent(), ["P. 1:6(5) ack 6"]);
    solo.inject(seg(".", 6).ack(6));
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::Established));
}

#[test]
fn a_wrong_cookie_gets_the_right_one_and_its_data_are_not_taken() {
    let mut solo = Solo::new(on());
    let listener = solo.host.listen(at(LOCAL), 4);
    let right = granted(&mut solo);
    let option = cookie_option(&[1; 8]);
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    assert_eq!(sent(&mut solo), [("S. 0:0(0) ack 1".into(), Some(right))]);
    assert_eq!(solo.host.tcp.accept(listener), Err(SocketError::EAGAIN));
}

#[test]
fn a_lost_syn_ack_is_repeated_without_the_data_behind_it() {
    let mut solo = Solo::new(on());
    let listener = solo.host.listen(at(LOCAL), 4);
    let option = cookie_option(&granted(&mut solo));
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    let (socket, _) = solo.host.tcp.accept(listener).expect("opened");
    solo.host
        .tcp
        .send(solo.now, socket, b"world")
        .expect("room");
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 6", "P. 1:6(5) ack 6"]);
    solo.now = solo.now.plus(SEC);
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 6"]);
    solo.inject(seg(".", 6).ack(1));
    assert_eq!(solo.sent(), ["P. 1:6(5) ack 6"]);
}

#[test]
fn connections_that_open_fast_are_bounded() {
    let mut solo = Solo::new(on());
    let listener = solo.host.listen(at(LOCAL), 8);
    let queue = SocketOption::FastOpen(1);
    solo.host.tcp.set_option(listener, queue).expect("fresh");
    let option = cookie_option(&granted(&mut solo));
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 6"]);
    let first = solo.iss();
    solo.peer = at("10.0.0.2:4001");
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    assert_eq!(sent(&mut solo), [("S. 0:0(0) ack 1".into(), None)]);
    // The first one's handshake ends: there is room again.
    solo.peer = at(PEER);
    let ack = first.since(solo.iss()).wrapping_add(1);
    solo.inject(seg(".", 6).ack(ack));
    solo.peer = at("10.0.0.2:4002");
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 6"]);
    // RFC 7413, 5.1: a reset does not make room at once.
    solo.inject(seg("R", 6));
    solo.peer = at("10.0.0.2:4003");
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
    solo.now = solo.now.plus(60 * SEC);
    solo.sent();
    solo.peer = at("10.0.0.2:4004");
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 6"]);
}

#[test]
fn what_came_before_a_reset_can_be_accepted_and_read() {
    let mut profile = on();
    profile.tcp.text_outlives_reset = true;
    let mut solo = Solo::new(profile);
    let listener = solo.host.listen(at(LOCAL), 4);
    let option = cookie_option(&granted(&mut solo));
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    solo.sent();
    solo.inject(seg("R.", 6).ack(1));
    let (socket, _) = solo.host.tcp.accept(listener).expect("opened");
    let mut to = [0; 8];
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut to), Ok(5));
    let error = solo.host.tcp.recv(solo.now, socket, &mut to);
    assert_eq!(error, Err(SocketError::ECONNRESET));
}

#[test]
fn a_listener_that_closes_resets_what_nobody_accepted() {
    let mut solo = Solo::new(on());
    let listener = solo.host.listen(at(LOCAL), 4);
    let option = cookie_option(&granted(&mut solo));
    solo.inject(seg("S", 0).options(&option).text(b"hello"));
    solo.sent();
    solo.host.tcp.close(solo.now, listener).expect("owned");
    assert_eq!(solo.sent(), ["R. 1:1(0) ack 6"]);
}

#[test]
fn two_engines_open_fast_and_the_stream_arrives() {
    let mut pair = Pair::new(on());
    pair.connected();
    let socket = pair.hosts[0].tcp.socket().expect("room");
    for (round, taken) in [Err(SocketError::EINPROGRESS), Ok(5)]
        .into_iter()
        .enumerate()
    {
        let socket = if round == 0 {
            socket
        } else {
            pair.hosts[0].tcp.socket().expect("room")
        };
        let host = &mut pair.hosts[0];
        let (now, route) = (pair.now, route(host.ip));
        let got = host
            .tcp
            .connect_sending(now, socket, at("10.0.0.2:80"), route, b"hello", true);
        assert_eq!(got, taken);
        pair.run(100 * MS);
    }
    // The second one's data came with its SYN: no state between them and the application but SYN-RECEIVED.
    let states = pair.hosts[1].log.states();
    assert_eq!(states.last(), Some(&TcpState::Established));
}
