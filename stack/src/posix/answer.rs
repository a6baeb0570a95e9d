//! What a call gives back.

use alloc::vec::Vec;
use core::net::SocketAddr;

use xen_abi::Instant;

use crate::posix::call::{Fd, MsgFlags, PollEvents};
use crate::posix::errno::Errno;
use crate::posix::options::OptionValue;

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It returned.
    Done(Answer),
    /// It waits.
    Blocks,
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its value; −1 with an error.
    pub result: i64,
    pub errno: Option<Errno>,
    /// What it has written through its pointers.
    pub output: Output,
}

impl Answer {
    /// The call succeeded.
    pub fn done(result: i64, output: Output) -> Answer {
        Answer {
            result,
            errno: None,
            output,
        }
    }

    /// The call failed.
    pub fn failed(errno: Errno) -> Answer {
        Answer {
            result: -1,
            errno: Some(errno),
            output: Output::Nothing,
        }
    }
}

/// What a call has written into the program's memory.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Nothing,
    /// `accept`, `getsockname`, `getpeername`
    Address(SocketAddr),
    /// `read`, `recv` and their kin
    Message(Message),
    /// `getsockopt`: the value, and how many octets it has
    Option(OptionValue, u32),
    /// `ioctl`
    Number(i64),
    /// `poll`: `revents`, one for each descriptor watched
    Polled(Vec<PollEvents>),
    /// `epoll_wait`: events, and what the program wanted back with them
    Epolled(Vec<(PollEvents, u64)>),
    /// `pipe`: the reading and the writing end
    Pipe([Fd; 2]),
}

/// What `recvmsg(2)` gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The octets.
    pub data: Vec<u8>,
    /// Who sent them: datagrams only.
    pub from: Option<SocketAddr>,
    /// `msg_flags`
    pub flags: MsgFlags,
    /// `msg_control`
    pub control: Vec<Control>,
}

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// `SOL_TCP`, `TCP_CM_INQ`: octets that are left to read; one more if the end of the stream is all that follows.
    InQueue(u32),
    /// `SOL_SOCKET`, `SCM_TIMESTAMPING`: the software timestamp.
    Stamp(Instant),
    /// `SOL_IP`, `IP_RECVERR`, or `SOL_IPV6`, `IPV6_RECVERR`.
    ExtendedError(ExtendedError),
}

/// Who reports an extended error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `SO_EE_ORIGIN_TIMESTAMPING`
    Timestamping,
    /// `SO_EE_ORIGIN_ZEROCOPY`
    ZeroCopy,
}

impl Origin {
    /// As `linux/errqueue.h` numbers it.
    pub fn number(self) -> u8 {
        match self {
            Origin::Timestamping => 4,
            Origin::ZeroCopy => 5,
        }
    }
}

/// `struct sock_extended_err`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedError {
    /// It comes at IPv6's level.
    pub v6: bool,
    pub errno: Option<Errno>,
    pub origin: Origin,
    pub kind: u8,
    pub code: u8,
    pub info: u32,
    pub data: u32,
}
