//! The peer's network: Ethernet, ARP and IPv4 by hand, and flows instead of connections.
//!
//! Sans-IO: frames in by [`RawPeer::receive`], frames out by [`RawPeer::transmit`]. Every packet sent carries the evil
//! bit (RFC 3514), so that a capture tells what was forged.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::task::{Context, Poll, Waker};

use thiserror::Error;

use super::segment::{Flow, Received};
use crate::addr::{IpAddress, Mac};
use crate::seq::SeqNumber;
use crate::wire::tcp::{Flags, Segment};
use crate::wire::{arp, ethernet, ipv4};

/// A flow's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowId(usize);

/// Why the peer refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    #[error("a raw peer speaks IPv4 only")]
    Family,
    #[error("too many flows")]
    Flows,
    #[error("the flow has no peer yet: await its SYN first")]
    NotOpen,
    #[error("too many packets wait for an answer to ARP")]
    Waiting,
}

/// Flows that may be open at a time.
const FLOWS_MAX: usize = 65_536;
/// Segments that wait for an `await`; later ones are passed over.
const INBOX_MAX: usize = 4096;
/// Packets that wait for an address.
const WAITING_MAX: usize = 256;
/// Where RFC 3514's bit lies: the flags' byte of the IPv4 header.
const EVIL_BYTE: usize = 6;
const EVIL_BIT: u8 = 0x80;
/// Where in the IPv4 header its checksum lies.
const CHECKSUM: core::ops::Range<usize> = 10..12;

enum State {
    /// A SYN to this port opens the flow.
    Listening {
        port: u16,
    },
    Open(Flow),
}

struct Slot {
    state: State,
    inbox: VecDeque<Received>,
    waker: Option<Waker>,
}

/// The peer.
pub struct RawPeer {
    mac: Mac,
    address: Ipv4Addr,
    slots: Vec<Slot>,
    by_key: BTreeMap<(IpAddress, u16, u16), FlowId>,
    neighbours: BTreeMap<Ipv4Addr, Mac>,
    /// IPv4 packets whose receiver's Ethernet address is not known yet.
    waiting: VecDeque<(Ipv4Addr, Vec<u8>)>,
    outgoing: VecDeque<Vec<u8>>,
    ident: u16,
}

impl RawPeer {
    /// A peer at one IPv4 address.
    pub fn new(mac: Mac, address: Ipv4Addr) -> RawPeer {
        RawPeer {
            mac,
            address,
            slots: Vec::new(),
            by_key: BTreeMap::new(),
            neighbours: BTreeMap::new(),
            waiting: VecDeque::new(),
            outgoing: VecDeque::new(),
            ident: 0,
        }
    }

    /// Where flows begin that are nobody else's: the peer's own address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Opens a flow from `local` to `remote`, whose first sequence number is `iss`. If the address is somebody else's,
    /// what is sent is forged in his name, and answers go to him: none is ever heard.
    pub fn open(
        &mut self,
        local: SocketAddrV4,
        remote: SocketAddr,
        iss: SeqNumber,
    ) -> Result<FlowId, PeerError> {
        if !remote.is_ipv4() {
            return Err(PeerError::Family);
        }
        let flow = Flow {
            local: (IpAddress::V4(*local.ip()), local.port()),
            remote: (remote.ip(), remote.port()),
            iss,
            irs: None,
        };
        let id = self.add(State::Open(flow))?;
        if *local.ip() == self.address {
            self.by_key
                .insert((remote.ip(), remote.port(), local.port()), id);
        }
        Ok(id)
    }

    /// Begins an open flow anew: another connection between the same ports, whose first sequence number is `iss`.
    pub fn reopen(&mut self, id: FlowId, iss: SeqNumber) {
        let slot = &mut self.slots[id.0];
        if let State::Open(flow) = &mut slot.state {
            (flow.iss, flow.irs) = (iss, None);
        }
        slot.inbox.clear();
    }

    /// Opens a flow that the first SYN to `port` completes.
    pub fn listen_on(&mut self, port: u16) -> Result<FlowId, PeerError> {
        self.add(State::Listening { port })
    }

    fn add(&mut self, state: State) -> Result<FlowId, PeerError> {
        if self.slots.len() >= FLOWS_MAX {
            return Err(PeerError::Flows);
        }
        self.slots.push(Slot {
            state,
            inbox: VecDeque::new(),
            waker: None,
        });
        Ok(FlowId(self.slots.len() - 1))
    }

    /// The flow, once it is open.
    pub fn flow(&self, id: FlowId) -> Option<Flow> {
        match self.slots.get(id.0)?.state {
            State::Open(flow) => Some(flow),
            State::Listening { .. } => None,
        }
    }

    /// The oldest segment of a flow that was not taken yet; one task at a time waits for it.
    pub fn poll_take(&mut self, id: FlowId, cx: &mut Context<'_>) -> Poll<Received> {
        let slot = &mut self.slots[id.0];
        match slot.inbox.pop_front() {
            Some(received) => Poll::Ready(received),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Queues a TCP segment for a flow's peer.
    pub fn send_segment(&mut self, id: FlowId, segment: &[u8]) -> Result<(), PeerError> {
        let flow = self.flow(id).ok_or(PeerError::NotOpen)?;
        let (IpAddress::V4(src), IpAddress::V4(dst)) = (flow.local.0, flow.remote.0) else {
            return Err(PeerError::Family);
        };
        let packet = self.forge(src, dst, segment);
        match self.neighbours.get(&dst) {
            Some(&mac) => self.push(mac, ethernet::EtherType::IPV4, &packet),
            None if self.waiting.len() < WAITING_MAX => {
                self.waiting.push_back((dst, packet));
                self.ask(dst);
            }
            None => return Err(PeerError::Waiting),
        }
        Ok(())
    }

    /// An IPv4 packet around a TCP segment, with the evil bit.
    fn forge(&mut self, src: Ipv4Addr, dst: Ipv4Addr, segment: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; ipv4::HEADER + segment.len()];
        self.ident = self.ident.wrapping_add(1);
        let repr = ipv4::Repr {
            src,
            dst,
            protocol: ipv4::Protocol::TCP,
            ttl: 64,
            dscp: 0,
            ecn: 0,
            ident: self.ident,
            dont_fragment: true,
            more_fragments: false,
            offset: 0,
            payload_len: segment.len(),
        };
        repr.emit(&mut packet).copy_from_slice(segment);
        packet[EVIL_BYTE] |= EVIL_BIT;
        packet[CHECKSUM].fill(0);
        let sum = crate::checksum::checksum(&packet[..ipv4::HEADER]);
        packet[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    fn ask(&mut self, target_ip: Ipv4Addr) {
        let repr = arp::Repr {
            operation: arp::Operation::Request,
            sender_mac: self.mac,
            sender_ip: self.address,
            target_mac: Mac::default(),
            target_ip,
        };
        self.push_arp(Mac::BROADCAST, repr);
    }

    fn push_arp(&mut self, dst: Mac, repr: arp::Repr) {
        let mut packet = vec![0; arp::PACKET];
        repr.emit(&mut packet);
        self.push(dst, ethernet::EtherType::ARP, &packet);
    }

    fn push(&mut self, dst: Mac, ethertype: ethernet::EtherType, payload: &[u8]) {
        let mut frame = vec![0; ethernet::HEADER + payload.len()];
        let repr = ethernet::Repr {
            dst,
            src: self.mac,
            ethertype,
        };
        repr.emit(&mut frame).copy_from_slice(payload);
        self.outgoing.push_back(frame);
    }

    /// Takes one Ethernet frame.
    pub fn receive(&mut self, frame: &[u8]) {
        let Ok(frame) = ethernet::Frame::parse(frame) else {
            return;
        };
        match frame.ethertype() {
            ethernet::EtherType::ARP => self.receive_arp(frame.payload()),
            ethernet::EtherType::IPV4 => self.receive_ipv4(frame.payload()),
            _ => {}
        }
    }

    /// The next frame to send.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    fn receive_arp(&mut self, bytes: &[u8]) {
        let Ok(packet) = arp::Packet::parse(bytes) else {
            return;
        };
        if packet.target_ip() != self.address {
            return;
        }
        let (ip, mac) = (packet.sender_ip(), packet.sender_mac());
        self.neighbours.insert(ip, mac);
        if packet.operation() == arp::Operation::Request {
            let repr = arp::Repr {
                operation: arp::Operation::Reply,
                sender_mac: self.mac,
                sender_ip: self.address,
                target_mac: mac,
                target_ip: ip,
            };
            self.push_arp(mac, repr);
        }
        for (dst, packet) in core::mem::take(&mut self.waiting) {
            if dst == ip {
                self.push(mac, ethernet::EtherType::IPV4, &packet);
            } else {
                self.waiting.push_back((dst, packet));
            }
        }
    }

    fn receive_ipv4(&mut self, bytes: &[u8]) {
        let Ok(packet) = ipv4::Packet::parse(bytes) else {
            return;
        };
        let ours = packet.dst() == self.address && packet.protocol() == ipv4::Protocol::TCP;
        if !ours || packet.is_fragment() {
            return;
        }
        let Ok(segment) = Segment::parse(packet.payload()) else {
            return;
        };
        let urgent = packet
            .payload()
            .get(18..20)
            .map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
        self.deliver(IpAddress::V4(packet.src()), &segment, urgent);
    }

    fn deliver(&mut self, from: IpAddress, segment: &Segment<'_>, urgent: u16) {
        let key = (from, segment.src_port(), segment.dst_port());
        let Some(id) = self
            .by_key
            .get(&key)
            .copied()
            .or_else(|| self.open_by_syn(key, segment))
        else {
            return;
        };
        let slot = &mut self.slots[id.0];
        if let State::Open(flow) = &mut slot.state
            && segment.flags().contains(Flags::SYN)
        {
            flow.irs = Some(segment.seq());
        }
        if slot.inbox.len() < INBOX_MAX {
            slot.inbox.push_back(Received::of(segment, urgent));
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    /// The first flow that waits for this SYN, opened.
    fn open_by_syn(&mut self, key: (IpAddress, u16, u16), segment: &Segment<'_>) -> Option<FlowId> {
        if segment.flags() & (Flags::SYN | Flags::ACK | Flags::RST) != Flags::SYN {
            return None;
        }
        let waits = |s: &Slot| matches!(s.state, State::Listening { port } if port == key.2);
        let i = self.slots.iter().position(waits)?;
        self.slots[i].state = State::Open(Flow {
            local: (IpAddress::V4(self.address), key.2),
            remote: (key.0, key.1),
            // Any number will do; this one makes relative numbers easy to read in a capture.
            iss: SeqNumber(0),
            irs: None,
        });
        let id = FlowId(i);
        self.by_key.insert(key, id);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);
    const VICTIM: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

    #[test]
    fn a_flow_in_somebody_elses_name_is_evil_and_sent_from_his_address() {
        let mut peer = RawPeer::new(Mac([2, 0, 0, 0, 0, 1]), OURS);
        peer.neighbours
            .insert(Ipv4Addr::new(10, 0, 0, 2), Mac([2, 0, 0, 0, 0, 2]));
        let remote = "10.0.0.2:80".parse().expect("an address");
        let forged = peer
            .open(SocketAddrV4::new(VICTIM, 4000), remote, SeqNumber(0))
            .expect("room");
        peer.send_segment(forged, &[0; 20]).expect("open");
        let frame = peer.transmit().expect("sent");
        let frame = ethernet::Frame::parse(&frame).expect("a frame");
        let packet = ipv4::Packet::parse(frame.payload()).expect("a packet");
        assert_eq!(packet.src(), VICTIM);
        assert_ne!(frame.payload()[EVIL_BYTE] & EVIL_BIT, 0);
        // Our own flow of the same ports hears answers; the forged one does not take them away.
        let own = peer
            .open(SocketAddrV4::new(OURS, 4000), remote, SeqNumber(0))
            .expect("room");
        assert_eq!(
            peer.by_key.get(&(remote.ip(), 80, 4000)).copied(),
            Some(own)
        );
    }
}
