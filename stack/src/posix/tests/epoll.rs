//! Readiness by level, by edge, and once.

use alloc::vec;
use alloc::vec::Vec;

use super::lab::{Lab, accept, read, recv, send, write};
use crate::posix::{
    Call, EpollControl, Errno, Fd, Level, MsgFlags, Outcome, Output, Personality, PollEvents,
};
use crate::profile::Profile;

fn add(epoll: Fd, fd: Fd, events: PollEvents) -> Call {
    let data = fd as u64;
    Call::EpollControl {
        epoll,
        fd,
        control: EpollControl::Add { events, data },
    }
}

fn wait_for(epoll: Fd, timeout: Option<u64>) -> Call {
    Call::EpollWait {
        epoll,
        most: 4,
        timeout,
    }
}

fn lab() -> (Lab, Fd, Fd, Fd) {
    let mut lab = Lab::with_profile(Personality::linux(), &Profile::linux());
    let (client, server) = lab.connected();
    lab.set(0, client, Level::Socket, "SO_ZEROCOPY", 1);
    let epoll = lab.value(0, Call::EpollCreate { size: 1 }) as Fd;
    (lab, client, server, epoll)
}

fn ready(lab: &mut Lab, epoll: Fd) -> Vec<(PollEvents, u64)> {
    match lab.answer(0, wait_for(epoll, Some(0))).output {
        Output::Epolled(events) => events,
        other => panic!("no events: {other:?}"),
    }
}

#[test]
fn by_level_what_is_ready_is_reported_as_long_as_it_is() {
    let (mut lab, client, server, epoll) = lab();
    lab.value(0, add(epoll, client, PollEvents::IN));
    assert_eq!(ready(&mut lab, epoll), []);
    assert_eq!(lab.call(0, wait_for(epoll, None)), Outcome::Blocks);
    lab.value(1, write(server, 10));
    lab.run(10);
    let answer = lab.resume(0).expect("readable");
    let readable = vec![(PollEvents::IN, client as u64)];
    assert_eq!(answer.output, Output::Epolled(readable.clone()));
    assert_eq!(ready(&mut lab, epoll), readable);
    lab.value(0, read(client, 10));
    assert_eq!(ready(&mut lab, epoll), []);
}

#[test]
fn by_edge_it_is_reported_when_it_becomes_so() {
    let (mut lab, client, server, epoll) = lab();
    lab.value(0, add(epoll, client, PollEvents::OUT | PollEvents::ET));
    let writable = [(PollEvents::OUT, client as u64)];
    assert_eq!(ready(&mut lab, epoll), writable);
    assert_eq!(ready(&mut lab, epoll), []);
    // Something to read is no edge for whoever wants to write.
    lab.value(1, write(server, 10));
    lab.run(100);
    assert_eq!(ready(&mut lab, epoll), []);
    // Reports are for everybody; two that came meanwhile are one edge.
    for _ in 0..2 {
        lab.value(0, send(client, 4_000, MsgFlags::ZEROCOPY));
        lab.run(100);
        lab.value(1, recv(lab_server(&lab), 9_000, MsgFlags::empty()));
    }
    let both = [(PollEvents::OUT | PollEvents::ERR, client as u64)];
    assert_eq!(ready(&mut lab, epoll), both);
    assert_eq!(ready(&mut lab, epoll), []);
}

fn lab_server(lab: &Lab) -> Fd {
    *lab.hosts[1]
        .process
        .open_descriptors()
        .last()
        .expect("open")
}

#[test]
fn after_its_one_shot_it_is_silent_until_armed_again() {
    let (mut lab, client, server, epoll) = lab();
    let events = PollEvents::IN | PollEvents::ONESHOT;
    lab.value(0, add(epoll, client, events));
    lab.value(1, write(server, 10));
    lab.run(100);
    assert_eq!(ready(&mut lab, epoll).len(), 1);
    lab.value(1, write(server, 10));
    lab.run(100);
    assert_eq!(ready(&mut lab, epoll), []);
    let again = Call::EpollControl {
        epoll,
        fd: client,
        control: EpollControl::Modify { events, data: 77 },
    };
    lab.value(0, again);
    assert_eq!(ready(&mut lab, epoll), [(PollEvents::IN, 77)]);
    assert_eq!(ready(&mut lab, epoll), []);
}

#[test]
fn a_descriptor_is_watched_once_and_forgotten_when_it_is_closed() {
    let (mut lab, client, _, epoll) = lab();
    lab.value(0, add(epoll, client, PollEvents::OUT));
    assert_eq!(
        lab.error(0, add(epoll, client, PollEvents::OUT)),
        Errno::EEXIST
    );
    assert_eq!(
        lab.error(0, add(epoll, epoll, PollEvents::IN)),
        Errno::EINVAL
    );
    assert_eq!(lab.error(0, add(epoll, 99, PollEvents::IN)), Errno::EBADF);
    lab.value(0, Call::Close { fd: client });
    assert_eq!(ready(&mut lab, epoll), []);
    let delete = Call::EpollControl {
        epoll,
        fd: epoll,
        control: EpollControl::Delete,
    };
    assert_eq!(lab.error(0, delete), Errno::EINVAL);
    assert_eq!(lab.error(0, accept(epoll)), Errno::ENOTSOCK);
}
