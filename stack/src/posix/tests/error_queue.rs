//! `MSG_EOR`, `MSG_ZEROCOPY` and `SO_TIMESTAMPING`: what is said about octets, and what is told of them.

use alloc::vec;
use alloc::vec::Vec;

use super::lab::{Lab, SERVER, at, recv, send, write};
use crate::api::How;
use crate::posix::{
    Answer, Call, Control, Data, Errno, ExtendedError, Fd, Level, Message, MsgFlags, Origin,
    Output, Personality, Status,
};
use crate::profile::{MS, Profile};

fn error_queue(fd: Fd) -> Call {
    recv(fd, 0, MsgFlags::ERRQUEUE)
}

fn message(answer: Answer) -> Message {
    assert_eq!(answer.result, 0);
    match answer.output {
        Output::Message(message) => message,
        other => panic!("no message: {other:?}"),
    }
}

fn lent(first: u32, last: u32) -> Control {
    Control::ExtendedError(ExtendedError {
        v6: false,
        errno: None,
        origin: Origin::ZeroCopy,
        kind: 0,
        code: 1,
        info: first,
        data: last,
    })
}

fn lab() -> (Lab, Fd, Fd) {
    let mut lab = Lab::with_profile(Personality::linux(), &Profile::linux());
    let (client, server) = lab.connected();
    (lab, client, server)
}

#[test]
fn zero_copy_sends_are_counted_and_told_together_once_acknowledged() {
    let (mut lab, client, _) = lab();
    lab.set(0, client, Level::Socket, "SO_ZEROCOPY", 1);
    assert_eq!(lab.error(0, error_queue(client)), Errno::EAGAIN);
    for _ in 0..2 {
        lab.value(0, send(client, 4_000, MsgFlags::ZEROCOPY));
        assert_eq!(lab.error(0, error_queue(client)), Errno::EAGAIN);
    }
    lab.run(100);
    let told = message(lab.answer(0, error_queue(client)));
    assert_eq!(told.flags, MsgFlags::ERRQUEUE);
    assert_eq!(told.control, [lent(0, 1)]);
    lab.value(0, send(client, 10, MsgFlags::ZEROCOPY));
    lab.run(100);
    let told = message(lab.answer(0, error_queue(client)));
    assert_eq!(told.control, [lent(2, 2)]);
}

#[test]
fn without_the_option_or_a_connection_nobody_is_told() {
    let (mut lab, client, _) = lab();
    lab.value(0, send(client, 4_000, MsgFlags::ZEROCOPY));
    lab.run(100);
    assert_eq!(lab.error(0, error_queue(client)), Errno::EAGAIN);
    let fd = lab.socket(0, Status::empty());
    lab.set(0, fd, Level::Socket, "SO_ZEROCOPY", 1);
    assert_eq!(lab.error(0, send(fd, 10, MsgFlags::ZEROCOPY)), Errno::EPIPE);
    assert_eq!(lab.error(0, error_queue(fd)), Errno::EAGAIN);
}

#[test]
fn each_element_of_a_zero_copy_write_is_a_piece_of_a_segment() {
    let (mut lab, client, server) = lab();
    lab.set(0, client, Level::Socket, "SO_ZEROCOPY", 1);
    lab.set(0, client, Level::Tcp, "TCP_NODELAY", 1);
    let elements: Vec<Data> = vec![Data::Zeros(1); 18];
    for (flags, sizes) in [
        (MsgFlags::empty(), vec![18]),
        (MsgFlags::ZEROCOPY, vec![17, 1]),
    ] {
        let call = Call::Send {
            fd: client,
            from: elements.clone(),
            flags,
            to: None,
        };
        assert_eq!(lab.value(0, call), 18);
        assert_eq!(lab.texts_sent(0), sizes);
        lab.run(100);
        assert_eq!(lab.value(1, recv(server, 99, MsgFlags::empty())), 18);
    }
    let told = message(lab.answer(0, error_queue(client)));
    assert_eq!(told.control, [lent(0, 0)]);
    assert_eq!(lab.error(0, error_queue(client)), Errno::EAGAIN);
}

#[test]
fn no_later_octet_shares_a_segment_with_the_end_of_a_record() {
    let (mut lab, client, _) = lab();
    lab.value(0, write(client, 100));
    lab.value(0, send(client, 400, MsgFlags::EOR));
    lab.value(0, send(client, 400, MsgFlags::EOR));
    lab.value(0, write(client, 2_000));
    assert_eq!(lab.texts_sent(0), [500, 400, 1448]);
}

#[test]
fn a_writes_last_octet_is_stamped_when_it_leaves_and_when_it_arrived() {
    let (mut lab, client, _) = lab();
    // TX_SOFTWARE, SOFTWARE, OPT_ID, TX_SCHED, TX_ACK
    let flags = 1 << 1 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 9;
    lab.set(0, client, Level::Socket, "SO_TIMESTAMPING", flags);
    let before = lab.now;
    lab.value(0, write(client, 2_896));
    lab.run(100);
    for info in [1, 0, 2] {
        let told = message(lab.answer(0, error_queue(client)));
        assert_eq!(told.flags, MsgFlags::ERRQUEUE | MsgFlags::TRUNC);
        let [Control::Stamp(at), Control::ExtendedError(error)] = told.control[..] else {
            panic!("{told:?}");
        };
        assert!(at.since(before) < MS);
        assert_eq!(
            (error.errno, error.origin),
            (Some(Errno::ENOMSG), Origin::Timestamping)
        );
        assert_eq!((error.info, error.data), (info, 2_895));
    }
    assert_eq!(lab.error(0, error_queue(client)), Errno::EAGAIN);
}

#[test]
fn a_read_tells_how_much_is_left_and_one_more_at_the_end() {
    let (mut lab, client, server) = lab();
    lab.set(1, server, Level::Tcp, "TCP_INQ", 1);
    lab.value(0, write(client, 1_000));
    let how = How::Write;
    lab.value(0, Call::Shutdown { fd: client, how });
    lab.run(100);
    for (room, left) in [(400, 600), (600, 1)] {
        let answer = lab.answer(1, recv(server, room, MsgFlags::empty()));
        let Output::Message(message) = answer.output else {
            panic!("no message");
        };
        assert_eq!(message.control, [Control::InQueue(left)]);
    }
}

#[test]
fn data_on_the_syn_can_be_lent_too() {
    let mut profile = Profile::linux();
    profile.tcp.fast_open.client = true;
    let mut lab = Lab::with_profile(Personality::linux(), &profile);
    lab.listener(Status::empty());
    let fd = lab.socket(0, Status::NONBLOCK);
    lab.set(0, fd, Level::Socket, "SO_ZEROCOPY", 1);
    let call = Call::Send {
        fd,
        from: vec![Data::Zeros(500)],
        flags: MsgFlags::ZEROCOPY | MsgFlags::FASTOPEN,
        to: Some(at(SERVER)),
    };
    // Without a cookie nothing is taken, so nothing is lent.
    assert_eq!(lab.error(0, call), Errno::EINPROGRESS);
    lab.run(100);
    assert_eq!(lab.error(0, error_queue(fd)), Errno::EAGAIN);
}

#[test]
fn the_first_fast_open_after_the_one_in_progress_sends_and_the_next_is_refused() {
    let mut profile = Profile::linux();
    profile.tcp.fast_open.client = true;
    let mut lab = Lab::with_profile(Personality::linux(), &profile);
    lab.listener(Status::empty());
    let fd = lab.socket(0, Status::NONBLOCK);
    let call = Call::Send {
        fd,
        from: vec![Data::Zeros(500)],
        flags: MsgFlags::FASTOPEN,
        to: Some(at(SERVER)),
    };
    assert_eq!(lab.error(0, call.clone()), Errno::EINPROGRESS);
    lab.run(100);
    assert_eq!(lab.value(0, call.clone()), 500);
    assert_eq!(lab.error(0, call), Errno::EISCONN);
}
