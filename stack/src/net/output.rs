//! The way out: route, neighbour, headers, and a payload written in place into the device's frame.
//!
//! A packet leaves by one of four doors: straight into a frame (the neighbour is known), into the neighbour's queue
//! (it is being asked for), into pieces (longer than the MTU, and may be cut), or back to ourselves (it is for us).
//! Version 6 goes the same ways by itself, in [`super::ipv6::output`].

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use xen_abi::Instant;

use crate::addr::{IpAddress, Mac};
use crate::api::{Device, DeviceFull, SocketError};
use crate::event::Event;
use crate::net::interface::Interface;
use crate::net::ipv6::Host;
use crate::net::metrics::RouteMetrics;
use crate::net::neighbour_cache::Parked;
use crate::net::neighbours::Neighbours;
use crate::net::path_mtu::PathMtus;
use crate::net::profile::NetProfile;
use crate::net::routing::{NextHop, Routes};
use crate::tcp::{IpOutput, IpPacket, Route};
use crate::wire::ethernet::{self, EtherType};
use crate::wire::ipv4::{self, Protocol};

/// Packets to ourselves that may wait.
const LOOPBACK_QUEUE: usize = 64;

/// What the layer above says about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub src: IpAddress,
    /// Of the same version as `src`.
    pub dst: IpAddress,
    pub protocol: Protocol,
    pub ttl: u8,
    /// Six bits (RFC 2474).
    pub dscp: u8,
    /// Two bits (RFC 3168).
    pub ecn: u8,
    /// The transport's ports, which make the packet one of a flow.
    pub ports: Option<(u16, u16)>,
    /// Whoever sends it wants to hear that the way takes no packet so long.
    pub dont_fragment: bool,
    /// Bytes of payload.
    pub len: usize,
    /// The payload holds only the pseudo-header's sum; the device does the rest.
    pub needs_csum: bool,
}

impl Outgoing {
    fn header(&self, (src, dst): (Ipv4Addr, Ipv4Addr), ident: u16) -> ipv4::Repr {
        ipv4::Repr {
            src,
            dst,
            protocol: self.protocol,
            ttl: self.ttl,
            dscp: self.dscp,
            ecn: self.ecn,
            ident,
            dont_fragment: self.dont_fragment,
            more_fragments: false,
            offset: 0,
            payload_len: self.len,
        }
    }
}

/// A packet on its way in pieces.
#[derive(Debug)]
struct Pieces {
    hop: NextHop,
    header: ipv4::Repr,
    payload: Vec<u8>,
    sent: usize,
}

/// Everything between the transports and the device, outwards.
#[derive(Debug)]
pub struct Output {
    pub interface: Interface,
    routes: Routes,
    pub neighbours: Neighbours,
    /// Version 6, if the interface speaks it.
    pub six: Option<Box<Host>>,
    loopback: VecDeque<Vec<u8>>,
    pieces: Option<Box<Pieces>>,
    /// The next packet's identification, for packets that may be cut (RFC 6864: others need none).
    ident: u16,
    /// What whole ways are known to take.
    pub paths: PathMtus,
    /// What is said about the ways to hosts.
    pub metrics: RouteMetrics,
    /// The device's queue has no room for any packet.
    pub drops: bool,
    /// Where the last packet went.
    last: Option<(Ipv4Addr, NextHop)>,
}

impl Output {
    /// Nothing to send yet. `ident`: where identifications begin.
    pub fn new(
        interface: Interface,
        routes: Routes,
        six: Option<Box<Host>>,
        profile: &NetProfile,
        ident: u16,
    ) -> Output {
        Output {
            interface,
            routes,
            neighbours: Neighbours::new(profile),
            six,
            loopback: VecDeque::new(),
            pieces: None,
            ident,
            paths: PathMtus::default(),
            metrics: RouteMetrics::default(),
            drops: false,
            last: None,
        }
    }

    /// Announces our addresses with the next flush.
    pub fn announce(&mut self) {
        self.neighbours.announce(&self.interface);
    }

    /// The way to `remote`: our address on it and the largest packet.
    pub fn route(&self, remote: IpAddress) -> Result<(IpAddress, usize), SocketError> {
        let way = match (remote, &self.six) {
            (IpAddress::V4(remote), _) => self
                .routes
                .lookup(&self.interface, remote)
                .map(|(_, source)| (source.into(), self.interface.mtu)),
            (IpAddress::V6(remote), Some(six)) => {
                six.source(remote).map(|source| (source.into(), six.mtu))
            }
            (IpAddress::V6(_), None) => return Err(SocketError::EAFNOSUPPORT),
        };
        way.ok_or(SocketError::ENETUNREACH)
    }

    /// The addresses that packets may be sent from.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddress> + Clone {
        let v4 = self.interface.networks().iter();
        let v6 = self.six.iter().flat_map(|six| six.addresses.iter());
        v4.map(|network| network.address.into())
            .chain(v6.filter(|a| a.is_usable()).map(|a| a.ip.into()))
    }

    /// Whether `address` is ours.
    pub fn is_ours(&self, address: IpAddress) -> bool {
        match address {
            IpAddress::V4(address) => self.interface.is_local(address),
            IpAddress::V6(address) => {
                let six = self.six.as_deref();
                six.is_some_and(|six| six.addresses.is_ours(address))
            }
        }
    }

    /// Names a neighbour by hand: it is never asked for.
    pub fn set_neighbour(&mut self, ip: IpAddress, mac: Mac) {
        match (ip, &mut self.six) {
            (IpAddress::V4(ip), _) => self.neighbours.set_permanent(ip, mac),
            (IpAddress::V6(ip), Some(six)) => six.set_neighbour(ip, mac),
            (IpAddress::V6(_), None) => {}
        }
    }

    /// What is reported when the interface comes up.
    pub fn up(&self) -> Event {
        let v4 = self.interface.networks().iter();
        let v6 = self.six.iter().flat_map(|six| six.texts());
        Event::InterfaceUp {
            mac: self.interface.mac.0,
            addresses: v4
                .map(|n| format!("{}/{}", n.address, n.prefix))
                .chain(v6)
                .collect(),
        }
    }

    /// The largest packet that the whole way to `remote` is known to take.
    pub fn path_mtu(&self, remote: IpAddress) -> usize {
        let metrics = self.metrics.of(remote);
        let said = metrics.mtu.map_or(usize::MAX, usize::from);
        let known = match metrics.mtu_locked {
            true => said,
            false => self.paths.get(remote).map_or(said, |known| known.min(said)),
        };
        let link = match (remote, &self.six) {
            (IpAddress::V6(_), Some(six)) => six.mtu,
            _ => self.interface.mtu,
        };
        known.min(link)
    }

    /// Sends what waits from before; nothing newer may overtake it.
    #[inline]
    pub fn flush(&mut self, now: Instant, device: &mut dyn Device) -> Result<(), DeviceFull> {
        if self.neighbours.has_output() || self.pieces.is_some() {
            self.neighbours.transmit(self.interface.mac, device)?;
            self.send_pieces(now, device)?;
        }
        match &mut self.six {
            Some(six) if six.has_output() => six.flush(now, self.interface.mac, device),
            _ => Ok(()),
        }
    }

    /// Sends one packet, whose payload `fill` writes: called once, or not at all when the device is full.
    /// A packet that has no way to go any more is dropped, as one is for which the device's queue has no room: the layer above asked for the route before.
    pub fn send(
        &mut self,
        now: Instant,
        device: &mut dyn Device,
        packet: &Outgoing,
        mut fill: impl FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        if self.drops {
            return Ok(());
        }
        match (packet.src, packet.dst) {
            (IpAddress::V4(src), IpAddress::V4(dst)) => {
                self.send_v4(now, device, packet, (src, dst), fill)
            }
            (IpAddress::V6(src), IpAddress::V6(dst)) => {
                self.send_v6(now, device, packet, (src, dst), &mut fill)
            }
            _ => unreachable!("a packet has one version"),
        }
    }

    fn send_v4(
        &mut self,
        now: Instant,
        device: &mut dyn Device,
        packet: &Outgoing,
        ends: (Ipv4Addr, Ipv4Addr),
        mut fill: impl FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        let Some(hop) = self.hop(ends.1) else {
            return Ok(());
        };
        let too_long = ipv4::HEADER + packet.len > self.interface.mtu;
        if too_long && hop != NextHop::Local {
            return self.cut(now, device, (hop, ends), packet, &mut fill);
        }
        let header = packet.header(ends, self.next_ident(packet));
        match self.ethernet(now, hop, header.src) {
            Some(dst) => {
                let ethernet = ethernet::Repr {
                    dst,
                    src: self.interface.mac,
                    ethertype: EtherType::IPV4,
                };
                let len = ethernet::HEADER + ipv4::HEADER + packet.len;
                device.transmit(len, packet.needs_csum, &mut |frame| {
                    fill(header.emit(ethernet.emit(frame)));
                })
            }
            None => {
                if hop == NextHop::Local && !self.has_loopback_room() {
                    return Err(DeviceFull);
                }
                let mut bytes = vec![0; ipv4::HEADER + packet.len];
                fill(header.emit(&mut bytes));
                self.put_aside(hop, bytes, packet.needs_csum);
                Ok(())
            }
        }
    }

    /// The next packet that we sent to ourselves.
    pub fn next_loopback(&mut self) -> Option<Vec<u8>> {
        self.loopback.pop_front()
    }

    /// Whether one more packet to ourselves may wait.
    pub(in crate::net) fn has_loopback_room(&self) -> bool {
        self.loopback.len() < LOOPBACK_QUEUE
    }

    /// Lets a packet to ourselves wait; there is room.
    pub(in crate::net) fn push_loopback(&mut self, packet: Vec<u8>) {
        self.loopback.push_back(packet);
    }

    /// Whether something waits for the device.
    pub fn has_output(&self) -> bool {
        self.neighbours.has_output()
            || self.pieces.is_some()
            || !self.loopback.is_empty()
            || self.six.as_ref().is_some_and(|six| six.has_output())
    }

    /// The next hop to `dst`: interface and routes never change, so the last answer stays right.
    #[inline]
    fn hop(&mut self, dst: Ipv4Addr) -> Option<NextHop> {
        if let Some((last, hop)) = self.last
            && last == dst
        {
            return Some(hop);
        }
        let (hop, _) = self.routes.lookup(&self.interface, dst)?;
        self.last = Some((dst, hop));
        Some(hop)
    }

    /// The Ethernet address of the next hop; `None` if the packet has to be put aside.
    fn ethernet(&mut self, now: Instant, hop: NextHop, source: Ipv4Addr) -> Option<Mac> {
        match hop {
            NextHop::Neighbour(ip) => self.neighbours.resolve(now, &self.interface, source, ip),
            NextHop::Broadcast => Some(Mac::BROADCAST),
            // RFC 1112, section 6.4: the low 23 bits of the group.
            NextHop::Multicast(group) => {
                let [_, b, c, d] = group.octets();
                Some(Mac([0x01, 0x00, 0x5E, b & 0x7F, c, d]))
            }
            NextHop::Local => None,
        }
    }

    fn put_aside(&mut self, hop: NextHop, packet: Vec<u8>, needs_csum: bool) {
        match hop {
            NextHop::Neighbour(ip) => self.neighbours.park(ip, Parked { packet, needs_csum }),
            NextHop::Local => self.push_loopback(packet),
            NextHop::Broadcast | NextHop::Multicast(_) => {
                unreachable!("a group's Ethernet address is always known")
            }
        }
    }

    /// Takes a packet longer than the MTU, to send it in pieces (RFC 791, section 3.2).
    fn cut(
        &mut self,
        now: Instant,
        device: &mut dyn Device,
        (hop, ends): (NextHop, (Ipv4Addr, Ipv4Addr)),
        packet: &Outgoing,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        if packet.dont_fragment {
            return Ok(());
        }
        if self.pieces.is_some() {
            return Err(DeviceFull);
        }
        assert!(!packet.needs_csum, "no device sums over several packets");
        let mut payload = vec![0; packet.len];
        fill(&mut payload);
        self.pieces = Some(Box::new(Pieces {
            hop,
            header: packet.header(ends, self.next_ident(packet)),
            payload,
            sent: 0,
        }));
        // The packet is ours now: if the device fills up half-way, the rest goes with the next flush.
        let _ = self.send_pieces(now, device);
        Ok(())
    }

    fn send_pieces(&mut self, now: Instant, device: &mut dyn Device) -> Result<(), DeviceFull> {
        let room = (self.interface.mtu - ipv4::HEADER) / 8 * 8;
        while let Some(mut pieces) = self.pieces.take() {
            let end = pieces.payload.len().min(pieces.sent + room);
            let header = ipv4::Repr {
                offset: pieces.sent,
                payload_len: end - pieces.sent,
                more_fragments: end < pieces.payload.len(),
                ..pieces.header
            };
            let mut packet = vec![0; ipv4::HEADER + header.payload_len];
            header
                .emit(&mut packet)
                .copy_from_slice(&pieces.payload[pieces.sent..end]);
            let parked = Parked {
                packet,
                needs_csum: false,
            };
            let outcome = match (self.ethernet(now, pieces.hop, header.src), pieces.hop) {
                (Some(dst), _) => parked.send(device, self.interface.mac, dst, EtherType::IPV4),
                (None, hop) => {
                    self.put_aside(hop, parked.packet, false);
                    Ok(())
                }
            };
            if outcome.is_ok() {
                pieces.sent = end;
            }
            if pieces.sent < pieces.payload.len() {
                self.pieces = Some(pieces);
            }
            outcome?;
        }
        Ok(())
    }

    fn next_ident(&mut self, packet: &Outgoing) -> u16 {
        if packet.dont_fragment {
            return 0;
        }
        self.ident = self.ident.wrapping_add(1);
        self.ident
    }
}

/// The way out as TCP sees it.
pub struct TcpOutput<'a> {
    output: &'a mut Output,
    device: &'a mut dyn Device,
    /// The device completes checksums. Asked once, not for every segment.
    offload: bool,
}

impl<'a> TcpOutput<'a> {
    /// The way out through a device.
    pub fn new(output: &'a mut Output, device: &'a mut dyn Device) -> TcpOutput<'a> {
        let offload = device.caps().tx_checksum;
        TcpOutput {
            output,
            device,
            offload,
        }
    }
}

impl IpOutput for TcpOutput<'_> {
    fn route(&self, remote: IpAddress) -> Result<Route, SocketError> {
        let (local, mtu) = self.output.route(remote)?;
        Ok(Route {
            local,
            mtu,
            path_mtu: self.output.path_mtu(remote),
            metrics: self.output.metrics.of(remote),
        })
    }
    fn tx_checksum(&self, remote: IpAddress) -> bool {
        // Xen's netif.h has a feature of its own for IPv6, which few backends have.
        self.offload && remote.is_ipv4()
    }
    fn drops(&self) -> bool {
        self.output.drops
    }
    fn send(
        &mut self,
        now: Instant,
        packet: &IpPacket,
        len: usize,
        fill: impl FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        let outgoing = Outgoing {
            src: packet.src,
            dst: packet.dst,
            protocol: Protocol(packet.protocol),
            ttl: packet.ttl,
            dscp: packet.dscp,
            ecn: packet.ecn,
            ports: Some(packet.ports),
            dont_fragment: true,
            len,
            needs_csum: self.tx_checksum(packet.dst),
        };
        self.output.send(now, self.device, &outgoing, fill)
    }
}
