//! UDP sockets: a table by hash, and queues that are bounded and accounted for in both directions.
//!
//! A datagram that `send_to` took is promised: it waits in the outbox until the device takes it, even when its socket
//! is closed meanwhile. A datagram that arrives at a full socket is dropped, as on any host.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use xen_abi::Fuel;

use crate::addr::IpAddress;
use crate::api::{
    How, OptionName, Queued, Ready, Received, RecvFlags, SocketError, SocketId, SocketOption,
};
use crate::net::ports::Ports;
use crate::net::profile::NetProfile;
use crate::tcp::IcmpError;
use crate::wire::{ipv4, udp};

/// The bit of a [`SocketId`] that says UDP.
pub const UDP_BIT: u32 = 1 << 31;
/// The longest payload.
pub const MAX_PAYLOAD: usize = ipv4::MAX_PACKET - ipv4::HEADER - udp::HEADER;

/// What a datagram costs beyond its payload, so that empty ones are not free.
const OVERHEAD: usize = 64;
/// Low bits of a handle: the slot; above it, up to the bit that says UDP, how often the slot was used.
const SLOT_BITS: u32 = 16;

/// A datagram on its way out.
#[derive(Debug, PartialEq, Eq)]
pub struct Posted {
    socket: SocketId,
    pub src: SocketAddr,
    pub dst: SocketAddr,
    pub payload: Vec<u8>,
}

#[derive(Debug, Default)]
struct Socket {
    local: Option<SocketAddr>,
    peer: Option<SocketAddr>,
    inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    inbox_bytes: usize,
    inbox_limit: usize,
    outbox_bytes: usize,
    outbox_limit: usize,
    error: Option<SocketError>,
    read_shut: bool,
    write_shut: bool,
    /// It stands in the list of those that became ready.
    listed: bool,
}

#[derive(Debug, Default)]
struct Slot {
    /// How often it was used.
    generation: u32,
    socket: Option<Socket>,
}

/// All UDP sockets.
#[derive(Debug)]
pub struct Udp {
    profile: NetProfile,
    slots: Vec<Slot>,
    free: Vec<u32>,
    ports: Ports,
    outbox: VecDeque<Posted>,
    ready: VecDeque<SocketId>,
    fuel: Fuel,
}

impl Udp {
    /// No sockets.
    pub fn new(profile: &NetProfile, seed: [u8; 32], fuel: Fuel) -> Udp {
        Udp {
            profile: profile.clone(),
            slots: Vec::new(),
            free: Vec::new(),
            ports: Ports::new(seed, fuel.clone()),
            outbox: VecDeque::new(),
            ready: VecDeque::new(),
            fuel,
        }
    }

    // Sockets come, are named, and go.

    /// `socket(2)`
    pub fn socket(&mut self) -> Result<SocketId, SocketError> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() < self.profile.udp_sockets.min(1 << SLOT_BITS) => {
                self.slots.push(Slot::default());
                self.slots.len() as u32 - 1
            }
            None => return Err(SocketError::ENOBUFS),
        };
        let entry = &mut self.slots[slot as usize];
        assert!(entry.socket.is_none(), "a free slot holds no socket");
        entry.socket = Some(Socket {
            inbox_limit: self.profile.udp_recv_buffer,
            outbox_limit: self.profile.udp_send_buffer,
            ..Socket::default()
        });
        Ok(handle(slot, entry.generation))
    }

    /// `bind(2)`; port 0 picks one. `ours`: the addresses that a datagram may be sent from.
    pub fn bind(
        &mut self,
        id: SocketId,
        local: SocketAddr,
        ours: impl Iterator<Item = IpAddress> + Clone,
    ) -> Result<(), SocketError> {
        if self.get(id)?.local.is_some() {
            return Err(SocketError::EINVAL);
        }
        let local = self.ports.bind(id, local, ours)?;
        self.get_mut(id)?.local = Some(local);
        self.list(id);
        Ok(())
    }

    /// `connect(2)`: where `send` goes, and the only one whose datagrams are taken.
    pub fn connect(&mut self, id: SocketId, remote: SocketAddr) -> Result<(), SocketError> {
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return Err(SocketError::EINVAL);
        }
        let socket = self.get_mut(id)?;
        socket.peer = Some(remote);
        // What came from others before is not the peer's.
        socket.inbox.retain(|(from, _)| *from == remote);
        socket.inbox_bytes = socket.inbox.iter().map(|(_, p)| p.len() + OVERHEAD).sum();
        Ok(())
    }

    /// `close(2)`: what was promised is still sent.
    pub fn close(&mut self, id: SocketId) -> Result<(), SocketError> {
        if let Some(local) = self.get(id)?.local {
            self.ports.release(id, local);
        }
        let slot = &mut self.slots[slot_of(id)];
        slot.socket = None;
        slot.generation = (slot.generation + 1) % (1 << (31 - SLOT_BITS));
        self.free.push(slot_of(id) as u32);
        Ok(())
    }

    /// `shutdown(2)`
    pub fn shutdown(&mut self, id: SocketId, how: How) -> Result<(), SocketError> {
        let socket = self.get_mut(id)?;
        if socket.peer.is_none() {
            return Err(SocketError::ENOTCONN);
        }
        socket.read_shut |= matches!(how, How::Read | How::Both);
        socket.write_shut |= matches!(how, How::Write | How::Both);
        self.list(id);
        Ok(())
    }

    /// `setsockopt(2)`
    pub fn set_option(&mut self, id: SocketId, option: SocketOption) -> Result<(), SocketError> {
        let socket = self.get_mut(id)?;
        match option {
            SocketOption::RecvBuffer(bytes) => socket.inbox_limit = bytes,
            SocketOption::SendBuffer(bytes) => socket.outbox_limit = bytes,
            SocketOption::ReuseAddr(_) => {}
            _ => return Err(SocketError::EOPNOTSUPP),
        }
        Ok(())
    }

    /// `getsockopt(2)`
    pub fn option(&self, id: SocketId, name: OptionName) -> Result<SocketOption, SocketError> {
        let socket = self.get(id)?;
        match name {
            OptionName::RecvBuffer => Ok(SocketOption::RecvBuffer(socket.inbox_limit)),
            OptionName::SendBuffer => Ok(SocketOption::SendBuffer(socket.outbox_limit)),
            _ => Err(SocketError::ENOPROTOOPT),
        }
    }

    // Datagrams in.

    /// Takes a datagram's payload. `Ok(false)`: nobody waits for it; `Err` says why it was refused.
    pub fn receive(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> Result<bool, &'static str> {
        let Some(id) = self.ports.owner(to) else {
            return Ok(false);
        };
        let socket = self.get_mut(id).map_err(|_| "no socket")?;
        if socket.peer.is_some_and(|peer| peer != from) {
            return Ok(false);
        }
        if socket.read_shut {
            return Err("the receiving side is shut down");
        }
        let bytes = socket.inbox_bytes + payload.len() + OVERHEAD;
        if bytes > socket.inbox_limit && !socket.inbox.is_empty() {
            return Err("the socket's queue is full");
        }
        socket.inbox_bytes = bytes;
        socket.inbox.push_back((from, payload.to_vec()));
        self.list(id);
        Ok(true)
    }

    /// `recvfrom(2)`: a longer datagram is cut.
    pub fn recv_from(
        &mut self,
        id: SocketId,
        to: &mut [u8],
    ) -> Result<(usize, SocketAddr), SocketError> {
        let received = self.recv_message(id, to, RecvFlags::empty())?;
        Ok((
            received.len,
            received.from.expect("datagrams have a sender"),
        ))
    }

    /// `recvmsg(2)`: a longer datagram is cut.
    pub fn recv_message(
        &mut self,
        id: SocketId,
        to: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Received, SocketError> {
        let socket = self.get_mut(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let Some((from, payload)) = socket.inbox.front() else {
            return match socket.peer {
                Some(peer) if socket.read_shut => Ok(Received {
                    from: Some(peer),
                    ..Received::default()
                }),
                _ => Err(SocketError::EAGAIN),
            };
        };
        let len = payload.len().min(to.len());
        to[..len].copy_from_slice(&payload[..len]);
        let received = Received {
            len,
            whole: payload.len(),
            from: Some(*from),
        };
        if !flags.contains(RecvFlags::PEEK) {
            socket.inbox_bytes -= payload.len() + OVERHEAD;
            socket.inbox.pop_front();
        }
        Ok(received)
    }

    /// `SIOCINQ`: the first datagram's length.
    pub fn queued(&self, id: SocketId) -> Result<Queued, SocketError> {
        let socket = self.get(id)?;
        let first = socket.inbox.front();
        Ok(Queued {
            unread: first.map_or(0, |(_, payload)| payload.len() as u64),
            unacknowledged: socket.outbox_bytes as u64,
            unsent: socket.outbox_bytes as u64,
            room: socket.outbox_limit.saturating_sub(socket.outbox_bytes) as u64,
            ended: false,
        })
    }

    /// An error came back for a datagram of ours: for a connected socket it is news (RFC 1122, section 4.1.3.3).
    pub fn icmp_error(&mut self, local: SocketAddr, remote: SocketAddr, error: IcmpError) {
        let error = match error {
            IcmpError::PortUnreachable | IcmpError::ProtocolUnreachable => {
                SocketError::ECONNREFUSED
            }
            IcmpError::HostUnreachable | IcmpError::Prohibited => SocketError::EHOSTUNREACH,
            IcmpError::NetUnreachable => SocketError::ENETUNREACH,
            IcmpError::PacketTooBig { .. }
            | IcmpError::TimeExceeded
            | IcmpError::ParameterProblem
            | IcmpError::SourceQuench => return,
        };
        let Some(id) = self.ports.owner(local) else {
            return;
        };
        if let Ok(socket) = self.get_mut(id)
            && socket.peer == Some(remote)
        {
            socket.error = Some(error);
            self.list(id);
        }
    }

    // Datagrams out.

    /// The destination of a `send` without one.
    pub fn peer(&self, id: SocketId) -> Result<SocketAddr, SocketError> {
        self.get(id)?.peer.ok_or(SocketError::EDESTADDRREQ)
    }

    /// `sendto(2)` over a way on which our address is `source`.
    pub fn send_to(
        &mut self,
        id: SocketId,
        data: &[u8],
        to: SocketAddr,
        source: IpAddress,
        ours: impl Iterator<Item = IpAddress> + Clone,
    ) -> Result<usize, SocketError> {
        let socket = self.get_mut(id)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        if socket.write_shut {
            return Err(SocketError::EPIPE);
        }
        if to.port() == 0 {
            return Err(SocketError::EINVAL);
        }
        if data.len() > MAX_PAYLOAD {
            return Err(SocketError::EMSGSIZE);
        }
        let bytes = socket.outbox_bytes + data.len() + OVERHEAD;
        if bytes > socket.outbox_limit && socket.outbox_bytes > 0 {
            return Err(SocketError::EAGAIN);
        }
        if socket.local.is_none() {
            let any: IpAddress = match to.ip() {
                IpAddress::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddress::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            self.bind(id, (any, 0).into(), ours)?;
        }
        let socket = self.get_mut(id)?;
        let Some(local) = socket.local else {
            unreachable!("it was just bound");
        };
        let ip = match local.ip() {
            any if any.is_unspecified() && (any.is_ipv6() || source.is_ipv4()) => source,
            ip if ip.is_ipv4() == source.is_ipv4() => ip,
            _ => return Err(SocketError::EAFNOSUPPORT),
        };
        socket.outbox_bytes = bytes;
        self.outbox.push_back(Posted {
            socket: id,
            src: (ip, local.port()).into(),
            dst: to,
            payload: data.to_vec(),
        });
        Ok(data.len())
    }

    /// The first datagram that waits for the device.
    pub fn next(&self) -> Option<&Posted> {
        self.outbox.front()
    }
    /// The first datagram is on its way.
    pub fn sent(&mut self) {
        let Some(posted) = self.outbox.pop_front() else {
            return;
        };
        if let Ok(socket) = self.get_mut(posted.socket) {
            socket.outbox_bytes -= posted.payload.len() + OVERHEAD;
            self.list(posted.socket);
        }
    }

    // What a socket knows.

    /// `getsockname(2)`
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, SocketError> {
        self.get(id)?.local.ok_or(SocketError::EINVAL)
    }
    /// `getpeername(2)`
    pub fn peer_addr(&self, id: SocketId) -> Result<SocketAddr, SocketError> {
        self.get(id)?.peer.ok_or(SocketError::ENOTCONN)
    }
    /// `SO_ERROR`: the pending error, cleared by asking.
    pub fn take_error(&mut self, id: SocketId) -> Option<SocketError> {
        self.get_mut(id).ok()?.error.take()
    }
    /// What the socket is ready for now.
    pub fn ready(&self, id: SocketId) -> Ready {
        let Ok(socket) = self.get(id) else {
            return Ready::empty();
        };
        let mut ready = Ready::empty();
        let readable = !socket.inbox.is_empty() || socket.read_shut || socket.error.is_some();
        let writable = socket.outbox_bytes < socket.outbox_limit.max(1);
        ready.set(Ready::READ, readable);
        ready.set(Ready::WRITE, writable || socket.write_shut);
        ready.set(Ready::READ_CLOSED, socket.read_shut);
        ready.set(Ready::HANGUP, socket.read_shut && socket.write_shut);
        ready.set(Ready::ERROR, socket.error.is_some());
        ready
    }
    /// The next socket whose readiness grew since it was last named here.
    #[inline]
    pub fn next_ready(&mut self) -> Option<SocketId> {
        if self.ready.is_empty() {
            return None;
        }
        self.next_listed()
    }

    fn next_listed(&mut self) -> Option<SocketId> {
        while let Some(id) = self.ready.pop_front() {
            self.fuel.burn(1);
            if let Ok(socket) = self.get_mut(id) {
                socket.listed = false;
                return Some(id);
            }
        }
        None
    }

    fn list(&mut self, id: SocketId) {
        if let Ok(socket) = self.get_mut(id)
            && !socket.listed
        {
            socket.listed = true;
            self.ready.push_back(id);
        }
    }

    fn get(&self, id: SocketId) -> Result<&Socket, SocketError> {
        let slot = self.slots.get(slot_of(id)).ok_or(SocketError::EBADF)?;
        let socket = slot.socket.as_ref().ok_or(SocketError::EBADF)?;
        if handle(slot_of(id) as u32, slot.generation) != id {
            return Err(SocketError::EBADF);
        }
        Ok(socket)
    }

    fn get_mut(&mut self, id: SocketId) -> Result<&mut Socket, SocketError> {
        self.get(id)?;
        let slot = &mut self.slots[slot_of(id)];
        slot.socket.as_mut().ok_or(SocketError::EBADF)
    }
}

fn handle(slot: u32, generation: u32) -> SocketId {
    SocketId(UDP_BIT | generation << SLOT_BITS | slot)
}

fn slot_of(id: SocketId) -> usize {
    (id.0 & ((1 << SLOT_BITS) - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "10.0.0.2";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn ours() -> core::array::IntoIter<IpAddress, 1> {
        [US.parse().unwrap()].into_iter()
    }

    fn udp() -> Udp {
        Udp::new(&NetProfile::default(), [1; 32], Fuel::unlimited())
    }

    fn bound(udp: &mut Udp, local: &str) -> Result<SocketId, SocketError> {
        let id = udp.socket()?;
        udp.bind(id, at(local), ours()).map(|()| id)
    }

    #[test]
    fn a_handle_does_not_name_its_successor() {
        let mut udp = udp();
        let old = bound(&mut udp, "0.0.0.0:1").unwrap();
        udp.close(old).unwrap();
        let new = udp.socket().unwrap();
        assert_ne!(old, new);
        assert_eq!(udp.local_addr(old), Err(SocketError::EBADF));
        assert!(new.0 & UDP_BIT != 0);
    }

    #[test]
    fn a_full_inbox_drops_and_a_full_outbox_says_so() {
        let mut udp = udp();
        let id = bound(&mut udp, "0.0.0.0:7").unwrap();
        udp.set_option(id, SocketOption::RecvBuffer(1000)).unwrap();
        udp.set_option(id, SocketOption::SendBuffer(1000)).unwrap();
        let (from, to) = (at("10.0.0.9:1"), at("10.0.0.2:7"));
        let taken = (0..10).filter(|_| udp.receive(from, to, &[0; 100]).is_ok());
        assert_eq!(taken.count(), 1000 / 164);
        let source = US.parse().unwrap();
        let sent = (0..10).filter(|_| udp.send_to(id, &[0; 100], from, source, ours()).is_ok());
        assert_eq!(sent.count(), 1000 / 164);
        let again = udp.send_to(id, &[0; 100], from, source, ours());
        assert_eq!(again, Err(SocketError::EAGAIN));
        udp.sent();
        assert!(udp.send_to(id, &[0; 100], from, source, ours()).is_ok());
    }

    #[test]
    fn readiness_is_named_once_as_it_grows() {
        let mut udp = udp();
        let id = bound(&mut udp, "0.0.0.0:7").unwrap();
        assert_eq!(udp.next_ready(), Some(id));
        assert_eq!((udp.next_ready(), udp.ready(id)), (None, Ready::WRITE));
        for _ in 0..3 {
            udp.receive(at("10.0.0.9:1"), at("10.0.0.2:7"), b"x")
                .unwrap();
        }
        assert_eq!((udp.next_ready(), udp.next_ready()), (Some(id), None));
        assert_eq!(udp.ready(id), Ready::READ | Ready::WRITE);
        let mut one = [0; 8];
        assert_eq!(udp.recv_from(id, &mut one), Ok((1, at("10.0.0.9:1"))));
    }

    #[test]
    fn a_connected_socket_hears_its_peer_only_and_its_errors() {
        let mut udp = udp();
        let id = bound(&mut udp, "0.0.0.0:7").unwrap();
        let (peer, us) = (at("10.0.0.9:1"), at("10.0.0.2:7"));
        udp.connect(id, peer).unwrap();
        assert_eq!(udp.receive(at("10.0.0.9:2"), us, b"x"), Ok(false));
        assert_eq!(udp.receive(peer, us, b"x"), Ok(true));
        udp.icmp_error(us, at("10.0.0.9:2"), IcmpError::PortUnreachable);
        assert_eq!(udp.take_error(id), None);
        udp.icmp_error(us, peer, IcmpError::PortUnreachable);
        assert_eq!(udp.take_error(id), Some(SocketError::ECONNREFUSED));
    }
}
