//! What a peer, or somebody who pretends to be it, must not be able to do (RFC 5961; the bug zoo's invariants).

use super::util::*;
use crate::api::SocketError;
use crate::app::raw::malformed;
use crate::event::{TcpNote, TcpState};
use crate::profile::{MS, Profile, SEC};

#[test]
fn a_reset_inside_the_window_but_not_next_is_only_challenged() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg("R", 100));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
    assert_eq!(solo.host.log.count(TcpNote::ChallengeAck), 1);
    solo.inject(seg("R", 1_000_000));
    assert!(solo.sent().is_empty(), "outside the window it is nothing");
    solo.inject(seg("R", 1));
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::ECONNRESET)
    );
}

#[test]
fn a_reset_whose_text_reaches_the_window_is_only_challenged() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    for seq in [0_u32, 1_u32.wrapping_sub(50)] {
        solo.inject(seg("R", seq).text(&[7; 100]));
        assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
    }
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::Established));
}

#[test]
fn a_syn_on_an_established_connection_is_only_challenged() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    for seq in [0, 1, 500] {
        solo.inject(seg("S", seq));
        assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
    }
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::Established));
}

#[test]
fn a_flood_is_not_answered_by_a_flood() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    let mut answers = 0;
    for _ in 0..100 {
        solo.inject(seg(".", 1).ack(5_000));
        solo.inject(seg(".", 0).ack(1));
        solo.inject(seg(".", 100_000).ack(1));
        solo.inject(seg("S", 100_000));
        answers += solo.sent().len();
    }
    assert!(answers <= 10, "{answers}");
}

#[test]
fn an_ack_from_beyond_the_window_is_answered() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg(".", 100_000).ack(1));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
}

#[test]
fn a_stamp_from_outside_the_window_does_not_make_others_old() {
    let stamp = |value: u8| [1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 0];
    let (mut solo, socket) = Solo::accepted(Profile::default(), &stamp(2));
    solo.inject(seg("P.", 1).ack(1).options(&stamp(3)).text(b"abc"));
    solo.sent_within(SEC);
    // RFC 7323, 5.3, R2 and R3: what lies outside the window is dropped before its stamp is remembered.
    solo.inject(seg("P.", 1).ack(1).options(&stamp(200)).text(b"abc"));
    solo.sent();
    solo.inject(seg("P.", 4).ack(1).options(&stamp(4)).text(b"def"));
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut [0; 9]), Ok(6));
}

#[test]
fn nothing_is_taken_behind_the_peers_fin() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg("F.", 1).ack(1).text(b"abc"));
    assert_eq!(solo.sent(), [". 1:1(0) ack 5"]);
    for s in [
        seg("P.", 5).text(b"def"),
        seg("F.", 5),
        seg("F.", 5).text(b"x"),
    ] {
        solo.inject(s.ack(1));
        solo.sent_within(SEC);
    }
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::CloseWait));
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut [0; 9]), Ok(3));
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut [0; 9]), Ok(0));
}

#[test]
fn a_pure_ack_begets_no_pure_ack() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg("P.", 1).ack(1).text(b"abc"));
    solo.sent_within(SEC);
    for s in [
        seg(".", 4).ack(1),
        seg(".", 4).ack(1).win(0),
        seg(".", 2).ack(1),
        seg(".", 4).win(9).ack(0),
    ] {
        solo.inject(s);
        assert!(solo.sent_within(SEC).is_empty());
    }
}

#[test]
fn every_malformed_option_list_is_answered() {
    let mut solo = Solo::new(Profile::default());
    solo.host.listen(at(LOCAL), 1);
    for list in malformed::lists() {
        solo.inject(seg("S", 0).options(&list));
        assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"], "{list:?}");
        solo.inject(seg("R", 1));
    }
}

#[test]
fn a_tiny_segment_size_does_not_blow_text_up() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 0, 1]);
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 2160])
        .expect("room");
    assert_eq!(solo.sent().len(), 10, "segments of 216");
}

#[test]
fn nothing_is_taken_from_what_is_not_one_host() {
    let mut solo = Solo::new(Profile::default());
    solo.host.listen(at(LOCAL), 4);
    for peer in ["0.0.0.0:5", "224.0.0.1:5", "255.255.255.255:5"] {
        solo.peer = at(peer);
        solo.inject(seg("S", 0));
    }
    solo.peer = at(PEER);
    solo.local = at("224.0.0.1:80");
    solo.inject(seg("S", 0));
    assert!(solo.sent().is_empty());
}

#[test]
fn an_old_timestamp_is_refused_with_an_ack() {
    let options = [2, 4, 5, 0xB4, 1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 0];
    let mut solo = Solo::new(Profile::default());
    let listener = solo.host.listen(at(LOCAL), 4);
    let stamp = |value: u8| [1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 0];
    solo.inject(seg("S", 0).options(&options));
    solo.sent();
    solo.inject(seg(".", 1).ack(1).options(&stamp(9)));
    let (socket, _) = solo.host.tcp.accept(listener).expect("established");
    solo.inject(seg("P.", 1).ack(1).options(&stamp(8)).text(b"old"));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
    solo.inject(seg("P.", 1).ack(1).text(b"bare"));
    assert!(solo.sent().is_empty(), "without the option it is dropped");
    solo.inject(seg("P.", 1).ack(1).options(&stamp(9)).text(b"good"));
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut [0; 9]), Ok(4));
}

#[test]
fn text_beyond_the_window_and_endless_gaps_hold_bounded_memory() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    for i in 0..5_000 {
        solo.inject(seg(".", 3 + 7 * i).ack(1).text(b"x"));
    }
    solo.inject(seg(".", 1).ack(1).text(b"ab"));
    assert_eq!(solo.sent(), [". 1:1(0) ack 4"]);
}

#[test]
fn a_segment_with_a_bad_checksum_is_refused() {
    let mut pair = Pair::new(Profile::default());
    pair.fate = alloc::boxed::Box::new(|_, _, _| Fate::Corrupt(37));
    pair.hosts[1].listen(at("10.0.0.2:80"), 4);
    pair.hosts[0].connect(pair.now, at("10.0.0.2:80"));
    pair.run(100 * MS);
    assert_eq!(pair.hosts[1].log.states(), [TcpState::Listen]);
}

#[cfg(feature = "zoo")]
#[test]
#[should_panic(expected = "out of fuel")]
fn the_parser_of_2014_spins_on_a_zero_length_option() {
    use crate::quirk::Quirk;
    let mut profile = Profile::default();
    profile.quirks = profile.quirks.with(Quirk::OptionLengthZero2014);
    let mut solo = Solo::new(profile);
    solo.host.listen(at(LOCAL), 4);
    solo.inject(seg("S", 0).options(&[1, 2, 0, 0]));
}
