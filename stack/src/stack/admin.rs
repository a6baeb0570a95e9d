//! The stack as its administrator sees it: settings, lists, counters.

use alloc::rc::Rc;
use alloc::vec::Vec;

use super::Stack;
use crate::event::TcpState;
use crate::profile::Profile;
use crate::tcp::{Counters, Listed};

impl Stack {
    /// Another profile, as settings change: TCP asks the new one at every step, and a connection keeps only what its
    /// handshake has settled. What lies below the transports stays as it was made.
    pub fn set_profile(&mut self, profile: Rc<Profile>) {
        self.tcp.set_profile(profile.clone());
        self.profile = profile;
    }

    /// All TCP sockets, half-open connections counted.
    pub fn tcp_sockets(&self) -> Vec<Listed> {
        self.tcp.list()
    }

    /// Aborts all TCP connections in a state.
    pub fn drop_connections(&mut self, state: TcpState) {
        self.tcp.drop_connections(state);
    }

    /// Forgets what was learned of destinations: Fast Open cookies, and what else a cache of hosts holds.
    pub fn forget_destinations(&mut self) {
        self.tcp.forget_destinations();
    }

    /// TCP's counters.
    pub fn tcp_counters(&self) -> Counters {
        self.tcp.counters()
    }
}
