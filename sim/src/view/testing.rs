//! Hand-built frames and entry streams, for the tests of views and oracles.

use stack::addr::{Ipv4Addr, Ipv6Addr};
use xenemu::abi::DomId;
use xenemu::event::{Life, Tap};
use xenemu::{FrameId, Time, UplinkId};

use super::dissect::bytes::{ones_complement_sum, pseudo_header_sum};
use super::dissect::tcp::Flags;
use crate::plan::{DomainPlan, LinkPlan, LinkSettings, MachinePlan, OnExit, Plan, VifPlan};
use crate::trace::entry::{Author, Entry, Event, LinkEvent, WorldEvent};

/// The server's address.
pub const BLOG: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
/// The client's address.
pub const READER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

/// The server's address of version 6.
pub const BLOG6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 2);
/// The client's address of version 6.
pub const READER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 9);

/// A segment to be built.
#[derive(Clone, Debug)]
pub struct TcpSpec {
    pub from: (Ipv4Addr, u16),
    pub to: (Ipv4Addr, u16),
    pub flags: Flags,
    pub seq: u32,
    pub ack: u32,
    pub window: u16,
    pub options: Vec<u8>,
    pub payload: Vec<u8>,
}

impl TcpSpec {
    /// Between port 40000 of the reader and port 80 of the blog.
    pub fn new(from: Ipv4Addr, to: Ipv4Addr, flags: &str) -> TcpSpec {
        let port = |ip: Ipv4Addr| if ip == BLOG { 80 } else { 40000 };
        TcpSpec {
            from: (from, port(from)),
            to: (to, port(to)),
            flags: Flags::parse(flags).expect("tcpdump's letters"),
            seq: 0,
            ack: 0,
            window: 65535,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }
}

fn mac(ip: Ipv4Addr) -> [u8; 6] {
    let [.., last] = ip.octets();
    [0, 0x16, 0x3e, 0, 0, last]
}

fn ethernet(from: Ipv4Addr, to: [u8; 6], ethertype: u16) -> Vec<u8> {
    let mut frame = to.to_vec();
    frame.extend(mac(from));
    frame.extend(ethertype.to_be_bytes());
    frame
}

/// The frame of an IPv4 packet.
pub fn ipv4_frame(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    header[2..4].copy_from_slice(&(20 + body.len() as u16).to_be_bytes());
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = !(ones_complement_sum(0, &header) as u16);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = ethernet(from, mac(to), 0x0800);
    frame.extend(header);
    frame.extend(body);
    frame
}

/// The frame of an IPv6 packet.
pub fn ipv6_frame(from: Ipv6Addr, to: Ipv6Addr, next: u8, body: &[u8]) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend((body.len() as u16).to_be_bytes());
    header.extend([next, 255]);
    header.extend(from.octets());
    header.extend(to.octets());
    let mut frame = ethernet(READER, mac(BLOG), 0x86DD);
    frame.extend(header);
    frame.extend(body);
    frame
}

/// The frame of an ICMPv6 message, with its checksum.
pub fn icmpv6_frame(from: Ipv6Addr, to: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    let pseudo = pseudo_header_sum(&from.octets(), &to.octets(), 58, message.len());
    let sum = !(ones_complement_sum(pseudo, &message) as u16);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv6_frame(from, to, 58, &message)
}

/// The frame of a segment, with right checksums.
pub fn tcp_frame(spec: &TcpSpec) -> Vec<u8> {
    assert_eq!(spec.options.len() % 4, 0, "options fill words");
    let mut segment = Vec::new();
    segment.extend(spec.from.1.to_be_bytes());
    segment.extend(spec.to.1.to_be_bytes());
    segment.extend(spec.seq.to_be_bytes());
    segment.extend(spec.ack.to_be_bytes());
    segment.push(((20 + spec.options.len()) / 4 * 16) as u8);
    segment.push(spec.flags.0);
    segment.extend(spec.window.to_be_bytes());
    segment.extend([0, 0, 0, 0]);
    segment.extend(&spec.options);
    segment.extend(&spec.payload);
    let pseudo = pseudo_header_sum(&spec.from.0.octets(), &spec.to.0.octets(), 6, segment.len());
    let sum = !(ones_complement_sum(pseudo, &segment) as u16);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ipv4_frame(spec.from.0, spec.to.0, 6, &segment)
}

/// The frame of a UDP datagram, without a checksum.
pub fn udp_frame(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(from.1.to_be_bytes());
    datagram.extend(to.1.to_be_bytes());
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    ipv4_frame(from.0, to.0, 17, &datagram)
}

/// The frame of an ARP request.
pub fn arp_request(from: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet(from, [0xFF; 6], 0x0806);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac(from));
    frame.extend(from.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

/// A plan with `blog` on `ec2` and `reader` on `laptop`, and a link between them.
pub fn plan() -> Plan {
    let machine = |name: &str, domain: &str, ip: &str| MachinePlan {
        name: name.into(),
        domains: vec![DomainPlan {
            name: domain.into(),
            guest: "script".into(),
            memory_kib: 32 << 10,
            args: Default::default(),
            vifs: vec![VifPlan {
                ip: vec![ip.into()],
                ..VifPlan::default()
            }],
            site: None,
            start: Some(Time::ZERO),
            on_poweroff: OnExit::Destroy,
            on_reboot: OnExit::Restart,
            on_crash: OnExit::Destroy,
            counted: false,
            span: Default::default(),
        }],
        schedule: Vec::new(),
    };
    Plan {
        path: None,
        source: "".into(),
        name: "test".into(),
        about: String::new(),
        seed: 1,
        epoch_secs: 1_405_036_800,
        duration: 60_000_000_000,
        machines: vec![
            machine("ec2", "blog", "10.0.0.2/24"),
            machine("laptop", "reader", "10.0.0.9/24"),
        ],
        switches: Vec::new(),
        links: vec![LinkPlan {
            name: "laptop-ec2".into(),
            a: "laptop".into(),
            b: "ec2".into(),
            settings: [LinkSettings::default(); 2],
            span: Default::default(),
        }],
        timeline: Vec::new(),
        everies: Vec::new(),
        whens: Vec::new(),
        expectations: Vec::new(),
        snapshot: Vec::new(),
    }
}

/// A stream of entries of [`plan`]'s world.
pub struct Stream {
    pub entries: Vec<Entry>,
    next_frame: u64,
}

/// The blog's node and domain.
pub const EC2: u16 = 0;
/// The reader's node and domain.
pub const LAPTOP: u16 = 1;
/// The domain on either machine.
pub const DOMID: DomId = DomId(1);

impl Stream {
    /// The world has begun and both domains are there.
    pub fn begin() -> Stream {
        let mut stream = Stream {
            entries: Vec::new(),
            next_frame: 0,
        };
        stream.push(
            0,
            Author::World,
            Event::World(WorldEvent::Begin {
                seed: 1,
                epoch_secs: 1_405_036_800,
                nodes: vec!["ec2".into(), "laptop".into()],
                links: vec!["laptop-ec2".into()],
            }),
        );
        for (node, name) in [(EC2, "blog"), (LAPTOP, "reader")] {
            let life = Life::Created { name: name.into() };
            stream.machine(1000, node, xenemu::Event::Life { domid: DOMID, life });
        }
        stream
    }

    /// Adds an entry.
    pub fn push(&mut self, at: u64, author: Author, event: Event) {
        let seq = self.entries.len() as u64;
        self.entries.push(Entry {
            at: Time(at),
            author,
            seq,
            event,
        });
    }

    /// Adds a machine's entry.
    pub fn machine(&mut self, at: u64, node: u16, event: xenemu::Event) {
        self.push(at, Author::Node(node), Event::Machine(event));
    }

    /// Adds an entry of the domain on that node.
    pub fn guest(&mut self, at: u64, node: u16, event: stack::event::Event) {
        self.push(at, Author::Node(node), Event::Guest(DOMID, event));
    }

    /// A frame leaves the vif of the domain on `node`, and its machine.
    pub fn send(&mut self, at: u64, node: u16, bytes: Vec<u8>) -> FrameId {
        let frame = FrameId {
            origin: u32::from(node),
            n: self.next_frame,
        };
        self.next_frame += 1;
        let forged = false;
        self.machine(
            at,
            node,
            xenemu::Event::FrameBorn {
                frame,
                forged,
                bytes,
            },
        );
        let tap = Tap::VifOut(DOMID, 0);
        self.machine(at, node, xenemu::Event::FrameAt { frame, tap });
        let tap = Tap::UplinkOut(UplinkId(0));
        self.machine(at + 100, node, xenemu::Event::FrameAt { frame, tap });
        frame
    }

    /// A frame reaches the machine and the vif of the domain on `node`.
    pub fn deliver(&mut self, at: u64, node: u16, frame: FrameId) {
        let tap = Tap::UplinkIn(UplinkId(0));
        self.machine(at, node, xenemu::Event::FrameAt { frame, tap });
        let tap = Tap::VifIn(DOMID, 0);
        self.machine(at + 100, node, xenemu::Event::FrameAt { frame, tap });
    }

    /// The link from `node` loses a frame.
    pub fn lose(&mut self, at: u64, node: u16, frame: FrameId) {
        let direction = u8::from(node == EC2);
        let author = Author::Link(0, direction);
        self.push(at, author, Event::Link(LinkEvent::Lost { frame }));
    }

    /// A segment from `node`, delivered 20 ms later.
    pub fn segment(&mut self, at: u64, spec: &TcpSpec) -> FrameId {
        let (from, to) = if spec.from.0 == BLOG {
            (EC2, LAPTOP)
        } else {
            (LAPTOP, EC2)
        };
        let frame = self.send(at, from, tcp_frame(spec));
        self.deliver(at + 20_000_000, to, frame);
        frame
    }

    /// The three segments that open a connection, with initial numbers 1000 and 5000.
    pub fn handshake(&mut self) {
        let syn = TcpSpec {
            seq: 1000,
            ..TcpSpec::new(READER, BLOG, "S")
        };
        self.segment(1_000_000, &syn);
        let syn_ack = TcpSpec {
            seq: 5000,
            ack: 1001,
            ..TcpSpec::new(BLOG, READER, "S.")
        };
        self.segment(22_000_000, &syn_ack);
        let ack = TcpSpec {
            seq: 1001,
            ack: 5001,
            ..TcpSpec::new(READER, BLOG, ".")
        };
        self.segment(43_000_000, &ack);
    }
}
