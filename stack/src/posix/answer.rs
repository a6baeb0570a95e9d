//! What a call gives back.

use alloc::vec::Vec;
use core::net::SocketAddr;

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
}
