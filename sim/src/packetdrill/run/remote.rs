//! The script's side of the connection under test: which live packets belong to it, and how the script's numbers and
//! the live ones translate into each other.
//!
//! In SYN segments the script names its own initial sequence number as it is and the stack's relative to what it wrote
//! first; in all other segments both count from the initial sequence numbers, whatever those were. Timestamps of the
//! stack are remembered by what the script calls them, so that an echo can be sent back.

use std::net::IpAddr;

use thiserror::Error;

use super::build::{self, Envelope};
use super::config::{Config, Dialect};
use super::live::{Live, Tcp, Udp};
use super::stamps::Stamps;
use super::wire_options;
use crate::packetdrill::flags::Flags;
use crate::packetdrill::ip::{Ecn, IpInfo};
use crate::packetdrill::options::Options;
use crate::packetdrill::packet::Datagram;
use crate::packetdrill::tcp::{Ports, Segment, Sequence, Start};
use crate::packetdrill::tcp_option::TcpOption;

/// The time to live of packets that do not say theirs.
const TTL: u8 = 255;
/// The first of the ports from which a listener is called, one after the other.
const FIRST_CALLER: u16 = 49_152;
/// How far the socket under test has come, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Made, perhaps bound.
    Idle {
        bound: bool,
    },
    Listening,
    /// Its SYN has not been seen.
    Connecting,
    /// Both ends are known.
    Open,
}

/// What the socket under test speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// Why an inbound packet cannot be made from what the script says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unsayable {
    #[error("there is no socket under test that the packet could be for")]
    NoSocket,
    #[error("the socket under test has no peer yet: nothing was received from it")]
    NoPeer,
    #[error("the stack has sent no timestamp that the script calls {0}")]
    UnknownStamp(u32),
}

/// The connection under test, seen from the script's side.
#[derive(Debug)]
pub struct Remote {
    local: IpAddr,
    remote: IpAddr,
    bind_port: u16,
    connect_port: u16,
    dialect: Dialect,
    scaled_echoes: bool,
    protocol: Protocol,
    phase: Option<Phase>,
    /// The script's number of the descriptor under test; a child that nobody accepted yet has none.
    descriptor: Option<i64>,
    ports: Ports,
    next_caller: u16,
    /// The script's own initial sequence number.
    remote_isn: Option<u32>,
    /// The stack's, live.
    local_isn: Option<u32>,
    /// And as the script wrote it.
    script_isn: u32,
    stamps: Stamps,
    /// The script's last flow label and the live one.
    flow: Option<(u32, u32)>,
    /// Live numbers of the last segment that the script sent: what follows it, and its acknowledgement.
    pub sent: Option<(u32, u32)>,
    /// The live acknowledgement of the last segment that the stack sent.
    pub acked: Option<u32>,
}

impl Remote {
    /// Nothing is under test yet.
    pub fn new(config: &Config) -> Remote {
        Remote {
            local: config.local,
            remote: config.remote,
            bind_port: config.bind_port,
            connect_port: config.connect_port,
            dialect: config.dialect,
            scaled_echoes: config.scaled_echoes,
            protocol: Protocol::Tcp,
            phase: None,
            descriptor: None,
            ports: Ports {
                source: 0,
                destination: 0,
            },
            next_caller: FIRST_CALLER,
            remote_isn: None,
            local_isn: None,
            script_isn: 0,
            stamps: Stamps::default(),
            flow: None,
            sent: None,
            acked: None,
        }
    }

    /// The script's descriptor of the socket under test.
    pub fn descriptor(&self) -> Option<i64> {
        self.descriptor
    }

    /// A socket was made: it is under test now.
    pub fn made(&mut self, descriptor: i64, protocol: Protocol) {
        self.begin(Phase::Idle { bound: false });
        self.protocol = protocol;
        self.descriptor = Some(descriptor);
    }

    /// What the socket under test speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The socket was bound to a port.
    pub fn bound(&mut self, descriptor: i64, port: u16) {
        if self.is_idle(descriptor) {
            self.phase = Some(Phase::Idle { bound: true });
            self.bind_port = port;
        }
    }

    /// The socket listens.
    pub fn listening(&mut self, descriptor: i64) {
        if self.is_idle(descriptor) {
            self.phase = Some(Phase::Listening);
        }
    }

    /// The socket connects to a port: its first packet tells its own, and the sequence number.
    pub fn connecting(&mut self, descriptor: i64, port: u16) {
        if self.is_idle(descriptor) {
            self.phase = Some(Phase::Connecting);
            self.connect_port = port;
        }
    }

    /// A descriptor for the connection under test was accepted.
    pub fn accepted(&mut self, descriptor: i64) {
        if self.descriptor.is_none() {
            self.descriptor = Some(descriptor);
        }
    }

    fn is_idle(&self, descriptor: i64) -> bool {
        self.descriptor == Some(descriptor) && matches!(self.phase, Some(Phase::Idle { .. }))
    }

    /// Another connection is under test.
    fn begin(&mut self, phase: Phase) {
        self.phase = Some(phase);
        self.descriptor = None;
        self.remote_isn = None;
        self.local_isn = None;
        self.script_isn = 0;
        self.stamps = Stamps::default();
        self.flow = None;
        self.sent = None;
        self.acked = None;
    }

    /// Calls the socket that listens: a connection begins, and is under test from now on.
    fn call(&mut self) {
        self.begin(Phase::Open);
        self.ports = Ports {
            source: self.bind_port,
            destination: self.next_caller,
        };
        self.next_caller = self.next_caller.checked_add(1).unwrap_or(FIRST_CALLER);
    }

    /// The envelope of what the script sends.
    pub fn envelope(&self, info: &IpInfo) -> Envelope {
        let ecn = match info.ecn {
            None | Some(Ecn::NotCapable) => 0,
            Some(Ecn::Ect1) => 1,
            Some(Ecn::Ect0 | Ecn::AnyEct) => 2,
            Some(Ecn::Ce) => 3,
        };
        let dscp = info.dscp.map_or(0, |dscp| dscp << 2);
        Envelope {
            source: self.remote,
            destination: self.local,
            tos: info.tos.unwrap_or(dscp) | ecn,
            ttl: info.ttl.unwrap_or(TTL),
            flow_label: info.flow_label.unwrap_or(0),
        }
    }

    /// The envelope of what the stack sent.
    pub fn envelope_back(&self) -> Envelope {
        Envelope {
            source: self.local,
            destination: self.remote,
            tos: 0,
            ttl: TTL,
            flow_label: 0,
        }
    }

    /// The ports of a datagram of the script; what it says of them counts.
    pub fn inbound_datagram(&mut self, datagram: &Datagram) -> Result<Ports, Unsayable> {
        match (self.protocol, self.phase) {
            (_, None) | (Protocol::Tcp, _) => return Err(Unsayable::NoSocket),
            (Protocol::Udp, Some(Phase::Idle { bound: true })) => {
                self.phase = Some(Phase::Open);
                self.ports = Ports {
                    source: self.bind_port,
                    destination: FIRST_CALLER,
                };
            }
            (Protocol::Udp, Some(Phase::Open)) => {}
            (Protocol::Udp, Some(_)) => return Err(Unsayable::NoPeer),
        }
        Ok(datagram.ports.unwrap_or(Ports {
            source: self.ports.destination,
            destination: self.ports.source,
        }))
    }

    /// The ports of a datagram that an ICMP message complains about: one of the stack's.
    pub fn complained_of_datagram(&self) -> Result<Ports, Unsayable> {
        match (self.protocol, self.phase) {
            (Protocol::Udp, Some(Phase::Open)) => Ok(self.ports),
            _ => Err(Unsayable::NoPeer),
        }
    }

    /// A segment of the script with live numbers.
    pub fn inbound(&mut self, segment: &Segment) -> Result<build::Tcp, Unsayable> {
        match self.phase {
            _ if self.protocol == Protocol::Udp => return Err(Unsayable::NoSocket),
            None => return Err(Unsayable::NoSocket),
            Some(Phase::Listening) => self.call(),
            Some(Phase::Idle { bound: true }) if self.dialect == Dialect::Nplab => self.call(),
            Some(Phase::Idle { .. } | Phase::Connecting) => return Err(Unsayable::NoPeer),
            Some(Phase::Open) => {}
        }
        let is_syn = segment.flags.contains(Flags::SYN);
        let written = match segment.sequence.start {
            Start::Relative(start) | Start::Absolute(start) => start,
            Start::Any => unreachable!("an inbound packet says its sequence number"),
        };
        if is_syn && self.remote_isn.is_none() {
            self.remote_isn = Some(written);
        }
        let seq = match segment.sequence.start {
            Start::Relative(start) if !is_syn => start.wrapping_add(self.remote_isn.unwrap_or(0)),
            _ => written,
        };
        let acks = segment.flags.contains(Flags::ACK);
        let ack = match segment.ack {
            Some(ack) if acks => ack.wrapping_add(self.local_offset(is_syn)),
            ack => ack.unwrap_or(0),
        };
        let control = u32::from(is_syn) + u32::from(segment.flags.contains(Flags::FIN));
        let after = seq.wrapping_add(segment.sequence.len.into());
        self.sent = Some((after.wrapping_add(control), ack));
        Ok(build::Tcp {
            ports: Ports {
                source: self.ports.destination,
                destination: self.ports.source,
            },
            seq,
            ack,
            flags: segment.flags,
            window: segment.window.unwrap_or(0),
            urgent: segment.urgent.unwrap_or(0),
            options: self.inbound_options(&segment.options, acks)?,
            len: segment.sequence.len,
            udp: segment.udp,
        })
    }

    fn inbound_options(&self, options: &Options, acks: bool) -> Result<Vec<u8>, Unsayable> {
        let mut bytes = Vec::new();
        match options {
            Options::Any => {}
            Options::Raw(raw) => bytes.extend(raw),
            Options::These(these) => {
                for option in these {
                    wire_options::emit(&self.inbound_option(option, acks)?, &mut bytes);
                }
            }
        }
        Ok(bytes)
    }

    fn inbound_option(&self, option: &TcpOption, acks: bool) -> Result<TcpOption, Unsayable> {
        let mut option = option.clone();
        match &mut option {
            TcpOption::Sack(blocks) => {
                let offset = self.local_offset(false);
                for block in blocks {
                    block.left = block.left.wrapping_add(offset);
                    block.right = block.right.wrapping_add(offset);
                }
            }
            TcpOption::Timestamp(stamp) if acks && !stamp.ecr_is_absolute => {
                let live = self.stamps.live(stamp.ecr, self.scaled_echoes);
                stamp.ecr = live.ok_or(Unsayable::UnknownStamp(stamp.ecr))?;
            }
            _ => {}
        }
        Ok(option)
    }

    /// A segment that an ICMP message complains about: one of the stack's, with live numbers.
    pub fn complained_of(
        &self,
        sequence: &Sequence,
        udp: Option<Ports>,
    ) -> Result<build::Tcp, Unsayable> {
        if self.phase != Some(Phase::Open) || self.protocol != Protocol::Tcp {
            return Err(Unsayable::NoPeer);
        }
        let seq = match sequence.start {
            Start::Relative(start) => start.wrapping_add(self.local_offset(false)),
            Start::Absolute(start) => start,
            Start::Any => self.local_offset(false),
        };
        Ok(build::Tcp {
            ports: self.ports,
            seq,
            ack: 0,
            flags: Flags::default(),
            window: 0,
            urgent: 0,
            options: Vec::new(),
            len: sequence.len,
            udp,
        })
    }

    /// What is added to the script's numbers of the stack's bytes.
    fn local_offset(&self, is_syn: bool) -> u32 {
        let live = self.local_isn.unwrap_or(0);
        match is_syn {
            true => live.wrapping_sub(self.script_isn),
            false => live,
        }
    }

    /// Is this live packet of the connection under test? The first one tells its port and sequence number.
    pub fn owns(&mut self, live: &Live) -> bool {
        if (live.ip.source, live.ip.destination) != (self.local, self.remote) {
            return false;
        }
        if self.protocol == Protocol::Udp {
            return live.udp.as_ref().is_some_and(|udp| self.owns_datagram(udp));
        }
        let Some(tcp) = live.tcp() else { return false };
        let is_syn = tcp.flags.contains(Flags::SYN);
        match self.phase {
            Some(Phase::Connecting) if is_syn && tcp.ports.destination == self.connect_port => {
                self.phase = Some(Phase::Open);
                self.ports = tcp.ports;
            }
            Some(Phase::Open) if tcp.ports == self.ports => {}
            _ => return false,
        }
        if is_syn && self.local_isn.is_none() {
            self.local_isn = Some(tcp.seq);
        }
        if tcp.flags.contains(Flags::ACK) {
            self.acked = Some(tcp.ack);
        }
        true
    }

    fn owns_datagram(&mut self, udp: &Udp) -> bool {
        match self.phase {
            Some(Phase::Connecting) if udp.ports.destination == self.connect_port => {
                self.phase = Some(Phase::Open);
                self.ports = udp.ports;
                true
            }
            Some(Phase::Open) => udp.ports == self.ports,
            _ => false,
        }
    }

    /// A live segment in the script's words; `said` is what the script expects in its place.
    pub fn outbound(&mut self, live: &Live, tcp: &Tcp, said: &Segment, config: &Config) -> Segment {
        let is_syn = tcp.flags.contains(Flags::SYN);
        if let Start::Relative(start) = said.sequence.start
            && is_syn
            && said.flags.contains(Flags::SYN)
            && self.local_isn == Some(tcp.seq)
        {
            self.script_isn = start;
        }
        let start = match said.sequence.start {
            Start::Absolute(_) => Start::Absolute(tcp.seq),
            _ => Start::Relative(tcp.seq.wrapping_sub(self.local_offset(is_syn))),
        };
        let remote_isn = if is_syn {
            0
        } else {
            self.remote_isn.unwrap_or(0)
        };
        let acks = tcp.flags.contains(Flags::ACK);
        Segment {
            psp: None,
            ports: said.ports.map(|_| tcp.ports),
            flags: tcp.flags,
            sequence: Sequence {
                start,
                len: u16::try_from(tcp.text.len()).unwrap_or(u16::MAX),
            },
            ack: acks.then(|| tcp.ack.wrapping_sub(remote_isn)),
            window: Some(tcp.window),
            urgent: (tcp.urgent != 0 || tcp.flags.contains(Flags::URG)).then_some(tcp.urgent),
            options: self.outbound_options(live, tcp, said, config),
            reset_reason: None,
            udp: tcp.udp,
        }
    }

    fn outbound_options(
        &mut self,
        live: &Live,
        tcp: &Tcp,
        said: &Segment,
        config: &Config,
    ) -> Options {
        let bytes = live.options(tcp);
        let Some(mut options) = wire_options::parse(bytes) else {
            return Options::Raw(bytes.to_vec());
        };
        let offset = self.remote_isn.unwrap_or(0);
        for option in &mut options {
            match option {
                TcpOption::Sack(blocks) => {
                    for block in blocks {
                        block.left = block.left.wrapping_sub(offset);
                        block.right = block.right.wrapping_sub(offset);
                    }
                }
                TcpOption::Timestamp(stamp) => {
                    let expected = match &said.options {
                        Options::These(these) => these.iter().find_map(|o| match o {
                            TcpOption::Timestamp(stamp) => Some(*stamp),
                            _ => None,
                        }),
                        _ => None,
                    };
                    let Some(expected) = expected else { continue };
                    // Nobody compares what the stack echoes.
                    stamp.ecr = expected.ecr;
                    let live_val = stamp.val.unwrap_or(0);
                    let named = |val| self.stamps.name(val, live_val, live.at, config);
                    stamp.val = expected.val.map(named);
                }
                _ => {}
            }
        }
        Options::These(options)
    }

    /// Is the live flow label the same as the last one exactly where the script's is? Both are remembered.
    pub fn flow_label_holds(&mut self, script: u32, live: u32) -> bool {
        let before = self.flow.replace((script, live));
        before.is_none_or(|before| (before.0 == script) == (before.1 == live))
    }

    /// A reset that ends the connection under test, if both its ends are known.
    pub fn farewell(&self) -> Option<build::Tcp> {
        if self.phase != Some(Phase::Open) || self.protocol == Protocol::Udp {
            return None;
        }
        let (seq, ack) = self.sent.unwrap_or((self.acked.unwrap_or(0), 0));
        let (seq, flags) = match self.dialect {
            Dialect::Google => (seq, Flags::RST.with(Flags::ACK)),
            Dialect::Nplab => match self.acked {
                Some(acked) => (acked, Flags::RST),
                None => (seq, Flags::RST.with(Flags::ACK)),
            },
        };
        Some(build::Tcp {
            ports: Ports {
                source: self.ports.destination,
                destination: self.ports.source,
            },
            seq,
            ack,
            flags,
            window: 0,
            urgent: 0,
            options: Vec::new(),
            len: 0,
            udp: None,
        })
    }
}
