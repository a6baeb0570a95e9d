//! Packetization Layer Path MTU Discovery (RFC 4821).

use super::util::*;
use crate::profile::{MS, ProbingMode, Profile};
use crate::wire::tcp::Segment;

fn with(mode: ProbingMode) -> Profile {
    let mut profile = Profile::default();
    profile.tcp.mtu_probing.mode = mode;
    profile.tcp.mtu_probing.base_mss = 512;
    profile
}

/// 500 kB over a path that takes segments of so much text and says nothing of larger ones; the largest one that
/// arrived, and how many did not.
fn transfer(mode: ProbingMode, takes: usize) -> (usize, usize) {
    let mut pair = Pair::new(with(mode));
    let (client, server) = pair.connected();
    let largest = alloc::rc::Rc::new(core::cell::Cell::new((0, 0)));
    let seen = largest.clone();
    pair.fate = alloc::boxed::Box::new(move |_, _, bytes| {
        let text = Segment::parse(bytes).expect("well formed").payload.len();
        let (most, lost) = seen.get();
        if text > takes {
            seen.set((most, lost + 1));
            return Fate::Lose;
        }
        seen.set((most.max(text), lost));
        Fate::Deliver
    });
    let data = pattern(0, 500_000);
    let (mut sent, mut received) = (0, alloc::vec::Vec::new());
    let mut to = [0; 65_536];
    for _ in 0..4_000 {
        let now = pair.now;
        sent += pair.hosts[0]
            .tcp
            .send(now, client, &data[sent..])
            .unwrap_or(0);
        pair.run(20 * MS);
        while let Ok(n @ 1..) = pair.hosts[1].tcp.recv(pair.now, server, &mut to) {
            received.extend_from_slice(&to[..n]);
        }
        if received.len() == data.len() {
            break;
        }
    }
    assert!(received == data, "{} octets arrived", received.len());
    largest.get()
}

#[test]
fn the_search_ends_near_what_the_path_takes_and_costs_few_probes() {
    let (largest, lost) = transfer(ProbingMode::Always, 1_200);
    assert!((1_190..=1_200).contains(&largest), "{largest}");
    assert!(lost <= 8, "{lost}");
}

#[test]
fn a_path_that_takes_everything_is_used_fully() {
    let (largest, lost) = transfer(ProbingMode::Always, 1_500);
    assert!(largest >= 1_440, "{largest}");
    assert_eq!(lost, 0);
}

#[test]
fn a_black_hole_is_noticed_by_timeouts() {
    let (largest, _) = transfer(ProbingMode::AfterBlackHole, 1_000);
    assert!((490..=1_000).contains(&largest), "{largest}");
}

#[test]
fn a_probe_is_new_text_with_more_behind_it() {
    let (mut solo, socket) = Solo::accepted(with(ProbingMode::Always), &[2, 4, 5, 0xB4]);
    let data = [7; 986 + 5 * 512];
    solo.host.tcp.send(solo.now, socket, &data).expect("room");
    let sent = solo.sent();
    // Half-way between 512 and 1460, and then what is known to pass.
    assert_eq!(sent[0], ". 1:987(986) ack 1");
    assert_eq!(sent[1], ". 987:1499(512) ack 1");
    assert_eq!(sent.len(), 6);
    solo.inject(seg(".", 1).ack(3_547));
    // There is too little for the next probe: what has passed is used.
    solo.host.tcp.send(solo.now, socket, &data).expect("room");
    assert_eq!(solo.sent()[0], ". 3547:4533(986) ack 1");
}
