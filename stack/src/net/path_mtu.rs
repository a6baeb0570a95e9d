//! What is known of the way to a destination: that it takes no longer packets than this (RFC 1191, RFC 8201). One
//! bounded table for both families; what is in it is forgotten after a while, since ways get wider too (RFC 8201,
//! section 4: not before five minutes, ten are recommended).

use alloc::collections::BTreeMap;

use xen_abi::Instant;

use crate::addr::IpAddress;
use crate::net::profile::SECOND;

/// Destinations that are remembered; the one that would be forgotten first gives way.
const MOST: usize = 256;
/// For how long.
const LIFETIME: u64 = 600 * SECOND;

/// Destinations whose way is narrower than the first link.
#[derive(Debug, Default)]
pub struct PathMtus {
    /// The longest packet in bytes, and until when that is believed.
    paths: BTreeMap<IpAddress, (usize, Instant)>,
}

impl PathMtus {
    /// The longest packet that the way to `dst` is known to take.
    #[inline]
    pub fn get(&self, now: Instant, dst: IpAddress) -> Option<usize> {
        if self.paths.is_empty() {
            return None;
        }
        let &(mtu, until) = self.paths.get(&dst)?;
        (now < until).then_some(mtu)
    }

    /// The way to `dst` takes packets of `mtu` bytes and no longer ones. A packet too big never makes it wider.
    pub fn lower(&mut self, now: Instant, dst: IpAddress, mtu: usize) {
        if self.get(now, dst).is_some_and(|known| known < mtu) {
            return;
        }
        if self.paths.len() >= MOST && !self.paths.contains_key(&dst) {
            let first = self.paths.iter().min_by_key(|(_, (_, until))| *until);
            if let Some(dst) = first.map(|(dst, _)| *dst) {
                self.paths.remove(&dst);
            }
        }
        self.paths.insert(dst, (mtu, now.plus(LIFETIME)));
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_way_gets_narrower_by_what_is_heard_and_wider_by_time_alone() {
        let mut paths = PathMtus::default();
        let dst = "2001:db8::9".parse().unwrap();
        assert_eq!(paths.get(Instant(0), dst), None);
        paths.lower(Instant(0), dst, 1400);
        paths.lower(Instant(1), dst, 1450);
        assert_eq!(paths.get(Instant(2), dst), Some(1400));
        paths.lower(Instant(2), dst, 1280);
        assert_eq!(paths.get(Instant(LIFETIME + 1), dst), Some(1280));
        assert_eq!(paths.get(Instant(LIFETIME + 2), dst), None);
    }

    #[test]
    fn a_flood_of_destinations_is_bounded() {
        let mut paths = PathMtus::default();
        for n in 0..1000u32 {
            paths.lower(Instant(n.into()), Ipv4Addr::from(n).into(), 1000);
        }
        assert_eq!(paths.paths.len(), MOST);
        assert!(
            paths
                .get(Instant(1000), Ipv4Addr::from(999).into())
                .is_some()
        );
    }
}
