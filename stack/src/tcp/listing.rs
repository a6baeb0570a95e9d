//! All sockets at a glance, and the end of many at once: what an administrator's tools ask of a stack (`sockstat(1)`,
//! `tcpdrop(8)`). It scans, which nothing in a segment's way does.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::addr::IpAddress;
use crate::event::TcpState;
use crate::tcp::Tcp;
use crate::tcp::connection::Owner;
use crate::tcp::table::Slot;

/// A socket in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// All zeros where it is not bound.
    pub local: SocketAddr,
    /// All zeros where it is not connected.
    pub remote: SocketAddr,
    pub state: TcpState,
    /// An application holds its handle.
    pub owned: bool,
}

impl Tcp {
    /// All sockets, and connections that no handle leads to, by their places.
    pub fn list(&self) -> Vec<Listed> {
        let mut all = Vec::with_capacity(self.table.len());
        for index in 0..self.table.places() {
            all.extend(match self.table.slot(index) {
                Slot::Free => None,
                Slot::Fresh(fresh) => {
                    let local = fresh.local.unwrap_or(nobody(true));
                    Some(lone(local, TcpState::Closed))
                }
                Slot::Listener(listener) => Some(lone(listener.local, TcpState::Listen)),
                Slot::Connection(connection) => Some(Listed {
                    local: connection.tuple.local_addr(),
                    remote: connection.tuple.remote_addr(),
                    state: connection.state(),
                    owned: connection.owner == Owner::Application,
                }),
            });
        }
        all
    }

    /// Ends every connection in `state`, without a word to its peer or to its application.
    pub fn drop_connections(&mut self, state: TcpState) {
        for index in 0..self.table.places() {
            let Some(connection) = self.table.connection(index) else {
                continue;
            };
            if connection.state() == state && state != TcpState::Closed {
                connection.die(&mut self.shared, None);
                self.settle(index);
            }
        }
    }

    /// The way to a host is another one: its connections ask for it with their next segment.
    pub fn route_changed(&mut self, to: IpAddress) {
        for index in 0..self.table.places() {
            if let Some(connection) = self.table.connection(index)
                && connection.tuple.remote == to
            {
                connection.route_changed();
            }
        }
    }
}

/// A socket without a peer.
fn lone(local: SocketAddr, state: TcpState) -> Listed {
    Listed {
        local,
        remote: nobody(local.is_ipv4()),
        state,
        owned: true,
    }
}

fn nobody(is_ipv4: bool) -> SocketAddr {
    let ip = match is_ipv4 {
        true => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        false => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}
