//! System calls with typed arguments. `read`, `recv`, `recvfrom` and `recvmsg` differ only in what they can ask for,
//! so they are two calls here, and so are their counterparts.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::api::{How, SocketKind};
use crate::posix::options::{Opt, OptionValue};

/// A file descriptor.
pub type Fd = i32;

/// What `socket(2)` takes for its address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// `AF_INET`
    Inet,
    /// `AF_INET6`
    Inet6,
}

/// Octets to send, as a program points at them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// `NULL`, and a length.
    Null(u64),
    /// So many zeros, which take no memory.
    Zeros(u64),
    /// These.
    Bytes(Rc<[u8]>),
}

impl Data {
    /// Octets.
    pub fn len(&self) -> u64 {
        match self {
            Data::Null(len) | Data::Zeros(len) => *len,
            Data::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Room to receive into, as a program points at it. It takes memory only for what is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// `NULL`, and a length.
    Null(u64),
    /// For so many octets.
    Bytes(u64),
}

impl Room {
    /// Octets.
    pub fn len(&self) -> u64 {
        match *self {
            Room::Null(len) | Room::Bytes(len) => len,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

bitflags::bitflags! {
    /// A descriptor's status flags, as `fcntl(2)` sets and gets them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Status: u8 {
        /// `O_NONBLOCK`
        const NONBLOCK = 1;
        /// `O_RDWR`, `O_WRONLY` or `O_RDONLY` do not change, so only the first is kept.
        const RDWR = 2;
    }
}

bitflags::bitflags! {
    /// Flags of one `send` or `recv`, and those that `recvmsg` gives back.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct MsgFlags: u32 {
        /// `MSG_OOB`
        const OOB = 1;
        /// `MSG_PEEK`
        const PEEK = 1 << 1;
        /// `MSG_DONTROUTE`
        const DONTROUTE = 1 << 2;
        /// `MSG_CTRUNC`
        const CTRUNC = 1 << 3;
        /// `MSG_TRUNC`
        const TRUNC = 1 << 4;
        /// `MSG_DONTWAIT`
        const DONTWAIT = 1 << 5;
        /// `MSG_EOR`
        const EOR = 1 << 6;
        /// `MSG_WAITALL`
        const WAITALL = 1 << 7;
        /// `MSG_ERRQUEUE`
        const ERRQUEUE = 1 << 8;
        /// `MSG_NOSIGNAL`
        const NOSIGNAL = 1 << 9;
        /// `MSG_MORE`
        const MORE = 1 << 10;
        /// `MSG_ZEROCOPY`
        const ZEROCOPY = 1 << 11;
        /// `MSG_FASTOPEN`
        const FASTOPEN = 1 << 12;
        /// `MSG_CMSG_CLOEXEC`
        const CMSG_CLOEXEC = 1 << 13;
    }
}

bitflags::bitflags! {
    /// What `poll(2)` and `epoll(7)` look for and report.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct PollEvents: u32 {
        /// `POLLIN`
        const IN = 1;
        /// `POLLPRI`
        const PRI = 1 << 1;
        /// `POLLOUT`
        const OUT = 1 << 2;
        /// `POLLERR`
        const ERR = 1 << 3;
        /// `POLLHUP`
        const HUP = 1 << 4;
        /// `POLLNVAL`
        const NVAL = 1 << 5;
        /// `POLLRDNORM`
        const RDNORM = 1 << 6;
        /// `POLLRDBAND`
        const RDBAND = 1 << 7;
        /// `POLLWRNORM`
        const WRNORM = 1 << 8;
        /// `POLLWRBAND`
        const WRBAND = 1 << 9;
        /// `POLLRDHUP`
        const RDHUP = 1 << 10;
        /// `EPOLLEXCLUSIVE`
        const EXCLUSIVE = 1 << 11;
        /// `EPOLLWAKEUP`
        const WAKEUP = 1 << 12;
        /// `EPOLLONESHOT`
        const ONESHOT = 1 << 13;
        /// `EPOLLET`
        const ET = 1 << 14;
    }
}

/// A descriptor that `poll(2)` watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Negative: not looked at.
    pub fd: Fd,
    pub events: PollEvents,
}

/// `ioctl(2)`'s request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ioctl {
    /// `SIOCINQ`, `FIONREAD`: octets to read.
    InQueue,
    /// `SIOCOUTQ`, `FIONWRITE`: octets that the peer has not acknowledged.
    OutQueue,
    /// `SIOCOUTQNSD`: octets that were not sent.
    OutQueueUnsent,
    /// `FIONSPACE`: octets that can still be written.
    OutSpace,
    /// `FIONBIO`
    NonBlocking(bool),
}

/// `epoll_ctl(2)`'s operation; `data` comes back with the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpollControl {
    Add { events: PollEvents, data: u64 },
    Modify { events: PollEvents, data: u64 },
    Delete,
}

/// A system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `socket(2)`; the status is `SOCK_NONBLOCK`.
    Socket {
        domain: Domain,
        kind: SocketKind,
        /// What speaks the protocol that is asked for: `IPPROTO_TCP` or `IPPROTO_UDP`. 0 is the kind's own.
        protocol: SocketKind,
        status: Status,
    },
    Bind {
        fd: Fd,
        address: SocketAddr,
    },
    Listen {
        fd: Fd,
        backlog: i64,
    },
    /// `accept(2)`, `accept4(2)`
    Accept {
        fd: Fd,
        status: Status,
    },
    Connect {
        fd: Fd,
        address: SocketAddr,
    },
    /// `read(2)`, `readv(2)`
    Read {
        fd: Fd,
        into: Vec<Room>,
    },
    /// `write(2)`, `writev(2)`
    Write {
        fd: Fd,
        from: Vec<Data>,
    },
    /// `recv(2)`, `recvfrom(2)`, `recvmsg(2)`
    Recv {
        fd: Fd,
        into: Vec<Room>,
        flags: MsgFlags,
    },
    /// `send(2)`, `sendto(2)`, `sendmsg(2)`
    Send {
        fd: Fd,
        from: Vec<Data>,
        flags: MsgFlags,
        to: Option<SocketAddr>,
    },
    Shutdown {
        fd: Fd,
        how: How,
    },
    Close {
        fd: Fd,
    },
    /// `fcntl(F_GETFL)`
    GetStatus {
        fd: Fd,
    },
    /// `fcntl(F_SETFL)`
    SetStatus {
        fd: Fd,
        status: Status,
    },
    Ioctl {
        fd: Fd,
        request: Ioctl,
    },
    /// `getsockopt(2)` with room for `len` octets
    GetOption {
        fd: Fd,
        option: Opt,
        len: u32,
    },
    /// `setsockopt(2)` with `len` octets
    SetOption {
        fd: Fd,
        option: Opt,
        value: OptionValue,
        len: u32,
    },
    /// `getsockname(2)`
    LocalName {
        fd: Fd,
    },
    /// `getpeername(2)`
    PeerName {
        fd: Fd,
    },
    /// `poll(2)`; the timeout is in nanoseconds, without one it waits for ever
    Poll {
        watched: Vec<Watched>,
        timeout: Option<u64>,
    },
    /// `epoll_create(2)`, and with any positive size `epoll_create1(2)`
    EpollCreate {
        size: i64,
    },
    EpollControl {
        epoll: Fd,
        fd: Fd,
        control: EpollControl,
    },
    /// `epoll_wait(2)`; the timeout is in nanoseconds, without one it waits for ever
    EpollWait {
        epoll: Fd,
        most: i64,
        timeout: Option<u64>,
    },
    Pipe,
    /// `splice(2)` of at most `len` octets
    Splice {
        from: Fd,
        to: Fd,
        len: u64,
        /// `SPLICE_F_NONBLOCK`
        nonblocking: bool,
    },
}
