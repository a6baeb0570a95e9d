//! Losses: the retransmission timer (RFC 6298), fast retransmit and recovery (RFC 5681, 6582, 6675).

use alloc::vec::Vec;

use super::util::*;
use crate::api::{SocketError, SocketId, SocketOption};
use crate::event::TcpNote;
use crate::profile::{Profile, SEC};

const MSS_SACK: [u8; 8] = [2, 4, 3, 0xE8, 1, 1, 4, 2];

/// A connection whose peer takes segments of 1000, ten of which are out.
fn ten_out(sack: bool) -> (Solo, SocketId) {
    let options: &[u8] = if sack { &MSS_SACK } else { &MSS_SACK[..4] };
    let mut profile = Profile::default();
    // The silence of these tests is to be the retransmission timer's, and what follows it a real timeout's.
    profile.tcp.recovery.tail_probe = false;
    profile.tcp.recovery.f_rto = false;
    let (mut solo, socket) = Solo::accepted(profile, options);
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 20_000])
        .expect("room");
    assert_eq!(solo.sent().len(), 10);
    (solo, socket)
}

/// How many segments begin at `seq`.
fn starting_at(sent: &[alloc::string::String], seq: u32) -> usize {
    let start = alloc::format!(" {seq}:");
    sent.iter().filter(|s| s.contains(&start)).count()
}

#[test]
fn each_timeout_is_twice_the_last_one() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host
        .tcp
        .send(solo.now, socket, b"hello")
        .expect("room");
    let times: Vec<u64> = solo
        .sent_within(200 * SEC)
        .into_iter()
        .map(|(ms, _)| ms / 1000)
        .collect();
    assert_eq!(times, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    assert_eq!(solo.host.log.count(TcpNote::RtoExpired), 8);
}

#[test]
fn a_silent_peer_is_given_up() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host
        .tcp
        .send(solo.now, socket, b"hello")
        .expect("room");
    // RFC 9293, 3.8.3: R2 is at least 100 s.
    solo.sent_within(130 * SEC);
    assert_eq!(solo.host.tcp.take_error(socket), None);
    solo.sent_within(870 * SEC);
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::ETIMEDOUT)
    );
}

#[test]
fn with_the_third_repetition_ip_is_asked_for_the_way_again() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
    let text = [7; 1_460];
    solo.host.tcp.send(solo.now, socket, &text).expect("room");
    assert_eq!(solo.sent(), ["P. 1:1461(1460) ack 1"]);
    // Another way is there, which takes less: nobody says so.
    solo.host.metrics.mtu = Some(1_040);
    let sent = solo.sent_within(10 * SEC);
    let whole = "P. 1:1461(1460) ack 1";
    assert_eq!(
        sent[..3],
        [
            (1_000, whole.into()),
            (3_000, whole.into()),
            (7_000, ". 1:1001(1000) ack 1".into())
        ]
    );
}

#[test]
fn three_duplicates_resend_one_segment_and_two_do_not() {
    let (mut solo, _) = ten_out(false);
    solo.inject(seg(".", 1).ack(1));
    solo.inject(seg(".", 1).ack(1));
    let limited = solo.sent();
    assert_eq!(starting_at(&limited, 1), 0);
    assert_eq!(limited.len(), 2, "limited transmit");
    solo.inject(seg(".", 1).ack(1));
    let resent = solo.sent();
    assert_eq!(resent, [". 1:1001(1000) ack 1"]);
    assert_eq!(solo.host.log.count(TcpNote::RecoveryEntered), 1);
}

#[test]
fn what_was_sent_twice_measures_no_round_trip() {
    let (mut solo, socket) = ten_out(false);
    let rtt = |solo: &Solo| solo.host.tcp.info(solo.now, socket).expect("owned").rtt;
    let before = rtt(&solo);
    solo.now = solo.now.plus(SEC / 2);
    (0..3).for_each(|_| solo.inject(seg(".", 1).ack(1)));
    assert_eq!(starting_at(&solo.sent(), 1), 1);
    // The whole flight, of which the first segment was timed and sent again.
    solo.inject(seg(".", 1).ack(10_001));
    assert_eq!(rtt(&solo), before);
}

#[test]
fn acks_that_differ_in_their_window_are_no_duplicates() {
    let (mut solo, _) = ten_out(false);
    for window in 1..=10 {
        solo.inject(seg(".", 1).ack(1).win(60_000 + window));
    }
    assert_eq!(solo.host.log.count(TcpNote::RecoveryEntered), 0);
}

#[test]
fn blocks_of_a_peer_that_was_not_to_send_any_mean_nothing() {
    let (mut solo, socket) = ten_out(false);
    let option = solo.sack_option(&[(1_001, 9_001)]);
    solo.inject(seg(".", 1).ack(1).options(&option));
    let info = solo.host.tcp.info(solo.now, socket).expect("owned");
    assert_eq!((info.sacked, info.lost), (0, 0));
}

#[test]
fn duplicates_that_do_not_follow_each_other_are_no_loss() {
    let (mut solo, _) = ten_out(false);
    for ack in [1, 1_001, 2_001, 3_001] {
        solo.inject(seg(".", 1).ack(ack));
        solo.inject(seg(".", 1).ack(ack));
    }
    assert_eq!(solo.host.log.count(TcpNote::RecoveryEntered), 0);
}

#[test]
fn in_slow_start_each_acknowledged_segment_lets_two_out() {
    for sack in [false, true] {
        let (mut solo, _) = ten_out(sack);
        for n in 1..=4 {
            solo.inject(seg(".", 1).ack(n * 1_000 + 1));
            assert_eq!(solo.sent().len(), 2, "{sack} {n}");
        }
    }
}

#[test]
fn an_ack_of_nothing_new_does_not_restart_the_timer() {
    for sack in [false, true] {
        let (mut solo, _) = ten_out(sack);
        solo.sent_within(SEC / 2);
        solo.inject(seg(".", 1).ack(1).win(60_000));
        let sent = solo.sent_within(SEC);
        let again = sent.iter().find(|(_, s)| s.contains(" 1:1001"));
        assert_eq!(again.map(|(ms, _)| *ms), Some(500), "{sent:?}");
    }
}

#[test]
fn acks_that_come_with_text_are_no_duplicates() {
    let (mut solo, _) = ten_out(false);
    // In order, and behind a gap.
    for seq in (1..=5).chain(7..=11) {
        solo.inject(seg("P.", seq).ack(1).text(b"x"));
    }
    assert_eq!(solo.host.log.count(TcpNote::RecoveryEntered), 0);
}

#[test]
fn repeated_acks_of_before_there_was_anything_out_are_no_duplicates() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &MSS_SACK[..4]);
    (0..3).for_each(|_| solo.inject(seg(".", 1).ack(1)));
    let text = [7; 10_000];
    solo.host.tcp.send(solo.now, socket, &text).expect("room");
    assert_eq!(solo.sent().len(), 10);
    (0..2).for_each(|_| solo.inject(seg(".", 1).ack(1)));
    assert!(solo.sent().is_empty());
    solo.inject(seg(".", 1).ack(1));
    assert_eq!(solo.sent(), [". 1:1001(1000) ack 1"]);
}

#[test]
fn after_a_pause_longer_than_the_timeout_no_more_than_the_first_window_goes_at_once() {
    let sent_after = |pause| {
        let (mut solo, socket) = ten_out(false);
        solo.inject(seg(".", 1).ack(10_001));
        assert_eq!(solo.sent().len(), 10);
        solo.inject(seg(".", 1).ack(20_001));
        solo.now = solo.now.plus(pause);
        let text = [7; 40_000];
        solo.host.tcp.send(solo.now, socket, &text).expect("room");
        solo.sent().len()
    };
    assert!(sent_after(SEC / 2) > 10);
    assert_eq!(sent_after(2 * SEC), 10);
}

#[test]
fn newreno_resends_one_hole_for_each_partial_ack() {
    let (mut solo, _) = ten_out(false);
    (0..3).for_each(|_| solo.inject(seg(".", 1).ack(1)));
    solo.sent();
    solo.inject(seg(".", 1).ack(4_001));
    let sent = solo.sent();
    assert_eq!(starting_at(&sent, 4_001), 1, "{sent:?}");
    solo.inject(seg(".", 1).ack(10_001));
    solo.sent();
    assert_eq!(solo.host.log.count(TcpNote::RecoveryLeft), 1);
    assert_eq!(solo.host.log.count(TcpNote::Retransmit), 2);
}

#[test]
fn sack_recovery_resends_the_holes_and_nothing_else() {
    let (mut solo, _) = ten_out(true);
    // Segments 0, 2 and 4 are lost.
    for block in [
        (1_001, 2_001),
        (3_001, 4_001),
        (5_001, 6_001),
        (5_001, 8_001),
        (5_001, 10_001),
    ] {
        let held = [(1_001, 2_001), (3_001, 4_001)];
        let mut blocks: Vec<_> = held.into_iter().filter(|b| b.1 < block.0).collect();
        blocks.insert(0, block);
        let option = solo.sack_option(&blocks);
        solo.inject(seg(".", 1).ack(1).options(&option));
    }
    let sent = solo.sent();
    let resent = [1, 2_001, 4_001].map(|seq| starting_at(&sent, seq));
    assert_eq!(resent, [1, 1, 1], "{sent:?}");
    for held in [1_001, 3_001, 5_001, 6_001, 9_001] {
        assert_eq!(starting_at(&sent, held), 0, "{sent:?}");
    }
    solo.inject(seg(".", 1).ack(10_001));
    assert_eq!(solo.host.log.count(TcpNote::Retransmit), 3);
}

#[test]
fn after_a_timeout_only_what_is_acknowledged_lets_more_out() {
    let (mut solo, _) = ten_out(true);
    let again = solo.sent_within(SEC + SEC / 2);
    assert_eq!(again.len(), 1);
    assert!(again[0].1.contains(" 1:1001"));
    solo.inject(seg(".", 1).ack(1_001));
    let sent = solo.sent();
    assert_eq!(sent.len(), 2, "slow start: {sent:?}");
    assert_eq!(starting_at(&sent, 1_001), 1);
    solo.inject(seg(".", 1).ack(10_001));
    assert!(starting_at(&solo.sent(), 10_001) == 1);
}

#[test]
fn after_a_timeout_what_the_peer_holds_is_not_sent_again() {
    let (mut solo, _) = ten_out(true);
    solo.sent_within(SEC + SEC / 2);
    let option = solo.sack_option(&[(2_001, 9_001)]);
    solo.inject(seg(".", 1).ack(1_001).options(&option));
    let sent = solo.sent();
    assert_eq!(
        (starting_at(&sent, 1_001), starting_at(&sent, 2_001)),
        (1, 0)
    );
    assert_eq!(starting_at(&sent, 9_001), 1);
}

#[test]
fn a_peer_that_takes_back_what_it_held_is_noticed() {
    let (mut solo, _) = ten_out(true);
    let option = solo.sack_option(&[(1_001, 3_001)]);
    solo.inject(seg(".", 1).ack(1).options(&option));
    solo.inject(seg(".", 1).ack(1_001));
    assert_eq!(solo.host.log.count(TcpNote::Renege), 1);
}

#[test]
fn a_single_loss_in_a_long_transfer_costs_no_timeout() {
    for sack in [false, true] {
        let mut profile = Profile::default();
        profile.tcp.sack = sack;
        let mut pair = Pair::new(profile);
        let (client, server) = pair.connected();
        let lost = pair.packets() + 15;
        pair.fate = alloc::boxed::Box::new(
            move |n, _, _| if n == lost { Fate::Lose } else { Fate::Deliver },
        );
        let text = pattern(0, 200_000);
        assert_eq!(pair.hosts[0].tcp.send(pair.now, client, &text), Ok(200_000));
        pair.run(10 * SEC);
        let mut to = alloc::vec![0; 200_001];
        assert_eq!(
            pair.hosts[1].tcp.recv(pair.now, server, &mut to),
            Ok(200_000)
        );
        assert_eq!(pair.hosts[0].log.count(TcpNote::RtoExpired), 0);
        assert_eq!(pair.hosts[0].log.count(TcpNote::Retransmit), 1);
    }
}

#[test]
fn a_full_device_loses_nothing() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &MSS_SACK);
    let no_delay = SocketOption::NoDelay(true);
    solo.host.tcp.set_option(socket, no_delay).expect("open");
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 5_500])
        .expect("room");
    solo.host.room = 1;
    let mut sent = Vec::new();
    while solo.host.tcp.poll_at(solo.now) == Some(solo.now) {
        sent.extend(solo.sent());
    }
    assert_eq!(sent.len(), 6);
    assert_eq!(sent[5], "P. 5001:5501(500) ack 1");
}
