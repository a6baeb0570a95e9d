//! A connection's name: two addresses and two ports, seen from our side.

use core::net::SocketAddr;

use crate::addr::IpAddress;

/// Local and remote socket (RFC 9293, section 3.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuple {
    pub local: IpAddress,
    pub remote: IpAddress,
    pub local_port: u16,
    pub remote_port: u16,
}

impl Tuple {
    /// The connection between two sockets.
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Tuple {
        Tuple {
            local: local.ip(),
            remote: remote.ip(),
            local_port: local.port(),
            remote_port: remote.port(),
        }
    }
    /// Our socket.
    pub fn local_addr(&self) -> SocketAddr {
        SocketAddr::new(self.local, self.local_port)
    }
    /// The peer's socket.
    pub fn remote_addr(&self) -> SocketAddr {
        SocketAddr::new(self.remote, self.remote_port)
    }
}
