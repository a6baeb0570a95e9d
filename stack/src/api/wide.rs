//! The sockets' full width, beyond what our own applications use: flags of a single call, options that are asked back,
//! how much is queued. Everything has a default that refuses, so a foreign stack implements what it has.

use core::net::SocketAddr;

use xen_abi::Instant;

use crate::api::{OptionName, Ready, SocketError, SocketId, SocketOption, Sockets, TcpInfo};

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
        /// `MSG_FASTOPEN`: data may ride on the SYN (RFC 7413).
        const FASTOPEN = 16;
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

/// How far octets have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// On the way to the device.
    Scheduled,
    /// The device has them.
    Sent,
    /// The peer has them.
    Acknowledged,
}

/// What waits on a socket's error queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The memory of these `MSG_ZEROCOPY` sends, counted from 0, is the application's again. The octets were copied.
    ZeroCopy { first: u32, last: u32 },
    /// The last octet of a write has come so far.
    Stamp {
        stage: Stage,
        /// Its number, counted from when that was asked for.
        key: u32,
        at: Instant,
    },
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
    /// `EINPROGRESS`: nothing was, since with [`SendFlags::FASTOPEN`] only what rides on the SYN is.
    fn connect_sending(
        &mut self,
        now: Instant,
        socket: SocketId,
        remote: SocketAddr,
        data: &[u8],
        flags: SendFlags,
    ) -> Result<usize, SocketError> {
        let _ = (now, socket, remote, data, flags);
        Err(SocketError::EOPNOTSUPP)
    }

    /// `getsockopt(2)`
    fn option(&self, socket: SocketId, name: OptionName) -> Result<SocketOption, SocketError> {
        let _ = (socket, name);
        Err(SocketError::ENOPROTOOPT)
    }

    /// `MSG_ERRQUEUE`: the oldest report that was not taken yet.
    fn next_report(&mut self, socket: SocketId) -> Option<Report> {
        let _ = socket;
        None
    }

    /// The next socket that something has happened to since it was last named here, and which kinds of readiness may
    /// have grown by it. As [`Sockets::next_ready`], in whose place it is asked.
    fn next_news(&mut self) -> Option<(SocketId, Ready)> {
        Some((self.next_ready()?, Ready::all()))
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
