//! Urgent data (RFC 9293, 3.8.5; RFC 6093).

use alloc::vec::Vec;

use super::util::*;
use crate::api::{Ready, RecvFlags, SendFlags, SocketError, SocketId, SocketOption};
use crate::profile::{Profile, SEC};
use crate::wire::tcp::Segment;

fn accepted() -> (Solo, SocketId) {
    Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4])
}

/// What is sent now, with the urgent pointer.
fn sent(solo: &mut Solo) -> Vec<(u16, alloc::string::String)> {
    let all = solo.sent_bytes();
    let pointer = |b: &[u8]| Segment::parse(b).expect("well formed").urgent();
    all.iter().map(|b| (pointer(b), solo.show(b))).collect()
}

fn read(solo: &mut Solo, socket: SocketId, flags: RecvFlags) -> Result<Vec<u8>, SocketError> {
    let mut to = [0; 32];
    let n = solo.host.tcp.recv_with(solo.now, socket, &mut to, flags)?;
    Ok(to[..n].to_vec())
}

#[test]
fn the_pointer_names_the_octet_behind_the_urgent_data() {
    let (mut solo, socket) = accepted();
    let (tcp, now) = (&mut solo.host.tcp, solo.now);
    let sending = tcp.send_with(now, socket, b"stop!", SendFlags::OOB);
    assert_eq!(sending, Ok(5));
    assert_eq!(sent(&mut solo), [(5, "PU. 1:6(5) ack 1".into())]);
    // It is said again as long as it is not acknowledged, and not in what follows.
    solo.host.tcp.send(solo.now, socket, b"go").expect("room");
    solo.now = solo.now.plus(SEC);
    assert_eq!(sent(&mut solo), [(5, "U. 1:6(5) ack 1".into())]);
    solo.inject(seg(".", 1).ack(6));
    assert_eq!(sent(&mut solo), [(0, "P. 6:8(2) ack 1".into())]);
    solo.inject(seg(".", 1).ack(8));
    solo.host.tcp.send(solo.now, socket, b"on").expect("room");
    assert_eq!(sent(&mut solo), [(0, "P. 8:10(2) ack 1".into())]);
}

#[test]
fn urgent_data_may_be_of_any_length() {
    let (mut solo, socket) = accepted();
    let (tcp, now) = (&mut solo.host.tcp, solo.now);
    let data = [7; 100_000];
    let sending = tcp.send_with(now, socket, &data, SendFlags::OOB);
    assert_eq!(sending, Ok(100_000));
    let first = sent(&mut solo);
    assert_eq!(first[0].0, u16::MAX);
    assert!(first.iter().all(|(_, s)| s.starts_with("U.")));
}

#[test]
fn the_application_is_told_of_urgent_data_before_they_are_there_and_how_much_there_is() {
    let (mut solo, socket) = accepted();
    while solo.host.tcp.next_ready().is_some() {}
    solo.inject(seg("U.", 1).ack(1).urg(10));
    assert_eq!(solo.host.tcp.next_ready(), Some(socket));
    assert!(solo.host.tcp.ready(socket).contains(Ready::URGENT));
    assert_eq!(solo.host.tcp.urgent_ahead(socket), Ok(Some(10)));
    solo.inject(seg("PU.", 1).ack(1).urg(10).text(b"abcdefghijkl"));
    // A read stops at the mark, which is one octet before the pointer.
    assert_eq!(
        read(&mut solo, socket, RecvFlags::empty()).as_deref(),
        Ok(&b"abcdefghi"[..])
    );
    assert_eq!(solo.host.tcp.urgent_ahead(socket), Ok(Some(1)));
    assert_eq!(
        read(&mut solo, socket, RecvFlags::empty()).as_deref(),
        Ok(&b"jkl"[..])
    );
    assert_eq!(solo.host.tcp.urgent_ahead(socket), Ok(None));
    assert!(!solo.host.tcp.ready(socket).contains(Ready::URGENT));
}

#[test]
fn an_older_pointer_does_not_move_the_mark_back() {
    let (mut solo, socket) = accepted();
    for (pointer, ahead) in [(10, 10), (5, 10), (12, 12)] {
        solo.inject(seg("U.", 1).ack(1).urg(pointer));
        assert_eq!(solo.host.tcp.urgent_ahead(socket), Ok(Some(ahead)));
    }
}

#[test]
fn an_urgent_pointer_counts_at_window_zero() {
    let mut profile = Profile::default();
    profile.tcp.recv_buffer = 2_048;
    let (mut solo, socket) = Solo::accepted(profile, &[2, 4, 5, 0xB4]);
    solo.inject(seg("P.", 1).ack(1).text(&[7; 1_460]));
    solo.inject(seg("P.", 1461).ack(1).text(&[7; 588]));
    solo.sent();
    solo.inject(seg("U.", 2049).ack(1).urg(3).text(b"xyz"));
    assert_eq!(solo.host.tcp.urgent_ahead(socket), Ok(Some(2_051)));
}

#[test]
fn an_octet_out_of_the_line_is_read_by_itself_and_once() {
    let (mut solo, socket) = accepted();
    let option = SocketOption::OutOfBandInline(false);
    solo.host.tcp.set_option(socket, option).expect("owned");
    let oob = RecvFlags::OOB;
    assert_eq!(read(&mut solo, socket, oob), Err(SocketError::EINVAL));
    solo.inject(seg("U.", 1).ack(1).urg(3));
    assert_eq!(read(&mut solo, socket, oob), Err(SocketError::EAGAIN));
    solo.inject(seg("PU.", 1).ack(1).urg(3).text(b"ab!cd"));
    assert_eq!(read(&mut solo, socket, oob).as_deref(), Ok(&b"!"[..]));
    assert_eq!(read(&mut solo, socket, oob), Err(SocketError::EINVAL));
    let line = RecvFlags::empty();
    assert_eq!(read(&mut solo, socket, line).as_deref(), Ok(&b"ab"[..]));
    assert_eq!(read(&mut solo, socket, line).as_deref(), Ok(&b"cd"[..]));
}
