//! Frames that no honest host sends: never a panic, bounded work, and the stack goes on.

mod common;

use std::net::Ipv4Addr;

use common::{Events, mac, stack_at};
use proptest::prelude::*;
use stack::addr::Mac;
use stack::api::{Device, DeviceCaps, DeviceFull, Echo, NetStack, SocketKind, Sockets};
use stack::dev::raw::RawDevice;
use stack::event::TimerKinds;
use stack::stack::Stack;
use stack::wire::ethernet::{self, EtherType, Frame};
use stack::wire::icmpv4::{self, Kind, Message, TimeExceeded, Unreachable};
use stack::wire::ipv4::{self, Packet, Protocol};
use stack::wire::udp;
use xen_abi::{Fuel, Instant};

const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THEM: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// What a frame costs at most, whatever is in it: its bytes, its options, a reassembly's pieces.
const MOST_FUEL: u64 = 1 + 9000 / 64 + 41 + 129;

fn header(protocol: Protocol, len: usize) -> ipv4::Repr {
    ipv4::Repr {
        src: THEM,
        dst: US,
        protocol,
        ttl: 64,
        dscp: 0,
        ecn: 0,
        ident: 5,
        dont_fragment: false,
        more_fragments: false,
        offset: 0,
        payload_len: len,
    }
}

fn frame(dst: Mac, header: ipv4::Repr, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; ethernet::HEADER + ipv4::HEADER + payload.len()];
    let ethernet = ethernet::Repr {
        dst,
        src: mac(2),
        ethertype: EtherType::IPV4,
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
    let mut bytes = vec![0; repr.size()];
    let pseudo = udp::Pseudo {
        src: THEM.into(),
        dst: US.into(),
    };
    repr.emit(&mut bytes, pseudo, false);
    bytes
}

fn message(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let repr = icmpv4::Repr { kind, payload };
    let mut bytes = vec![0; repr.size()];
    repr.emit(&mut bytes);
    bytes
}

/// Whole, right packets of every kind, to be broken in one place.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut add = |protocol, payload: &[u8]| {
        seeds.push(frame(mac(1), header(protocol, payload.len()), payload));
    };
    add(Protocol::UDP, &datagram(7, b"hello"));
    add(Protocol::UDP, &datagram(8, b"nobody"));
    let echo = Kind::EchoRequest { ident: 1, seq: 2 };
    add(Protocol::ICMP, &message(echo, &[7; 56]));
    let quoted = frame(mac(1), header(Protocol::TCP, 8), &[0; 8]);
    let kind = Kind::Unreachable(Unreachable::PacketTooBig { mtu: 0 });
    add(Protocol::ICMP, &message(kind, &quoted[ethernet::HEADER..]));
    let syn = [
        0x0F, 0xA0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0xFF, 0xFF, 0, 0, 0, 0, 2, 4, 5, 0xB4,
    ];
    add(Protocol::TCP, &syn);
    let mut arp = vec![0; ethernet::HEADER + 28];
    arp[..6].copy_from_slice(&[0xFF; 6]);
    arp[6..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 8, 6]);
    arp[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    arp[22..32].copy_from_slice(&[2, 0, 0, 0, 0, 2, 10, 0, 0, 2]);
    arp[38..42].copy_from_slice(&[10, 0, 0, 1]);
    seeds.push(arp);
    seeds
}

fn repair(frame: &mut [u8]) {
    if frame.len() >= 34 && frame[12..14] == [8, 0] {
        let len = (usize::from(frame[14] & 15) * 4).clamp(20, frame.len() - 14);
        frame[24..26].fill(0);
        let sum = stack::checksum::checksum(&frame[14..14 + len]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn broken_frames_never_panic_and_burn_little(
        blows in proptest::collection::vec((0..6usize, 0..80usize, any::<u8>(), any::<bool>(), 0..80usize), 1..60),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let fuel = Fuel::new(u64::MAX - 1);
        let (mut stack, mut device, _) = stack_at(1, fuel.clone());
        let socket = stack.socket(SocketKind::Datagram).unwrap();
        stack.bind(socket, "0.0.0.0:7".parse().unwrap()).unwrap();
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
        stack.receive(now, &noise, false);
        prop_assert!(stack.poll_at(now).is_none_or(|at| at > now), "nothing is left to send");
        // And it still answers.
        stack.receive(now, &seeds().swap_remove(5), false);
        stack.transmit(now, &mut device);
        while device.take(|_, _| ()).is_some() {}
        let echo = message(Kind::EchoRequest { ident: 9, seq: 9 }, b"still there?");
        stack.receive(now, &frame(mac(1), header(Protocol::ICMP, echo.len()), &echo), false);
        stack.transmit(now, &mut device);
        prop_assert!(!device.is_empty());
    }
}

fn refusals(stack: &mut Stack, events: &Events, frame: &[u8]) -> Vec<String> {
    events.refusals();
    stack.receive(Instant(1), frame, false);
    events.refusals()
}

#[test]
fn what_is_refused_is_reported_with_a_stable_text() {
    let (mut stack, _, events) = stack_at(1, Fuel::unlimited());
    let udp = datagram(9, b"x");
    let good = header(Protocol::UDP, udp.len());
    let martian = ipv4::Repr {
        src: Ipv4Addr::new(127, 0, 0, 1),
        ..good
    };
    let directed = ipv4::Repr {
        dst: Ipv4Addr::new(10, 0, 0, 255),
        ..good
    };
    let limited = ipv4::Repr {
        dst: Ipv4Addr::BROADCAST,
        protocol: Protocol::TCP,
        ..good
    };
    let to_us = |header| frame(mac(1), header, &udp);
    let mut bad_sum = to_us(good);
    bad_sum[24] ^= 1;
    let mut six = to_us(good);
    six[12..14].copy_from_slice(&[0x86, 0xDD]);
    for (frame, why) in [
        (to_us(martian), "Ipv4: martian source"),
        (to_us(directed), "Ipv4: directed broadcast"),
        (to_us(ipv4::Repr { ttl: 0, ..good }), "Ipv4: TTL 0"),
        (bad_sum, "Ipv4: bad checksum"),
        (six, "Ethernet: no IPv6"),
        (to_us(good), "Udp: nobody waits on the port"),
        (
            frame(Mac::BROADCAST, limited, &udp),
            "Tcp: a segment for many",
        ),
        (vec![0; 13], "Ethernet: truncated"),
    ] {
        assert_eq!(refusals(&mut stack, &events, &frame), [why]);
    }
    let flooded = frame(mac(9), good, &udp);
    assert!(refusals(&mut stack, &events, &flooded).is_empty());
}

/// Sends all that is due, answers ARP, and gives the ICMP messages that went out.
fn answers(stack: &mut Stack, now: Instant) -> Vec<Kind> {
    let mut device = RawDevice::new(common::caps(1), 256);
    stack.transmit(now, &mut device);
    let mut arp = seeds().swap_remove(5);
    arp[21] = 2;
    arp[..6].copy_from_slice(&mac(1).0);
    stack.receive(now, &arp, false);
    stack.transmit(now, &mut device);
    let mut kinds = Vec::new();
    while let Some(kind) = device.take(|frame, _| {
        let frame = Frame::parse(frame).expect("our own");
        if frame.ethertype() != EtherType::IPV4 {
            return None;
        }
        let packet = Packet::parse(frame.payload()).expect("our own");
        Some(Message::parse(packet.payload()).expect("our own").kind())
    }) {
        kinds.extend(kind);
    }
    kinds
}

#[test]
fn errors_are_sent_for_closed_ports_unknown_protocols_and_lost_fragments() {
    let (mut stack, _, _) = stack_at(1, Fuel::unlimited());
    let udp = datagram(9, b"x");
    let whole = header(Protocol::UDP, udp.len());
    stack.receive(Instant(1), &frame(mac(1), whole, &udp), false);
    let port = Kind::Unreachable(Unreachable::Port);
    assert_eq!(answers(&mut stack, Instant(1)), [port]);
    stack.receive(
        Instant(1),
        &frame(mac(1), header(Protocol(132), 8), &[0; 8]),
        false,
    );
    let protocol = Kind::Unreachable(Unreachable::Protocol);
    assert_eq!(answers(&mut stack, Instant(1)), [protocol]);
    let first = ipv4::Repr {
        more_fragments: true,
        ..header(Protocol::UDP, 16)
    };
    stack.receive(Instant(1), &frame(mac(1), first, &[0; 16]), false);
    assert!(stack.timers() & TimerKinds::FINISH.bits() != 0);
    let late = Instant(40_000_000_000);
    let expired = Kind::TimeExceeded(TimeExceeded::Reassembly);
    assert_eq!(answers(&mut stack, late), [expired]);
}

#[test]
fn a_long_ping_goes_and_comes_in_pieces() {
    let (mut us, mut our_device, _) = stack_at(1, Fuel::unlimited());
    let (mut them, mut their_device, _) = stack_at(2, Fuel::unlimited());
    let data: Vec<u8> = (0..30_000).map(|i| (i % 251) as u8).collect();
    us.ping(Instant(1), THEM.into(), 1, 1, &data).unwrap();
    let mut pieces = 0;
    let reply = loop {
        us.transmit(Instant(1), &mut our_device);
        while our_device
            .take(|frame, csum_ok| them.receive(Instant(1), frame, csum_ok))
            .is_some()
        {
            pieces += 1;
        }
        them.transmit(Instant(1), &mut their_device);
        while their_device
            .take(|frame, csum_ok| us.receive(Instant(1), frame, csum_ok))
            .is_some()
        {}
        if let Some(reply) = us.next_echo_reply() {
            break reply;
        }
        assert!(pieces < 100, "it comes soon or never");
    };
    assert_eq!(reply.payload, data);
    assert!(pieces > 20);
}

/// A device that takes one frame at a time.
struct Narrow(RawDevice);

impl Device for Narrow {
    fn caps(&self) -> DeviceCaps {
        self.0.caps()
    }
    fn transmit(
        &mut self,
        len: usize,
        needs_csum: bool,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        if !self.0.is_empty() {
            return Err(DeviceFull);
        }
        self.0.transmit(len, needs_csum, fill)
    }
}

#[test]
fn a_full_device_loses_nothing_and_changes_no_order() {
    let (mut us, _, _) = stack_at(1, Fuel::unlimited());
    let (mut them, mut their_device, _) = stack_at(2, Fuel::unlimited());
    let mut narrow = Narrow(RawDevice::new(common::caps(1), 1));
    let from = us.socket(SocketKind::Datagram).unwrap();
    let to = them.socket(SocketKind::Datagram).unwrap();
    them.bind(to, "10.0.0.2:7".parse().unwrap()).unwrap();
    for n in 0..20u8 {
        let len = if n % 5 == 0 { 4000 } else { 10 };
        let sent = us.send_to(
            Instant(1),
            from,
            &vec![n; len],
            "10.0.0.2:7".parse().unwrap(),
        );
        assert_eq!(sent, Ok(len));
    }
    for _ in 0..100 {
        us.transmit(Instant(1), &mut narrow);
        narrow
            .0
            .take(|frame, _| them.receive(Instant(1), frame, false));
        them.transmit(Instant(1), &mut their_device);
        while their_device
            .take(|frame, _| us.receive(Instant(1), frame, false))
            .is_some()
        {}
    }
    let mut buffer = [0; 5000];
    for n in 0..20u8 {
        let (len, _) = them.recv_from(Instant(1), to, &mut buffer).unwrap();
        assert_eq!((buffer[0], len), (n, if n % 5 == 0 { 4000 } else { 10 }));
    }
    assert!(us.poll_at(Instant(1)).is_none_or(|at| at > Instant(1)));
}

#[test]
fn what_we_send_to_ourselves_comes_back() {
    let (mut us, mut device, _) = stack_at(1, Fuel::unlimited());
    let socket = us.socket(SocketKind::Datagram).unwrap();
    let here = "10.0.0.1:7".parse().unwrap();
    us.bind(socket, here).unwrap();
    us.send_to(Instant(1), socket, b"hello", here).unwrap();
    us.ping(Instant(1), US.into(), 1, 1, b"me").unwrap();
    us.transmit(Instant(1), &mut device);
    let mut buffer = [0; 10];
    assert_eq!(us.recv_from(Instant(1), socket, &mut buffer), Ok((5, here)));
    assert_eq!(
        us.next_echo_reply().map(|r| r.payload),
        Some(b"me".to_vec())
    );
}
