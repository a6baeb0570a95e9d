//! What the fields of a profile change, where the specifications leave a choice or a system deviates from them.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::util::*;
use crate::api::SocketError;
use crate::event::TcpState;
use crate::profile::{Blackhole, MS, Profile, SEC};
use crate::wire::tcp::Segment;

/// MSS 1460 and SACK permitted, with the list's end behind.
const PEER_OPTIONS: [u8; 8] = [2, 4, 5, 0xB4, 4, 2, 0, 0];

fn with(change: impl FnOnce(&mut Profile)) -> Profile {
    let mut profile = Profile::freebsd();
    change(&mut profile);
    profile
}

/// The kinds of a SYN's options, padding as it is; each option by its first octet.
fn syn_kinds(profile: Profile) -> Vec<u8> {
    let mut solo = Solo::new(profile);
    solo.host.connect(solo.now, at(PEER));
    let syn = solo.sent_bytes().remove(0);
    let mut options = Segment::parse(&syn).expect("well formed").options;
    let mut kinds = Vec::new();
    while let [kind, rest @ ..] = options {
        kinds.push(*kind);
        options = match kind {
            0 | 1 => rest,
            _ => &options[usize::from(rest[0])..],
        };
    }
    kinds
}

#[test]
fn each_system_has_its_own_order_and_padding_of_a_syn_s_options() {
    let (mss, scale, sack, stamps) = (2, 3, 4, 8);
    assert_eq!(syn_kinds(Profile::linux()), [mss, sack, stamps, 1, scale]);
    assert_eq!(syn_kinds(Profile::freebsd()), [mss, 1, scale, sack, stamps]);
    let without_stamps = |mut profile: Profile| {
        profile.tcp.timestamps = false;
        syn_kinds(profile)
    };
    assert_eq!(
        without_stamps(Profile::linux()),
        [mss, 1, 1, sack, 1, scale]
    );
    assert_eq!(
        without_stamps(Profile::freebsd()),
        [mss, 1, scale, sack, 0, 0]
    );
    let without_sack = with(|p| p.tcp.sack = false);
    assert_eq!(syn_kinds(without_sack), [mss, 1, scale, 1, 1, stamps]);
}

#[test]
fn a_syn_that_is_repeated_too_often_may_offer_nothing_but_its_segment_size() {
    let mut solo = Solo::new(with(|p| p.tcp.handshake.plain_after = 3));
    solo.host.connect(solo.now, at(PEER));
    let mut lengths = Vec::new();
    for _ in 0..5 {
        let sent = solo.sent_bytes();
        lengths.extend(
            sent.iter()
                .map(|b| Segment::parse(b).expect("well formed").options.len()),
        );
        solo.now = solo.host.tcp.poll_at(solo.now).expect("a timer");
    }
    assert_eq!(lengths, [20, 20, 20, 4, 4]);
}

#[test]
fn slop_delays_every_repetition_but_the_first_and_the_attempt_ends_when_it_has_to() {
    let mut solo = Solo::new(with(|p| p.tcp.r2_syn = 10 * SEC));
    let socket = solo.host.connect(solo.now, at(PEER));
    let times: Vec<u64> = solo.sent_within(9_999 * MS).iter().map(|s| s.0).collect();
    assert_eq!(times, [0, 1_000, 3_200, 7_400]);
    assert_eq!(solo.host.tcp.take_error(socket), None);
    solo.sent_within(MS);
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::ETIMEDOUT)
    );
}

#[test]
fn a_syn_is_given_up_after_its_repetitions_where_they_are_counted() {
    let mut profile = Profile::linux();
    profile.tcp.handshake.syn_retries = Some(1);
    let mut solo = Solo::new(profile);
    let socket = solo.host.connect(solo.now, at(PEER));
    assert_eq!(solo.sent_within(2_999 * MS).len(), 2);
    assert_eq!(solo.host.tcp.take_error(socket), None);
    assert_eq!(solo.sent_within(MS).len(), 0);
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(SocketError::ETIMEDOUT)
    );
}

#[test]
fn buffers_become_whole_segments_once_the_handshake_has_settled_their_size() {
    let (mut solo, _) = Solo::accepted(Profile::freebsd(), &PEER_OPTIONS);
    // 45 segments of 1460 octets are 65700: more than the offered 65535, and acceptable.
    solo.inject(seg(".", 65_700).ack(1).text(b"x"));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
    let blocks = |solo: &mut Solo, seq| {
        solo.inject(seg(".", seq).ack(1).text(b"x"));
        let sent = solo.sent_bytes();
        solo.window_and_sack(&sent[0])
    };
    assert_eq!(blocks(&mut solo, 65_701).1, [(65_700, 65_701)]);
    assert_eq!(blocks(&mut solo, 65_701).0, 65_535);
}

#[test]
fn a_window_may_begin_small_and_grow_with_what_arrives() {
    let mut profile = Profile::linux();
    profile.tcp.recv_buffer = 540_000;
    let scale = [2, 4, 5, 0xB4, 1, 3, 3, 8];
    let (mut solo, _) = Solo::accepted(profile, &scale);
    let mut windows = Vec::new();
    for n in 0..2 {
        solo.inject(seg("P.", 1 + n * 20_000).ack(1).text(&[7; 20_000]));
        let sent = solo.sent_bytes();
        windows.push(u32::from(solo.window_and_sack(&sent[0]).0) << 7);
    }
    assert!(windows[0] > 65_535 + 20_000 && windows[1] > windows[0]);
}

#[test]
fn a_reset_inside_the_window_is_challenged_or_insecurely_obeyed() {
    for (insecure, answer) in [(false, &[". 1:1(0) ack 1"][..]), (true, &[])] {
        let profile = with(|p| p.tcp.defence.insecure_rst = insecure);
        let (mut solo, socket) = Solo::accepted(profile, &PEER_OPTIONS);
        solo.inject(seg("R", 65_701));
        assert_eq!(solo.host.tcp.take_error(socket), None, "outside the window");
        assert!(solo.sent().is_empty());
        solo.inject(seg("R", 65_700));
        assert_eq!(solo.sent(), answer);
        let reset = insecure.then_some(SocketError::ECONNRESET);
        assert_eq!(solo.host.tcp.take_error(socket), reset);
    }
}

#[test]
fn a_syn_inside_the_window_is_challenged_or_answered_as_rfc_793_had_it() {
    for (insecure, answer) in [(false, ". 1:1(0) ack 1"), (true, "R. 1:1(0) ack 1")] {
        let profile = with(|p| p.tcp.defence.insecure_syn = insecure);
        let (mut solo, socket) = Solo::accepted(profile, &PEER_OPTIONS);
        solo.inject(seg("S", 65_701));
        assert_eq!(solo.sent(), [". 1:1(0) ack 1"], "outside the window");
        solo.inject(seg("S", 65_700));
        assert_eq!(solo.sent(), [answer]);
        let reset = insecure.then_some(SocketError::ECONNRESET);
        assert_eq!(solo.host.tcp.take_error(socket), reset);
    }
}

#[test]
fn a_setting_holds_at_once_for_connections_that_exist() {
    let (mut solo, socket) = Solo::accepted(Profile::freebsd(), &PEER_OPTIONS);
    let insecure = with(|p| p.tcp.defence.insecure_rst = true);
    solo.host.tcp.set_profile(Rc::new(insecure));
    solo.inject(seg("R", 100));
    let error = solo.host.tcp.take_error(socket);
    assert_eq!(error, Some(SocketError::ECONNRESET));
}

#[test]
fn syn_with_fin_begins_a_connection_or_is_dropped() {
    for (dropped, answer) in [(false, &["S. 0:0(0) ack 1"][..]), (true, &[])] {
        let mut solo = Solo::new(with(|p| p.tcp.defence.drop_synfin = dropped));
        solo.host.listen(at(LOCAL), 4);
        solo.inject(seg("SF", 0));
        assert_eq!(solo.sent(), answer);
    }
}

#[test]
fn a_blackhole_swallows_what_a_closed_port_would_reset() {
    use Blackhole::*;
    for (blackhole, syn, ack) in [(Off, 1, 1), (Syn, 0, 1), (Closed, 0, 0)] {
        let mut solo = Solo::new(with(|p| p.tcp.defence.blackhole = blackhole));
        solo.inject(seg("S", 0));
        assert_eq!(solo.sent().len(), syn, "{blackhole:?}");
        solo.inject(seg(".", 0).ack(1));
        assert_eq!(solo.sent().len(), ack, "{blackhole:?}");
    }
}

/// A connection in TIME-WAIT: both have sent a FIN, ours first.
fn time_wait(profile: Profile) -> Solo {
    let (mut solo, socket) = Solo::accepted(profile, &PEER_OPTIONS);
    solo.host.tcp.close(solo.now, socket).expect("open");
    assert_eq!(solo.sent(), ["F. 1:1(0) ack 1"]);
    solo.inject(seg("F.", 1).ack(2));
    assert_eq!(solo.sent(), [". 2:2(0) ack 2"]);
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::TimeWait));
    solo
}

#[test]
fn time_wait_may_listen_to_acknowledgments_only() {
    let mut solo = time_wait(Profile::freebsd());
    for silent in [
        seg("R", 2),
        seg("R.", 2).ack(2),
        seg("S", 2),
        seg("", 2).text(b"x"),
        seg(".", 2).ack(2),
    ] {
        solo.inject(silent);
        assert!(solo.sent().is_empty());
    }
    for answered in [seg(".", 1).ack(2), seg(".", 2).ack(1), seg("F.", 1).ack(2)] {
        solo.inject(answered);
        assert_eq!(solo.sent(), [". 2:2(0) ack 2"]);
    }
    assert_eq!(solo.host.log.states().last(), Some(&TcpState::TimeWait));
}

#[test]
fn a_reset_assassinates_time_wait_unless_the_profile_forbids_it() {
    for (ignores, end) in [(true, TcpState::TimeWait), (false, TcpState::Closed)] {
        let mut profile = Profile::linux();
        profile.tcp.defence.time_wait_ignores_rst = ignores;
        let mut solo = time_wait(profile);
        solo.inject(seg("R", 2));
        assert_eq!(solo.host.log.states().last(), Some(&end));
    }
}

#[test]
fn an_administrator_lists_sockets_and_drops_those_in_a_state() {
    let mut solo = time_wait(Profile::freebsd());
    let states = |solo: &Solo| -> Vec<TcpState> {
        solo.host
            .tcp
            .list()
            .iter()
            .map(|socket| socket.state)
            .collect()
    };
    assert_eq!(states(&solo), [TcpState::Listen, TcpState::TimeWait]);
    solo.host.tcp.drop_connections(TcpState::TimeWait);
    assert_eq!(states(&solo), [TcpState::Listen]);
    assert!(solo.sent().is_empty());
}

#[test]
fn the_acknowledgment_of_an_old_segment_may_count() {
    for (counts, state) in [(true, TcpState::TimeWait), (false, TcpState::Closing)] {
        let profile = with(|p| p.tcp.acks.of_old_segments = counts);
        let (mut solo, socket) = Solo::accepted(profile, &PEER_OPTIONS);
        solo.host.tcp.close(solo.now, socket).expect("open");
        assert_eq!(solo.sent(), ["F. 1:1(0) ack 1"]);
        solo.inject(seg("F.", 1).ack(1));
        assert_eq!(solo.sent(), ["F. 1:1(0) ack 2"], "our FIN is said again");
        solo.inject(seg("F.", 1).ack(2));
        assert_eq!(solo.host.log.states().last(), Some(&state));
    }
}

#[test]
fn a_listener_may_be_silent_to_a_syn_with_an_ack() {
    for (silent, answers) in [(true, 0), (false, 1)] {
        let mut solo = Solo::new(with(|p| p.tcp.defence.listener_ignores_syn_ack = silent));
        solo.host.listen(at(LOCAL), 4);
        solo.inject(seg("S.", 0).ack(5));
        assert_eq!(solo.sent().len(), answers);
    }
}

#[test]
fn a_reset_while_closing_may_be_told_and_has_its_name() {
    use SocketError::{ECONNRESET, EPIPE};
    for (told, error) in [(true, Some(ECONNRESET)), (false, None)] {
        let profile = with(|p| p.tcp.closing.reset_is_told = told);
        let (mut solo, socket) = Solo::accepted(profile, &PEER_OPTIONS);
        let how = crate::api::How::Write;
        solo.host.tcp.shutdown(solo.now, socket, how).expect("open");
        solo.inject(seg("F.", 1).ack(1));
        solo.inject(seg("R", 2));
        assert_eq!(solo.host.tcp.take_error(socket), error);
    }
    let (mut solo, socket) = Solo::accepted(Profile::linux(), &PEER_OPTIONS);
    solo.inject(seg("F.", 1).ack(1));
    solo.inject(seg("R", 2));
    assert_eq!(
        solo.host.tcp.take_error(socket),
        Some(EPIPE),
        "in CLOSE-WAIT"
    );
}
