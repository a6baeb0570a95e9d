//! What an administrator sees and does: the list of sockets, connections dropped by state. These look at every
//! socket there is, so nothing on a packet's way may call them.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::api::SocketError;
use crate::event::TcpState;
use crate::tcp::Tcp;
use crate::tcp::connection::Owner;
use crate::tcp::table::Slot;

/// A socket in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub local: SocketAddr,
    /// All zeros if there is no peer.
    pub remote: SocketAddr,
    pub state: TcpState,
    /// An application holds it.
    pub owned: bool,
}

impl Tcp {
    /// All sockets, half-open connections counted, in the order of their handles.
    pub fn list(&self) -> Vec<Listed> {
        let sockets = (0..self.table.slots() as u32).filter_map(|index| {
            Some(match self.table.slot(index) {
                Slot::Free => return None,
                Slot::Fresh(fresh) => {
                    let local = fresh.local.unwrap_or(nobody(true));
                    lone(local, TcpState::Closed)
                }
                Slot::Listener(listener) => lone(listener.local, TcpState::Listen),
                Slot::Connection(connection) => Listed {
                    local: connection.tuple.local_addr(),
                    remote: connection.tuple.remote_addr(),
                    state: connection.state(),
                    owned: connection.owner == Owner::Application,
                },
            })
        });
        sockets.collect()
    }

    /// Aborts every connection in a state (RFC 9293, 3.10.5).
    pub fn drop_connections(&mut self, state: TcpState) {
        for index in 0..self.table.slots() as u32 {
            self.shared.fuel.burn(1);
            if let Some(connection) = self.table.connection(index)
                && connection.state() == state
                && state != TcpState::Closed
            {
                connection.abort(&mut self.shared, Some(SocketError::ECONNABORTED));
                self.settle(index);
            }
        }
    }
}

fn lone(local: SocketAddr, state: TcpState) -> Listed {
    Listed {
        local,
        remote: nobody(local.is_ipv4()),
        state,
        owned: true,
    }
}

fn nobody(ipv4: bool) -> SocketAddr {
    let ip = if ipv4 {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    } else {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    };
    SocketAddr::new(ip, 0)
}
