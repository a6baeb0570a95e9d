//! What `close(2)` waits for, and what it leaves behind.

use super::lab::{Lab, read, recv, write};
use crate::event::TcpState;
use crate::posix::{Call, Errno, Fd, Level, MsgFlags, Opt, OptionValue, Outcome, Personality};
use crate::profile::Profile;

fn set_linger(lab: &mut Lab, who: usize, fd: Fd, seconds: i64) {
    let set = Call::SetOption {
        fd,
        option: Opt::named(Level::Socket, "SO_LINGER"),
        value: OptionValue::Linger { on: true, seconds },
        len: 8,
    };
    assert_eq!(lab.value(who, set), 0);
}

#[test]
fn a_lingering_close_waits_until_the_peer_has_everything() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    set_linger(&mut lab, 0, client, 5);
    lab.value(0, write(client, 1_000));
    assert_eq!(lab.call(0, Call::Close { fd: client }), Outcome::Blocks);
    lab.run(100);
    assert_eq!(lab.resume(0).expect("acknowledged").result, 0);
    assert_eq!(lab.error(0, read(client, 1)), Errno::EBADF);
    assert_eq!(lab.value(1, recv(server, 9_000, MsgFlags::empty())), 1_000);
}

#[test]
fn it_waits_so_long_and_no_longer() {
    let mut profile = Profile::default();
    profile.tcp.recv_buffer = 4_096;
    let mut lab = Lab::with_profile(Personality::posix(), &profile);
    let (client, _) = lab.connected();
    set_linger(&mut lab, 0, client, 5);
    // More than the peer has room for.
    lab.value(0, write(client, 9_000));
    assert_eq!(lab.call(0, Call::Close { fd: client }), Outcome::Blocks);
    lab.run(4_999);
    assert_eq!(lab.resume(0), None);
    assert_eq!(
        lab.hosts[0].process.poll_at(),
        Some(lab.now.plus(1_000_000))
    );
    lab.run(1);
    assert_eq!(lab.resume(0).expect("its time is up").result, 0);
}

#[test]
fn what_was_not_read_makes_it_a_reset_at_once() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    set_linger(&mut lab, 1, server, 5);
    lab.value(0, write(client, 10));
    lab.run(100);
    assert_eq!(lab.value(1, Call::Close { fd: server }), 0);
    lab.run(100);
    assert_eq!(lab.error(0, read(client, 10)), Errno::ECONNRESET);
    assert_eq!(lab.state(0, client), TcpState::Closed);
}

#[test]
fn no_time_at_all_is_a_reset() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    set_linger(&mut lab, 1, server, 0);
    assert_eq!(lab.value(1, Call::Close { fd: server }), 0);
    lab.run(100);
    assert_eq!(lab.pending_error(0, client), Some(Errno::ECONNRESET));
    assert_eq!(lab.error(0, write(client, 10)), Errno::EPIPE);
}

#[test]
fn a_descriptor_that_does_not_block_lingers_where_that_is_the_habit() {
    for (personality, waits) in [
        (Personality::linux(), true),
        (Personality::freebsd(), false),
    ] {
        let mut lab = Lab::new(personality);
        let (client, _) = lab.connected();
        lab.set_nonblocking(0, client);
        set_linger(&mut lab, 0, client, 5);
        lab.value(0, write(client, 10));
        let closed = lab.call(0, Call::Close { fd: client });
        assert_eq!(closed == Outcome::Blocks, waits);
    }
}
