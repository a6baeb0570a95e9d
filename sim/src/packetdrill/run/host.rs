//! What commands in back quotes can do to the stack on the raw path.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use stack::event::TcpState;
use stack::profile::Profile;

use super::raw::Raw;
use crate::packetdrill::environment::{Host, HostSocket};

impl Host for Raw {
    fn set_profile(&mut self, profile: Rc<Profile>) {
        self.stack.set_profile(profile);
    }

    fn sockets(&self) -> Vec<HostSocket> {
        let listed = self.stack.tcp_sockets().into_iter();
        let nowhere: IpAddr = match self.is_v6 {
            true => Ipv6Addr::UNSPECIFIED.into(),
            false => Ipv4Addr::UNSPECIFIED.into(),
        };
        let nobody = SocketAddr::new(nowhere, 0);
        listed
            .map(|socket| HostSocket {
                local: socket.local.unwrap_or(nobody),
                remote: socket.remote.unwrap_or(nobody),
                state: socket.state,
                owned: socket.owned,
            })
            .collect()
    }

    fn drop_connections(&mut self, state: TcpState) {
        self.stack.drop_tcp_connections(state);
    }

    fn forget_peers(&mut self) {
        self.stack.forget_peers();
    }
}
