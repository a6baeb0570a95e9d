//! Version 6 over a cable: with smoltcp on the other end, what two implementations agree on is probably the protocol;
//! with a second stack of ours, what neither of them would do by itself; and frames made by hand.

mod common;

use std::net::Ipv6Addr;

use common::peer::Peer;
use common::{Events, mac, stack_on};
use proptest::prelude::*;
use smoltcp::socket::{tcp, udp as their_udp};
use stack::addr::Mac;
use stack::api::{Echo, NetStack, SocketError, SocketId, SocketKind, SocketOption, Sockets};
use stack::dev::raw::RawDevice;
use stack::net::ipv6::profile::{Identifier, Ipv6Profile};
use stack::profile::Profile;
use stack::stack::Stack;
use stack::wire::ethernet::{self, EtherType, Frame};
use stack::wire::icmpv6::{self, Kind, Message, Pseudo, TimeExceeded, Unreachable};
use stack::wire::ipv4::Protocol;
use stack::wire::ipv6::{self, Packet};
use stack::wire::ipv6_extension::Fragment;
use stack::wire::ndp::{self, Body, Prefix, Repr, RouterAdvertisement};
use stack::wire::udp;
use xen_abi::{Fuel, Instant};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const US: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1);
const THEM: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 2);
const ROUTER: Ipv6Addr = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0xFE);

fn profile(ipv6: Ipv6Profile) -> Profile {
    let mut profile = Profile::default();
    profile.net.ipv6 = ipv6;
    profile
}

/// The stack at 2001:db8::`last`, which says nothing that nobody asked for.
fn quiet(last: u8) -> (Stack, RawDevice, std::rc::Rc<Events>) {
    quiet_with(last, Fuel::unlimited())
}

fn quiet_with(last: u8, fuel: Fuel) -> (Stack, RawDevice, std::rc::Rc<Events>) {
    let address = format!("2001:db8::{last}/64");
    stack_on(&[&address], &[], last, fuel, profile(Ipv6Profile::quiet()))
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

/// Our stack, a smoltcp, a cable and the time.
struct Pair {
    ours: Stack,
    wire: RawDevice,
    theirs: Peer,
    now: Instant,
}

impl Pair {
    fn new() -> Pair {
        let (ours, wire, _) = quiet(1);
        Pair {
            ours,
            wire,
            theirs: Peer::at_v6(2),
            now: Instant(SECOND),
        }
    }
    /// Runs until `done` or, by the clock of the cable, a minute is over.
    fn run(&mut self, mut done: impl FnMut(&mut Pair) -> bool) {
        for _ in 0..60_000 {
            if done(self) {
                return;
            }
            let busy = self
                .theirs
                .exchange(self.now, &mut self.ours, &mut self.wire);
            if !busy {
                self.now = self.now.plus(MS);
            }
        }
        panic!("nothing came of it in a minute");
    }
}

#[test]
fn we_ping_them_after_asking_for_their_address() {
    let mut pair = Pair::new();
    for (seq, len) in [(1, 0), (2, 56), (3, 1400)] {
        let data = pattern(len);
        pair.ours
            .ping(pair.now, THEM.into(), 7, seq, &data)
            .expect("room");
        let mut reply = None;
        pair.run(|pair| {
            reply = reply.take().or_else(|| pair.ours.next_echo_reply());
            reply.is_some()
        });
        let reply = reply.expect("run says so");
        assert_eq!((reply.from, reply.ident, reply.seq), (THEM.into(), 7, seq));
        assert_eq!(reply.payload, data);
    }
}

#[test]
fn datagrams_go_both_ways_and_a_closed_port_refuses() {
    let mut pair = Pair::new();
    let buffer =
        || their_udp::PacketBuffer::new(vec![their_udp::PacketMetadata::EMPTY; 8], vec![0; 16384]);
    let mut socket = their_udp::Socket::new(buffer(), buffer());
    socket.bind(7).expect("a free port");
    let echo = pair.theirs.sockets.add(socket);
    let us = pair.ours.socket(SocketKind::Datagram).expect("a socket");
    for len in [0, 1, 1452] {
        let data = pattern(len);
        let sent = pair.ours.send_to(pair.now, us, &data, (THEM, 7).into());
        assert_eq!(sent, Ok(len));
        pair.run(|pair| {
            let socket = pair.theirs.sockets.get_mut::<their_udp::Socket>(echo);
            if let Ok((bytes, from)) = socket.recv().map(|(b, f)| (b.to_vec(), f)) {
                socket.send_slice(&bytes, from.endpoint).expect("room");
            }
            let mut to = vec![0; 2000];
            match pair.ours.recv_from(pair.now, us, &mut to) {
                Ok((got, from)) => {
                    assert_eq!((&to[..got], from), (&data[..], (THEM, 7).into()));
                    true
                }
                Err(why) => {
                    assert_eq!(why, SocketError::EAGAIN);
                    false
                }
            }
        });
    }
    let other = pair.ours.socket(SocketKind::Datagram).expect("a socket");
    pair.ours
        .connect(pair.now, other, (THEM, 9).into())
        .expect("a route");
    pair.ours.send(pair.now, other, b"anyone?").expect("room");
    pair.run(|pair| pair.ours.take_error(other) == Some(SocketError::ECONNREFUSED));
}

#[test]
fn a_stream_goes_both_ways() {
    let mut pair = Pair::new();
    let buffer = || tcp::SocketBuffer::new(vec![0; 65_535]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    socket.listen(80).expect("a free port");
    let server = pair.theirs.sockets.add(socket);
    let us = pair.ours.socket(SocketKind::Stream).expect("a socket");
    let begun = pair.ours.connect(pair.now, us, (THEM, 80).into());
    assert_eq!(begun, Err(SocketError::EINPROGRESS));
    let data = pattern(200_000);
    let (mut sent, mut back) = (0, Vec::new());
    pair.run(|pair| {
        if let Ok(n) = pair.ours.send(pair.now, us, &data[sent..]) {
            sent += n;
        }
        let socket = pair.theirs.sockets.get_mut::<tcp::Socket>(server);
        while socket.can_recv() && socket.can_send() {
            let room = socket.send_capacity() - socket.send_queue();
            let bytes = socket
                .recv(|bytes| {
                    let n = bytes.len().min(room);
                    (n, bytes[..n].to_vec())
                })
                .expect("it can");
            if bytes.is_empty() {
                break;
            }
            assert_eq!(socket.send_slice(&bytes), Ok(bytes.len()));
        }
        let mut to = [0; 4096];
        while let Ok(n @ 1..) = pair.ours.recv(pair.now, us, &mut to) {
            back.extend_from_slice(&to[..n]);
        }
        back.len() == data.len()
    });
    assert_eq!(back, data);
}

/// Two stacks of ours on a cable.
struct Two {
    stacks: [Stack; 2],
    wires: [RawDevice; 2],
    events: [std::rc::Rc<Events>; 2],
    now: Instant,
    /// Every frame that went over.
    frames: Vec<Vec<u8>>,
}

impl Two {
    fn new([a, b]: [(Stack, RawDevice, std::rc::Rc<Events>); 2]) -> Two {
        Two {
            stacks: [a.0, b.0],
            wires: [a.1, b.1],
            events: [a.2, b.2],
            now: Instant(SECOND),
            frames: Vec::new(),
        }
    }
    /// Lets both speak until they have nothing to say before `end`.
    fn run_until(&mut self, end: u64) {
        for _ in 0..10_000 {
            let mut any = false;
            for from in 0..2 {
                self.stacks[from].transmit(self.now, &mut self.wires[from]);
                let (now, frames) = (self.now, &mut self.frames);
                let to = &mut self.stacks[1 - from];
                while self.wires[from]
                    .take(|frame, _| {
                        frames.push(frame.to_vec());
                        to.receive(now, frame, false);
                    })
                    .is_some()
                {
                    any = true;
                }
            }
            if any {
                continue;
            }
            let next = self.stacks.iter().filter_map(|s| s.poll_at(self.now)).min();
            match next {
                Some(next) if next <= Instant(end) => self.now = next.max(self.now),
                _ => {
                    self.now = Instant(end).max(self.now);
                    return;
                }
            }
        }
        panic!("they never stop");
    }
    fn settle(&mut self) {
        self.run_until(self.now.0 + SECOND);
    }
}

fn listen(stack: &mut Stack, local: &str) -> SocketId {
    let socket = stack.socket(SocketKind::Stream).expect("a socket");
    stack.bind(socket, local.parse().unwrap()).expect("free");
    stack.listen(socket, 4).expect("bound");
    socket
}

#[test]
fn a_listener_at_all_addresses_of_version_6_serves_both_versions() {
    let both = |last: u8| {
        let (four, six) = (format!("10.0.0.{last}/24"), format!("2001:db8::{last}/64"));
        let quiet = profile(Ipv6Profile::quiet());
        stack_on(&[&four, &six], &[], last, Fuel::unlimited(), quiet)
    };
    let mut two = Two::new([both(1), both(2)]);
    let listener = listen(&mut two.stacks[1], "[::]:80");
    for remote in ["10.0.0.2:80", "[2001:db8::2]:80"] {
        let client = two.stacks[0].socket(SocketKind::Stream).unwrap();
        let begun = two.stacks[0].connect(two.now, client, remote.parse().unwrap());
        assert_eq!(begun, Err(SocketError::EINPROGRESS));
        two.settle();
        let (server, peer) = two.stacks[1].accept(listener).expect("a connection");
        assert_eq!(peer, two.stacks[0].local_addr(client).unwrap());
        assert_eq!(
            two.stacks[1].local_addr(server),
            Ok(remote.parse().unwrap())
        );
    }
}

#[test]
fn a_listener_of_version_6_alone_leaves_version_4_to_another() {
    let both = |last: u8| {
        let (four, six) = (format!("10.0.0.{last}/24"), format!("2001:db8::{last}/64"));
        let quiet = profile(Ipv6Profile::quiet());
        stack_on(&[&four, &six], &[], last, Fuel::unlimited(), quiet)
    };
    let mut two = Two::new([both(1), both(2)]);
    let alone = two.stacks[1].socket(SocketKind::Stream).unwrap();
    let only = SocketOption::OnlyV6(true);
    two.stacks[1].set_option(alone, only).unwrap();
    two.stacks[1]
        .bind(alone, "[::]:80".parse().unwrap())
        .unwrap();
    two.stacks[1].listen(alone, 4).unwrap();
    let connect = |two: &mut Two, remote: &str| {
        let client = two.stacks[0].socket(SocketKind::Stream).unwrap();
        let _ = two.stacks[0].connect(two.now, client, remote.parse().unwrap());
        two.settle();
        two.stacks[0].take_error(client)
    };
    let refused = connect(&mut two, "10.0.0.2:80");
    assert_eq!(refused, Some(SocketError::ECONNREFUSED));
    let other = listen(&mut two.stacks[1], "0.0.0.0:80");
    assert_eq!(connect(&mut two, "[2001:db8::2]:80"), None);
    assert_eq!(connect(&mut two, "10.0.0.2:80"), None);
    assert!(two.stacks[1].accept(other).is_ok() && two.stacks[1].accept(alone).is_ok());
}

#[test]
fn a_connection_has_one_flow_label_and_another_connection_another() {
    let mut two = Two::new([quiet(1), quiet(2)]);
    listen(&mut two.stacks[1], "[::]:80");
    for _ in 0..2 {
        let client = two.stacks[0].socket(SocketKind::Stream).unwrap();
        let _ = two.stacks[0].connect(two.now, client, (THEM, 80).into());
        two.settle();
        two.stacks[0].send(two.now, client, b"hello").unwrap();
        two.settle();
    }
    let mut labels: Vec<(u16, u32)> = Vec::new();
    for frame in &two.frames {
        let packet = Packet::parse(&frame[ethernet::HEADER..]).expect("version 6");
        if packet.next_header() == Protocol::TCP && packet.src() == US {
            let port = u16::from_be_bytes([packet.payload()[0], packet.payload()[1]]);
            labels.push((port, packet.flow_label()));
        }
    }
    assert!(labels.len() >= 6);
    labels.sort_unstable();
    labels.dedup();
    assert!(labels.len() == 2 && labels.iter().all(|(_, label)| *label != 0));
    assert_ne!(labels[0].1, labels[1].1);
}

#[test]
fn a_long_datagram_goes_in_pieces() {
    let mut two = Two::new([quiet(1), quiet(2)]);
    let from = two.stacks[0].socket(SocketKind::Datagram).unwrap();
    let to = two.stacks[1].socket(SocketKind::Datagram).unwrap();
    two.stacks[1].bind(to, "[::]:7".parse().unwrap()).unwrap();
    let data = pattern(20_000);
    let sent = two.stacks[0].send_to(two.now, from, &data, (THEM, 7).into());
    assert_eq!(sent, Ok(data.len()));
    two.settle();
    let mut buffer = vec![0; 30_000];
    let (len, _) = two.stacks[1].recv_from(two.now, to, &mut buffer).unwrap();
    assert_eq!(buffer[..len], data);
    assert!(two.frames.iter().all(|frame| frame.len() <= 1514));
}

#[test]
fn what_we_send_to_ourselves_comes_back() {
    let (mut us, mut device, _) = quiet(1);
    let socket = us.socket(SocketKind::Datagram).unwrap();
    us.bind(socket, (US, 7).into()).unwrap();
    us.send_to(Instant(1), socket, b"hello", (US, 7).into())
        .unwrap();
    us.ping(Instant(1), US.into(), 1, 1, b"me").unwrap();
    us.transmit(Instant(1), &mut device);
    let mut buffer = [0; 10];
    let got = us.recv_from(Instant(1), socket, &mut buffer);
    assert_eq!(got, Ok((5, (US, 7).into())));
    assert_eq!(
        us.next_echo_reply().map(|r| r.payload),
        Some(b"me".to_vec())
    );
    assert!(device.is_empty());
}

/// With the default profile: link-local addresses, detection, router solicitations.
fn talkative(addresses: &[&str], last: u8) -> (Stack, RawDevice, std::rc::Rc<Events>) {
    let ipv6 = Ipv6Profile::default();
    stack_on(addresses, &[], last, Fuel::unlimited(), profile(ipv6))
}

#[test]
fn an_address_is_ours_when_nobody_objects_and_nobodys_when_two_want_it() {
    let mut two = Two::new([
        talkative(&["2001:db8::1/64"], 1),
        talkative(&["2001:db8::2/64"], 2),
    ]);
    let socket = two.stacks[0].socket(SocketKind::Datagram).unwrap();
    two.run_until(two.now.0);
    assert!(!two.stacks[0].is_up());
    let early = two.stacks[0].bind(socket, (US, 7).into());
    assert_eq!(early, Err(SocketError::EADDRNOTAVAIL));
    two.run_until(4 * SECOND);
    assert!(two.stacks[0].is_up());
    assert_eq!(
        two.events[0].addresses(),
        ["fe80::ff:fe00:1 preferred", "2001:db8::1 preferred"]
    );
    let (late, wire, events) = talkative(&["2001:db8::1/64"], 3);
    two.stacks[1] = late;
    two.wires[1] = wire;
    two.run_until(8 * SECOND);
    assert_eq!(
        events.addresses(),
        ["2001:db8::1 duplicate", "fe80::ff:fe00:3 preferred"]
    );
    assert!(two.stacks[1].is_up(), "it will never be usable");
    let socket = two.stacks[1].socket(SocketKind::Datagram).unwrap();
    let sent = two.stacks[1].send_to(two.now, socket, b"x", (THEM, 7).into());
    assert_eq!(
        sent,
        Err(SocketError::ENETUNREACH),
        "no address reaches there"
    );
}

/// A frame with a discovery message.
fn discovery(src: Ipv6Addr, dst: Ipv6Addr, hop_limit: u8, message: &Repr) -> Vec<u8> {
    let mut payload = vec![0; message.size()];
    message.emit(&mut payload, Pseudo { src, dst });
    let header = ipv6::Repr {
        src,
        dst,
        hop_limit,
        ..header(Protocol::ICMPV6, payload.len())
    };
    let group = dst.is_multicast();
    let dst = if group {
        Mac([0x33, 0x33, 0, 0, 0, 1])
    } else {
        mac(1)
    };
    frame(dst, header, &payload)
}

fn advertisement() -> Repr {
    let said = RouterAdvertisement {
        hop_limit: 64,
        lifetime: 1800,
        ..RouterAdvertisement::default()
    };
    Repr {
        mtu: Some(1400),
        prefix: Some(Prefix {
            address: "2001:db8:7::".parse().unwrap(),
            len: 64,
            on_link: true,
            autonomous: true,
            valid: 20_000,
            preferred: 1_000,
        }),
        ..Repr::new(Body::RouterAdvertisement(said), Some(mac(0xFE)))
    }
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);

fn pass(stack: &mut Stack, wire: &mut RawDevice, from: u64, to: u64) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut now = Instant(from);
    loop {
        stack.transmit(now, wire);
        while wire.take(|frame, _| frames.push(frame.to_vec())).is_some() {}
        match stack.poll_at(now) {
            Some(next) if next <= Instant(to) => now = next.max(now),
            _ => return frames,
        }
    }
}

#[test]
fn a_router_is_solicited_and_its_prefix_makes_an_address_for_as_long_as_it_says() {
    for identifier in [Identifier::Eui64, Identifier::StablePrivacy] {
        let ipv6 = Ipv6Profile {
            identifier,
            ..Ipv6Profile::default()
        };
        let fuel = Fuel::unlimited();
        let (mut us, mut wire, events) = stack_on(&["fe80::/64"], &[], 1, fuel, profile(ipv6));
        let frames = pass(&mut us, &mut wire, 0, 3 * SECOND);
        let router_solicitation = |frame: &&Vec<u8>| frame[ethernet::HEADER + ipv6::HEADER] == 133;
        assert_eq!(frames.iter().filter(router_solicitation).count(), 1);
        assert_eq!(events.addresses().len(), 1, "the link-local one");
        let far: std::net::IpAddr = "3ffe::1".parse().unwrap();
        assert_eq!(
            us.ping(Instant(3 * SECOND), far, 1, 1, b""),
            Err(SocketError::ENETUNREACH)
        );
        let told = discovery(ROUTER, ALL_NODES, 255, &advertisement());
        us.receive(Instant(3 * SECOND), &told, false);
        pass(&mut us, &mut wire, 3 * SECOND, 5 * SECOND);
        let news = events.addresses();
        assert_eq!(news[0], "fe80::fe 1800 s");
        assert!(news[1].starts_with("2001:db8:7:") && news[1].ends_with(" preferred"));
        let eui64 = news[1] == "2001:db8:7::ff:fe00:1 preferred";
        assert_eq!(eui64, identifier == Identifier::Eui64);
        assert_eq!(us.ping(Instant(5 * SECOND), far, 1, 1, &[0; 1380]), Ok(()));
        let sent = pass(&mut us, &mut wire, 5 * SECOND, 6 * SECOND);
        assert_eq!(sent.len(), 2, "the link takes 1400 bytes");
        assert!(sent.iter().all(|frame| frame[..6] == mac(0xFE).0));
        pass(&mut us, &mut wire, 6 * SECOND, 30_000 * SECOND);
        let ends: Vec<String> = events
            .addresses()
            .iter()
            .map(|news| news.split_once(' ').unwrap().1.to_string())
            .collect();
        assert_eq!(ends, ["deprecated", "0 s", "removed"]);
    }
}

#[test]
fn discovery_from_beyond_the_link_or_with_lies_is_refused() {
    let (mut us, _, events) = talkative(&["fe80::/64"], 1);
    let mut why = |frame: Vec<u8>| {
        events.refusals();
        us.receive(Instant(1), &frame, false);
        events.refusals().join(", ")
    };
    let good = advertisement();
    let beyond = discovery(ROUTER, ALL_NODES, 64, &good);
    assert_eq!(why(beyond), "Icmp: it came from beyond the link");
    let global = discovery(THEM, ALL_NODES, 255, &good);
    assert_eq!(why(global), "Icmp: an advertisement that is no router's");
    let ours = Repr::new(good.body, Some(mac(1)));
    let ours = discovery(ROUTER, ALL_NODES, 255, &ours);
    assert_eq!(why(ours), "Icmp: our own packet came back");
    let redirect = discovery(ROUTER, ALL_NODES, 255, &Repr::new(Body::Redirect, None));
    assert_eq!(why(redirect), "Icmp: a redirect");
}

fn header(next_header: Protocol, payload_len: usize) -> ipv6::Repr {
    ipv6::Repr {
        src: THEM,
        dst: US,
        next_header,
        hop_limit: 64,
        traffic_class: 0,
        flow_label: 0,
        payload_len,
    }
}

fn frame(dst: Mac, header: ipv6::Repr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; ethernet::HEADER + ipv6::HEADER + payload.len()];
    let ethernet = ethernet::Repr {
        dst,
        src: mac(2),
        ethertype: EtherType::IPV6,
    };
    header
        .emit(ethernet.emit(&mut bytes))
        .copy_from_slice(payload);
    bytes
}

fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    let repr = udp::Repr {
        src_port: 4000,
        dst_port: port,
        payload,
    };
    let pseudo = udp::Pseudo {
        src: THEM.into(),
        dst: US.into(),
    };
    let mut bytes = vec![0; repr.size()];
    repr.emit(&mut bytes, pseudo, false);
    bytes
}

fn piece(offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
    let fragment = Fragment {
        next_header: Protocol::UDP,
        offset,
        more,
        ident: 9,
    };
    let mut bytes = vec![0; 8 + payload.len()];
    fragment.emit(&mut bytes).copy_from_slice(payload);
    frame(mac(1), header(Protocol::FRAGMENT, bytes.len()), &bytes)
}

/// The ICMP errors that the stack sends now, with the packet that each quotes.
fn answers(stack: &mut Stack, now: u64) -> Vec<(Kind, usize)> {
    stack.set_neighbour(THEM.into(), mac(2));
    let mut device = RawDevice::new(common::caps(1), 64);
    pass(stack, &mut device, now, now)
        .iter()
        .map(|frame| {
            let frame = Frame::parse(frame).expect("our own");
            let packet = Packet::parse(frame.payload()).expect("our own");
            let (src, dst) = (packet.src(), packet.dst());
            let message = Message::parse(packet.payload(), Pseudo { src, dst }).expect("our own");
            (message.kind(), message.payload().len())
        })
        .collect()
}

#[test]
fn errors_say_what_was_wrong_and_where() {
    let (mut us, _, _) = quiet(1);
    let udp = datagram(9, &[7; 2000]);
    us.receive(
        Instant(1),
        &frame(mac(1), header(Protocol::UDP, udp.len()), &udp),
        false,
    );
    let port = Kind::Unreachable(Unreachable::Port);
    assert_eq!(answers(&mut us, 1), [(port, 1232)], "1280 bytes in all");
    let odd = frame(mac(1), header(Protocol(132), 8), &[0; 8]);
    us.receive(Instant(1), &odd, false);
    let (code, pointer) = (1, 6);
    let unknown = Kind::ParameterProblem { code, pointer };
    assert_eq!(answers(&mut us, 1), [(unknown, 48)]);
    let option = [17, 0, 0x80, 0, 0, 0, 0, 0];
    let odd = frame(mac(1), header(Protocol::HOP_BY_HOP, 8), &option);
    us.receive(Instant(1), &odd, false);
    let (code, pointer) = (2, 42);
    let unknown = Kind::ParameterProblem { code, pointer };
    assert_eq!(answers(&mut us, 1), [(unknown, 48)]);
    us.receive(Instant(1), &piece(0, true, &[0; 9]), false);
    let (code, pointer) = (0, 4);
    let length = Kind::ParameterProblem { code, pointer };
    assert_eq!(answers(&mut us, 1), [(length, 57)]);
    us.receive(Instant(1), &piece(65_528, false, &[0; 16]), false);
    let (code, pointer) = (0, 42);
    let length = Kind::ParameterProblem { code, pointer };
    assert_eq!(answers(&mut us, 1), [(length, 64)]);
    let lacking = {
        let mut frame = piece(0, true, &[0; 8]);
        frame[ethernet::HEADER + ipv6::HEADER] = Protocol::TCP.0;
        frame
    };
    us.receive(Instant(1), &lacking, false);
    let (code, pointer) = (3, 0);
    let chain = Kind::ParameterProblem { code, pointer };
    assert_eq!(answers(&mut us, 1), [(chain, 56)]);
    us.receive(Instant(1), &piece(0, true, &datagram(7, &[1; 8])), false);
    let late = Kind::TimeExceeded(TimeExceeded::Reassembly);
    assert_eq!(answers(&mut us, 40 * SECOND), [(late, 64)]);
}

#[test]
fn pieces_make_a_packet_unless_they_overlap_and_one_piece_alone_is_whole() {
    let (mut us, _, events) = quiet(1);
    let socket = us.socket(SocketKind::Datagram).unwrap();
    us.bind(socket, (US, 7).into()).unwrap();
    let whole = datagram(7, &pattern(40));
    let mut take = |frames: &[Vec<u8>]| {
        events.refusals();
        for frame in frames {
            us.receive(Instant(1), frame, false);
        }
        let mut to = [0; 100];
        let got = us.recv_from(Instant(1), socket, &mut to).map(|(n, _)| n);
        (got.ok(), events.refusals())
    };
    let two = [piece(24, false, &whole[24..]), piece(0, true, &whole[..24])];
    assert_eq!(take(&two), (Some(40), vec![]));
    let overlapping = [piece(0, true, &whole[..24]), piece(16, false, &whole[16..])];
    let why = vec!["Ipv6: fragments overlap".to_string()];
    assert_eq!(take(&overlapping), (None, why));
    assert_eq!(take(&[piece(0, false, &whole)]), (Some(40), vec![]));
}

#[test]
fn a_packet_too_big_makes_the_next_datagrams_go_in_smaller_pieces() {
    let (mut us, mut wire, _) = quiet(1);
    us.set_neighbour(THEM.into(), mac(2));
    let socket = us.socket(SocketKind::Datagram).unwrap();
    let send = |us: &mut Stack, wire: &mut RawDevice| {
        us.send_to(Instant(1), socket, &[5; 1400], (THEM, 7).into())
            .unwrap();
        pass(us, wire, 1, 1)
    };
    let sent = send(&mut us, &mut wire);
    assert_eq!(sent.len(), 1);
    let kind = Kind::PacketTooBig { mtu: 1300 };
    let repr = icmpv6::Repr {
        kind,
        payload: &sent[0][ethernet::HEADER..],
    };
    let mut message = vec![0; repr.size()];
    repr.emit(&mut message, Pseudo { src: THEM, dst: US });
    let too_big = frame(mac(1), header(Protocol::ICMPV6, message.len()), &message);
    us.receive(Instant(1), &too_big, false);
    let sent = send(&mut us, &mut wire);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|frame| frame.len() <= 1314));
}

/// What a frame costs at most: its bytes, its headers and options twice over (a fragment's are looked at before and
/// after), a reassembly's pieces.
const MOST_FUEL: u64 = 1 + 9000 / 64 + 2 * 9 * 18 + 129;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut add = |next, payload: &[u8]| {
        seeds.push(frame(mac(1), header(next, payload.len()), payload));
    };
    add(Protocol::UDP, &datagram(7, b"hello"));
    let echo = icmpv6::Repr {
        kind: Kind::EchoRequest { ident: 1, seq: 2 },
        payload: &[7; 56],
    };
    let mut bytes = vec![0; echo.size()];
    echo.emit(&mut bytes, Pseudo { src: THEM, dst: US });
    add(Protocol::ICMPV6, &bytes);
    let options = [
        60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 0x1E, 2, 0, 0, 0, 0, 17, 0, 4, 0, 0, 0, 0, 0,
    ];
    add(
        Protocol::HOP_BY_HOP,
        &[&options[..], &datagram(7, b"hello")].concat(),
    );
    let syn = [
        0x0F, 0xA0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0xFF, 0xFF, 0, 0, 0, 0, 2, 4, 5, 0xB4,
    ];
    add(Protocol::TCP, &syn);
    seeds.push(piece(0, true, &datagram(7, &[1; 16])));
    seeds.push(piece(24, false, &[1; 16]));
    let body = Body::NeighbourSolicitation { target: US };
    let ask = Repr::new(body, Some(mac(2)));
    seeds.push(discovery(THEM, US, ndp::HOP_LIMIT, &ask));
    seeds.push(discovery(
        ROUTER,
        ALL_NODES,
        ndp::HOP_LIMIT,
        &advertisement(),
    ));
    seeds
}

/// Makes the checksum of an ICMPv6 message right again.
fn repair(frame: &mut [u8]) {
    let at = ethernet::HEADER + ipv6::HEADER;
    if frame.len() > at + 4 && frame[20] == 58 {
        let bytes: &mut [u8; 16] = &mut frame[22..38].try_into().unwrap();
        let src = Ipv6Addr::from(*bytes);
        let dst = Ipv6Addr::from(<[u8; 16]>::try_from(&frame[38..54]).unwrap());
        frame[at + 2..at + 4].fill(0);
        let len = frame.len() - at;
        let mut sum = stack::checksum::Sum::pseudo(src.into(), dst.into(), 58, len);
        sum.add(&frame[at..]);
        frame[at + 2..at + 4].copy_from_slice(&sum.finish().to_be_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn broken_frames_never_panic_and_burn_little(
        blows in proptest::collection::vec((0..8usize, 0..130usize, any::<u8>(), any::<bool>(), 0..130usize), 1..60),
    ) {
        let fuel = Fuel::new(u64::MAX - 1);
        let ours = ["2001:db8::1/64", "fe80::/64"];
        let ipv6 = Ipv6Profile { dad_transmits: 0, ..Ipv6Profile::default() };
        let (mut stack, mut device, _) = stack_on(&ours, &[], 1, fuel.clone(), profile(ipv6));
        let socket = stack.socket(SocketKind::Datagram).unwrap();
        stack.bind(socket, "[::]:7".parse().unwrap()).unwrap();
        let mut now = Instant(1);
        for (which, at, value, right, cut) in blows {
            let mut frame = seeds().swap_remove(which);
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
            if right {
                repair(&mut frame);
            } else {
                frame.truncate(cut.max(frame.len() / 2));
            }
            let before = fuel.left();
            stack.receive(now, &frame, right);
            prop_assert!(before - fuel.left() <= MOST_FUEL, "{}", before - fuel.left());
            now = now.plus(u64::from(value) * 10_000_000);
            stack.transmit(now, &mut device);
            while device.take(|_, _| ()).is_some() {}
        }
        // And it still answers.
        stack.receive(now, &seeds().swap_remove(6), false);
        stack.transmit(now, &mut device);
        while device.take(|_, _| ()).is_some() {}
        stack.receive(now, &seeds().swap_remove(1), false);
        stack.transmit(now, &mut device);
        prop_assert!(!device.is_empty());
    }
}
