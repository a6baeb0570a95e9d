//! Losses found by time (RACK) and probed for (TLP, RFC 8985), windows that come down in proportion (RFC 9937),
//! reactions taken back (RFC 3522, 5682, 2883), and a peer that takes back what it held (RFC 2018).

use alloc::string::String;
use alloc::vec::Vec;

use xen_abi::Fuel;

use super::util::*;
use crate::api::SocketId;
use crate::event::TcpNote;
use crate::profile::{CongestionAlgorithm, MS, Profile, SEC};
use crate::wire::tcp::Segment;
use crate::wire::tcp_options::{Options, TcpOption};

const MSS: [u8; 4] = [2, 4, 3, 0xE8];
const SACK_PERMITTED: [u8; 4] = [1, 1, 4, 2];
/// Segments of 1000 octets with the timestamps option in each.
const MSS_WITH_STAMPS: [u8; 4] = [2, 4, 3, 0xF4];
const STAMPS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
const RTT: u64 = 100 * MS;

/// A connection with segments of 1000 octets, whose round trip of 100 ms the handshake has measured.
struct Sender {
    solo: Solo,
    socket: SocketId,
    stamps: bool,
    /// Our stamp in the last segment sent.
    clock: u32,
}

impl Sender {
    fn new(profile: Profile, sack: bool, stamps: bool) -> Sender {
        let mut options = Vec::from(if stamps { MSS_WITH_STAMPS } else { MSS });
        if sack {
            options.extend(SACK_PERMITTED);
        }
        if stamps {
            options.extend(STAMPS);
        }
        let mut solo = Solo::new(profile);
        let listener = solo.host.listen(at(LOCAL), 4);
        solo.inject(seg("S", 0).options(&options));
        let syn_ack = solo.sent_bytes();
        solo.show(&syn_ack[0]);
        let clock = stamp(&syn_ack[0]);
        let mut sender = Sender {
            solo,
            socket: listener,
            stamps,
            clock,
        };
        sender.wait(RTT);
        sender.ack(1, &[]);
        let (socket, _) = sender.solo.host.tcp.accept(listener).expect("established");
        sender.socket = socket;
        sender
    }

    fn wait(&mut self, ns: u64) {
        self.solo.now = self.solo.now.plus(ns);
    }

    /// The application sends so many octets; the segments that leave.
    fn send(&mut self, octets: usize) -> Vec<String> {
        let text = pattern(0, octets);
        let sent = self.solo.host.tcp.send(self.solo.now, self.socket, &text);
        assert_eq!(sent, Ok(octets));
        self.sent()
    }

    /// The numbers of the segments that leave now, in thousands: `2` for `2001:3001`.
    fn sent(&mut self) -> Vec<String> {
        let packets = self.solo.sent_bytes();
        if let Some(last) = packets.last() {
            self.clock = stamp(last);
        }
        packets.iter().map(|p| self.solo.show(p)).collect()
    }

    fn numbers(&mut self) -> Vec<u32> {
        let sent = self.sent();
        sent.iter().map(|s| number(s)).collect()
    }

    /// The peer acknowledges `ack` and holds these ranges; it echoes the last stamp.
    fn ack(&mut self, ack: u32, held: &[(u32, u32)]) {
        self.ack_echoing(ack, held, self.clock);
    }

    fn ack_echoing(&mut self, ack: u32, held: &[(u32, u32)], echo: u32) {
        let mut options = Vec::new();
        if self.stamps {
            options.extend([1, 1, 8, 10, 0, 0, 0, 2]);
            options.extend(echo.to_be_bytes());
        }
        if !held.is_empty() {
            options.extend(self.solo.sack_option(held));
        }
        self.solo.inject(seg(".", 1).ack(ack).options(&options));
    }

    /// What leaves in the next `ns`: the millisecond and the number.
    fn within(&mut self, ns: u64) -> Vec<(u64, u32)> {
        let sent = self.solo.sent_within(ns);
        sent.iter().map(|(ms, s)| (*ms, number(s))).collect()
    }

    fn count(&self, note: TcpNote) -> usize {
        self.solo.host.log.count(note)
    }

    fn info(&self) -> crate::api::TcpInfo {
        let info = self.solo.host.tcp.info(self.solo.now, self.socket);
        info.expect("it is open")
    }
}

/// Our stamp in a segment; 0: none.
fn stamp(bytes: &[u8]) -> u32 {
    let segment = Segment::parse(bytes).expect("well formed");
    let (fuel, profile) = (Fuel::unlimited(), Profile::default());
    let mut options = Options::new(segment.options, &fuel, &profile);
    let value = options.find_map(|option| match option {
        TcpOption::Timestamps { value, .. } => Some(value),
        _ => None,
    });
    value.unwrap_or(0)
}

/// `2` for `. 2001:3001(1000) …`.
fn number(shown: &str) -> u32 {
    let seq = shown.split([' ', ':']).nth(1).expect("a number");
    (seq.parse::<u32>().expect("a number") - 1) / 1000
}

/// Ten segments are out, sent a round trip ago.
fn ten_out(profile: Profile, sack: bool, stamps: bool) -> Sender {
    let mut sender = Sender::new(profile, sack, stamps);
    assert_eq!(sender.send(40_000).len(), 10);
    sender.wait(RTT);
    sender
}

#[test]
fn three_segments_held_are_a_loss_at_once() {
    let mut s = ten_out(Profile::default(), true, false);
    s.ack(1, &[(1_001, 2_001)]);
    s.ack(1, &[(1_001, 3_001)]);
    assert_eq!(s.numbers(), [10, 11], "limited transmit");
    s.ack(1, &[(1_001, 4_001)]);
    assert_eq!(s.numbers(), [0]);
    assert_eq!(s.count(TcpNote::RecoveryEntered), 1);
}

#[test]
fn fewer_are_one_after_a_quarter_of_a_round_trip() {
    let mut s = ten_out(Profile::default(), true, false);
    s.ack(1, &[(1_001, 2_001)]);
    assert_eq!(s.numbers(), [10]);
    assert_eq!(s.within(30 * MS), [(25, 0)]);
    assert_eq!(s.count(TcpNote::RecoveryEntered), 1);
}

#[test]
fn a_segment_that_is_only_late_is_not_sent_again() {
    let mut s = ten_out(Profile::default(), true, false);
    s.ack(1, &[(1_001, 3_001)]);
    s.sent();
    s.wait(20 * MS);
    s.ack(3_001, &[]);
    s.within(RTT);
    assert_eq!(s.count(TcpNote::Retransmit), 0);
}

#[test]
fn a_retransmission_that_is_lost_too_is_sent_a_third_time_without_a_timeout() {
    let mut s = ten_out(Profile::default(), true, false);
    s.ack(1, &[(1_001, 4_001)]);
    assert_eq!(s.numbers(), [0]);
    s.wait(MS);
    // The others arrive, and later what was sent behind the retransmission.
    s.ack(1, &[(1_001, 10_001)]);
    let new = s.numbers();
    assert!(new.contains(&10) && !new.contains(&0), "{new:?}");
    s.wait(RTT);
    s.ack(1, &[(1_001, 11_001)]);
    assert_eq!(s.within(RTT / 4).first(), Some(&(0, 0)));
    assert_eq!(s.count(TcpNote::RtoExpired), 0);
    assert_eq!(s.count(TcpNote::RecoveryEntered), 1, "one reduction");
}

#[test]
fn a_report_of_a_duplicate_makes_rack_more_patient() {
    let mut s = ten_out(Profile::default(), true, false);
    s.ack(1, &[(1_001, 2_001)]);
    s.within(25 * MS);
    assert_eq!(s.count(TcpNote::Retransmit), 1);
    s.ack(2_001, &[]);
    s.ack(2_001, &[(1, 1_001)]);
    s.sent();
    s.wait(RTT);
    s.ack(2_001, &[(3_001, 4_001)]);
    let later = s.within(60 * MS);
    let again = later.iter().find(|(_, n)| *n == 2);
    assert_eq!(again.map(|(ms, _)| *ms), Some(50), "{later:?}");
}

#[test]
fn a_timeout_does_not_make_lost_what_was_sent_a_moment_ago() {
    let mut profile = Profile::default();
    profile.tcp.recovery.tail_probe = false;
    let mut s = Sender::new(profile, true, false);
    s.send(2_000);
    s.wait(RTT);
    s.ack(1_001, &[]);
    // The timeout of a second runs from here.
    s.wait(950 * MS);
    assert_eq!(s.send(3_000).len(), 3);
    assert_eq!(s.within(60 * MS), [(50, 1)]);
    assert_eq!(s.count(TcpNote::RtoExpired), 1);
    assert_eq!((s.info().unacked, s.info().lost), (4, 1));
}

/// Losses are found by counting (RFC 6675) alone.
fn counting() -> Profile {
    let mut profile = Profile::default();
    profile.tcp.recovery.rack = false;
    profile.tcp.recovery.tail_probe = false;
    profile
}

#[test]
fn without_rack_the_third_duplicate_is_a_loss_however_little_it_reports() {
    let mut s = ten_out(counting(), true, false);
    for end in [1_101, 1_201] {
        s.ack(1, &[(1_001, end)]);
        assert!(!s.numbers().contains(&0));
    }
    s.ack(1, &[(1_001, 1_301)]);
    assert_eq!(s.numbers()[0], 0);
}

#[test]
fn without_rack_the_end_of_a_flight_is_rescued_once_in_a_recovery() {
    let mut s = Sender::new(counting(), true, false);
    assert_eq!(s.send(10_000).len(), 10);
    s.wait(RTT);
    // The first and the last of ten are lost, and nothing new is there to send.
    let mut sent = Vec::new();
    for end in 2..=9 {
        s.ack(1, &[(1_001, end * 1_000 + 1)]);
        sent.extend(s.numbers());
    }
    assert_eq!(sent, [0, 9]);
    s.wait(RTT);
    s.ack(9_001, &[]);
    s.ack(10_001, &[]);
    assert_eq!(s.count(TcpNote::RtoExpired), 0);
}

#[test]
fn a_lost_tail_is_probed_with_its_last_segment_after_two_round_trips() {
    let mut s = Sender::new(Profile::default(), true, false);
    assert_eq!(s.send(3_000).len(), 3);
    assert_eq!(s.within(310 * MS), [(200, 2)]);
    // The probe shows that the first two are lost; RACK sends them again.
    s.ack(1, &[(2_001, 3_001)]);
    assert_eq!(s.numbers(), [0]);
    s.ack(1_001, &[(2_001, 3_001)]);
    assert_eq!(s.numbers(), [1]);
    assert_eq!(s.count(TcpNote::RtoExpired), 0);
}

#[test]
fn a_probe_is_a_new_segment_if_there_is_one() {
    let mut s = ten_out(Profile::default(), true, false);
    assert_eq!(s.within(150 * MS), [(100, 10)]);
    assert_eq!(s.count(TcpNote::TailProbe), 1);
    assert_eq!(s.count(TcpNote::Retransmit), 0);
}

#[test]
fn one_probe_goes_and_then_the_timer_has_its_turn() {
    let mut s = Sender::new(Profile::default(), true, false);
    s.send(1_000);
    assert_eq!(s.within(1_500 * MS), [(400, 0), (1400, 0)]);
    assert_eq!(s.count(TcpNote::RtoExpired), 1);
}

#[test]
fn a_probe_goes_in_place_of_a_timeout_that_is_due_at_the_same_instant() {
    let mut profile = Profile::default();
    profile.tcp.min_rto = 300 * MS;
    let mut s = Sender::new(profile, true, false);
    s.send(1_000);
    assert_eq!(s.within(700 * MS), [(300, 0), (600, 0)]);
    assert_eq!(s.count(TcpNote::TailProbe), 1);
    assert_eq!(s.count(TcpNote::RtoExpired), 1);
}

#[test]
fn a_probe_that_repaired_the_loss_still_lowers_the_window() {
    let mut s = Sender::new(Profile::default(), true, false);
    s.send(3_000);
    s.within(250 * MS);
    s.ack(2_001, &[]);
    assert_eq!(s.count(TcpNote::RecoveryEntered), 0, "not known yet");
    s.send(1_000);
    s.ack(4_001, &[]);
    assert_eq!(s.count(TcpNote::RecoveryEntered), 1);
}

#[test]
fn a_probe_whose_original_arrived_lowers_nothing() {
    let mut s = Sender::new(Profile::default(), true, false);
    s.send(3_000);
    s.within(250 * MS);
    s.ack(3_001, &[]);
    s.ack(3_001, &[(2_001, 3_001)]);
    s.send(1_000);
    s.ack(4_001, &[]);
    assert_eq!(s.count(TcpNote::RecoveryEntered), 0);
}

/// How many segments leave for each of the ACKs of a window of ten of which the first is lost.
fn paced_by_acks(mut profile: Profile, sack: bool) -> Vec<usize> {
    profile.tcp.congestion = CongestionAlgorithm::Reno;
    let mut s = ten_out(profile, sack, false);
    (1..10)
        .map(|n| {
            let held = [(1_001, 1_001 + n * 1_000)];
            s.ack(1, if sack { &held } else { &[] });
            s.sent().len()
        })
        .collect()
}

#[test]
fn in_fast_recovery_every_second_segment_that_arrives_lets_one_out() {
    for sack in [true, false] {
        let sent = paced_by_acks(Profile::default(), sack);
        assert_eq!(sent, [1, 1, 1, 0, 1, 0, 1, 0, 0]);
    }
}

#[test]
fn a_recovery_ends_at_the_threshold() {
    for sack in [true, false] {
        let mut s = ten_out(Profile::default(), sack, false);
        for n in 2..=10 {
            let held = [(1_001, n * 1_000 + 1)];
            s.ack(1, if sack { &held } else { &[] });
            s.sent();
        }
        let end = s.info().snd_nxt.wrapping_sub(s.solo.iss().0);
        s.ack(end, &[]);
        assert_eq!(s.count(TcpNote::RecoveryLeft), 1, "{sack}");
        let info = s.info();
        assert_eq!(Some(info.snd_cwnd), info.snd_ssthresh, "{sack}");
    }
}

#[test]
fn without_proportional_reduction_it_is_silent_until_the_window_fits() {
    let mut profile = Profile::default();
    profile.tcp.recovery.prr = false;
    let sent = paced_by_acks(profile, true);
    assert_eq!(sent, [1, 1, 1, 0, 0, 0, 0, 1, 1]);
}

#[test]
fn without_limited_transmit_the_first_two_duplicates_let_nothing_out() {
    for sack in [true, false] {
        let mut profile = Profile::default();
        profile.tcp.recovery.limited_transmit = false;
        assert_eq!(paced_by_acks(profile, sack)[..3], [0, 0, 1]);
    }
}

#[test]
fn an_echo_of_the_original_takes_a_timeout_back() {
    let mut profile = Profile::default();
    profile.tcp.recovery.tail_probe = false;
    let mut s = ten_out(profile, true, true);
    let original = s.clock;
    assert_eq!(s.within(SEC), [(900, 0)]);
    s.ack_echoing(1_001, &[], original);
    assert_eq!(s.count(TcpNote::Spurious), 1);
    let sent = s.numbers();
    assert!(sent.iter().all(|&n| n >= 10), "only new ones: {sent:?}");
    s.ack(10_001, &[]);
    let sent = s.sent().len();
    assert!(sent >= 10, "the window is back: {sent}");
}

#[test]
fn an_echo_of_the_retransmission_does_not() {
    let mut profile = Profile::default();
    profile.tcp.recovery.tail_probe = false;
    let mut s = ten_out(profile, true, true);
    s.wait(900 * MS);
    assert_eq!(s.numbers(), [0]);
    s.ack(1_001, &[]);
    assert_eq!(s.count(TcpNote::Spurious), 0);
}

#[test]
fn with_timestamps_what_was_sent_twice_is_measured() {
    let mut profile = Profile::default();
    profile.tcp.recovery.tail_probe = false;
    let mut s = Sender::new(profile, false, true);
    s.send(1_000);
    s.wait(SEC);
    assert_eq!(s.numbers(), [0]);
    s.wait(300 * MS);
    // Seven eighths of the handshake's 100 ms, one of the 300 since the retransmission whose stamp is echoed.
    s.ack(1_001, &[]);
    assert_eq!(s.info().rtt, 125 * MS);
}

#[test]
fn f_rto_sends_two_new_segments_and_learns_from_the_second_ack() {
    let mut profile = Profile::default();
    profile.tcp.recovery.tail_probe = false;
    let mut s = ten_out(profile.clone(), true, false);
    s.within(SEC);
    s.ack(1_001, &[]);
    assert_eq!(s.numbers(), [10, 11]);
    s.ack(2_001, &[]);
    assert_eq!(s.count(TcpNote::Spurious), 1);

    let mut s = ten_out(profile, true, false);
    s.within(SEC);
    s.ack(1_001, &[]);
    assert_eq!(s.numbers(), [10, 11]);
    s.ack(1_001, &[(10_001, 11_001)]);
    assert_eq!(s.count(TcpNote::Spurious), 0);
    assert_eq!(s.numbers()[0], 1, "the loss was real");
}

#[test]
fn when_all_that_was_sent_again_is_reported_as_duplicate_the_window_comes_back() {
    let mut s = ten_out(Profile::default(), true, false);
    s.ack(1, &[(1_001, 4_001)]);
    assert_eq!(s.numbers(), [0]);
    s.ack(4_001, &[]);
    s.sent();
    s.ack(4_001, &[(1, 1_001)]);
    assert_eq!(s.count(TcpNote::Spurious), 1);
}

#[test]
fn a_timeout_does_not_make_the_sender_forget_what_the_peer_holds() {
    let mut profile = Profile::default();
    profile.tcp.recovery.f_rto = false;
    let mut s = ten_out(profile, true, false);
    s.ack(1, &[(2_001, 4_001), (5_001, 10_001)]);
    s.sent();
    let timeouts = s.within(2 * SEC);
    assert!(
        timeouts
            .iter()
            .all(|(_, n)| [0, 1, 4].contains(n) || *n >= 10)
    );
    assert!(s.count(TcpNote::RtoExpired) > 0);
    s.ack(2_001 + 2_000, &[(5_001, 10_001)]);
    assert_eq!(s.numbers()[0], 4);
}

#[test]
fn what_a_peer_takes_back_is_sent_again_and_the_stream_goes_on() {
    let mut s = ten_out(Profile::default(), true, false);
    s.ack(1, &[(1_001, 4_001)]);
    assert_eq!(s.numbers(), [0]);
    // It acknowledges the hole and nothing of what it held behind it.
    s.ack(1_001, &[]);
    assert_eq!(s.count(TcpNote::Renege), 1);
    let mut again = s.numbers();
    for n in 2..=10u32 {
        s.ack(n * 1_000 + 1, &[]);
        again.extend(s.numbers());
    }
    assert_eq!(again.iter().filter(|&&n| n == 1).count(), 1);
    assert!(again.contains(&2) && again.contains(&3));
    assert_eq!(s.count(TcpNote::RtoExpired), 0);
}
