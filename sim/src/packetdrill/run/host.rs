//! What commands in back quotes can do to the stack on the raw path.

use std::net::IpAddr;
use std::rc::Rc;

use stack::event::TcpState;
use stack::profile::Profile;
use stack::tcp::Listed;

use super::raw::Raw;
use crate::packetdrill::environment::{Failure, Host, NoSuchSetting, RouteChange};

impl Host for Raw {
    fn set_profile(&mut self, profile: Rc<Profile>) -> Result<(), NoSuchSetting> {
        self.stack.set_profile(profile);
        Ok(())
    }

    fn sockets(&self) -> Vec<Listed> {
        self.stack.tcp_sockets()
    }

    fn drop_connections(&mut self, state: TcpState) {
        self.stack.drop_tcp_connections(state);
    }

    fn forget_peers(&mut self) {
        self.stack.forget_peers();
    }

    fn change_route(&mut self, to: IpAddr, change: RouteChange) -> Result<(), Failure> {
        self.stack.change_route(to, change.metrics());
        Ok(())
    }

    fn limit_queue(&mut self, packets: Option<u32>) -> Result<(), Failure> {
        self.stack.limit_queue(packets);
        Ok(())
    }

    fn pace(&mut self, on: bool) -> Result<(), Failure> {
        self.stack.set_pacing(on);
        Ok(())
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![("TcpExtOutOfWindowIcmps", self.stack.out_of_window_icmps())]
    }
}
