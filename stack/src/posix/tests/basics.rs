//! Names, handshakes, octets both ways, and what blocks.

use alloc::vec;

use super::lab::{Lab, SERVER, accept, at, octets, read, recv, send, write, write_text};
use crate::api::How;
use crate::posix::{
    Call, Data, Errno, Ioctl, MsgFlags, Outcome, Output, Personality, PollEvents, Room, Status,
    Watched,
};
use crate::profile::Profile;

fn nonblocking() -> Status {
    Status::NONBLOCK
}

#[test]
fn a_blocking_accept_waits_for_a_connection_and_names_the_peer() {
    let mut lab = Lab::new(Personality::posix());
    let listener = lab.listener(Status::empty());
    assert_eq!(lab.call(1, accept(listener)), Outcome::Blocks);
    let fd = lab.socket(0, nonblocking());
    let address = at(SERVER);
    assert_eq!(
        lab.error(0, Call::Connect { fd, address }),
        Errno::EINPROGRESS
    );
    assert_eq!(lab.resume(1), None);
    lab.run(10);
    let accepted = lab.resume(1).expect("accepted");
    assert_eq!(accepted.result, 4);
    let Output::Address(peer) = accepted.output else {
        panic!("no address");
    };
    assert_eq!(peer.ip(), at("10.0.0.1:0").ip());
    assert_eq!(
        lab.answer(0, Call::LocalName { fd }).output,
        Output::Address(peer)
    );
    assert_eq!(
        lab.answer(0, Call::PeerName { fd }).output,
        Output::Address(address)
    );
}

#[test]
fn a_nonblocking_connect_is_in_progress_then_already_then_connected() {
    for (personality, second) in [
        (Personality::posix(), Some(Errno::EISCONN)),
        (Personality::linux(), None),
    ] {
        let mut lab = Lab::new(personality);
        lab.listener(Status::empty());
        let fd = lab.socket(0, nonblocking());
        let address = at(SERVER);
        let connect = Call::Connect { fd, address };
        assert_eq!(lab.error(0, connect.clone()), Errno::EINPROGRESS);
        assert_eq!(lab.error(0, connect.clone()), Errno::EALREADY);
        lab.run(10);
        assert_eq!(lab.pending_error(0, fd), None);
        assert_eq!(lab.answer(0, connect.clone()).errno, second);
        assert_eq!(lab.error(0, connect), Errno::EISCONN);
    }
}

#[test]
fn a_refused_connect_says_so_once() {
    let mut lab = Lab::new(Personality::posix());
    let fd = lab.socket(0, Status::empty());
    let address = at(SERVER);
    assert_eq!(lab.call(0, Call::Connect { fd, address }), Outcome::Blocks);
    lab.run(10);
    let answer = lab.resume(0).expect("refused");
    assert_eq!(answer.errno, Some(Errno::ECONNREFUSED));
    assert_eq!(lab.pending_error(0, fd), None);
}

#[test]
fn what_is_written_is_read_and_can_be_peeked_at_before() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    assert_eq!(lab.call(1, read(server, 100)), Outcome::Blocks);
    assert_eq!(lab.value(0, write_text(client, "abcdef")), 6);
    lab.run(10);
    let first = lab.resume(1).expect("there is something");
    assert_eq!(octets(first), b"abcdef");

    assert_eq!(lab.value(0, write_text(client, "ghijkl")), 6);
    lab.run(10);
    for _ in 0..2 {
        let peeked = lab.answer(1, recv(server, 4, MsgFlags::PEEK));
        assert_eq!(octets(peeked), b"ghij");
    }
    assert_eq!(lab.value(1, recv(server, 4, MsgFlags::TRUNC)), 4);
    assert_eq!(octets(lab.answer(1, read(server, 100))), b"kl");
    assert_eq!(
        lab.error(1, recv(server, 4, MsgFlags::DONTWAIT)),
        Errno::EAGAIN
    );
}

#[test]
fn waitall_waits_for_all_or_for_the_end() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    assert_eq!(lab.value(0, write_text(client, "abc")), 3);
    lab.run(10);
    assert_eq!(
        lab.call(1, recv(server, 5, MsgFlags::WAITALL)),
        Outcome::Blocks
    );
    assert_eq!(lab.value(0, write_text(client, "defg")), 4);
    lab.run(10);
    assert_eq!(octets(lab.resume(1).expect("enough")), b"abcde");
    assert_eq!(
        lab.call(1, recv(server, 5, MsgFlags::WAITALL)),
        Outcome::Blocks
    );
    assert_eq!(lab.value(0, Call::Close { fd: client }), 0);
    lab.run(10);
    assert_eq!(octets(lab.resume(1).expect("the end")), b"fg");
    assert_eq!(lab.value(1, read(server, 5)), 0);
}

#[test]
fn a_blocking_write_returns_when_all_is_taken_and_another_takes_what_fits() {
    let mut profile = Profile::default();
    profile.tcp.send_buffer = 10_000;
    profile.tcp.recv_buffer = 20_000;
    let mut lab = Lab::with_profile(Personality::posix(), &profile);
    let (client, server) = lab.connected();
    assert_eq!(
        lab.value(0, send(client, 25_000, MsgFlags::DONTWAIT)),
        10_000
    );
    assert_eq!(
        lab.error(0, send(client, 1, MsgFlags::DONTWAIT)),
        Errno::EAGAIN
    );
    assert_eq!(lab.call(0, write(client, 50_000)), Outcome::Blocks);
    let mut taken = 0;
    let mut returned = None;
    while taken < 60_000 {
        lab.run(300);
        returned = returned.or_else(|| lab.resume(0).map(|a| (a.result, taken)));
        taken += lab.value(1, recv(server, 7_000, MsgFlags::DONTWAIT));
    }
    let (result, at) = returned.expect("it returned");
    assert_eq!(result, 50_000);
    assert!((30_000..60_000).contains(&at), "{at}");
}

#[test]
fn a_write_without_end_takes_no_memory_beyond_the_buffer() {
    let mut lab = Lab::new(Personality::posix());
    let (client, _) = lab.connected();
    let taken = lab.value(
        0,
        send(client, 1_000_000_000_000_000_000, MsgFlags::DONTWAIT),
    );
    assert_eq!(taken, 256 * 1024);
    let all = Data::Zeros(u64::MAX);
    let from = vec![all.clone(), all];
    assert_eq!(
        lab.error(0, Call::Write { fd: client, from }),
        Errno::EINVAL
    );
    let room = Room::Bytes(u64::MAX);
    let into = vec![room, room];
    assert_eq!(
        lab.call(0, Call::Read { fd: client, into }),
        Outcome::Blocks
    );
}

#[test]
fn a_null_pointer_is_a_bad_address_once_there_is_something_to_copy() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    let from = vec![Data::Null(1000)];
    assert_eq!(
        lab.error(0, Call::Write { fd: client, from }),
        Errno::EFAULT
    );
    let into = vec![Room::Null(1000)];
    let read = Call::Read { fd: server, into };
    lab.set_nonblocking(1, server);
    assert_eq!(lab.error(1, read.clone()), Errno::EAGAIN);
    lab.value(0, write(client, 10));
    lab.run(10);
    assert_eq!(lab.error(1, read), Errno::EFAULT);
    let queued = Call::Ioctl {
        fd: server,
        request: Ioctl::InQueue,
    };
    assert_eq!(lab.answer(1, queued).output, Output::Number(10));
}

#[test]
fn after_shutdown_there_is_a_broken_pipe_and_reading_goes_on() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    let shut = |fd, how| Call::Shutdown { fd, how };
    assert_eq!(lab.value(0, shut(client, How::Write)), 0);
    assert_eq!(lab.error(0, write(client, 1)), Errno::EPIPE);
    lab.run(10);
    assert_eq!(lab.value(1, read(server, 10)), 0);
    assert_eq!(lab.value(1, write_text(server, "still")), 5);
    lab.run(10);
    assert_eq!(octets(lab.answer(0, read(client, 10))), b"still");
    assert_eq!(lab.value(0, shut(client, How::Read)), 0);
    assert_eq!(lab.value(0, read(client, 10)), 0);
}

#[test]
fn sending_unconnected_fails_as_the_kernel_has_it() {
    for (personality, errno) in [
        (Personality::posix(), Errno::ENOTCONN),
        (Personality::linux(), Errno::EPIPE),
        (Personality::freebsd(), Errno::ENOTCONN),
    ] {
        let mut lab = Lab::new(personality);
        let fd = lab.socket(0, Status::empty());
        assert_eq!(lab.error(0, write(fd, 10)), errno);
        assert_eq!(lab.error(0, read(fd, 10)), Errno::ENOTCONN);
        let how = How::Both;
        assert_eq!(lab.error(0, Call::Shutdown { fd, how }), Errno::ENOTCONN);
    }
}

#[test]
fn sending_to_an_address_connects_where_that_is_the_habit() {
    let mut lab = Lab::with_profile(Personality::freebsd(), &Profile::freebsd());
    let listener = lab.listener(Status::empty());
    let fd = lab.socket(0, nonblocking());
    let to_server = Call::Send {
        fd,
        from: vec![Data::Zeros(100)],
        flags: MsgFlags::empty(),
        to: Some(at(SERVER)),
    };
    assert_eq!(lab.value(0, to_server.clone()), 100);
    lab.run(10);
    let server = lab.value(1, accept(listener)) as i32;
    assert_eq!(lab.value(1, read(server, 1000)), 100);
    // On a connected one the address does not matter.
    assert_eq!(lab.value(0, to_server.clone()), 100);
    lab.run(200);
    assert_eq!(lab.value(1, read(server, 1000)), 100);

    let mut lab = Lab::new(Personality::linux());
    assert_eq!(lab.socket(0, nonblocking()), fd);
    assert_eq!(lab.error(0, to_server), Errno::EPIPE);
}

#[test]
fn a_descriptor_of_accept_inherits_its_status_where_that_is_the_habit() {
    for (personality, status) in [(Personality::linux(), 0o2), (Personality::freebsd(), 0o6)] {
        let mut lab = Lab::new(personality);
        let listener = lab.listener(nonblocking());
        assert_eq!(lab.error(1, accept(listener)), Errno::EAGAIN);
        let fd = lab.socket(0, nonblocking());
        let address = at(SERVER);
        lab.error(0, Call::Connect { fd, address });
        lab.run(10);
        let fd = lab.value(1, accept(listener)) as i32;
        assert_eq!(lab.value(1, Call::GetStatus { fd }), status);
    }
}

#[test]
fn what_is_no_descriptor_or_no_socket_is_refused() {
    let mut lab = Lab::new(Personality::posix());
    assert_eq!(lab.error(0, read(9, 1)), Errno::EBADF);
    assert_eq!(lab.error(0, Call::Close { fd: -1 }), Errno::EBADF);
    let Output::Pipe([reader, writer]) = lab.answer(0, Call::Pipe).output else {
        panic!("no pipe");
    };
    assert_eq!(
        lab.error(0, recv(reader, 1, MsgFlags::empty())),
        Errno::ENOTSOCK
    );
    assert_eq!(lab.error(0, read(writer, 1)), Errno::EBADF);
}

#[test]
fn octets_go_through_a_pipe_and_from_a_socket_into_one() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    let Output::Pipe([reader, writer]) = lab.answer(1, Call::Pipe).output else {
        panic!("no pipe");
    };
    assert_eq!(lab.value(1, write_text(writer, "ab")), 2);
    assert_eq!(lab.value(0, write_text(client, "cdef")), 4);
    lab.run(10);
    let splice = Call::Splice {
        from: server,
        to: writer,
        len: 3,
        nonblocking: false,
    };
    assert_eq!(lab.value(1, splice), 3);
    assert_eq!(octets(lab.answer(1, read(reader, 10))), b"abcde");
    assert_eq!(lab.call(1, read(reader, 10)), Outcome::Blocks);
    assert_eq!(lab.value(1, Call::Close { fd: writer }), 0);
    assert_eq!(lab.resume(1).expect("the end").result, 0);
}

#[test]
fn poll_waits_for_what_it_is_asked_and_gives_up_in_time() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    let watched = vec![
        Watched {
            fd: server,
            events: PollEvents::IN,
        },
        Watched {
            fd: -1,
            events: PollEvents::IN,
        },
    ];
    let poll = |timeout| Call::Poll {
        watched: watched.clone(),
        timeout,
    };
    assert_eq!(lab.value(1, poll(Some(0))), 0);
    assert_eq!(lab.call(1, poll(Some(5_000_000))), Outcome::Blocks);
    assert_eq!(
        lab.hosts[1].process.poll_at(),
        Some(lab.now.plus(5_000_000))
    );
    lab.run(4);
    assert_eq!(lab.resume(1), None);
    lab.run(1);
    assert_eq!(lab.resume(1).expect("its time is up").result, 0);

    assert_eq!(lab.call(1, poll(None)), Outcome::Blocks);
    lab.value(0, write(client, 1));
    lab.run(10);
    let answer = lab.resume(1).expect("readable");
    assert_eq!(answer.result, 1);
    assert_eq!(
        answer.output,
        Output::Polled(vec![PollEvents::IN, PollEvents::empty()])
    );
    let bad = vec![Watched {
        fd: 77,
        events: PollEvents::IN,
    }];
    let poll = Call::Poll {
        watched: bad,
        timeout: None,
    };
    assert_eq!(
        lab.answer(1, poll).output,
        Output::Polled(vec![PollEvents::NVAL])
    );
}

#[test]
fn a_splice_stops_before_the_urgent_octet_and_does_not_say_that_it_is_the_end() {
    let mut lab = Lab::with_profile(Personality::linux(), &Profile::linux());
    let (client, server) = lab.connected();
    let Output::Pipe([_, writer]) = lab.answer(1, Call::Pipe).output else {
        panic!("no pipe");
    };
    lab.value(0, send(client, 100, MsgFlags::OOB));
    lab.run(10);
    let splice = |len| Call::Splice {
        from: server,
        to: writer,
        len,
        nonblocking: false,
    };
    assert_eq!(lab.value(1, splice(99)), 99);
    assert_eq!(lab.value(1, splice(1)), 0);
}
