//! All that the rest of the guest needs of a TCP/IP stack: [`NetStack`] towards the wire, [`Sockets`] towards the
//! applications. A foreign stack that implements both runs the same applications on the same rings.

mod info;
mod options;
mod wide;

use alloc::vec::Vec;
use core::net::SocketAddr;

use thiserror::Error;
use xen_abi::Instant;

pub use self::info::{CaState, Counts, Negotiated, TcpInfo};
pub use self::options::{OptionName, SignatureKey, SocketOption};
pub use self::wide::{Queued, Received, RecvFlags, Report, SendFlags, Stage, WideSockets};
use crate::addr::{IpAddress, Mac};

/// What a network device can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceCaps {
    /// Its address.
    pub mac: Mac,
    /// The largest IP packet, in bytes (the Ethernet header is not counted).
    pub mtu: usize,
    /// Whether it fills in TCP and UDP checksums: then they may be left as the pseudo-header's sum.
    pub tx_checksum: bool,
}

/// A device takes no more frames now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the device takes no more frames now")]
pub struct DeviceFull;

/// Where a stack puts frames.
pub trait Device {
    /// What it can do.
    fn caps(&self) -> DeviceCaps;
    /// Sends one Ethernet frame of `len` bytes, written in place by `fill`. `fill` is called exactly once, or not at
    /// all when the device is full. `needs_csum` says that the TCP or UDP checksum holds only the pseudo-header's sum.
    fn transmit(
        &mut self,
        len: usize,
        needs_csum: bool,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull>;
}

/// The stack as the wire sees it. Sans-IO: time and bytes in, bytes and a deadline out.
pub trait NetStack {
    /// Takes one Ethernet frame. Never transmits. `csum_ok`: the device vouches for the transport checksum.
    fn receive(&mut self, now: Instant, frame: &[u8], csum_ok: bool);
    /// Sends what is due, until nothing is or the device is full.
    fn transmit(&mut self, now: Instant, device: &mut dyn Device);
    /// When `transmit` must be called next even if nothing is received; in the past or `now`: at once.
    fn poll_at(&self, now: Instant) -> Option<Instant>;
    /// Which kinds of timers are armed: a set of [`crate::event::TimerKinds`] bits.
    fn timers(&self) -> u8;
    /// Whether the interface's addresses may be used: not while somebody else might have them.
    fn is_up(&self) -> bool {
        true
    }
}

/// A socket's handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// TCP.
    Stream,
    /// UDP.
    Datagram,
}

/// `shutdown(2)`'s argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// No more receives.
    Read,
    /// No more sends: FIN after what is queued.
    Write,
    /// Both.
    Both,
}

/// Why a socket call failed; named as errno names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(clippy::upper_case_acronyms, reason = "the field's names")]
pub enum SocketError {
    #[error("EAGAIN: would block")]
    EAGAIN,
    #[error("EBADF: no such socket")]
    EBADF,
    #[error("EINVAL: invalid argument")]
    EINVAL,
    #[error("EPIPE: the sending side is shut down")]
    EPIPE,
    #[error("EMSGSIZE: the datagram is too long")]
    EMSGSIZE,
    #[error("EDESTADDRREQ: no destination")]
    EDESTADDRREQ,
    #[error("EOPNOTSUPP: not supported on this socket")]
    EOPNOTSUPP,
    #[error("EAFNOSUPPORT: address family not supported")]
    EAFNOSUPPORT,
    #[error("EADDRINUSE: the address is in use")]
    EADDRINUSE,
    #[error("EADDRNOTAVAIL: the address is not one of ours")]
    EADDRNOTAVAIL,
    #[error("ENETUNREACH: no route")]
    ENETUNREACH,
    #[error("EHOSTUNREACH: the host does not answer")]
    EHOSTUNREACH,
    #[error("ECONNABORTED: the connection was aborted")]
    ECONNABORTED,
    #[error("ECONNRESET: the peer reset the connection")]
    ECONNRESET,
    #[error("ECONNREFUSED: the peer refused the connection")]
    ECONNREFUSED,
    #[error("EISCONN: already connected")]
    EISCONN,
    #[error("ENOTCONN: not connected")]
    ENOTCONN,
    #[error("ETIMEDOUT: the connection timed out")]
    ETIMEDOUT,
    #[error("EALREADY: a connect is under way")]
    EALREADY,
    #[error("EINPROGRESS: the connect is under way")]
    EINPROGRESS,
    #[error("ENOBUFS: no room for another socket")]
    ENOBUFS,
    #[error("ENOPROTOOPT: no such option")]
    ENOPROTOOPT,
}

bitflags::bitflags! {
    /// What a socket is ready for, as `poll(2)` says it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Ready: u8 {
        /// `POLLIN`: data, a datagram, a connection to accept, or the end of the stream.
        const READ = 1;
        /// `POLLOUT`: room to send; a connect is over.
        const WRITE = 2;
        /// `POLLRDHUP`: the peer will send no more.
        const READ_CLOSED = 4;
        /// `POLLHUP`: the connection is over in both directions.
        const HANGUP = 8;
        /// `POLLERR`: an error is pending.
        const ERROR = 16;
        /// `POLLPRI`: urgent data are announced, and the reader is not past them.
        const URGENT = 32;
        /// `POLLERR` as well: the error queue has something to tell.
        const REPORTS = 64;
    }
}

/// Non-blocking sockets in POSIX's shape: what would block fails with [`SocketError::EAGAIN`].
pub trait Sockets {
    /// `socket(2)`
    fn socket(&mut self, kind: SocketKind) -> Result<SocketId, SocketError>;
    /// `bind(2)`; port 0 picks one.
    fn bind(&mut self, socket: SocketId, local: SocketAddr) -> Result<(), SocketError>;
    /// `listen(2)`
    fn listen(&mut self, socket: SocketId, backlog: usize) -> Result<(), SocketError>;
    /// `accept(2)`
    fn accept(&mut self, socket: SocketId) -> Result<(SocketId, SocketAddr), SocketError>;
    /// `connect(2)`: on a stream EINPROGRESS, then WRITE readiness, then [`Sockets::take_error`].
    fn connect(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
    ) -> Result<(), SocketError>;
    /// `send(2)`: how many bytes were taken.
    fn send(&mut self, now: Instant, socket: SocketId, data: &[u8]) -> Result<usize, SocketError>;
    /// `recv(2)`: how many bytes were given; 0 at the end of the stream.
    fn recv(&mut self, now: Instant, socket: SocketId, to: &mut [u8])
    -> Result<usize, SocketError>;
    /// `sendto(2)`
    fn send_to(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
        to: SocketAddr,
    ) -> Result<usize, SocketError>;
    /// `recvfrom(2)`: a longer datagram is cut.
    fn recv_from(
        &mut self,
        now: Instant,
        socket: SocketId,
        to: &mut [u8],
    ) -> Result<(usize, SocketAddr), SocketError>;
    /// `shutdown(2)`
    fn shutdown(&mut self, now: Instant, socket: SocketId, how: How) -> Result<(), SocketError>;
    /// `close(2)`: the handle is gone; the connection says goodbye in the background.
    fn close(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError>;
    /// Sends a RST and forgets (`close` with a linger time of 0).
    fn abort(&mut self, now: Instant, socket: SocketId) -> Result<(), SocketError>;
    /// `setsockopt(2)`
    fn set_option(&mut self, socket: SocketId, option: SocketOption) -> Result<(), SocketError>;
    /// `getsockname(2)`
    fn local_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError>;
    /// `getpeername(2)`
    fn peer_addr(&self, socket: SocketId) -> Result<SocketAddr, SocketError>;
    /// `SO_ERROR`: the pending error, cleared by asking.
    fn take_error(&mut self, socket: SocketId) -> Option<SocketError>;
    /// What the socket is ready for now.
    fn ready(&self, socket: SocketId) -> Ready;
    /// The next socket whose readiness grew since it was last named here: nobody scans sockets.
    fn next_ready(&mut self) -> Option<SocketId>;
}

/// An answer to a [`Echo::ping`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchoReply {
    /// Who answered.
    pub from: IpAddress,
    /// The request's.
    pub ident: u16,
    /// The request's.
    pub seq: u16,
    /// The request's, if the answerer is honest.
    pub payload: Vec<u8>,
    /// When it was received.
    pub at: Instant,
}

/// ICMP echo for applications: a `ping(8)` without sockets.
pub trait Echo {
    /// Queues an echo request.
    fn ping(
        &mut self,
        now: Instant,
        to: IpAddress,
        ident: u16,
        seq: u16,
        payload: &[u8],
    ) -> Result<(), SocketError>;
    /// The oldest reply that was not taken yet. Replies nobody takes are dropped, the oldest first.
    fn next_echo_reply(&mut self) -> Option<EchoReply>;
}
