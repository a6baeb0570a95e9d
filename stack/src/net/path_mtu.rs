//! The path MTUs that are known to be less than the interface's (RFC 1191, RFC 8201), by destination. Bounded, and
//! each is forgotten after a while, since paths change (RFC 1191, 6.3).

use alloc::collections::{BTreeMap, VecDeque};

use xen_abi::Instant;

use crate::addr::IpAddress;

/// Path MTUs.
#[derive(Debug, Default)]
pub struct PathMtus {
    known: BTreeMap<IpAddress, usize>,
    /// When each is forgotten, the earliest in front. Learning again makes another entry; the last one counts.
    order: VecDeque<(Instant, IpAddress)>,
}

impl PathMtus {
    /// The largest packet for the way to `remote`, if it is less than the interface's.
    pub fn get(&self, remote: IpAddress) -> Option<usize> {
        self.known.get(&remote).copied()
    }

    /// The way to `remote` takes packets of `mtu` octets only, and that is remembered until `until`. At most `most`
    /// paths are.
    pub fn lower(&mut self, remote: IpAddress, mtu: usize, until: Instant, most: usize) {
        let mtu = self.get(remote).map_or(mtu, |known| known.min(mtu));
        self.order.retain(|&(_, other)| other != remote);
        while self.order.len() >= most.max(1) {
            self.forget_first();
        }
        self.known.insert(remote, mtu);
        self.order.push_back((until, remote));
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: Instant) {
        while self.order.front().is_some_and(|&(until, _)| until <= now) {
            self.forget_first();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = PathMtus::default();
    }

    fn forget_first(&mut self) {
        if let Some((_, remote)) = self.order.pop_front() {
            self.known.remove(&remote);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(n: u8) -> IpAddress {
        [10, 0, 0, n].into()
    }

    #[test]
    fn the_least_report_counts_until_it_is_too_old() {
        let mut paths = PathMtus::default();
        paths.lower(host(1), 1400, Instant(10), 4);
        paths.lower(host(1), 1300, Instant(20), 4);
        paths.lower(host(1), 1450, Instant(30), 4);
        assert_eq!(paths.get(host(1)), Some(1300));
        paths.expire(Instant(29));
        assert_eq!(paths.get(host(1)), Some(1300));
        paths.expire(Instant(30));
        assert_eq!(paths.get(host(1)), None);
    }

    #[test]
    fn the_path_learnt_first_makes_room() {
        let mut paths = PathMtus::default();
        for n in 1..=3 {
            paths.lower(host(n), 1400, Instant(10), 2);
        }
        assert_eq!(paths.get(host(1)), None);
        assert_eq!(
            (paths.get(host(2)), paths.get(host(3))),
            (Some(1400), Some(1400))
        );
    }
}
