//! Which ICMP errors end a connection that is not synchronized (RFC 9293, 3.9.2.2: a hard error SHOULD; RFC 5927, 5.2:
//! none may end a synchronized one), and how far a report about the path is believed.

use super::SEC;
use crate::api::SocketError;

bitflags::bitflags! {
    /// Kinds of errors.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct IcmpKinds: u8 {
        /// The network is unreachable.
        const NET = 1;
        /// The host is unreachable.
        const HOST = 1 << 1;
        /// The protocol is unreachable.
        const PROTOCOL = 1 << 2;
        /// The port is unreachable.
        const PORT = 1 << 3;
        /// Somebody forbids it.
        const PROHIBITED = 1 << 4;
        /// The packet was too long on its way.
        const TIME_EXCEEDED = 1 << 5;
        /// Parameter problem.
        const PARAMETER = 1 << 6;
    }
}

/// ICMP errors as TCP takes them.
#[derive(Clone, Debug)]
pub struct Icmp {
    /// Those that end an attempt to connect. RFC 1122, 4.2.3.9: protocol and port unreachable; the others are soft.
    pub end_connect: IcmpKinds,
    /// Those that end a half-open connection of a listener.
    pub end_half_open: IcmpKinds,
    /// What a prohibition is called: EHOSTUNREACH (Linux) or ECONNREFUSED (FreeBSD).
    pub prohibited: SocketError,
    /// Whether a path that takes less is announced as a smaller segment size too (Linux). RFC 9293, SHLD-6, has the
    /// announced size follow what can be received, not what the way there takes.
    pub announces_path: bool,
    /// How long a path's MTU is remembered: 10 min (RFC 1191, 6.3).
    pub path_lifetime: u64,
    /// Paths remembered; beyond, the one learnt first is forgotten.
    pub paths: usize,
}

impl Default for Icmp {
    fn default() -> Icmp {
        Icmp {
            end_connect: IcmpKinds::PORT.union(IcmpKinds::PROTOCOL),
            end_half_open: IcmpKinds::PORT.union(IcmpKinds::PROTOCOL),
            prohibited: SocketError::EHOSTUNREACH,
            announces_path: false,
            path_lifetime: 600 * SEC,
            paths: 256,
        }
    }
}
