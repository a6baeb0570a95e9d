//! Our stack against smoltcp over a cable, checksums on: what two implementations agree on is probably the protocol.

mod common;

use common::peer::Peer;
use common::stack_at;
use smoltcp::socket::{icmp, tcp, udp};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, IpAddress};
use stack::api::{Echo, NetStack, SocketError, SocketId, SocketKind, Sockets};
use stack::dev::raw::RawDevice;
use stack::stack::Stack;
use xen_abi::{Fuel, Instant};

const MS: u64 = 1_000_000;

/// The cable, our end and theirs, and the time.
struct Pair {
    ours: Stack,
    wire: RawDevice,
    theirs: Peer,
    now: Instant,
}

impl Pair {
    fn new() -> Pair {
        let (ours, wire, _) = stack_at(1, Fuel::unlimited());
        Pair {
            ours,
            wire,
            theirs: Peer::at(2),
            now: Instant(1_000_000_000),
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

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

#[test]
fn we_ping_them_after_asking_for_their_address() {
    let mut pair = Pair::new();
    let them = "10.0.0.2".parse().expect("an address");
    for (seq, len) in [(1, 0), (2, 56), (3, 1400)] {
        let data = pattern(len);
        pair.ours.ping(pair.now, them, 7, seq, &data).expect("room");
        let mut reply = None;
        pair.run(|pair| {
            reply = reply.take().or_else(|| pair.ours.next_echo_reply());
            reply.is_some()
        });
        let reply = reply.expect("run says so");
        assert_eq!((reply.from, reply.ident, reply.seq), (them, 7, seq));
        assert_eq!(reply.payload, data);
    }
}

#[test]
fn they_ping_us() {
    let mut pair = Pair::new();
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 4], vec![0; 4096]);
    let mut socket = icmp::Socket::new(buffer(), buffer());
    socket
        .bind(icmp::Endpoint::Ident(99))
        .expect("a free ident");
    let request = Icmpv4Repr::EchoRequest {
        ident: 99,
        seq_no: 3,
        data: b"are you there?",
    };
    let us = IpAddress::v4(10, 0, 0, 1);
    let payload = socket.send(request.buffer_len(), us).expect("room");
    request.emit(
        &mut Icmpv4Packet::new_unchecked(payload),
        &smoltcp::phy::ChecksumCapabilities::default(),
    );
    let handle = pair.theirs.sockets.add(socket);
    pair.run(|pair| {
        let socket = pair.theirs.sockets.get_mut::<icmp::Socket>(handle);
        let Ok((bytes, from)) = socket.recv() else {
            return false;
        };
        assert_eq!(from, us);
        assert!(bytes.ends_with(b"are you there?") && bytes[0] == 0);
        true
    });
}

#[test]
fn datagrams_are_echoed_both_ways() {
    let mut pair = Pair::new();
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 8], vec![0; 16384]);
    let mut socket = udp::Socket::new(buffer(), buffer());
    socket.bind(7).expect("a free port");
    let echo = pair.theirs.sockets.add(socket);
    let us = pair.ours.socket(SocketKind::Datagram).expect("a socket");
    let them = "10.0.0.2:7".parse().expect("an address");
    for len in [0, 1, 100, 1472] {
        let data = pattern(len);
        let sent = pair.ours.send_to(pair.now, us, &data, them);
        assert_eq!(sent, Ok(len));
        pair.run(|pair| {
            let socket = pair.theirs.sockets.get_mut::<udp::Socket>(echo);
            if let Ok((bytes, from)) = socket.recv().map(|(b, f)| (b.to_vec(), f)) {
                socket.send_slice(&bytes, from.endpoint).expect("room");
            }
            let mut to = vec![0; 2000];
            match pair.ours.recv_from(pair.now, us, &mut to) {
                Ok((got, from)) => {
                    assert_eq!((&to[..got], from), (&data[..], them));
                    true
                }
                Err(why) => {
                    assert_eq!(why, SocketError::EAGAIN);
                    false
                }
            }
        });
    }
}

#[test]
fn a_port_where_nobody_waits_is_refused() {
    let mut pair = Pair::new();
    let us = pair.ours.socket(SocketKind::Datagram).expect("a socket");
    let them = "10.0.0.2:9".parse().expect("an address");
    pair.ours.connect(pair.now, us, them).expect("a route");
    pair.ours.send(pair.now, us, b"anyone?").expect("room");
    pair.run(|pair| pair.ours.take_error(us) == Some(SocketError::ECONNREFUSED));
}

const MEGABYTE: usize = 1 << 20;

fn their_tcp() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; 65_535]);
    tcp::Socket::new(buffer(), buffer())
}

/// Echoes at their end; closes when we did.
fn echo(socket: &mut tcp::Socket<'_>) {
    while socket.can_recv() && socket.can_send() {
        let room = socket.send_capacity() - socket.send_queue();
        let bytes = socket
            .recv(|bytes| {
                let len = bytes.len().min(room);
                (len, bytes[..len].to_vec())
            })
            .expect("it can");
        assert_eq!(socket.send_slice(&bytes), Ok(bytes.len()));
        if bytes.is_empty() {
            break;
        }
    }
    if socket.state() == tcp::State::CloseWait && socket.recv_queue() == 0 {
        socket.close();
    }
}

/// Our end of an echoed megabyte.
struct Talk {
    socket: SocketId,
    data: Vec<u8>,
    sent: usize,
    back: Vec<u8>,
}

impl Talk {
    fn new(socket: SocketId) -> Talk {
        Talk {
            socket,
            data: pattern(MEGABYTE),
            sent: 0,
            back: Vec::new(),
        }
    }
    /// Sends and receives what it can; whether the peer's FIN came after everything.
    fn step(&mut self, now: Instant, ours: &mut Stack) -> bool {
        while self.sent < self.data.len() {
            match ours.send(now, self.socket, &self.data[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(SocketError::EAGAIN | SocketError::ENOTCONN) => break,
                Err(why) => panic!("{why}"),
            }
            if self.sent == self.data.len() {
                ours.shutdown(now, self.socket, stack::api::How::Write)
                    .expect("it stands");
            }
        }
        let mut to = [0; 8192];
        loop {
            match ours.recv(now, self.socket, &mut to) {
                Ok(0) => {
                    assert!(self.back == self.data, "the echo is the data");
                    return true;
                }
                Ok(n) => self.back.extend_from_slice(&to[..n]),
                Err(SocketError::EAGAIN | SocketError::ENOTCONN) => return false,
                Err(why) => panic!("{why}"),
            }
        }
    }
}

#[test]
fn a_megabyte_is_echoed_when_we_call() {
    let mut pair = Pair::new();
    let mut socket = their_tcp();
    socket.listen(7).expect("a free port");
    let handle = pair.theirs.sockets.add(socket);
    let us = pair.ours.socket(SocketKind::Stream).expect("a socket");
    let them = "10.0.0.2:7".parse().expect("an address");
    let started = pair.ours.connect(pair.now, us, them);
    assert_eq!(started, Err(SocketError::EINPROGRESS));
    let mut talk = Talk::new(us);
    pair.run(|pair| {
        echo(pair.theirs.sockets.get_mut(handle));
        talk.step(pair.now, &mut pair.ours)
    });
    pair.ours.close(pair.now, us).expect("it stands");
    pair.run(|pair| {
        let socket = pair.theirs.sockets.get_mut::<tcp::Socket>(handle);
        socket.state() == tcp::State::Closed
    });
}

#[test]
fn a_megabyte_is_echoed_when_they_call() {
    let mut pair = Pair::new();
    let listener = pair.ours.socket(SocketKind::Stream).expect("a socket");
    let local = "0.0.0.0:7".parse().expect("an address");
    pair.ours.bind(listener, local).expect("a free port");
    pair.ours.listen(listener, 4).expect("room");
    let handle = pair.theirs.sockets.add(their_tcp());
    let socket = pair.theirs.sockets.get_mut::<tcp::Socket>(handle);
    socket
        .connect(
            pair.theirs.interface.context(),
            (IpAddress::v4(10, 0, 0, 1), 7),
            40_000,
        )
        .expect("a route");
    let mut talk: Option<Talk> = None;
    pair.run(|pair| {
        echo(pair.theirs.sockets.get_mut(handle));
        if talk.is_none() {
            talk = pair.ours.accept(listener).ok().map(|(s, _)| Talk::new(s));
        }
        talk.as_mut()
            .is_some_and(|talk| talk.step(pair.now, &mut pair.ours))
    });
    assert!(pair.ours.poll_at(pair.now).is_some(), "the ARP cache ages");
}
