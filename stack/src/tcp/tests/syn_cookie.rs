//! SYN cookies (RFC 4987, 3.6): a flood costs nothing, and honest clients get through it.

use alloc::vec;
use alloc::vec::Vec;

use super::util::*;
use crate::api::SocketError;
use crate::event::TcpState;
use crate::profile::{Profile, SEC, SynCookies};

fn with(cookies: SynCookies, queue: usize) -> Profile {
    let mut profile = Profile::default();
    profile.tcp.defence.syn_cookies = cookies;
    profile.tcp.syn_queue = queue;
    profile
}

/// MSS 1460, SACK permitted, timestamps, window scale 7.
const SYN: [u8; 20] = [
    2, 4, 5, 0xB4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7,
];

/// The timestamp that a SYN-ACK holds, echoed by an ACK.
fn echo(syn_ack: &[u8]) -> Vec<u8> {
    let is_stamp = |w: &[u8]| w == [8, 10];
    let at = syn_ack.windows(2).position(is_stamp).expect("timestamps");
    let mut bytes = vec![1, 1, 8, 10, 0, 0, 0, 10];
    bytes.extend(&syn_ack[at + 2..at + 6]);
    bytes
}

#[test]
fn when_the_queue_is_full_a_syn_is_answered_and_not_kept_and_its_ack_makes_a_connection() {
    let mut solo = Solo::new(with(SynCookies::WhenFull, 1));
    let listener = solo.host.listen(at(LOCAL), 8);
    solo.inject(seg("S", 0).options(&SYN));
    solo.sent();
    let before = solo.host.tcp.sockets_in_use();
    solo.peer = at("10.0.0.2:4001");
    solo.inject(seg("S", 0).options(&SYN));
    let answer = solo.sent_bytes();
    assert_eq!(solo.show(&answer[0]), "S. 0:0(0) ack 1");
    assert_eq!(solo.host.tcp.sockets_in_use(), before);
    let stamp = echo(&answer[0]);
    solo.inject(seg(".", 1).ack(1).options(&stamp).text(b"hi"));
    let (socket, peer) = solo.host.tcp.accept(listener).expect("established");
    assert_eq!(peer, solo.peer);
    let mut to = [0; 4];
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut to), Ok(2));
    // What its SYN said was remembered: 1460 less timestamps.
    let data = [7; 3_000];
    solo.host.tcp.send(solo.now, socket, &data).expect("room");
    assert_eq!(solo.sent()[0], ". 1:1449(1448) ack 3");
}

#[test]
fn without_timestamps_there_is_no_room_for_options() {
    let mut solo = Solo::new(with(SynCookies::Always, 8));
    solo.host.listen(at(LOCAL), 8);
    let options = [2, 4, 5, 0xB4, 1, 3, 3, 7, 1, 1, 4, 2];
    solo.inject(seg("S", 0).options(&options));
    let answer = solo.sent_bytes();
    assert_eq!(answer[0].len(), 24, "a segment size and nothing else");
}

#[test]
fn only_the_ack_of_a_cookie_makes_a_connection() {
    let mut solo = Solo::new(with(SynCookies::Always, 8));
    let listener = solo.host.listen(at(LOCAL), 8);
    solo.inject(seg("S", 0).options(&SYN));
    let answer = solo.sent_bytes();
    solo.show(&answer[0]);
    let stamp = echo(&answer[0]);
    for (seq, ack) in [(1, 2), (2, 1), (1, 33)] {
        solo.inject(seg(".", seq).ack(ack).options(&stamp));
        assert_eq!(solo.sent().len(), 1, "a reset");
    }
    solo.now = solo.now.plus(200 * SEC);
    solo.inject(seg(".", 1).ack(1).options(&stamp));
    assert_eq!(solo.sent(), ["R 1:1(0)"]);
    assert_eq!(solo.host.tcp.accept(listener), Err(SocketError::EAGAIN));
    assert_eq!(solo.host.log.states(), [TcpState::Listen]);
}

#[test]
fn a_listener_that_gave_out_no_cookie_takes_none() {
    let mut solo = Solo::new(with(SynCookies::WhenFull, 8));
    solo.host.listen(at(LOCAL), 8);
    solo.inject(seg(".", 1).ack(1));
    assert_eq!(solo.sent().len(), 1, "a reset");
}
