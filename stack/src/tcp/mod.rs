//! TCP (RFC 9293).

pub mod output;

use alloc::rc::Rc;
use core::net::SocketAddr;

use xen_abi::{Fuel, Instant, Sink};

use crate::api::{How, Ready, SocketError, SocketId, SocketOption};
use crate::event::TimerKinds;
use crate::profile::Profile;
pub use output::{IcmpError, IpInfo, IpOutput, IpPacket, Route};

/// All connections and listeners of a stack.
pub struct Tcp {
    profile: Rc<Profile>,
}

impl Tcp {
    /// An engine without sockets. All its secrets come from `seed`.
    pub fn new(profile: Rc<Profile>, _seed: [u8; 32], _fuel: Fuel, _sink: Rc<dyn Sink>) -> Tcp {
        Tcp { profile }
    }
    /// Takes one segment. Never transmits. `csum_ok`: the device vouches for the checksum.
    pub fn receive(&mut self, _now: Instant, _ip: &IpInfo, _segment: &[u8], _csum_ok: bool) {}
    /// Sends what is due, until nothing is or the device is full.
    pub fn transmit(&mut self, _now: Instant, _out: &mut dyn IpOutput) {}
    /// When `transmit` must be called next even if nothing is received.
    pub fn poll_at(&self, _now: Instant) -> Option<Instant> {
        None
    }
    /// Which kinds of timers are armed.
    pub fn timers(&self) -> TimerKinds {
        TimerKinds::empty()
    }
    /// An ICMP message quoted a segment of ours with sequence number `seq`.
    pub fn icmp_error(
        &mut self,
        _now: Instant,
        _local: SocketAddr,
        _remote: SocketAddr,
        _seq: u32,
        _error: IcmpError,
    ) {
    }

    /// `socket(2)`
    pub fn socket(&mut self) -> Result<SocketId, SocketError> {
        let _ = self.profile.tcp.max_sockets;
        Err(SocketError::ENOBUFS)
    }
    /// `bind(2)`; port 0 picks one.
    pub fn bind(&mut self, _socket: SocketId, _local: SocketAddr) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    /// `listen(2)`
    pub fn listen(&mut self, _socket: SocketId, _backlog: usize) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    /// `accept(2)`
    pub fn accept(&mut self, _socket: SocketId) -> Result<(SocketId, SocketAddr), SocketError> {
        Err(SocketError::EBADF)
    }
    /// `connect(2)` over `route`: EINPROGRESS, then WRITE readiness, then [`Tcp::take_error`].
    pub fn connect(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _remote: SocketAddr,
        _route: Route,
    ) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    /// `send(2)`: how many bytes were taken.
    pub fn send(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _data: &[u8],
    ) -> Result<usize, SocketError> {
        Err(SocketError::EBADF)
    }
    /// `recv(2)`: how many bytes were given; 0 at the end of the stream.
    pub fn recv(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _to: &mut [u8],
    ) -> Result<usize, SocketError> {
        Err(SocketError::EBADF)
    }
    /// `shutdown(2)`
    pub fn shutdown(
        &mut self,
        _now: Instant,
        _socket: SocketId,
        _how: How,
    ) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    /// `close(2)`
    pub fn close(&mut self, _now: Instant, _socket: SocketId) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    /// Sends a RST and forgets.
    pub fn abort(&mut self, _now: Instant, _socket: SocketId) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    /// `setsockopt(2)`
    pub fn set_option(
        &mut self,
        _socket: SocketId,
        _option: SocketOption,
    ) -> Result<(), SocketError> {
        Err(SocketError::EBADF)
    }
    /// `getsockname(2)`
    pub fn local_addr(&self, _socket: SocketId) -> Result<SocketAddr, SocketError> {
        Err(SocketError::EBADF)
    }
    /// `getpeername(2)`
    pub fn peer_addr(&self, _socket: SocketId) -> Result<SocketAddr, SocketError> {
        Err(SocketError::EBADF)
    }
    /// `SO_ERROR`: the pending error, cleared by asking.
    pub fn take_error(&mut self, _socket: SocketId) -> Option<SocketError> {
        None
    }
    /// What the socket is ready for now.
    pub fn ready(&self, _socket: SocketId) -> Ready {
        Ready::empty()
    }
    /// The next socket whose readiness grew since it was last named here.
    pub fn next_ready(&mut self) -> Option<SocketId> {
        None
    }
}
