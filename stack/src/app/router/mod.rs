//! A router between networks that its one interface is all on: a *router on a stick*. It knows the networks of its own
//! addresses and no others.
//!
//! - here: the application
//! - [`forward`]: what becomes of a frame
//! - [`neighbours`]: who is at which Ethernet address, by ARP and Neighbor Discovery
//! - [`error`]: what the sender of a packet is told that goes no further
//!
//! `mtu=1300` makes the way on narrow: a longer packet is not cut but reported, as an IPv6 router must and an IPv4 one does
//! of packets that may not be cut. With `errors=off` nobody is told anything: a black hole (RFC 2923).

pub mod error;
pub mod forward;
pub mod neighbours;

use self::forward::Router;
use crate::os::handle::Os;
use crate::os::raw::FramePort;

/// What Ethernet carries.
const MTU: usize = 1_500;

/// The application.
pub async fn main(os: Os<FramePort>) {
    let Ok(mac) = os.with_net(|_, port| Ok(port.mac())) else {
        return os.print("router: needs an interface");
    };
    let tells = os.arg("errors").as_deref() != Some("off");
    let mut router = Router::new(mac, os.addresses(), os.arg_or("mtu", MTU), tells);
    os.print("router: ready");
    while let Ok(frame) = os.recv_frame().await {
        router.receive(&frame);
        while let Some(frame) = router.transmit() {
            // Only without an interface is this refused, and then nobody waits for a packet.
            let _ = os.send_frame(frame);
        }
    }
}
