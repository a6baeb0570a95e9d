//! What an administrator says about the way to a host (`ip-route(8)`): it takes the place of what the stack would believe
//! by itself. Few hosts have any, and a host that has none costs nothing.

use alloc::collections::BTreeMap;

use crate::addr::IpAddress;

/// Attributes of the way to a host; what is not said is as it would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The segment size to announce, octets (`advmss`).
    pub advertised_mss: Option<u16>,
    /// The largest packet, octets (`mtu`).
    pub mtu: Option<u16>,
    /// No message about the path changes that (`mtu lock`).
    pub mtu_locked: bool,
    /// The initial congestion window, segments (`initcwnd`).
    pub initial_window: Option<u32>,
}

/// All that was said.
#[derive(Debug, Default)]
pub struct RouteMetrics(BTreeMap<IpAddress, Metrics>);

impl RouteMetrics {
    /// Says something else about the way to `remote`; nothing of what was said before holds.
    pub fn set(&mut self, remote: IpAddress, metrics: Metrics) {
        match metrics == Metrics::default() {
            true => self.0.remove(&remote),
            false => self.0.insert(remote, metrics),
        };
    }

    /// What was said about the way to `remote`.
    pub fn of(&self, remote: IpAddress) -> Metrics {
        self.0.get(&remote).copied().unwrap_or_default()
    }

    /// Whether messages about the path to `remote` are not believed.
    pub fn is_locked(&self, remote: IpAddress) -> bool {
        self.of(remote).mtu_locked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_last_holds_for_its_host_alone() {
        let [a, b]: [IpAddress; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let small = Metrics {
            mtu: Some(640),
            mtu_locked: true,
            ..Metrics::default()
        };
        let mut all = RouteMetrics::default();
        all.set(a, small);
        assert_eq!((all.of(a), all.of(b)), (small, Metrics::default()));
        assert!(all.is_locked(a) && !all.is_locked(b));
        all.set(a, Metrics::default());
        assert_eq!(all.of(a), Metrics::default());
    }
}
