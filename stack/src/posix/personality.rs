//! Where POSIX leaves a choice, or a kernel does not ask it: whose habits a process finds.

use crate::posix::errno::Errno;

/// How Linux and FreeBSD number errors and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    Linux,
    Bsd,
}

/// A kernel's habits as its programs see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personality {
    pub numbers: Numbers,
    /// Whether a descriptor of `accept(2)` starts with its listener's status flags (FreeBSD, accept(2)) or without any
    /// (Linux, accept(2)).
    pub accept_inherits_status: bool,
    /// Whether the first `connect(2)` after the one that was in progress has succeeded says so (Linux,
    /// inet_stream_connect()), or that the socket is connected.
    pub connect_tells_success: bool,
    /// Whether `close(2)` lingers (`SO_LINGER`) on a descriptor that does not block, too (Linux, inet_release(); FreeBSD's
    /// soclose() returns at once).
    pub lingers_nonblocking: bool,
    /// Pieces of memory that a segment of a `MSG_ZEROCOPY` send can be made of (Linux, `MAX_SKB_FRAGS`).
    pub zero_copy_pieces: Option<usize>,
    /// `send(2)` on a stream socket that was never connected: `EPIPE` (Linux, sk_stream_wait_connect()) or `ENOTCONN`
    /// (POSIX; FreeBSD, sosend_generic()).
    pub send_unconnected: Errno,
    /// Whether `sendto(2)` with an address connects a stream socket (FreeBSD's implied connect: PR_IMPLOPCL).
    pub implied_connect: bool,
}

impl Personality {
    /// POSIX to the letter.
    pub fn posix() -> Personality {
        Personality {
            numbers: Numbers::Linux,
            accept_inherits_status: false,
            connect_tells_success: false,
            lingers_nonblocking: false,
            zero_copy_pieces: None,
            send_unconnected: Errno::ENOTCONN,
            implied_connect: false,
        }
    }

    /// Linux's.
    pub fn linux() -> Personality {
        Personality {
            connect_tells_success: true,
            lingers_nonblocking: true,
            zero_copy_pieces: Some(17),
            send_unconnected: Errno::EPIPE,
            ..Personality::posix()
        }
    }

    /// FreeBSD's.
    pub fn freebsd() -> Personality {
        Personality {
            numbers: Numbers::Bsd,
            accept_inherits_status: true,
            implied_connect: true,
            ..Personality::posix()
        }
    }

    /// An error's number.
    pub fn number(&self, errno: Errno) -> i32 {
        match self.numbers {
            Numbers::Linux => errno.linux(),
            Numbers::Bsd => errno.bsd(),
        }
    }

    /// `O_NONBLOCK`
    pub(crate) fn nonblock(&self) -> i64 {
        match self.numbers {
            Numbers::Linux => 0o4000,
            Numbers::Bsd => 4,
        }
    }
}

impl Default for Personality {
    fn default() -> Personality {
        Personality::posix()
    }
}
