//! How connections end: RFC 9293, 3.6, figures 12 and 13, half-closed connections, aborts, TIME-WAIT.

use alloc::vec::Vec;

use super::util::*;
use crate::api::{How, Ready, SocketError, SocketId, SocketOption};
use crate::event::TcpState::{self, *};
use crate::event::TimerKinds;
use crate::profile::{MS, Profile, SEC};

fn since_established(host: &Host) -> Vec<TcpState> {
    let states = host.log.states();
    let at = states.iter().position(|&s| s == Established);
    states[at.expect("it was established") + 1..].to_vec()
}

fn recv(host: &mut Host, now: xen_abi::Instant, socket: SocketId) -> Result<usize, SocketError> {
    host.tcp.recv(now, socket, &mut [0; 64])
}

#[test]
fn whoever_closes_first_waits_and_the_other_does_not() {
    let mut pair = Pair::new(Profile::default());
    let (client, server) = pair.connected();
    pair.hosts[0].tcp.close(pair.now, client).expect("open");
    pair.run(100 * MS);
    assert_eq!(recv(&mut pair.hosts[1], pair.now, server), Ok(0));
    pair.hosts[1].tcp.close(pair.now, server).expect("open");
    pair.run(SEC);
    assert_eq!(
        since_established(&pair.hosts[0]),
        [FinWait1, FinWait2, TimeWait]
    );
    assert_eq!(
        since_established(&pair.hosts[1]),
        [CloseWait, LastAck, Closed]
    );
    assert_eq!(pair.hosts[0].tcp.timers(), TimerKinds::TIME_WAIT);
    // Two maximum segment lifetimes of 30 s, one of which is nearly over.
    pair.run(58 * SEC);
    assert_eq!(since_established(&pair.hosts[0]).last(), Some(&TimeWait));
    pair.run(2 * SEC);
    assert_eq!(since_established(&pair.hosts[0]).last(), Some(&Closed));
    assert_eq!(pair.hosts[0].tcp.timers(), TimerKinds::empty());
}

#[test]
fn both_ends_may_close_at_once() {
    let mut pair = Pair::new(Profile::default());
    let (client, server) = pair.connected();
    pair.hosts[0].tcp.close(pair.now, client).expect("open");
    pair.hosts[1].tcp.close(pair.now, server).expect("open");
    pair.run(120 * SEC);
    for host in &pair.hosts {
        assert_eq!(
            since_established(host),
            [FinWait1, Closing, TimeWait, Closed]
        );
        assert_eq!(host.tcp.timers(), TimerKinds::empty());
    }
}

#[test]
fn a_fin_lost_in_closing_is_sent_again() {
    let mut pair = Pair::new(Profile::default());
    let (client, server) = pair.connected();
    let first = pair.packets();
    pair.fate = alloc::boxed::Box::new(move |n, from, _| {
        if n < first + 2 && from == 0 {
            Fate::Lose
        } else {
            Fate::Deliver
        }
    });
    pair.hosts[0].tcp.close(pair.now, client).expect("open");
    pair.hosts[1].tcp.close(pair.now, server).expect("open");
    pair.run(120 * SEC);
    for host in &pair.hosts {
        assert_eq!(since_established(host).last(), Some(&Closed));
    }
}

#[test]
fn a_half_closed_connection_still_carries_text_the_other_way() {
    let mut pair = Pair::new(Profile::default());
    let (client, server) = pair.connected();
    pair.hosts[0]
        .tcp
        .shutdown(pair.now, client, How::Write)
        .expect("open");
    pair.run(300 * SEC);
    assert_eq!(
        pair.hosts[0].tcp.send(pair.now, client, b"x"),
        Err(SocketError::EPIPE)
    );
    assert_eq!(
        pair.hosts[1].tcp.send(pair.now, server, b"still here"),
        Ok(10)
    );
    pair.run(SEC);
    assert_eq!(recv(&mut pair.hosts[0], pair.now, client), Ok(10));
    assert!(
        pair.hosts[1]
            .tcp
            .ready(server)
            .contains(Ready::READ_CLOSED | Ready::WRITE)
    );
}

#[test]
fn queued_text_is_delivered_before_the_fin() {
    let mut pair = Pair::new(Profile::default());
    let (client, server) = pair.connected();
    let text = pattern(0, 50_000);
    assert_eq!(pair.hosts[0].tcp.send(pair.now, client, &text), Ok(50_000));
    pair.hosts[0].tcp.close(pair.now, client).expect("open");
    pair.run(10 * SEC);
    let mut to = alloc::vec![0; 60_000];
    assert_eq!(
        pair.hosts[1].tcp.recv(pair.now, server, &mut to),
        Ok(50_000)
    );
    assert_eq!(to[..50_000], text);
    assert_eq!(recv(&mut pair.hosts[1], pair.now, server), Ok(0));
}

#[test]
fn an_early_close_by_the_server_sends_its_fin_at_once() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host.tcp.close(solo.now, socket).expect("open");
    assert_eq!(solo.sent(), ["F. 1:1(0) ack 1"]);
}

#[test]
fn an_abort_sends_one_reset_and_both_ends_forget() {
    let mut pair = Pair::new(Profile::default());
    let (client, server) = pair.connected();
    pair.hosts[0].tcp.abort(pair.now, client).expect("open");
    pair.run(SEC);
    assert_eq!(
        recv(&mut pair.hosts[1], pair.now, server),
        Err(SocketError::ECONNRESET)
    );
    assert_eq!(recv(&mut pair.hosts[1], pair.now, server), Ok(0));
    assert_eq!(pair.packets(), 4);
    for host in &pair.hosts {
        assert_eq!(since_established(host), [Closed]);
    }
}

#[test]
fn closing_with_unread_text_resets() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg("P.", 1).ack(1).text(b"unread"));
    solo.host.tcp.close(solo.now, socket).expect("open");
    assert_eq!(solo.sent(), ["R. 1:1(0) ack 7"]);
}

#[test]
fn text_for_an_application_that_has_closed_resets() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host.tcp.close(solo.now, socket).expect("open");
    solo.sent();
    solo.inject(seg("P.", 1).ack(2).text(b"too late"));
    assert_eq!(solo.sent(), ["R. 2:2(0) ack 1"]);
}

#[test]
fn a_linger_time_of_zero_makes_close_an_abort() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    let option = SocketOption::Linger(Some(0));
    solo.host.tcp.set_option(socket, option).expect("open");
    solo.host.tcp.close(solo.now, socket).expect("open");
    assert_eq!(solo.sent(), ["R. 1:1(0) ack 1"]);
}

#[test]
fn a_second_reset_finds_nobody() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg("R", 1));
    solo.inject(seg("R", 1));
    assert_eq!(
        solo.host.log.states(),
        [Listen, SynReceived, Established, Closed]
    );
    solo.host.tcp.close(solo.now, socket).expect("open");
    assert!(solo.sent().is_empty());
}

/// A connection in TIME-WAIT: we closed first.
fn in_time_wait() -> Solo {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host.tcp.close(solo.now, socket).expect("open");
    solo.sent();
    solo.inject(seg("F.", 1).ack(2));
    assert_eq!(solo.sent(), [". 2:2(0) ack 2"]);
    assert_eq!(solo.host.log.states().last(), Some(&TimeWait));
    solo
}

#[test]
fn in_time_wait_a_repeated_fin_is_acknowledged_and_the_wait_begins_again() {
    let mut solo = in_time_wait();
    solo.sent_within(50 * SEC);
    solo.inject(seg("F.", 1).ack(2));
    assert_eq!(solo.sent(), [". 2:2(0) ack 2"]);
    solo.sent_within(50 * SEC);
    assert_eq!(solo.host.log.states().last(), Some(&TimeWait));
    solo.sent_within(11 * SEC);
    assert_eq!(solo.host.log.states().last(), Some(&Closed));
}

#[test]
fn in_time_wait_a_new_syn_begins_a_new_connection() {
    let mut solo = in_time_wait();
    solo.inject(seg("S", 5_000));
    assert_eq!(solo.sent(), ["S. 0:0(0) ack 5001"]);
    assert!(
        solo.host
            .log
            .states()
            .ends_with(&[TimeWait, Closed, SynReceived])
    );
}

#[test]
fn in_time_wait_a_newer_timestamp_makes_a_syn_new_whatever_its_number() {
    let mut profile = Profile::default();
    profile.tcp.timestamps = true;
    let stamp = |value: u8| [1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 0];
    let (mut solo, socket) = Solo::accepted(profile, &stamp(2));
    solo.host.tcp.close(solo.now, socket).expect("open");
    solo.sent();
    solo.inject(seg("F.", 1).ack(2).options(&stamp(5)));
    solo.sent();
    assert_eq!(solo.host.log.states().last(), Some(&TimeWait));
    // RFC 6191: the same number as before, with the last timestamp, with an older one, and with a newer one.
    for (value, begins) in [(5, false), (4, false), (6, true)] {
        solo.inject(seg("S", 0).options(&stamp(value)));
        let answers = solo.sent();
        assert_eq!(answers[0].starts_with("S."), begins, "{value}: {answers:?}");
    }
    assert_eq!(solo.host.log.states().last(), Some(&SynReceived));
}

#[test]
fn in_time_wait_an_old_syn_does_not() {
    let mut solo = in_time_wait();
    solo.inject(seg("S", 0));
    assert_eq!(solo.sent(), [". 2:2(0) ack 2"]);
    assert_eq!(solo.host.log.states().last(), Some(&TimeWait));
}

#[test]
fn nobody_waits_for_ever_in_fin_wait_2() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.host.tcp.close(solo.now, socket).expect("open");
    solo.sent();
    solo.inject(seg(".", 1).ack(2));
    assert_eq!(solo.host.log.states().last(), Some(&FinWait2));
    solo.sent_within(61 * SEC);
    assert_eq!(solo.host.log.states().last(), Some(&Closed));
}

#[test]
fn a_fin_that_comes_before_its_text_waits_for_it() {
    let (mut solo, socket) = Solo::accepted(Profile::default(), &[]);
    solo.inject(seg("F.", 4).ack(1).text(b"def"));
    assert_eq!(solo.sent(), [". 1:1(0) ack 1"]);
    assert_eq!(
        recv(&mut solo.host, solo.now, socket),
        Err(SocketError::EAGAIN)
    );
    solo.inject(seg(".", 1).ack(1).text(b"abc"));
    assert_eq!(solo.sent(), [". 1:1(0) ack 8"]);
    assert_eq!(recv(&mut solo.host, solo.now, socket), Ok(6));
    assert_eq!(recv(&mut solo.host, solo.now, socket), Ok(0));
}
