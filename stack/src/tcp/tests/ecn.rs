//! Explicit Congestion Notification (RFC 3168, section 6.1).

use alloc::string::String;
use alloc::vec::Vec;

use super::util::*;
use crate::api::SocketId;
use crate::profile::{EcnMode, Profile, SEC};
use crate::tcp::ecn::CE;

fn with(mode: EcnMode) -> Profile {
    let mut profile = Profile::default();
    profile.tcp.ecn.mode = mode;
    profile
}

/// What is sent now, with the packet's codepoint.
fn sent(solo: &mut Solo) -> Vec<(u8, String)> {
    let packets = solo.host.transmit(solo.now);
    let show = |(ip, bytes): (crate::tcp::IpPacket, Vec<u8>)| (ip.ecn, solo.show(&bytes));
    packets.into_iter().map(show).collect()
}

/// A connection with ECN that the peer opened.
fn accepted() -> (Solo, SocketId) {
    let mut solo = Solo::new(with(EcnMode::Passive));
    let listener = solo.host.listen(at(LOCAL), 4);
    solo.inject(seg("SEW", 0).options(&[2, 4, 5, 0xB4]));
    assert_eq!(sent(&mut solo), [(0, "SE. 0:0(0) ack 1".into())]);
    solo.inject(seg(".", 1).ack(1));
    let (socket, _) = solo.host.tcp.accept(listener).expect("established");
    (solo, socket)
}

#[test]
fn a_connect_asks_and_an_answer_with_ece_alone_grants() {
    for (answer, ect) in [("SE.", 2), ("SEW.", 0), ("S.", 0)] {
        let mut solo = Solo::new(with(EcnMode::Active));
        let socket = solo.host.connect(solo.now, at(PEER));
        solo.local = solo.host.tcp.local_addr(socket).expect("bound");
        assert_eq!(sent(&mut solo), [(0, "SEW 0:0(0)".into())]);
        solo.inject(seg(answer, 0).ack(1));
        assert_eq!(sent(&mut solo), [(0, ". 1:1(0) ack 1".into())]);
        solo.host
            .tcp
            .send(solo.now, socket, b"hello")
            .expect("room");
        assert_eq!(sent(&mut solo), [(ect, "P. 1:6(5) ack 1".into())]);
    }
}

#[test]
fn a_lost_syn_asks_as_often_as_the_profile_says_and_then_no_more() {
    let mut profile = with(EcnMode::Active);
    profile.tcp.ecn.asking_retries = 1;
    let mut solo = Solo::new(profile);
    solo.host.connect(solo.now, at(PEER));
    let all = solo.sent_within(10 * SEC);
    let flags: Vec<&str> = all.iter().map(|(_, s)| &s[..3]).collect();
    assert_eq!(flags, ["SEW", "SEW", "S 0", "S 0"]);
}

#[test]
fn only_those_who_ask_rightly_are_granted() {
    for (mode, syn, answer) in [
        (EcnMode::Off, "SEW", "S. 0:0(0) ack 1"),
        (EcnMode::Passive, "S", "S. 0:0(0) ack 1"),
        (EcnMode::Passive, "SE", "S. 0:0(0) ack 1"),
        (EcnMode::Passive, "SEW", "SE. 0:0(0) ack 1"),
        (EcnMode::Active, "SEW", "SE. 0:0(0) ack 1"),
    ] {
        let mut solo = Solo::new(with(mode));
        solo.host.listen(at(LOCAL), 4);
        solo.inject(seg(syn, 0));
        assert_eq!(solo.sent(), [answer]);
    }
}

#[test]
fn a_mark_is_echoed_until_the_peer_says_that_it_has_heard() {
    let (mut solo, _) = accepted();
    solo.ecn = CE;
    solo.inject(seg("P.", 1).ack(1).text(b"a"));
    solo.ecn = 2;
    assert_eq!(solo.sent(), ["E. 1:1(0) ack 2"]);
    solo.inject(seg("P.", 2).ack(1).text(b"b"));
    solo.now = solo.now.plus(SEC);
    assert_eq!(solo.sent(), ["E. 1:1(0) ack 3"]);
    solo.inject(seg("PW.", 3).ack(1).text(b"c"));
    solo.now = solo.now.plus(SEC);
    assert_eq!(solo.sent(), [". 1:1(0) ack 4"]);
}

#[test]
fn an_echo_reduces_the_window_once_and_nothing_is_sent_again() {
    let (mut solo, socket) = accepted();
    let data = [7; 40_000];
    solo.host.tcp.send(solo.now, socket, &data).expect("room");
    let first = sent(&mut solo);
    assert_eq!(first.len(), 10);
    assert!(first.iter().all(|(ecn, _)| *ecn == 2));
    // Ten segments are out; the window becomes less, so the first echoes let nothing out.
    let threshold = |solo: &Solo| {
        let info = solo.host.tcp.info(solo.now, socket).expect("owned");
        info.snd_ssthresh
    };
    assert_eq!(threshold(&solo), None);
    solo.inject(seg("E.", 1).ack(1461));
    let reduced = threshold(&solo);
    assert!(reduced.is_some());
    solo.inject(seg("E.", 1).ack(2921));
    assert_eq!(threshold(&solo), reduced, "once");
    assert!(sent(&mut solo).is_empty());
    solo.inject(seg("E.", 1).ack(14_601));
    let next = sent(&mut solo);
    assert_eq!(next[0], (2, "W. 14601:16061(1460) ack 1".into()));
    assert!(next[1..].iter().all(|(_, s)| s.starts_with('.')));
    assert!(next.len() < 10 && next.len() > 2, "{next:?}");
}

/// RFC 3168, 6.1.2, speaks of the window, not of what an ACK has left of it.
#[test]
fn an_echo_reduces_by_the_same_share_however_much_it_acknowledges() {
    for ack in [1461, 7301, 14_601] {
        let (mut solo, socket) = accepted();
        let data = [7; 40_000];
        solo.host.tcp.send(solo.now, socket, &data).expect("room");
        assert_eq!(sent(&mut solo).len(), 10);
        solo.inject(seg("E.", 1).ack(ack));
        let info = solo.host.tcp.info(solo.now, socket).expect("owned");
        // CUBIC's beta, 0.7, of ten segments.
        assert_eq!(info.snd_ssthresh, Some(7 * 1460), "ack {ack}");
    }
}

#[test]
fn only_cwr_ends_an_echo_and_only_ece_reduces_the_window() {
    let (mut solo, _) = accepted();
    solo.ecn = CE;
    solo.inject(seg("P.", 1).ack(1).text(b"a"));
    assert_eq!(solo.sent(), ["E. 1:1(0) ack 2"]);
    solo.ecn = 2;
    solo.inject(seg("P.", 9).ack(1).text(b"behind a gap"));
    assert_eq!(solo.sent(), ["E. 1:1(0) ack 2"]);

    let (mut solo, socket) = accepted();
    let data = [7; 40_000];
    solo.host.tcp.send(solo.now, socket, &data).expect("room");
    assert_eq!(sent(&mut solo).len(), 10);
    // With an option, so that it is not what header prediction expects.
    solo.inject(seg(".", 1).ack(1461).options(&[1; 4]));
    let info = solo.host.tcp.info(solo.now, socket).expect("owned");
    assert_eq!(info.snd_ssthresh, None);
}

#[test]
fn neither_a_syn_nor_an_acknowledgment_alone_is_ecn_capable() {
    let mut solo = Solo::new(with(EcnMode::Active));
    solo.host.connect(solo.now, at(PEER));
    assert_eq!(sent(&mut solo), [(0, "SEW 0:0(0)".into())]);
    let (mut solo, _) = accepted();
    solo.ecn = CE;
    solo.inject(seg("P.", 1).ack(1).text(b"a"));
    assert_eq!(sent(&mut solo), [(0, "E. 1:1(0) ack 2".into())]);
}

#[test]
fn what_is_sent_again_is_not_ecn_capable() {
    let (mut solo, socket) = accepted();
    solo.host
        .tcp
        .send(solo.now, socket, b"hello")
        .expect("room");
    assert_eq!(sent(&mut solo)[0].0, 2);
    solo.now = solo.now.plus(2 * SEC);
    assert_eq!(sent(&mut solo), [(0, "P. 1:6(5) ack 1".into())]);
}
