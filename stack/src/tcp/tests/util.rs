//! The harness: an engine whose peer is a script ([`Solo`]), and two engines on a fake network and clock ([`Pair`]).
//! Segments are shown in tcpdump's notation, with sequence numbers relative to each side's SYN.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::net::SocketAddr;

use xen_abi::{Fuel, Instant, Sink};

use crate::addr::IpAddress;
use crate::api::{DeviceFull, SocketError, SocketId};
use crate::checksum::Sum;
use crate::event::{Event, TcpNote, TcpState};
use crate::net::metrics::Metrics;
use crate::profile::{MS, Profile};
use crate::seq::SeqNumber;
use crate::tcp::{IpInfo, IpOutput, IpPacket, Route, Tcp};
use crate::wire::tcp::{Flags, PROTOCOL, Segment};
use crate::wire::tcp_options::{Options, TcpOption, sack_blocks};

/// Where our engine listens or connects from.
pub const LOCAL: &str = "10.0.0.1:80";
/// The scripted peer.
pub const PEER: &str = "10.0.0.2:4000";

/// A socket's address.
pub fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The route that every harness has.
pub fn route(local: IpAddress) -> Route {
    Route {
        local,
        mtu: 1500,
        path_mtu: 1500,
        metrics: Metrics::default(),
    }
}

/// A sink that decodes.
#[derive(Default)]
pub struct Log(RefCell<Vec<Event>>);

impl Sink for Log {
    fn emit(&self, event: &[u8]) {
        let event = Event::decode(event).expect("what is encoded can be decoded");
        self.0.borrow_mut().push(event);
    }
}

impl Log {
    /// The states entered so far.
    pub fn states(&self) -> Vec<TcpState> {
        let states = |e: &Event| match e {
            Event::TcpState { to, .. } => Some(*to),
            _ => None,
        };
        self.0.borrow().iter().filter_map(states).collect()
    }
    /// How often something was noted.
    pub fn count(&self, wanted: TcpNote) -> usize {
        let is = |e: &&Event| matches!(e, Event::TcpNote { note, .. } if *note == wanted);
        self.0.borrow().iter().filter(is).count()
    }
}

/// A device: takes so many packets, then is full.
pub struct Wire {
    pub local: IpAddress,
    pub packets: Vec<(IpPacket, Vec<u8>)>,
    pub room: usize,
    pub metrics: Metrics,
    pub drops: bool,
}

impl IpOutput for Wire {
    fn route(&self, _remote: IpAddress) -> Result<Route, SocketError> {
        let mut route = route(self.local);
        route.metrics = self.metrics;
        route.path_mtu = self.metrics.mtu.map_or(route.mtu, usize::from);
        Ok(route)
    }
    fn drops(&self) -> bool {
        self.drops
    }
    fn tx_checksum(&self, _remote: IpAddress) -> bool {
        false
    }
    fn send(
        &mut self,
        _now: Instant,
        packet: &IpPacket,
        len: usize,
        mut fill: impl FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        if self.packets.len() >= self.room {
            return Err(DeviceFull);
        }
        let mut bytes = vec![0xEE; len];
        fill(&mut bytes);
        self.packets.push((*packet, bytes));
        Ok(())
    }
}

/// An engine and its log.
pub struct Host {
    pub tcp: Tcp,
    pub log: Rc<Log>,
    pub ip: IpAddress,
    /// Packets that the device takes at a time.
    pub room: usize,
    /// What the administrator says about the way to everybody.
    pub metrics: Metrics,
    /// The device's queue drops everything.
    pub drops: bool,
}

impl Host {
    pub fn new(ip: &str, profile: Profile, seed: u8) -> Host {
        let log = Rc::new(Log::default());
        let fuel = Fuel::new(5_000_000);
        Host {
            tcp: Tcp::new(Rc::new(profile), [seed; 32], fuel, log.clone()),
            log,
            ip: ip.parse().expect("an address"),
            room: usize::MAX,
            metrics: Metrics::default(),
            drops: false,
        }
    }

    /// All that the engine sends now.
    pub fn transmit(&mut self, now: Instant) -> Vec<(IpPacket, Vec<u8>)> {
        let mut wire = Wire {
            local: self.ip,
            packets: Vec::new(),
            room: self.room,
            metrics: self.metrics,
            drops: self.drops,
        };
        self.tcp.transmit(now, &mut wire);
        wire.packets
    }

    pub fn connect(&mut self, now: Instant, remote: SocketAddr) -> SocketId {
        let socket = self.tcp.socket().expect("room");
        let begun = self.tcp.connect(now, socket, remote, route(self.ip));
        assert_eq!(begun, Err(SocketError::EINPROGRESS));
        socket
    }

    pub fn listen(&mut self, local: SocketAddr, backlog: usize) -> SocketId {
        let socket = self.tcp.socket().expect("room");
        self.tcp.bind(socket, local).expect("free");
        self.tcp.listen(socket, backlog).expect("bound");
        socket
    }
}

/// A segment to inject; numbers are relative to each side's SYN.
#[derive(Clone, Copy)]
pub struct Seg<'a> {
    pub flags: &'a str,
    pub seq: u32,
    pub ack: u32,
    pub win: u16,
    pub urg: u16,
    pub options: &'a [u8],
    pub text: &'a [u8],
}

/// A segment of the peer: `S`, `S.`, `.`, `P.`, `F.`, `R`.
pub fn seg(flags: &str, seq: u32) -> Seg<'_> {
    Seg {
        flags,
        seq,
        ack: 0,
        win: 65_535,
        urg: 0,
        options: &[],
        text: &[],
    }
}

impl<'a> Seg<'a> {
    pub fn ack(self, ack: u32) -> Seg<'a> {
        Seg { ack, ..self }
    }
    pub fn win(self, win: u16) -> Seg<'a> {
        Seg { win, ..self }
    }
    pub fn urg(self, urg: u16) -> Seg<'a> {
        Seg { urg, ..self }
    }
    pub fn options(self, options: &'a [u8]) -> Seg<'a> {
        Seg { options, ..self }
    }
    pub fn text(self, text: &'a [u8]) -> Seg<'a> {
        Seg { text, ..self }
    }
}

/// One engine, whose peer is the test.
pub struct Solo {
    pub host: Host,
    pub now: Instant,
    /// The engine's and the peer's initial sequence numbers.
    iss: Option<SeqNumber>,
    irs: SeqNumber,
    pub local: SocketAddr,
    pub peer: SocketAddr,
    /// The peer's UDP port, if it sends its segments in datagrams.
    pub udp_port: u16,
    /// The ECN bits of the packets that the peer sends.
    pub ecn: u8,
}

impl Solo {
    pub fn new(profile: Profile) -> Solo {
        Solo {
            host: Host::new("10.0.0.1", profile, 7),
            now: Instant(1_000 * MS),
            iss: None,
            irs: SeqNumber(u32::MAX - 10),
            local: at(LOCAL),
            peer: at(PEER),
            udp_port: 0,
            ecn: 0,
        }
    }

    /// An engine with a connection that the peer opened, which offers `options` and a window of 65535.
    pub fn accepted(profile: Profile, options: &[u8]) -> (Solo, SocketId) {
        let mut solo = Solo::new(profile);
        let listener = solo.host.listen(at(LOCAL), 4);
        solo.inject(seg("S", 0).options(options));
        assert_eq!(solo.sent(), ["S. 0:0(0) ack 1"]);
        let stamped = options.contains(&8);
        let stamp = [1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 0];
        solo.inject(
            seg(".", 1)
                .ack(1)
                .options(if stamped { &stamp } else { &[] }),
        );
        let (socket, _) = solo.host.tcp.accept(listener).expect("established");
        (solo, socket)
    }

    /// Our initial sequence number, once a SYN of ours was seen.
    pub fn iss(&self) -> SeqNumber {
        self.iss.expect("a SYN was sent")
    }

    /// The peer's segment arrives.
    pub fn inject(&mut self, s: Seg<'_>) {
        let mut flags = Flags::empty();
        for c in s.flags.chars() {
            flags |= match c {
                'S' => Flags::SYN,
                'F' => Flags::FIN,
                'R' => Flags::RST,
                'P' => Flags::PSH,
                '.' => Flags::ACK,
                'E' => Flags::ECE,
                'W' => Flags::CWR,
                'U' => Flags::URG,
                _ => panic!("no flag is called {c}"),
            };
        }
        let ack = self.iss.unwrap_or_default().plus(s.ack);
        let ack = if flags.contains(Flags::ACK) { ack.0 } else { 0 };
        let offset = (5 + s.options.len() / 4) as u8;
        let mut bytes = Vec::new();
        bytes.extend(self.peer.port().to_be_bytes());
        bytes.extend(self.local.port().to_be_bytes());
        bytes.extend(self.irs.plus(s.seq).0.to_be_bytes());
        bytes.extend(ack.to_be_bytes());
        bytes.extend([offset << 4, flags.bits()]);
        bytes.extend(s.win.to_be_bytes());
        bytes.extend([0; 2]);
        bytes.extend(s.urg.to_be_bytes());
        bytes.extend(s.options);
        bytes.extend(s.text);
        let mut sum = Sum::pseudo(self.peer.ip(), self.local.ip(), PROTOCOL, bytes.len());
        sum.add(&bytes);
        bytes[16..18].copy_from_slice(&sum.finish().to_be_bytes());
        let ip = IpInfo {
            src: self.peer.ip(),
            dst: self.local.ip(),
            ecn: self.ecn,
            ttl: 64,
            udp_port: self.udp_port,
        };
        self.host.tcp.receive(self.now, &ip, &bytes, false);
    }

    /// What the engine sends now, without windows and options.
    pub fn sent(&mut self) -> Vec<String> {
        let packets = self.host.transmit(self.now);
        packets.iter().map(|(_, p)| self.show(p)).collect()
    }

    /// What the engine sends now, as it is.
    pub fn sent_bytes(&mut self) -> Vec<Vec<u8>> {
        let packets = self.host.transmit(self.now);
        packets.into_iter().map(|(_, p)| p).collect()
    }

    /// What the engine sends in the next `ns`, with the milliseconds at which it does.
    pub fn sent_within(&mut self, ns: u64) -> Vec<(u64, String)> {
        let (begin, end) = (self.now, self.now.plus(ns));
        let mut all = Vec::new();
        loop {
            let ms = self.now.since(begin) / MS;
            all.extend(self.sent().into_iter().map(|s| (ms, s)));
            match self.host.tcp.poll_at(self.now) {
                Some(next) if next <= end => self.now = next.max(self.now.plus(1)),
                _ => break,
            }
        }
        self.now = end;
        all
    }

    pub fn show(&mut self, bytes: &[u8]) -> String {
        let segment = Segment::parse(bytes).expect("well formed");
        if segment.flags().contains(Flags::SYN) {
            self.iss = Some(segment.seq());
        }
        let seq = segment.seq().since(self.iss.unwrap_or_default());
        let end = seq.wrapping_add(segment.payload.len() as u32);
        let names = [
            (Flags::SYN, 'S'),
            (Flags::FIN, 'F'),
            (Flags::RST, 'R'),
            (Flags::PSH, 'P'),
            (Flags::ECE, 'E'),
            (Flags::CWR, 'W'),
            (Flags::URG, 'U'),
            (Flags::ACK, '.'),
        ];
        let on = |&&(flag, _): &&(Flags, char)| segment.flags().contains(flag);
        let flags: String = names.iter().filter(on).map(|&(_, c)| c).collect();
        let mut text = format!("{flags} {seq}:{end}({})", segment.payload.len());
        if segment.flags().contains(Flags::ACK) {
            text += &format!(" ack {}", segment.ack().since(self.irs));
        }
        text
    }

    /// The window field and the SACK blocks of a segment that was sent.
    pub fn window_and_sack(&self, bytes: &[u8]) -> (u16, Vec<(u32, u32)>) {
        let segment = Segment::parse(bytes).expect("well formed");
        let mut blocks = Vec::new();
        for option in Options::new(segment.options, &Fuel::unlimited(), &Profile::default()) {
            if let TcpOption::Sack(bytes) = option {
                blocks = sack_blocks(bytes)
                    .map(|b| (b.start.since(self.irs), b.end.since(self.irs)))
                    .collect();
            }
        }
        (segment.window(), blocks)
    }

    /// SACK option bytes for blocks relative to our SYN, padded.
    pub fn sack_option(&self, blocks: &[(u32, u32)]) -> Vec<u8> {
        let mut bytes = vec![1, 1, 5, (2 + 8 * blocks.len()) as u8];
        for &(start, end) in blocks {
            for at in [start, end] {
                bytes.extend(self.iss.unwrap_or_default().plus(at).0.to_be_bytes());
            }
        }
        bytes
    }
}

/// What becomes of a packet.
pub enum Fate {
    Deliver,
    Lose,
    /// It comes so much later.
    Delay(u64),
    /// It comes twice.
    Twice,
    /// A bit is flipped at this place, modulo its length.
    Corrupt(usize),
}

/// Judges the n-th packet, sent by host 0 or 1.
pub type Judge = Box<dyn FnMut(usize, usize, &[u8]) -> Fate>;

/// Two engines, 10.0.0.1 and 10.0.0.2, and what is between them.
pub struct Pair {
    pub hosts: [Host; 2],
    pub now: Instant,
    pub delay: u64,
    pub fate: Judge,
    /// Every segment gets four octets of padding on the way, so that none is what header prediction expects.
    pub padded: bool,
    under_way: Vec<(Instant, usize, usize, IpPacket, Vec<u8>)>,
    packets: usize,
}

impl Pair {
    pub fn new(profile: Profile) -> Pair {
        Pair {
            hosts: [
                Host::new("10.0.0.1", profile.clone(), 1),
                Host::new("10.0.0.2", profile, 2),
            ],
            now: Instant(1_000 * MS),
            delay: 10 * MS,
            fate: Box::new(|_, _, _| Fate::Deliver),
            padded: false,
            under_way: Vec::new(),
            packets: 0,
        }
    }

    /// Host 0 connects to a listener of host 1; both ends, established.
    pub fn connected(&mut self) -> (SocketId, SocketId) {
        let listener = self.hosts[1].listen(at("10.0.0.2:80"), 4);
        let client = self.hosts[0].connect(self.now, at("10.0.0.2:80"));
        self.run(100 * MS);
        let (server, _) = self.hosts[1].tcp.accept(listener).expect("established");
        (client, server)
    }

    /// Packets sent so far.
    pub fn packets(&self) -> usize {
        self.packets
    }

    /// Lets both transmit, then goes to the next instant at which anything happens, if it is not after `end`.
    pub fn step(&mut self, end: Instant) -> bool {
        for from in 0..2 {
            for (packet, bytes) in self.hosts[from].transmit(self.now) {
                self.enqueue(from, packet, bytes);
            }
        }
        let arrival = self.under_way.iter().map(|p| p.0).min();
        let timers = self.hosts.iter().filter_map(|h| h.tcp.poll_at(self.now));
        let Some(next) = timers.chain(arrival).min().filter(|&next| next <= end) else {
            return false;
        };
        self.now = next.max(self.now);
        self.under_way.sort_by_key(|p| (p.0, p.1));
        while self.under_way.first().is_some_and(|p| p.0 <= self.now) {
            let (_, _, to, packet, bytes) = self.under_way.remove(0);
            let ip = IpInfo {
                src: packet.src,
                dst: packet.dst,
                ecn: packet.ecn,
                ttl: packet.ttl,
                udp_port: 0,
            };
            let bytes = if self.padded { pad(bytes, &ip) } else { bytes };
            self.hosts[to].tcp.receive(self.now, &ip, &bytes, false);
        }
        true
    }

    /// Runs for so long.
    pub fn run(&mut self, ns: u64) {
        let end = self.now.plus(ns);
        while self.step(end) {}
        self.now = end;
    }

    fn enqueue(&mut self, from: usize, packet: IpPacket, mut bytes: Vec<u8>) {
        let n = self.packets;
        self.packets += 1;
        let arrival = self.now.plus(self.delay);
        let mut put = |at, bytes| self.under_way.push((at, n, 1 - from, packet, bytes));
        match (self.fate)(n, from, &bytes) {
            Fate::Deliver => put(arrival, bytes),
            Fate::Lose => {}
            Fate::Delay(ns) => put(arrival.plus(ns), bytes),
            Fate::Twice => {
                put(arrival, bytes.clone());
                put(arrival, bytes);
            }
            Fate::Corrupt(at) => {
                let at = at % (bytes.len() * 8);
                bytes[at / 8] ^= 1 << (at % 8);
                put(arrival, bytes);
            }
        }
    }
}

/// The segment with four NOPs before its options, if it is good and they fit.
fn pad(mut bytes: Vec<u8>, ip: &IpInfo) -> Vec<u8> {
    let words = bytes[12] >> 4;
    if Segment::verify(&bytes, ip.src, ip.dst).is_err() || words == 15 {
        return bytes;
    }
    bytes[12] = (words + 1) << 4;
    bytes.splice(20..20, [1; 4]);
    bytes[16..18].fill(0);
    let mut sum = Sum::pseudo(ip.src, ip.dst, PROTOCOL, bytes.len());
    sum.add(&bytes);
    bytes[16..18].copy_from_slice(&sum.finish().to_be_bytes());
    bytes
}

/// The pattern 0, 1, … 250, 0, ….
pub fn pattern(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|i| (i % 251) as u8).collect()
}
