//! Which UDP socket is bound to which address and port.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hashbrown::HashMap;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use xen_abi::Fuel;

use crate::addr::IpAddress;
use crate::api::{SocketError, SocketId};
use crate::net::hash::Keyed;

/// The dynamic ports: RFC 6335, section 6.
const EPHEMERAL: (u16, u16) = (49_152, 65_535);
/// All of our addresses of version 4.
const ANY: IpAddress = IpAddress::V4(Ipv4Addr::UNSPECIFIED);
/// All of our addresses of both versions: RFC 3493, section 5.3.
const ANY_OF_BOTH: IpAddress = IpAddress::V6(Ipv6Addr::UNSPECIFIED);

/// The table of bound ports.
#[derive(Debug)]
pub struct Ports {
    bound: HashMap<(IpAddress, u16), SocketId, Keyed>,
    /// Picks ephemeral ports: RFC 6056.
    random: ChaCha8Rng,
    fuel: Fuel,
}

impl Ports {
    /// Nothing is bound.
    pub fn new(seed: [u8; 32], fuel: Fuel) -> Ports {
        let mut random = ChaCha8Rng::from_seed(seed);
        let key = Keyed([random.next_u64(), random.next_u64()]);
        Ports {
            bound: HashMap::with_hasher(key),
            random,
            fuel,
        }
    }

    /// Binds a socket to one of `ours` or to all; port 0 picks one.
    pub fn bind(
        &mut self,
        id: SocketId,
        local: SocketAddr,
        ours: impl Iterator<Item = IpAddress> + Clone,
    ) -> Result<SocketAddr, SocketError> {
        let ip = local.ip();
        if !ip.is_unspecified() && !ours.clone().any(|a| a == ip) {
            return Err(SocketError::EADDRNOTAVAIL);
        }
        let port = match local.port() {
            0 => self.pick(ip, ours)?,
            port if self.is_taken(ip, port, ours) => return Err(SocketError::EADDRINUSE),
            port => port,
        };
        self.bound.insert((ip, port), id);
        Ok((ip, port).into())
    }

    /// Gives back what a socket was bound to.
    pub fn release(&mut self, id: SocketId, local: SocketAddr) {
        let was = self.bound.remove(&(local.ip(), local.port()));
        assert_eq!(was, Some(id), "a bound socket stands in the table");
    }

    /// Whose a datagram is: the very address goes before all of ours of its version, and those before all of both.
    pub fn owner(&self, to: SocketAddr) -> Option<SocketId> {
        let at = |ip| self.bound.get(&(ip, to.port()));
        at(to.ip())
            .or_else(|| to.is_ipv4().then(|| at(ANY)).flatten())
            .or_else(|| at(ANY_OF_BOTH))
            .copied()
    }

    /// Whether binding would meet another socket: "all of ours" meets each of ours, and the other way round.
    fn is_taken(
        &self,
        ip: IpAddress,
        port: u16,
        mut ours: impl Iterator<Item = IpAddress>,
    ) -> bool {
        let has = |ip| self.bound.contains_key(&(ip, port));
        let covers = |a: IpAddress| ip == ANY_OF_BOTH || (ip == ANY && a.is_ipv4());
        has(ip)
            || has(ANY_OF_BOTH)
            || (has(ANY) && (ip.is_ipv4() || ip == ANY_OF_BOTH))
            || ours.any(|a| covers(a) && has(a))
    }

    /// RFC 6056, section 3.3.1: a random port, then the next ones.
    fn pick(
        &mut self,
        ip: IpAddress,
        ours: impl Iterator<Item = IpAddress> + Clone,
    ) -> Result<u16, SocketError> {
        let (first, last) = EPHEMERAL;
        let count = u32::from(last - first) + 1;
        let start = self.random.next_u32() % count;
        for step in 0..count {
            self.fuel.burn(1);
            let port = first + ((start + step) % count) as u16;
            if !self.is_taken(ip, port, ours.clone()) {
                return Ok(port);
            }
        }
        Err(SocketError::EADDRINUSE)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    fn bind(ports: &mut Ports, id: u32, local: &str) -> Result<SocketAddr, SocketError> {
        let ours = ["10.0.0.2", "10.0.0.3"].map(|a| a.parse().unwrap());
        ports.bind(SocketId(id), local.parse().unwrap(), ours.into_iter())
    }

    fn ports() -> Ports {
        Ports::new([1; 32], Fuel::unlimited())
    }

    #[test]
    fn an_address_is_bound_once() {
        let mut ports = ports();
        let first = bind(&mut ports, 1, "10.0.0.2:53").unwrap();
        let in_use = Err(SocketError::EADDRINUSE);
        assert_eq!(bind(&mut ports, 2, "10.0.0.2:53"), in_use);
        assert_eq!(bind(&mut ports, 2, "0.0.0.0:53"), in_use);
        assert!(bind(&mut ports, 2, "10.0.0.3:53").is_ok());
        let elsewhere = bind(&mut ports, 3, "10.0.0.4:53");
        assert_eq!(elsewhere, Err(SocketError::EADDRNOTAVAIL));
        assert_eq!(bind(&mut ports, 3, "[::]:53"), in_use);
        ports.release(SocketId(1), first);
        assert_eq!(ports.owner(first), None);
    }

    #[test]
    fn all_addresses_of_version_6_are_all_of_both_versions() {
        let mut ports = ports();
        bind(&mut ports, 1, "[::]:53").unwrap();
        for to in ["10.0.0.2:53", "[2001:db8::1]:53"] {
            assert_eq!(ports.owner(to.parse().unwrap()), Some(SocketId(1)));
        }
        let in_use = Err(SocketError::EADDRINUSE);
        assert_eq!(bind(&mut ports, 2, "0.0.0.0:53"), in_use);
        assert_eq!(bind(&mut ports, 2, "10.0.0.2:53"), in_use);
        bind(&mut ports, 2, "0.0.0.0:54").unwrap();
        assert_eq!(ports.owner("[2001:db8::1]:54".parse().unwrap()), None);
    }

    #[test]
    fn every_ephemeral_port_is_picked_once_and_then_none() {
        let mut ports = ports();
        let picked: BTreeSet<u16> = (0..16_384)
            .map(|id| bind(&mut ports, id, "0.0.0.0:0").unwrap().port())
            .collect();
        assert_eq!(picked.len(), 16_384);
        let none = bind(&mut ports, 0, "0.0.0.0:0");
        assert_eq!(none, Err(SocketError::EADDRINUSE));
    }
}
