//! Options and `TCP_INFO`.

use alloc::vec::Vec;

use super::lab::{Lab, SERVER, accept, at, octets, read, recv, send, write};
use crate::api::CaState;
use crate::event::TcpState;
use crate::posix::tcp_info::field;
use crate::posix::{
    Call, Errno, Level, MsgFlags, OptionValue, Outcome, Personality, PollEvents, Status,
};
use crate::profile::{MS, Profile};

#[test]
fn options_are_set_and_asked_back() {
    let mut lab = Lab::new(Personality::posix());
    let fd = lab.socket(0, Status::empty());
    for (level, name, value) in [
        (Level::Socket, "SO_REUSEADDR", 1),
        (Level::Socket, "SO_KEEPALIVE", 1),
        (Level::Socket, "SO_RCVBUF", 65_536),
        (Level::Socket, "SO_RCVLOWAT", 10),
        (Level::Socket, "SO_ZEROCOPY", 1),
        (Level::Ip, "IP_TOS", 0xE0),
        (Level::Ip, "IP_TTL", 6),
        (Level::Ipv6, "IPV6_UNICAST_HOPS", 6),
        (Level::Tcp, "TCP_NODELAY", 1),
        (Level::Tcp, "TCP_MAXSEG", 1100),
        (Level::Tcp, "TCP_CORK", 1),
        (Level::Tcp, "TCP_NOPUSH", 1),
        (Level::Tcp, "TCP_USER_TIMEOUT", 3000),
        (Level::Tcp, "TCP_KEEPIDLE", 15),
        (Level::Tcp, "TCP_KEEPINIT", 363),
        (Level::Tcp, "TCP_NOTSENT_LOWAT", 0xFFFF_FFFF),
    ] {
        assert_eq!(lab.set(0, fd, level, name, value).errno, None, "{name}");
        let got = lab.get(0, fd, level, name);
        assert_eq!(got, OptionValue::Int(value), "{name}");
    }
    let kind = lab.get(0, fd, Level::Socket, "SO_TYPE");
    assert_eq!(kind, OptionValue::Int(1));
    for (level, name, value, errno) in [
        (Level::Tcp, "TCP_MAXSEG", 65_536, Errno::EINVAL),
        (Level::Tcp, "TCP_MAXSEG", -1, Errno::EINVAL),
        (Level::Tcp, "TCP_KEEPIDLE", 0, Errno::EINVAL),
        (Level::Tcp, "TCP_ELEPHANT", 1, Errno::ENOPROTOOPT),
        (Level::Ip, "TCP_NODELAY", 1, Errno::ENOPROTOOPT),
        (Level::Socket, "SO_ERROR", 1, Errno::ENOPROTOOPT),
    ] {
        let answer = lab.set(0, fd, level, name, value);
        assert_eq!(answer.errno, Some(errno), "{name}");
    }
}

#[test]
fn a_listeners_options_are_its_childrens() {
    let mut lab = Lab::new(Personality::posix());
    let listener = lab.listener(Status::NONBLOCK);
    lab.set(1, listener, Level::Tcp, "TCP_KEEPIDLE", 15);
    lab.set(1, listener, Level::Tcp, "TCP_MAXSEG", 1100);
    let fd = lab.socket(0, Status::NONBLOCK);
    let address = at(SERVER);
    lab.error(0, Call::Connect { fd, address });
    lab.run(10);
    let child = lab.value(1, accept(listener)) as i32;
    let idle = lab.get(1, child, Level::Tcp, "TCP_KEEPIDLE");
    assert_eq!(idle, OptionValue::Int(15));
    // Both ends say what is in force: the announced size, less the timestamps.
    for (who, fd) in [(0, fd), (1, child)] {
        let mss = lab.get(who, fd, Level::Tcp, "TCP_MAXSEG");
        assert_eq!(mss, OptionValue::Int(1088));
    }
}

#[test]
fn a_cork_or_a_promise_of_more_holds_a_partial_segment_back_but_not_for_ever() {
    let mut lab = Lab::new(Personality::linux());
    let (client, server) = lab.connected();
    lab.set_nonblocking(1, server);
    lab.value(0, send(client, 100, MsgFlags::MORE));
    lab.run(20);
    assert_eq!(lab.error(1, read(server, 9000)), Errno::EAGAIN);
    lab.value(0, write(client, 50));
    lab.run(20);
    assert_eq!(lab.value(1, read(server, 9000)), 150);

    lab.set(0, client, Level::Tcp, "TCP_CORK", 1);
    lab.value(0, write(client, 1448 + 100));
    lab.run(20);
    assert_eq!(lab.value(1, read(server, 9000)), 1448);
    lab.set(0, client, Level::Tcp, "TCP_CORK", 0);
    lab.run(20);
    assert_eq!(lab.value(1, read(server, 9000)), 100);

    lab.value(0, send(client, 100, MsgFlags::MORE));
    lab.run(250);
    assert_eq!(lab.value(1, read(server, 9000)), 100);
}

#[test]
fn fewer_octets_than_the_low_water_mark_make_nobody_readable() {
    let mut lab = Lab::new(Personality::posix());
    let (client, server) = lab.connected();
    lab.set(1, server, Level::Socket, "SO_RCVLOWAT", 10);
    lab.value(0, write(client, 9));
    lab.run(10);
    let poll = Call::Poll {
        watched: [crate::posix::Watched {
            fd: server,
            events: PollEvents::IN,
        }]
        .into(),
        timeout: Some(0),
    };
    assert_eq!(lab.value(1, poll.clone()), 0);
    let peek = recv(server, 100, MsgFlags::PEEK | MsgFlags::DONTWAIT);
    assert_eq!(octets(lab.answer(1, peek)).len(), 9);
    assert_eq!(lab.call(1, read(server, 100)), Outcome::Blocks);
    lab.value(0, write(client, 1));
    lab.run(100);
    assert_eq!(lab.value(1, poll), 1);
    assert_eq!(lab.resume(1).expect("enough").result, 10);
}

#[test]
fn a_syn_is_repeated_as_often_as_the_socket_says() {
    let mut lab = Lab::new(Personality::linux());
    let fd = lab.socket(0, Status::empty());
    lab.set(0, fd, Level::Tcp, "TCP_SYNCNT", 1);
    lab.ignore_server();
    let address = at(SERVER);
    assert_eq!(lab.call(0, Call::Connect { fd, address }), Outcome::Blocks);
    lab.run(2_999);
    assert_eq!(lab.resume(0), None);
    lab.run(2);
    assert_eq!(
        lab.resume(0).expect("given up").errno,
        Some(Errno::ETIMEDOUT)
    );
}

#[test]
fn tcp_info_tells_of_a_connection_in_each_kernels_words() {
    let profile = Profile::linux();
    let mut lab = Lab::with_profile(Personality::linux(), &profile);
    let (client, server) = lab.connected();
    let info = |lab: &mut Lab, who, fd| match lab.get_long(who, fd, Level::Tcp, "TCP_INFO") {
        OptionValue::Info(info) => *info,
        other => panic!("no tcp_info: {other:?}"),
    };
    lab.value(0, write(client, 2_000));
    lab.run(100);
    let now = info(&mut lab, 0, client);
    assert_eq!(now.state, TcpState::Established);
    assert_eq!(now.ca_state, CaState::Open);
    for (name, linux, bsd) in [
        ("state", 1, 4),
        ("options", 7, 7),
        ("snd_cwnd", 10, 14_480),
        ("snd_ssthresh", 0x7FFF_FFFF, 65_535 << 14),
        ("snd_mss", 1448, 1448),
        ("advmss", 1460, 1460),
        ("unacked", 0, 0),
        ("delivered", 3, 3),
        ("total_retrans", 0, 0),
        ("bytes_acked", 2000, 2000),
    ] {
        assert_eq!(
            field(&now, name, &Personality::linux()),
            Some(linux),
            "{name}"
        );
        assert_eq!(
            field(&now, name, &Personality::freebsd()),
            Some(bsd),
            "{name}"
        );
    }
    assert_eq!(field(&now, "elephants", &Personality::linux()), None);
    let theirs = info(&mut lab, 1, server);
    assert_eq!(theirs.counts.bytes_received, 2_000);
    // The first segments are acknowledged at once, so the second one need not wait for a delayed ACK.
    assert_eq!(theirs.last_data_recv, 100 * MS);
    let listener = info(&mut lab, 1, 3);
    assert_eq!(listener.state, TcpState::Listen);
}

#[test]
fn time_held_up_by_the_peers_window_is_told() {
    let mut profile = Profile::linux();
    profile.tcp.recv_buffer = 4_096;
    profile.tcp.buffers.recv_most = None;
    let mut lab = Lab::with_profile(Personality::linux(), &profile);
    let (client, server) = lab.connected();
    lab.value(0, write(client, 8_000));
    lab.run(100);
    lab.value(1, recv(server, 9_000, MsgFlags::DONTWAIT));
    lab.run(10);
    lab.value(1, recv(server, 9_000, MsgFlags::DONTWAIT));
    lab.run(10);
    let OptionValue::Info(info) = lab.get_long(0, client, Level::Tcp, "TCP_INFO") else {
        panic!("no tcp_info");
    };
    assert!(
        (100 * MS..=110 * MS).contains(&info.rwnd_limited),
        "{info:?}"
    );
    assert!(
        (info.rwnd_limited..=120 * MS).contains(&info.busy_time),
        "{info:?}"
    );
}

#[test]
fn the_ip_header_is_as_the_application_wants_it_but_for_its_two_bits_of_ecn() {
    let mut lab = Lab::new(Personality::posix());
    let (client, _) = lab.connected();
    let header = |lab: &mut Lab, who| {
        let packets = lab.packets_sent(who);
        packets.iter().map(|ip| (ip[1], ip[8])).collect::<Vec<_>>()
    };
    lab.value(0, write(client, 10));
    assert_eq!(header(&mut lab, 0), [(0, 64)]);
    // Expedited forwarding (RFC 3246): all three of its upper bits and of its lower ones matter.
    lab.set(0, client, Level::Ip, "IP_TOS", 0xBB);
    lab.set(0, client, Level::Ip, "IP_TTL", 6);
    lab.set(0, client, Level::Tcp, "TCP_NODELAY", 1);
    lab.value(0, write(client, 10));
    assert_eq!(header(&mut lab, 0), [(0xB8, 6)]);
    lab.set(0, client, Level::Ip, "IP_TTL", -1);
    lab.value(0, write(client, 10));
    assert_eq!(header(&mut lab, 0), [(0xB8, 64)]);
}

#[test]
fn resets_of_a_socket_that_is_only_bound_are_as_it_wants_them() {
    let mut lab = Lab::new(Personality::posix());
    // Both know each other before.
    let (client, _) = lab.connected();
    lab.value(0, Call::Close { fd: client });
    lab.run(10);
    let fd = lab.socket(1, Status::empty());
    let address = at("0.0.0.0:99");
    lab.value(1, Call::Bind { fd, address });
    lab.set(1, fd, Level::Ip, "IP_TTL", 4);
    let resets = |lab: &mut Lab| {
        let fd = lab.socket(0, Status::NONBLOCK);
        let address = at("10.0.0.2:99");
        lab.error(0, Call::Connect { fd, address });
        lab.packets_sent(0);
        let packets = lab.packets_sent(1);
        packets.iter().map(|ip| ip[8]).collect::<Vec<_>>()
    };
    assert_eq!(resets(&mut lab), [4]);
    lab.value(1, Call::Close { fd });
    assert_eq!(resets(&mut lab), [64]);
}

#[test]
fn an_established_connections_segments_can_be_made_smaller_where_that_is_the_habit() {
    for (profile, answer, mss) in [
        (Profile::freebsd(), None, 1_000),
        (Profile::linux(), None, 1_448),
    ] {
        let mut lab = Lab::with_profile(Personality::posix(), &profile);
        let (client, _) = lab.connected();
        let set = lab.set(0, client, Level::Tcp, "TCP_MAXSEG", 1_012);
        assert_eq!(set.errno, answer);
        let got = lab.get(0, client, Level::Tcp, "TCP_MAXSEG");
        assert_eq!(got, OptionValue::Int(mss));
    }
    let mut lab = Lab::with_profile(Personality::freebsd(), &Profile::freebsd());
    let (client, _) = lab.connected();
    let set = lab.set(0, client, Level::Tcp, "TCP_MAXSEG", 1_461);
    assert_eq!(set.errno, Some(Errno::EINVAL));
}

#[test]
fn connections_are_kept_alive_unasked_where_that_is_the_habit() {
    for (profile, alive) in [(Profile::freebsd(), 1), (Profile::linux(), 0)] {
        let mut lab = Lab::with_profile(Personality::posix(), &profile);
        let (client, _) = lab.connected();
        lab.set(0, client, Level::Tcp, "TCP_KEEPIDLE", 1);
        lab.run(900);
        assert_eq!(lab.packets_sent(0).len(), 0);
        lab.now = lab.now.plus(200 * MS);
        assert_eq!(lab.packets_sent(0).len(), alive);
    }
}

#[test]
fn a_socket_binds_to_a_foreign_address_only_if_it_says_so() {
    let mut lab = Lab::new(Personality::posix());
    let fd = lab.socket(0, Status::empty());
    let address = at("10.9.9.9:80");
    let bind = Call::Bind { fd, address };
    assert_eq!(lab.error(0, bind.clone()), Errno::EADDRNOTAVAIL);
    lab.set(0, fd, Level::Ip, "IP_FREEBIND", 1);
    assert_eq!(lab.value(0, bind), 0);
}
