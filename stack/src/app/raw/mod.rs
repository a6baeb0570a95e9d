//! A peer without a stack, whose script sends and awaits single packets, so that a TCP can be led into any corner.
//!
//! - [`notation`]: segments in tcpdump's notation
//! - [`segment`]: from a notation to bytes, and back to whether it matches
//! - [`peer`]: ARP, IPv4 with the evil bit, and flows
//! - [`malformed`]: lists of options that no correct sender writes
//! - [`script`]: the commands

pub mod malformed;
pub mod notation;
pub mod peer;
pub mod script;
pub mod segment;

use core::net::IpAddr;

use self::peer::RawPeer;
use self::script::RawScript;
use crate::os::handle::Os;
use crate::os::raw::FramePort;

/// The application.
pub async fn main(os: Os<FramePort>) {
    let Some(IpAddr::V4(address)) = os.address() else {
        return os.print("raw: needs an interface with an IPv4 address");
    };
    let Ok(mac) = os.with_net(|_, port| Ok(port.mac())) else {
        return os.print("raw: needs an interface");
    };
    let script = RawScript::new(os.clone(), RawPeer::new(mac, address));
    os.spawn(script.clone().pump());
    os.print("raw: ready");
    super::script::follow(&os, script).await;
}
