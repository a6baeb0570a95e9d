//! The stack as its administrator sees it: settings, sockets, and what is remembered of others.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::Stack;
use crate::addr::{IpAddress, Mac};
use crate::event::TcpState;
use crate::net::metrics::Metrics;
use crate::net::path_mtu::PathMtus;
use crate::profile::Profile;
use crate::tcp::Listed;

impl Stack {
    /// Another profile, as an administrator's settings change: TCP asks the new one at every step, and a connection keeps
    /// only what its handshake has settled. What lies below the transports stays as it was made.
    pub fn set_profile(&mut self, profile: Rc<Profile>) {
        self.tcp.set_profile(profile.clone());
        self.profile = profile;
    }

    /// Names a neighbour by hand: it is never asked for (`ip neighbour add … nud permanent`).
    pub fn set_neighbour(&mut self, ip: IpAddress, mac: Mac) {
        self.output.set_neighbour(ip, mac);
    }

    /// What is known of the way to a host is what the administrator says (`ip route change`), for connections that there
    /// are already, too.
    pub fn change_route(&mut self, to: IpAddress, metrics: Metrics) {
        self.output.metrics.set(to, metrics);
        self.tcp.route_changed(to);
    }

    /// How many packets the device's queue holds (`tc qdisc … pfifo limit`). A device is as fast as its ring, so the
    /// queue holds none for any time, and only one without any room is ever full.
    pub fn limit_queue(&mut self, packets: Option<u32>) {
        self.output.drops = packets == Some(0);
    }

    /// Whether the device's queue paces TCP (`tc qdisc … fq`).
    pub fn set_pacing(&mut self, on: bool) {
        self.tcp.set_pacing(on);
    }

    /// All TCP sockets, connections that no handle leads to among them.
    pub fn tcp_sockets(&self) -> Vec<Listed> {
        self.tcp.list()
    }

    /// Ends all TCP connections in a state, without a word to anybody (`tcpdrop(8)`).
    pub fn drop_tcp_connections(&mut self, state: TcpState) {
        self.tcp.drop_connections(state);
    }

    /// Forgets what was learnt of other hosts: Fast Open cookies, path MTUs, what else a cache of hosts holds.
    pub fn forget_peers(&mut self) {
        self.tcp.forget_destinations();
        self.output.paths = PathMtus::default();
    }

    /// ICMP errors about segments that are not under way (RFC 5927, 4.1), as Linux counts them.
    pub fn out_of_window_icmps(&self) -> u64 {
        self.tcp.out_of_window_icmps()
    }
}
