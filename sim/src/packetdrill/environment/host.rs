//! The machine under test, as commands see it.

use std::net::IpAddr;
use std::rc::Rc;

use stack::event::TcpState;
use stack::net::metrics::Metrics;
use stack::profile::Profile;
use stack::tcp::Listed;
use thiserror::Error;

use super::Failure;

/// The stack under test cannot be set to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the stack cannot be set to that")]
pub struct NoSuchSetting;

/// What a route says about the way to a host; none: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteChange {
    /// The segment size to announce, octets.
    pub advertised_mss: Option<u16>,
    /// The largest packet, octets.
    pub mtu: Option<u16>,
    /// Path MTU discovery leaves it alone.
    pub mtu_locked: bool,
    /// The initial window, segments.
    pub initial_window: Option<u32>,
}

impl RouteChange {
    /// The same in the stack's words.
    pub fn metrics(self) -> Metrics {
        Metrics {
            advertised_mss: self.advertised_mss,
            mtu: self.mtu,
            mtu_locked: self.mtu_locked,
            initial_window: self.initial_window,
        }
    }
}

/// What commands ask of the machine under test. What it cannot do it says, and the script fails.
pub trait Host {
    /// The settings have changed.
    ///
    /// # Errors
    ///
    /// The stack does not have what they ask for.
    fn set_profile(&mut self, profile: Rc<Profile>) -> Result<(), NoSuchSetting>;

    /// All TCP sockets, half-open connections counted.
    fn sockets(&self) -> Vec<Listed>;

    /// Aborts every connection in the state (tcpdrop(8)).
    fn drop_connections(&mut self, state: TcpState);

    /// Forgets what was learned of peers: path MTUs, round-trip times, Fast Open cookies.
    fn forget_peers(&mut self);

    /// The counters of the stack, by the names of Linux' `nstat`.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// The way to a host changes.
    ///
    /// # Errors
    ///
    /// [`Failure::Unsupported`] if routes say nothing of the kind here.
    fn change_route(&mut self, _to: IpAddr, _change: RouteChange) -> Result<(), Failure> {
        Err(Failure::Unsupported("change a route's attributes"))
    }

    /// How many packets the device's queue holds; none: as many as it likes.
    ///
    /// # Errors
    ///
    /// [`Failure::Unsupported`] if the device has no such queue.
    fn limit_queue(&mut self, packets: Option<u32>) -> Result<(), Failure> {
        match packets {
            None => Ok(()),
            Some(_) => Err(Failure::Unsupported("limit the device's queue")),
        }
    }

    /// Whether sends are paced by the device's queue (`fq`).
    ///
    /// # Errors
    ///
    /// [`Failure::Unsupported`] if they cannot be.
    fn pace(&mut self, on: bool) -> Result<(), Failure> {
        if on {
            Err(Failure::Unsupported("pace by the device's queue"))
        } else {
            Ok(())
        }
    }

    /// Whether segments larger than the MTU are given to the device in one piece.
    ///
    /// # Errors
    ///
    /// [`Failure::Unsupported`] if the device cannot.
    fn offload_segmentation(&mut self, _on: bool) -> Result<(), Failure> {
        Ok(())
    }

    /// Time passes, nanoseconds.
    ///
    /// # Errors
    ///
    /// [`Failure::Unsupported`] if a command cannot wait.
    fn sleep(&mut self, _nanoseconds: u64) -> Result<(), Failure> {
        Err(Failure::Unsupported("wait in a command"))
    }
}
