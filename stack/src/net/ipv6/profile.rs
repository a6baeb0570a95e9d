//! The timing and policy constants of IPv6 on a host, each with its source.

use crate::net::profile::SECOND;

/// How the lower half of an address is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// From the Ethernet address: RFC 4291, appendix A.
    Eui64,
    /// Opaque, stable for each prefix, unrelated between prefixes: RFC 7217.
    StablePrivacy,
}

/// Times are nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6Profile {
    /// Whether an interface with an address of version 6 has a link-local one too (RFC 4291, section 2.1: it must).
    pub link_local: bool,
    /// Whether router advertisements are heard: default routers, prefixes, and addresses formed of them (RFC 4862).
    pub autoconf: bool,
    /// How addresses are formed.
    pub identifier: Identifier,
    /// Solicitations of duplicate-address detection; 0: an address is usable at once (RFC 4862, DupAddrDetectTransmits).
    pub dad_transmits: u8,
    /// How often a new stable identifier is tried after a duplicate: RFC 7217, IDGEN_RETRIES.
    pub dad_retries: u8,
    /// The first message of an interface waits a random time below this, so that hosts that boot together do not speak
    /// together (RFC 4861, MAX_RTR_SOLICITATION_DELAY).
    pub first_delay: u64,
    /// Router solicitations, and the time between two (RFC 4861, MAX_RTR_SOLICITATIONS, RTR_SOLICITATION_INTERVAL).
    pub router_solicitations: u8,
    pub router_solicitation_interval: u64,
    /// Between two neighbour solicitations, until a router says otherwise (RFC 4861, RETRANS_TIMER).
    pub retransmit: u64,
    /// Solicitations to find a neighbour, and to find out whether it is still there (RFC 4861, MAX_MULTICAST_SOLICIT,
    /// MAX_UNICAST_SOLICIT).
    pub multicast_tries: u8,
    pub unicast_tries: u8,
    /// For how long a neighbour is trusted, about, until a router says otherwise (RFC 4861, REACHABLE_TIME).
    pub reachable: u64,
    /// How long a stale neighbour is used before it is asked (RFC 4861, DELAY_FIRST_PROBE_TIME).
    pub first_probe: u64,
    /// How long a stale neighbour that is not used is remembered.
    pub stale: u64,
    /// Addresses, default routers and prefixes that are kept (RFC 6980's spirit: a router may not fill our memory).
    pub addresses: usize,
    pub routers: usize,
    pub prefixes: usize,
}

impl Default for Ipv6Profile {
    fn default() -> Ipv6Profile {
        Ipv6Profile {
            link_local: true,
            autoconf: true,
            identifier: Identifier::Eui64,
            dad_transmits: 1,
            dad_retries: 3,
            first_delay: SECOND,
            router_solicitations: 3,
            router_solicitation_interval: 4 * SECOND,
            retransmit: SECOND,
            multicast_tries: 3,
            unicast_tries: 3,
            reachable: 30 * SECOND,
            first_probe: 5 * SECOND,
            stale: 600 * SECOND,
            addresses: 16,
            routers: 4,
            prefixes: 16,
        }
    }
}

impl Ipv6Profile {
    /// Only the addresses that are given, usable at once, and nothing is sent that nobody asked for: for a wire on
    /// which every packet is accounted for.
    pub fn quiet() -> Ipv6Profile {
        Ipv6Profile {
            link_local: false,
            autoconf: false,
            dad_transmits: 0,
            router_solicitations: 0,
            ..Ipv6Profile::default()
        }
    }
}
