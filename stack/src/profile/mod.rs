//! All timing and policy constants of the stack in one value, each with its source, so that a test, a scenario or an
//! administrator can make the stack behave like another one without touching its code.
//!
//! [`Profile::rfc`] is what the specifications recommend; [`Profile::linux`] and [`Profile::freebsd`] answer where
//! they leave a choice as those systems do. The stack never asks which of them it has, only what a field says.
//!
//! In reading order: [`tcp`] the constants and groups of TCP, of which [`handshake`] is about SYN segments, [`buffers`]
//! about windows, [`acks`] about acknowledgments, [`closing`] about ends, [`recovery`] about losses, [`congestion`] about
//! pace, [`defence`] about segments that nobody should have sent, [`icmp`] about errors on the way, [`mtu_probing`] about
//! ways that say nothing, [`ecn`] about marks instead of losses, [`fast_open`] about data in SYN segments, [`udp_tunnel`]
//! about segments in datagrams, [`sockets`] about what applications see; [`linux`] and [`freebsd`] the two systems;
//! [`settings`] what a command line may change of any of them.

pub mod acks;
pub mod buffers;
pub mod closing;
pub mod congestion;
pub mod defence;
pub mod ecn;
pub mod fast_open;
pub mod freebsd;
pub mod handshake;
pub mod icmp;
pub mod linux;
pub mod mtu_probing;
pub mod recovery;
pub mod settings;
pub mod sockets;
pub mod tcp;
pub mod udp_tunnel;

pub use acks::Acks;
pub use buffers::Buffers;
pub use closing::Closing;
pub use congestion::{Congestion, SlowStart};
pub use defence::{Blackhole, Defence, SynCookies};
pub use ecn::{Ecn, EcnMode};
pub use fast_open::FastOpen;
pub use handshake::{Handshake, SynLayout};
pub use icmp::{Icmp, IcmpKinds};
pub use mtu_probing::{MtuProbing, ProbingMode};
pub use recovery::Recovery;
pub use sockets::Sockets;
pub use tcp::{CongestionAlgorithm, Nagle, TcpProfile};
pub use udp_tunnel::UdpTunnel;

use crate::net::profile::NetProfile;
use crate::quirk::{Quirk, Quirks};

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const SEC: u64 = 1_000 * MS;

/// How a stack behaves where the specifications leave a choice.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The constants of everything below the transports, and UDP's.
    pub net: NetProfile,
    /// TCP's constants.
    pub tcp: TcpProfile,
    /// Historical bugs.
    pub quirks: Quirks,
}

impl Profile {
    /// What the specifications recommend: the default.
    pub fn rfc() -> Profile {
        Profile::default()
    }

    /// As Linux 6 does.
    pub fn linux() -> Profile {
        Profile {
            tcp: linux::tcp(),
            ..Profile::default()
        }
    }

    /// As FreeBSD 15 does.
    pub fn freebsd() -> Profile {
        Profile {
            tcp: freebsd::tcp(),
            ..Profile::default()
        }
    }

    /// The names that [`Profile::named`] knows.
    pub const NAMES: [&str; 3] = ["rfc", "linux", "freebsd"];

    /// The profile of a name.
    pub fn named(name: &str) -> Option<Profile> {
        match name {
            "rfc" => Some(Profile::rfc()),
            "linux" => Some(Profile::linux()),
            "freebsd" => Some(Profile::freebsd()),
            _ => None,
        }
    }

    /// Whether the profile has this bug. Never, without the feature `zoo`.
    #[inline]
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.has(quirk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_profile_and_nothing_else_has() {
        assert!(
            Profile::NAMES
                .iter()
                .all(|name| Profile::named(name).is_some())
        );
        assert!(Profile::named("plan9").is_none());
    }
}
