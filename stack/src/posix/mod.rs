//! A POSIX process: file descriptors and system calls over [`crate::api::Sockets`], for programs that are shaped like
//! POSIX programs, scripted ones above all.
//!
//! [`Process::call`] makes a call. What cannot be answered now blocks, if the descriptor is blocking, and
//! [`Process::resume`] asks again whenever something may have changed: nothing here waits. Arguments arrive typed; what
//! a kernel would read from a program's memory is owned by the call.
//!
//! In reading order:
//! - [`call`] the calls and their arguments, [`answer`] what they give, [`errno`] why they fail
//! - [`process`] who makes them; `descriptors` what the numbers stand for; [`personality`] whose habits it has
//! - `sockets` names and handshakes, `transfer` octets both ways, [`options`] and [`tcp_info`]
//! - `error_queue` what became of octets sent; `poll`, `epoll` what is ready; `pipe` octets between descriptors

pub mod answer;
pub mod call;
mod descriptors;
mod epoll;
pub mod errno;
mod error_queue;
pub mod options;
pub mod personality;
mod pipe;
mod poll;
pub mod process;
mod sockets;
pub mod tcp_info;
#[cfg(test)]
mod tests;
mod transfer;

pub use answer::{Answer, Control, ExtendedError, Message, Origin, Outcome, Output};
pub use call::{
    Call, Data, Domain, EpollControl, Fd, Ioctl, MsgFlags, PollEvents, Room, Status, Watched,
};
pub use errno::Errno;
pub use options::{Level, Opt, OptionValue};
pub use personality::Personality;
pub use process::Process;
