//! What the device's queue and the administrator's routes do to connections: pacing, drops that the sender knows of,
//! attributes of the way to a host.

use alloc::vec::Vec;

use super::util::*;
use crate::api::{SocketError, SocketId};
use crate::net::metrics::Metrics;
use crate::profile::{MS, Profile, SEC};

const MSS: &[u8] = &[2, 4, 5, 0xB4];

/// A connection that was accepted, over a round trip of 100 ms.
fn far_away(profile: Profile, metrics: Metrics) -> (Solo, SocketId, u16) {
    let mut solo = Solo::new(profile);
    solo.host.metrics = metrics;
    let listener = solo.host.listen(at(LOCAL), 4);
    solo.inject(seg("S", 0).options(MSS));
    let syn = solo.sent_bytes().remove(0);
    solo.show(&syn);
    // The segment size is the first option.
    let announced = u16::from_be_bytes([syn[22], syn[23]]);
    solo.now = solo.now.plus(100 * MS);
    solo.inject(seg(".", 1).ack(1));
    let (socket, _) = solo.host.tcp.accept(listener).expect("established");
    (solo, socket, announced)
}

#[test]
fn a_paced_window_leaves_unit_by_unit_and_who_was_late_catches_up_by_half_of_one() {
    let (mut solo, socket, _) = far_away(Profile::linux(), Metrics::default());
    solo.host.tcp.set_pacing(true);
    let sent = solo.host.tcp.send(solo.now, socket, &[1; 16_000]);
    assert_eq!(sent, Ok(16_000));
    // The initial window is free.
    assert_eq!(solo.sent().len(), 10);
    solo.now = solo.now.plus(100 * MS);
    solo.inject(seg(".", 1).ack(14_601));
    let sent = solo.host.tcp.send(solo.now, socket, &[1; 14_000]);
    assert_eq!(sent, Ok(14_000));
    // Twice a window of 20 segments in 100 ms: two segments in 5 ms.
    let times: Vec<u64> = solo.sent_within(20 * MS).iter().map(|s| s.0).collect();
    assert_eq!(times, [0, 0, 2, 2, 7, 7, 12, 12, 17, 17]);
}

#[test]
fn what_the_queue_drops_is_tried_again_twice_a_second_and_nothing_backs_off() {
    let (mut solo, socket, _) = far_away(Profile::linux(), Metrics::default());
    solo.host.drops = true;
    solo.host.tcp.send(solo.now, socket, b"text").expect("room");
    assert_eq!(solo.sent_within(2 * SEC), []);
    let info = solo.host.tcp.info(solo.now, socket).expect("it is open");
    // After the timeout of 300 ms, then every 500 ms.
    assert_eq!((info.probes, info.backoff), (4, 0));
    solo.host.drops = false;
    assert_eq!(solo.sent_within(SEC)[0], (300, "P. 1:5(4) ack 1".into()));
}

#[test]
fn a_queue_that_drops_for_as_long_as_the_user_timeout_ends_the_connection() {
    let mut profile = Profile::linux();
    profile.tcp.r2 = 3 * SEC;
    let (mut solo, socket, _) = far_away(profile, Metrics::default());
    solo.host.drops = true;
    let send = |solo: &mut Solo| solo.host.tcp.send(solo.now, socket, b"text");
    assert_eq!(send(&mut solo), Ok(4));
    solo.sent_within(3_250 * MS);
    assert_eq!(send(&mut solo), Ok(4));
    solo.sent_within(100 * MS);
    assert_eq!(send(&mut solo), Err(SocketError::ETIMEDOUT));
}

#[test]
fn a_route_says_what_is_announced_how_large_packets_are_and_how_many_leave_first() {
    let small = Metrics {
        advertised_mss: Some(700),
        mtu: Some(640),
        initial_window: Some(3),
        ..Metrics::default()
    };
    let (mut solo, socket, announced) = far_away(Profile::default(), small);
    assert_eq!(announced, 700);
    let sent = solo.host.tcp.send(solo.now, socket, &[1; 10_000]);
    assert_eq!(sent, Ok(10_000));
    let first = [
        ". 1:601(600) ack 1",
        ". 601:1201(600) ack 1",
        ". 1201:1801(600) ack 1",
    ];
    assert_eq!(solo.sent(), first);
    // Another one holds from the next segment on.
    solo.host.metrics = Metrics::default();
    solo.host.tcp.route_changed(solo.peer.ip());
    solo.inject(seg(".", 1).ack(1_801));
    assert_eq!(solo.sent()[0], ". 1801:3261(1460) ack 1");
}

#[test]
fn the_system_s_mark_of_unsent_octets_holds_where_the_application_has_none() {
    let mut profile = Profile::default();
    profile.tcp.sockets.not_sent_lowat = 4_000;
    let (mut solo, socket, _) = far_away(profile, Metrics::default());
    solo.host.drops = true;
    let send = |solo: &mut Solo| solo.host.tcp.send(solo.now, socket, &[1; 4_000]);
    assert_eq!(send(&mut solo), Ok(4_000));
    assert_eq!(send(&mut solo), Err(SocketError::EAGAIN));
}
