//! How much is taken of a write where memory is charged by chunks, and when a writer is woken.

use crate::api::{Ready, SocketError, SocketId, SocketOption};
use crate::profile::Profile;
use crate::profile::sockets::Charge;

use super::util::{LOCAL, Solo, at, seg};

/// Segments of 1000 octets, windows of 32896.
const MSS_1000: [u8; 8] = [2, 4, 0x03, 0xE8, 1, 3, 3, 7];

fn accepted(send_buffer: usize, least_segments: u16) -> (Solo, SocketId) {
    let mut profile = Profile::linux();
    profile.tcp.timestamps = false;
    profile.tcp.send_buffer = send_buffer;
    profile.tcp.sockets.charge = Some(Charge {
        overhead: 1_280,
        least_segments,
        most: 4 << 20,
    });
    let mut solo = Solo::new(profile);
    let listener = solo.host.listen(at(LOCAL), 4);
    solo.inject(seg("S", 0).options(&MSS_1000).win(32_792));
    solo.sent();
    solo.inject(seg(".", 1).ack(1).win(257));
    let (socket, _) = solo.host.tcp.accept(listener).expect("established");
    (solo, socket)
}

fn send(solo: &mut Solo, socket: SocketId, octets: usize) -> usize {
    let data = alloc::vec![0; octets];
    let taken = solo.host.tcp.send(solo.now, socket, &data);
    solo.sent();
    taken.unwrap_or(0)
}

#[test]
fn whole_chunks_are_taken_as_long_as_the_charge_is_below_the_limit() {
    // Ten segments leave at once; then come chunks of half the peer's window.
    let (mut solo, socket) = accepted(50_000, 2);
    let data = alloc::vec![0; 59_000];
    let tcp = &mut solo.host.tcp;
    assert_eq!(tcp.send(solo.now, socket, &data), Ok(58_000));
    assert_eq!(tcp.send(solo.now, socket, &data), Err(SocketError::EAGAIN));
    assert_eq!(send(&mut solo, socket, 1_000), 0);
    let (mut solo, socket) = accepted(50_000, 2);
    assert_eq!(send(&mut solo, socket, 500), 500);
}

#[test]
fn no_chunk_is_begun_above_the_low_water_mark_of_what_is_unsent() {
    let (mut solo, socket) = accepted(262_144, 2);
    let tcp = &mut solo.host.tcp;
    let lowat = SocketOption::NotSentLowat(4_000);
    tcp.set_option(socket, lowat).expect("it is known");
    assert_eq!(send(&mut solo, socket, 59_000), 26_000);
    let mut was_writable = false;
    for ack in (2_001..=14_001).step_by(2_000) {
        solo.inject(seg(".", 1).ack(ack).win(257));
        solo.sent();
        let tcp = &solo.host.tcp;
        let unsent = tcp.queued(socket).expect("it is connected").unsent;
        let writable = tcp.ready(socket).contains(Ready::WRITE);
        assert_eq!(writable, unsent < 2_000, "{unsent} octets are unsent");
        was_writable |= writable;
    }
    assert!(was_writable);
}

#[test]
fn a_third_of_the_buffer_must_be_free_before_a_writer_is_woken() {
    let (mut solo, socket) = accepted(262_144, 10);
    let tcp = &mut solo.host.tcp;
    let buffer = SocketOption::SendBuffer(21_000);
    tcp.set_option(socket, buffer).expect("it is known");
    solo.inject(seg(".", 1).ack(1).win(391));
    let taken = send(&mut solo, socket, 61_000) as u32;
    for ack in (10_001..taken).step_by(5_000) {
        solo.inject(seg(".", 1).ack(ack).win(391));
        solo.sent();
        let ready = solo.host.tcp.ready(socket);
        let left = taken + 1 - ack;
        let charged = left + 1_280 * left.div_ceil(10_000);
        // Chunks that wait may be larger than those that were sent, so only far from the mark is it sure.
        if charged > 28_000 + 3_000 {
            assert!(!ready.contains(Ready::WRITE), "{left} left");
        } else if charged < 28_000 - 3_000 {
            assert!(ready.contains(Ready::WRITE), "{left} left");
        }
    }
}
