//! Which local ports are taken, and which one a socket gets that asks for none: RFC 6056, algorithm 3, a keyed hash of
//! the destination plus a counter, so that neither the next port nor the number of connections can be guessed.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use xen_abi::Fuel;

use crate::addr::IpAddress;
use crate::api::SocketError;
use crate::tcp::siphash::Key;
use crate::tcp::tuple::Tuple;

/// What a socket is bound to.
#[derive(Clone, Copy, Debug)]
struct Bound {
    ip: IpAddress,
    /// `IPV6_V6ONLY`: all addresses of version 6 are not all of version 4 too.
    only_v6: bool,
}

/// Local ports in use.
#[derive(Default)]
pub struct Ports {
    /// Addresses of bound sockets by port; few at one port.
    bound: BTreeMap<u16, Vec<Bound>>,
    /// Connections by local port.
    connections: BTreeMap<u16, u32>,
    /// RFC 6056's next_ephemeral.
    next: u32,
}

impl Ports {
    /// Binds a socket. `reuse`: connections that are still there at this port don't matter.
    pub fn bind(&mut self, local: SocketAddr, reuse: bool) -> Result<(), SocketError> {
        self.bind_versions(local, false, reuse)
    }

    /// As [`Ports::bind`]; with `only_v6`, all addresses of version 6 are those alone.
    pub fn bind_versions(
        &mut self,
        local: SocketAddr,
        only_v6: bool,
        reuse: bool,
    ) -> Result<(), SocketError> {
        let new = Bound {
            ip: local.ip(),
            only_v6,
        };
        let taken = self
            .bound
            .get(&local.port())
            .is_some_and(|bound| bound.iter().any(|&old| meets(old, new)));
        let lingering = !reuse && self.connections.contains_key(&local.port());
        if taken || lingering {
            return Err(SocketError::EADDRINUSE);
        }
        self.bound.entry(local.port()).or_default().push(new);
        Ok(())
    }

    /// Binds a socket to any free ephemeral port.
    pub fn bind_any(
        &mut self,
        ip: IpAddress,
        range: (u16, u16),
        key: Key,
        fuel: &Fuel,
    ) -> Result<SocketAddr, SocketError> {
        let tuple = Tuple {
            local: ip,
            remote: ip,
            local_port: 0,
            remote_port: 0,
        };
        let port = self.pick(&tuple, range, key, fuel, |ports, port| {
            !ports.bound.contains_key(&port) && !ports.connections.contains_key(&port)
        })?;
        let local = SocketAddr::new(ip, port);
        self.bind(local, false)?;
        Ok(local)
    }

    /// A port for a connection to `tuple`'s remote end. `is_free`: no connection has the same name.
    pub fn ephemeral(
        &mut self,
        tuple: &Tuple,
        range: (u16, u16),
        key: Key,
        fuel: &Fuel,
        is_free: impl Fn(u16) -> bool,
    ) -> Result<u16, SocketError> {
        self.pick(tuple, range, key, fuel, |ports, port| {
            !ports.bound.contains_key(&port) && is_free(port)
        })
    }

    /// A bound socket is gone.
    pub fn unbind(&mut self, local: SocketAddr) {
        if let Some(addresses) = self.bound.get_mut(&local.port()) {
            if let Some(at) = addresses.iter().position(|a| a.ip == local.ip()) {
                addresses.swap_remove(at);
            }
            if addresses.is_empty() {
                self.bound.remove(&local.port());
            }
        }
    }

    /// A connection began at the port.
    pub fn connection_opened(&mut self, port: u16) {
        *self.connections.entry(port).or_default() += 1;
    }

    /// A connection at the port is gone.
    pub fn connection_closed(&mut self, port: u16) {
        let left = self.connections.get_mut(&port);
        let left = left.expect("a connection that ends has begun");
        *left -= 1;
        if *left == 0 {
            self.connections.remove(&port);
        }
    }

    /// Tries every port of the range at most once.
    fn pick(
        &mut self,
        tuple: &Tuple,
        (first, last): (u16, u16),
        key: Key,
        fuel: &Fuel,
        is_free: impl Fn(&Ports, u16) -> bool,
    ) -> Result<u16, SocketError> {
        let count = u32::from(last.saturating_sub(first)) + 1;
        let offset = key.hash_tuple(tuple) as u32;
        for _ in 0..count {
            fuel.burn(1);
            let step = offset.wrapping_add(self.next) % count;
            self.next = self.next.wrapping_add(1);
            let port = first + step as u16;
            if is_free(self, port) {
                return Ok(port);
            }
        }
        Err(SocketError::EADDRNOTAVAIL)
    }
}

/// Whether two sockets at one port are in each other's way. All addresses of version 6 are all of both versions: RFC
/// 3493, section 5.3.
fn meets(a: Bound, b: Bound) -> bool {
    let both = |one: Bound| one.ip.is_ipv6() && one.ip.is_unspecified() && !one.only_v6;
    let any = a.ip.is_unspecified() || b.ip.is_unspecified();
    a.ip == b.ip || both(a) || both(b) || (any && a.ip.is_ipv4() == b.ip.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn any_address_conflicts_with_every_address_of_the_port() {
        let mut ports = Ports::default();
        ports.bind(at("10.0.0.1:80"), false).expect("free");
        assert_eq!(
            ports.bind(at("0.0.0.0:80"), false),
            Err(SocketError::EADDRINUSE)
        );
        assert_eq!(ports.bind(at("10.0.0.2:80"), false), Ok(()));
        ports.unbind(at("10.0.0.1:80"));
        ports.unbind(at("10.0.0.2:80"));
        assert_eq!(ports.bind(at("0.0.0.0:80"), false), Ok(()));
    }

    #[test]
    fn any_address_of_version_6_conflicts_with_both_versions() {
        let mut ports = Ports::default();
        let in_use = Err(SocketError::EADDRINUSE);
        ports.bind(at("10.0.0.1:80"), false).expect("free");
        assert_eq!(ports.bind(at("[::]:80"), false), in_use);
        assert_eq!(ports.bind(at("[2001:db8::1]:80"), false), Ok(()));
        ports.bind(at("[::]:81"), false).expect("free");
        assert_eq!(ports.bind(at("0.0.0.0:81"), false), in_use);
        assert_eq!(ports.bind(at("[2001:db8::1]:81"), false), in_use);
        ports
            .bind_versions(at("[::]:82"), true, false)
            .expect("free");
        assert_eq!(ports.bind(at("0.0.0.0:82"), false), Ok(()));
        assert_eq!(ports.bind(at("[2001:db8::1]:82"), false), in_use);
    }

    #[test]
    fn connections_keep_a_port_busy_unless_it_is_reused() {
        let mut ports = Ports::default();
        ports.connection_opened(80);
        assert_eq!(
            ports.bind(at("0.0.0.0:80"), false),
            Err(SocketError::EADDRINUSE)
        );
        assert_eq!(ports.bind(at("0.0.0.0:80"), true), Ok(()));
        ports.connection_closed(80);
    }

    #[test]
    fn a_range_is_used_up_port_by_port_and_then_refused() {
        let mut ports = Ports::default();
        let mut seen = BTreeSet::new();
        let (ip, fuel) = (at("10.0.0.1:0").ip(), Fuel::new(1_000));
        for _ in 0..10 {
            let local = ports
                .bind_any(ip, (50_000, 50_009), Key(1, 2), &fuel)
                .expect("free");
            seen.insert(local.port());
        }
        assert_eq!(seen.len(), 10);
        assert_eq!(
            ports.bind_any(ip, (50_000, 50_009), Key(1, 2), &fuel),
            Err(SocketError::EADDRNOTAVAIL)
        );
    }
}
