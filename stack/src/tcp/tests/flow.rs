//! Flow control and acknowledgment policy: RFC 9293, 3.7.4 (Nagle), 3.8.4 (keep-alive), 3.8.6 (windows, probes, silly
//! windows, delayed ACK).

use alloc::vec::Vec;

use super::util::*;
use crate::api::{How, Ready, SocketError, SocketId, SocketOption};
use crate::event::{TcpNote, TcpState, TimerKinds};
use crate::profile::{MS, Profile, SEC};

#[test]
fn a_lone_segment_is_acknowledged_after_the_delay_and_every_second_at_once() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg(".", 1).ack(1).text(&[1; 536]));
    assert_eq!(solo.sent_within(SEC), [(40, ". 1:1(0) ack 537".into())]);
    solo.inject(seg(".", 537).ack(1).text(&[1; 536]));
    solo.inject(seg(".", 1073).ack(1).text(&[1; 536]));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1609"]);
    assert_eq!(solo.host.tcp.timers(), TimerKinds::empty());
}

#[test]
fn text_out_of_order_is_acknowledged_at_once_with_what_is_held() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[1, 1, 4, 2]);
    solo.inject(seg(".", 101).ack(1).text(&[1; 100]));
    solo.inject(seg(".", 301).ack(1).text(&[1; 100]));
    let sent = solo.sent_bytes();
    let (_, blocks) = solo.window_and_sack(&sent[0]);
    assert_eq!(blocks, [(301, 401), (101, 201)]);
    solo.inject(seg(".", 1).ack(1).text(&[1; 100]));
    let sent = solo.sent_bytes();
    assert_eq!(solo.window_and_sack(&sent[0]).1, [(301, 401)]);
    assert_eq!(solo.show(&sent[0]), ". 1:1(0) ack 201");
}

/// The peer's text from `start` to before `end` arrives: what the ACK at once says, and its SACK blocks.
fn acked_at_once(
    solo: &mut Solo,
    start: u32,
    end: u32,
) -> (alloc::string::String, Vec<(u32, u32)>) {
    let text = alloc::vec![1; (end - start) as usize];
    solo.inject(seg(".", start).ack(1).text(&text));
    let sent = solo.sent_bytes();
    assert_eq!(sent.len(), 1);
    (solo.show(&sent[0]), solo.window_and_sack(&sent[0]).1)
}

#[test]
fn the_stamp_that_is_echoed_is_that_of_the_first_segment_not_acknowledged_yet() {
    let stamp = |value: u8| [1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 0];
    let (mut solo, _) = Solo::accepted(Profile::default(), &stamp(2));
    // RFC 7323, 4.3: (A) delayed ACKs, (B) a gap, (C) a gap that is filled.
    for (seq, value, echoed) in [
        (1, 5, None),
        (501, 6, Some(5)),
        (1_501, 7, Some(5)),
        (1_001, 8, Some(8)),
    ] {
        let text = [1; 500];
        solo.inject(seg(".", seq).ack(1).options(&stamp(value)).text(&text));
        let sent = solo.sent_bytes();
        let echo = sent.first().map(|bytes| bytes[31]);
        assert_eq!(echo, echoed, "{seq}");
    }
}

#[test]
fn what_arrives_twice_is_reported_once_in_front() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[1, 1, 4, 2]);
    acked_at_once(&mut solo, 101, 201);
    acked_at_once(&mut solo, 301, 401);
    // RFC 2883, 4.2: above the cumulative acknowledgment, followed by the block that holds it.
    let (_, blocks) = acked_at_once(&mut solo, 151, 251);
    assert_eq!(blocks, [(151, 201), (101, 251), (301, 401)]);
    // 4.1: below it.
    let (ack, blocks) = acked_at_once(&mut solo, 1, 121);
    assert_eq!(
        (ack.as_str(), &blocks[..]),
        (". 1:1(0) ack 251", &[(101, 121), (301, 401)][..])
    );
    let (_, blocks) = acked_at_once(&mut solo, 11, 61);
    assert_eq!(blocks, [(11, 61), (301, 401)]);
    let (_, blocks) = acked_at_once(&mut solo, 501, 601);
    assert_eq!(blocks, [(501, 601), (301, 401)]);
}

#[test]
fn what_arrives_twice_is_not_reported_to_a_peer_without_sack() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    acked_at_once(&mut solo, 101, 201);
    let (ack, blocks) = acked_at_once(&mut solo, 101, 201);
    assert_eq!((ack.as_str(), &blocks[..]), (". 1:1(0) ack 1", &[][..]));
}

#[test]
fn nagle_holds_a_small_segment_while_another_is_out() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    let now = solo.now;
    solo.host.tcp.send(now, socket, b"a").expect("room");
    assert_eq!(solo.sent(), ["P. 1:2(1) ack 1"]);
    solo.host.tcp.send(now, socket, b"b").expect("room");
    solo.host.tcp.send(now, socket, b"c").expect("room");
    assert!(solo.sent().is_empty());
    solo.inject(seg(".", 1).ack(2));
    assert_eq!(solo.sent(), ["P. 2:4(2) ack 1"]);
    solo.host
        .tcp
        .set_option(socket, SocketOption::NoDelay(true))
        .expect("open");
    solo.host.tcp.send(now, socket, b"d").expect("room");
    assert_eq!(solo.sent(), ["P. 4:5(1) ack 1"]);
}

#[test]
fn a_shut_window_is_probed_with_one_octet_ever_more_rarely() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host.tcp.send(solo.now, socket, b"a").expect("room");
    solo.sent();
    solo.inject(seg(".", 1).ack(2).win(0));
    solo.host.tcp.send(solo.now, socket, b"bcd").expect("room");
    let probes = solo.sent_within(16 * SEC);
    assert!(
        probes.iter().all(|(_, s)| s == ". 2:3(1) ack 1"),
        "{probes:?}"
    );
    let times: Vec<u64> = probes.into_iter().map(|(ms, _)| ms / 1000).collect();
    assert_eq!(times, [1, 3, 7, 15]);
    assert_eq!(solo.host.log.count(TcpNote::WindowProbe), 4);
    solo.inject(seg(".", 1).ack(3).win(1000));
    assert_eq!(solo.sent(), ["P. 3:5(2) ack 1"]);
}

#[test]
fn a_peer_that_answers_probes_may_keep_its_window_shut_for_ever() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg(".", 1).ack(1).win(0));
    solo.host.tcp.send(solo.now, socket, b"abc").expect("room");
    for _ in 0..200 {
        solo.sent_within(30 * SEC);
        solo.inject(seg(".", 1).ack(1).win(0));
    }
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::Established));
    solo.sent_within(2_000 * SEC);
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::ETIMEDOUT)
    );
}

#[test]
fn the_window_field_has_no_sign() {
    for window in [0x7FFF, 0x8000, 0xFFFF] {
        let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
        solo.inject(seg(".", 1).ack(1).win(window));
        solo.host.tcp.send(solo.now, socket, b"abc").expect("room");
        assert_eq!(solo.sent(), ["P. 1:4(3) ack 1"], "{window}");
    }
}

/// A connection over which 3000 octets are out, the first 1000 of which have arrived, of a peer that has shrunk its window
/// to `window`: its right edge has moved left, and behind what is out there is more to send.
fn shrunk_to(window: u16) -> (Solo, SocketId) {
    let mut profile = Profile::default();
    profile.tcp.recovery.tail_probe = false;
    let (mut solo, socket) = Solo::accepted(profile, &[2, 4, 3, 0xE8]);
    solo.inject(seg(".", 1).ack(1).win(3_000));
    let text = [7; 5_000];
    solo.host.tcp.send(solo.now, socket, &text).expect("room");
    assert_eq!(solo.sent().len(), 3);
    solo.inject(seg(".", 1).ack(1_001).win(window));
    (solo, socket)
}

#[test]
fn a_window_that_shrinks_below_what_is_out_gets_nothing_new_and_again_only_what_lies_in_it() {
    let (mut solo, _) = shrunk_to(500);
    assert!(solo.sent().is_empty(), "the usable window is negative");
    let sent = solo.sent_within(8 * SEC);
    let again = ". 1001:1501(500) ack 1";
    assert_eq!(
        sent,
        [
            (1_000, again.into()),
            (3_000, again.into()),
            (7_000, again.into())
        ]
    );
    // It opens again: what lies beyond the old edge as well, and then what is new.
    solo.inject(seg(".", 1).ack(1_501).win(60_000));
    let sent = solo.sent();
    assert_eq!(
        sent[..2],
        [". 1501:2001(500) ack 1", ". 2001:3001(1000) ack 1"]
    );
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::Established));
}

#[test]
fn a_window_that_shrinks_to_zero_is_probed_and_times_nothing_out() {
    let (mut solo, _) = shrunk_to(0);
    let mut probes = 0;
    for _ in 0..60 {
        let sent = solo.sent_within(60 * SEC);
        let is_probe = |s: &&(u64, alloc::string::String)| s.1 == ". 1001:1002(1) ack 1";
        assert!(sent.iter().all(|s| is_probe(&s)), "{sent:?}");
        probes += sent.len();
        solo.inject(seg(".", 1).ack(1_001).win(0));
    }
    assert!(probes >= 60, "{probes}");
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::Established));
    solo.inject(seg(".", 1).ack(1_001).win(4_000));
    assert_eq!(solo.sent()[0], ". 1001:2001(1000) ack 1");
}

#[test]
fn the_window_of_an_older_segment_does_not_count() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 3, 0xE8]);
    let window = |solo: &Solo| {
        let info = solo.host.tcp.info(solo.now, socket).expect("owned");
        info.snd_wnd
    };
    let text = [7; 3_000];
    solo.host.tcp.send(solo.now, socket, &text).expect("room");
    assert_eq!(solo.sent().len(), 3);
    // RFC 9293, 3.10.7.4: SND.WL1 < SEG.SEQ, or they are equal and SND.WL2 =< SEG.ACK.
    for (s, counts) in [
        (seg(".", 1).ack(2_001).win(5_000), 5_000),
        (seg(".", 1).ack(1_001).win(4_000), 5_000),
        (seg(".", 1).ack(2_001).win(6_000), 6_000),
        (seg("P.", 11).ack(2_001).win(7_000).text(b"x"), 7_000),
        (seg("P.", 1).ack(2_001).win(8_000).text(b"x"), 7_000),
        (seg("P.", 2).ack(3_001).win(9_000).text(b"x"), 7_000),
        (seg("P.", 12).ack(3_001).win(9_000).text(b"x"), 9_000),
    ] {
        solo.inject(s);
        assert_eq!(window(&solo), counts, "{} {}", s.seq, s.ack);
    }
}

#[test]
fn what_reports_blocks_has_so_much_less_room_for_text() {
    let stamp = [1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 0];
    for stamps in [false, true] {
        for gaps in 0..6 {
            let mut options = Vec::from([2, 4, 3, 0xE8, 1, 1, 4, 2]);
            options.extend(stamp.iter().filter(|_| stamps));
            let (mut solo, socket) = Solo::accepted(Profile::default(), &options);
            for n in 1..=gaps {
                let held = seg(".", 100 * n).ack(1).text(b"x");
                solo.inject(held.options(if stamps { &stamp } else { &[] }));
            }
            solo.sent();
            let text = [7; 2_000];
            solo.host.tcp.send(solo.now, socket, &text).expect("room");
            let sent = solo.sent_bytes();
            // Options and text together fill a segment.
            assert_eq!(sent[0].len(), 20 + 1_000, "{stamps} {gaps}");
            let blocks = solo.window_and_sack(&sent[0]).1.len();
            assert_eq!(blocks, gaps.min(if stamps { 3 } else { 4 }) as usize);
        }
    }
}

#[test]
fn a_reset_counts_at_window_zero() {
    let mut profile = Profile::default();
    profile.tcp.recv_buffer = 2_000;
    let (mut solo, socket) = Solo::accepted(profile, &[]);
    for seq in [1, 1_001] {
        solo.inject(seg(".", seq).ack(1).text(&[1; 1_000]));
    }
    let sent = solo.sent_bytes();
    assert_eq!(solo.window_and_sack(&sent[0]).0, 0);
    solo.inject(seg("R", 2_001));
    let error = solo.host.tcp.take_error(socket);
    assert_eq!(error, Some(SocketError::ECONNRESET));
}

#[test]
fn a_window_that_is_too_small_is_used_after_the_override_timeout() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg(".", 1).ack(1).win(100));
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 1000])
        .expect("room");
    assert_eq!(solo.sent_within(SEC), [(200, ". 1:101(100) ack 1".into())]);
}

#[test]
fn a_lost_window_update_does_not_end_the_stream() {
    let mut profile = Profile::default();
    profile.tcp.recv_buffer = 5_000;
    let mut pair = Pair::new(profile);
    let (client, server) = pair.connected();
    let text = pattern(0, 20_000);
    assert_eq!(pair.hosts[0].tcp.send(pair.now, client, &text), Ok(20_000));
    pair.run(SEC);
    let update = pair.packets();
    let mut to = alloc::vec![0; 20_000];
    assert_eq!(pair.hosts[1].tcp.recv(pair.now, server, &mut to), Ok(5_000));
    pair.fate = alloc::boxed::Box::new(move |n, from, _| {
        if from == 1 && n <= update + 1 {
            Fate::Lose
        } else {
            Fate::Deliver
        }
    });
    pair.run(10 * SEC);
    assert!(pair.hosts[1].tcp.ready(server).contains(Ready::READ));
}

#[test]
fn a_reader_that_drains_opens_the_window_at_once() {
    let mut profile = Profile::default();
    profile.tcp.recv_buffer = 4_000;
    let (mut solo, socket) = Solo::accepted(profile, &[]);
    solo.inject(seg(".", 1).ack(1).text(&[1; 4_000]));
    let sent = solo.sent_bytes();
    assert_eq!(solo.window_and_sack(&sent[0]).0, 0);
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut [0; 100]), Ok(100));
    assert!(solo.sent().is_empty(), "100 octets are a silly window");
    assert_eq!(
        solo.host.tcp.recv(solo.now, socket, &mut [0; 3_900]),
        Ok(3_900)
    );
    let sent = solo.sent_bytes();
    assert_eq!(solo.window_and_sack(&sent[0]).0, 4_000);
}

#[test]
fn the_fin_that_is_due_is_acknowledged_at_window_zero() {
    let mut profile = Profile::default();
    profile.tcp.recv_buffer = 2_000;
    let (mut solo, _) = Solo::accepted(profile, &[]);
    solo.inject(seg(".", 1).ack(1).text(&[1; 2_000]));
    solo.sent();
    solo.inject(seg("F.", 2_001).ack(1));
    assert_eq!(solo.sent(), [". 1:1(0) ack 2002"]);
}

#[test]
fn at_window_zero_an_ack_that_comes_with_refused_text_still_counts() {
    let mut profile = Profile::default();
    profile.tcp.recv_buffer = 2_000;
    let (mut solo, socket) = Solo::accepted(profile, &[]);
    solo.inject(seg(".", 1).ack(1).text(&[1; 2_000]));
    solo.host.tcp.send(solo.now, socket, b"abc").expect("room");
    solo.sent();
    solo.inject(seg(".", 2_001).ack(4).text(b"x"));
    assert_eq!(solo.sent(), [". 4:4(0) ack 2001"]);
    assert_eq!(solo.host.tcp.timers(), TimerKinds::empty());
}

#[test]
fn two_shut_windows_do_not_chatter() {
    let mut profile = Profile::default();
    profile.tcp.recv_buffer = 3_000;
    let mut pair = Pair::new(profile);
    let (client, server) = pair.connected();
    pair.hosts[0]
        .tcp
        .send(pair.now, client, &[1; 9_000])
        .expect("room");
    pair.hosts[1]
        .tcp
        .send(pair.now, server, &[1; 9_000])
        .expect("room");
    pair.run(10 * SEC);
    let before = pair.packets();
    pair.run(60 * SEC);
    assert!(pair.packets() - before < 30, "{}", pair.packets() - before);
}

#[test]
fn keep_alive_is_off_unless_asked_for() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    assert_eq!(solo.host.tcp.poll_at(solo.now), None);
    assert!(solo.sent_within(10_000 * SEC).is_empty());
}

#[test]
fn a_dead_peer_is_noticed_by_nine_keep_alives() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host
        .tcp
        .set_option(socket, SocketOption::KeepAlive(true))
        .expect("open");
    assert_eq!(solo.host.tcp.timers(), TimerKinds::KEEP_ALIVE);
    let probes = solo.sent_within(7_199 * SEC);
    assert!(probes.is_empty());
    let probes = solo.sent_within(2 * SEC);
    assert_eq!(probes, [(1000, ". 0:0(0) ack 1".into())]);
    solo.inject(seg(".", 1).ack(1));
    solo.sent_within(7_100 * SEC);
    assert_eq!(solo.host.log.count(TcpNote::KeepAlive), 1);
    solo.sent_within(2_000 * SEC);
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::ETIMEDOUT)
    );
    // The one that was answered, and nine that were not: no single one of them is death.
    assert_eq!(solo.host.log.count(TcpNote::KeepAlive), 1 + 9);
}

#[test]
fn keep_alive_can_be_turned_off_again() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    for on in [true, false] {
        let option = SocketOption::KeepAlive(on);
        solo.host.tcp.set_option(socket, option).expect("owned");
    }
    assert_eq!(solo.host.tcp.timers(), TimerKinds::empty());
    assert!(solo.sent_within(10_000 * SEC).is_empty());
}

#[test]
fn no_keep_alive_is_sent_while_data_are_out() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    for option in [SocketOption::KeepIdle(10), SocketOption::KeepAlive(true)] {
        solo.host.tcp.set_option(socket, option).expect("owned");
    }
    solo.host.tcp.send(solo.now, socket, b"abc").expect("room");
    let sent = solo.sent_within(300 * SEC);
    assert!(sent.len() > 5);
    assert!(sent.iter().all(|(_, s)| s == "P. 1:4(3) ack 1"), "{sent:?}");
}

#[test]
fn silence_counts_from_the_last_ack_although_data_were_out_when_it_was_long_enough() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    for option in [SocketOption::KeepIdle(10), SocketOption::KeepAlive(true)] {
        solo.host.tcp.set_option(socket, option).expect("owned");
    }
    solo.host.tcp.send(solo.now, socket, b"abc").expect("room");
    let began = solo.now;
    solo.sent_within(12 * SEC);
    solo.now = began.plus(12 * SEC);
    solo.inject(seg(".", 1).ack(4));
    let probes = solo.sent_within(20 * SEC);
    assert_eq!(probes[0], (10_000, ". 3:3(0) ack 1".into()));
}

#[test]
fn a_peers_keep_alive_is_answered() {
    let (mut solo, _) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg(".", 0).ack(1));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
}

#[test]
fn what_is_shut_for_reading_is_acknowledged_and_dropped() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host
        .tcp
        .shutdown(solo.now, socket, How::Read)
        .expect("open");
    solo.inject(seg("P.", 1).ack(1).text(b"abc"));
    assert_eq!(solo.sent_within(SEC), [(40, ". 1:1(0) ack 4".into())]);
    assert_eq!(solo.host.tcp.recv(solo.now, socket, &mut [0; 8]), Ok(0));
}

#[test]
fn readiness_is_told_once_each_time_it_grows() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    while solo.host.tcp.next_ready().is_some() {}
    solo.inject(seg("P.", 1).ack(1).text(b"ab"));
    solo.inject(seg("P.", 3).ack(1).text(b"cd"));
    assert_eq!(solo.host.tcp.next_ready(), Some(socket));
    assert_eq!(solo.host.tcp.next_ready(), None);
    assert_eq!(
        solo.host.tcp.send(solo.now, socket, &[0; 300_000]),
        Ok(262_144)
    );
    assert_eq!(
        solo.host.tcp.send(solo.now, socket, b"x"),
        Err(SocketError::EAGAIN)
    );
    solo.sent();
    solo.inject(seg(".", 5).ack(537));
    assert_eq!(solo.host.tcp.next_ready(), Some(socket));
    assert!(solo.host.tcp.ready(socket).contains(Ready::WRITE));
    solo.sent_within(50 * MS);
}

#[test]
fn an_application_can_have_smaller_segments_during_a_connection() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4]);
    let smaller = crate::api::SocketOption::MaxSeg(1_000);
    solo.host.tcp.set_option(socket, smaller).expect("owned");
    solo.host
        .tcp
        .send(solo.now, socket, &[7; 1_500])
        .expect("room");
    assert_eq!(solo.sent(), [". 1:1001(1000) ack 1"]);
}

#[test]
fn what_a_small_segment_waits_for_is_the_profile_s_choice() {
    use crate::profile::Nagle;
    let sent = |nagle| {
        let mut profile = Profile::default();
        profile.tcp.nagle = nagle;
        let (mut solo, socket) = Solo::accepted(profile, &[2, 4, 5, 0xB4]);
        let mut write = |octets: usize| {
            let data = &[7; 2_000][..octets];
            solo.host.tcp.send(solo.now, socket, data).expect("room");
            solo.sent().len()
        };
        [write(1_560), write(100), write(100)]
    };
    assert_eq!(sent(Nagle::AnythingOut), [1, 0, 0]);
    // The rest of the first write is small, and the next one waits for it.
    assert_eq!(sent(Nagle::SmallSegmentOut), [2, 0, 0]);
    // Nothing was out when the first write came; something was when the next one did.
    assert_eq!(sent(Nagle::OutBefore), [2, 0, 0]);
}

#[test]
fn keep_alives_begin_after_the_time_that_the_application_sets() {
    use crate::api::SocketOption;
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    for option in [SocketOption::KeepIdle(30), SocketOption::KeepAlive(true)] {
        solo.host.tcp.set_option(socket, option).expect("owned");
    }
    let probes = solo.sent_within(60 * SEC);
    assert_eq!(probes, [(30_000, ". 0:0(0) ack 1".into())]);
}

#[test]
fn the_hop_limit_is_the_application_s_choice() {
    use crate::api::SocketOption;
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    let ttl = |solo: &mut Solo| {
        solo.host.tcp.send(solo.now, socket, b"x").expect("room");
        let packets = solo.host.transmit(solo.now);
        packets[0].0.ttl
    };
    assert_eq!(ttl(&mut solo), 64);
    solo.inject(seg(".", 1).ack(2));
    let option = SocketOption::HopLimit(Some(9));
    solo.host.tcp.set_option(socket, option).expect("owned");
    assert_eq!(ttl(&mut solo), 9);
}
