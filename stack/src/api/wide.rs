//! The sockets' full width, beyond what our own applications use: flags of a single call, options that are asked back,
//! how much is queued. Everything has a default that refuses, so a foreign stack implements what it has.

use core::net::SocketAddr;

use xen_abi::Instant;

use crate::api::{OptionName, SocketError, SocketId, SocketOption, Sockets, TcpInfo};

bitflags::bitflags! {
    /// What `recv(2)` is asked beyond its buffer.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct RecvFlags: u8 {
        /// `MSG_PEEK`: what is given stays queued.
        const PEEK = 1;
        /// `MSG_TRUNC`: a stream's octets are dropped instead of copied, a datagram's whole length is told.
        const TRUNC = 2;
        /// `MSG_OOB`: the urgent octet.
        const OOB = 4;
    }
}

bitflags::bitflags! {
    /// What `send(2)` is asked beyond its data.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct SendFlags: u8 {
        /// `MSG_MORE`: more follows at once, so a partial segment can wait.
        const MORE = 1;
        /// `MSG_EOR`: no later data shares a segment with the last octet.
        const EOR = 2;
        /// `MSG_OOB`: the last octet is urgent.
        const OOB = 4;
        /// `MSG_ZEROCOPY`: tell on the error queue when the data is not needed any more.
        const ZEROCOPY = 8;
    }
}

/// What `recvmsg(2)` gives beyond the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Received {
    /// Octets copied into the buffer (with [`RecvFlags::TRUNC`] on a stream: dropped).
    pub len: usize,
    /// A datagram's whole length; on a stream the same as `len`.
    pub whole: usize,
    /// Who sent a datagram.
    pub from: Option<SocketAddr>,
}

/// What is queued in a socket, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Queued {
    /// Received in order and not read (`SIOCINQ`, `FIONREAD`). A datagram socket: the first datagram's length.
    pub unread: u64,
    /// Written and not acknowledged (`SIOCOUTQ`, `FIONWRITE`).
    pub unacknowledged: u64,
    /// Written and not sent (`SIOCOUTQNSD`).
    pub unsent: u64,
    /// That can still be written (`FIONSPACE`).
    pub room: u64,
    /// The peer has sent its FIN.
    pub ended: bool,
}

/// Sockets with all that POSIX programs ask of them.
pub trait WideSockets: Sockets {
    /// `recvmsg(2)`
    fn recv_message(
        &mut self,
        now: Instant,
        socket: SocketId,
        to: &mut [u8],
        flags: RecvFlags,
    ) -> Result<Received, SocketError> {
        if !flags.is_empty() {
            return Err(SocketError::EOPNOTSUPP);
        }
        let len = self.recv(now, socket, to)?;
        Ok(Received {
            len,
            whole: len,
            from: None,
        })
    }

    /// `sendmsg(2)` without an address: how many bytes were taken.
    fn send_message(
        &mut self,
        now: Instant,
        socket: SocketId,
        data: &[u8],
        flags: SendFlags,
    ) -> Result<usize, SocketError> {
        if !flags.is_empty() {
            return Err(SocketError::EOPNOTSUPP);
        }
        self.send(now, socket, data)
    }

    /// `sendto(2)` on a stream that was not connected: connects to `remote` and queues what it can of `data`; how much.
    /// With `fast_open` data may ride on the SYN (RFC 7413); if none may, nothing is taken: `EINPROGRESS`.
    fn connect_sending(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
        data: &[u8],
        fast_open: bool,
    ) -> Result<usize, SocketError> {
        let _ = (now, socket, remote, data, fast_open);
        Err(SocketError::EOPNOTSUPP)
    }

    /// `getsockopt(2)`
    fn option(&self, socket: SocketId, name: OptionName) -> Result<SocketOption, SocketError> {
        let _ = (socket, name);
        Err(SocketError::ENOPROTOOPT)
    }

    /// `TCP_INFO`
    fn tcp_info(&self, now: Instant, socket: SocketId) -> Result<TcpInfo, SocketError> {
        let _ = (now, socket);
        Err(SocketError::ENOPROTOOPT)
    }

    /// `ioctl(2)` with `SIOCINQ`, `SIOCOUTQ` and the like.
    fn queued(&self, socket: SocketId) -> Result<Queued, SocketError> {
        let _ = socket;
        Err(SocketError::EOPNOTSUPP)
    }
}
