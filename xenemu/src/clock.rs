//! The clocks that a guest reads from its `shared_info`: `vcpu_time_info` and the wall clock.

use xen_abi::shared_info::{
    SHARED_INFO_SIZE, VCPU_TIME_SYSTEM_TIME, VCPU_TIME_TSC_SHIFT, VCPU_TIME_TSC_TIMESTAMP,
    VCPU_TIME_TSC_TO_SYSTEM_MUL, VCPU_TIME_VERSION, WC_NSEC, WC_SEC, WC_SEC_HI, WC_VERSION,
};
use xen_abi::{DomId, PAGE_SIZE, Width};

use crate::hypervisor::Hypervisor;

const _: () = assert!(SHARED_INFO_SIZE <= PAGE_SIZE);

impl Hypervisor {
    /// Writes the wall clock once: wall = wc + system time.
    pub(crate) fn init_shared_info(&mut self, domid: DomId) {
        let base = self.wall_clock_base();
        let secs = base / 1_000_000_000;
        self.put_shared(domid, WC_VERSION, Width::B4, 1);
        self.put_shared(domid, WC_SEC, Width::B4, secs);
        self.put_shared(domid, WC_NSEC, Width::B4, base % 1_000_000_000);
        self.put_shared(domid, WC_SEC_HI, Width::B4, secs >> 32);
        self.put_shared(domid, WC_VERSION, Width::B4, 2);
    }

    /// Writes the system time before a run: `__update_vcpu_system_time`. The version is odd meanwhile.
    ///
    /// The time-stamp counter runs at 1 GHz and shows the system time itself, so the scale is 2³² >> 32 with a shift of
    /// one, a multiplier of 2³² not fitting the field.
    pub(crate) fn update_vcpu_time(&mut self, domid: DomId) {
        let now = self.system_time(self.now()).0;
        let Some(page) = self.domains.get(domid).and_then(|d| d.shared_info) else {
            return;
        };
        let version = self
            .memory
            .load(page, VCPU_TIME_VERSION as usize, Width::B4);
        let odd = (version as u32).wrapping_add(1) | 1;
        self.put_shared(domid, VCPU_TIME_VERSION, Width::B4, odd.into());
        self.put_shared(domid, VCPU_TIME_TSC_TIMESTAMP, Width::B8, now);
        self.put_shared(domid, VCPU_TIME_SYSTEM_TIME, Width::B8, now);
        self.put_shared(domid, VCPU_TIME_TSC_TO_SYSTEM_MUL, Width::B4, 0x8000_0000);
        self.put_shared(domid, VCPU_TIME_TSC_SHIFT, Width::B1, 1);
        self.put_shared(
            domid,
            VCPU_TIME_VERSION,
            Width::B4,
            odd.wrapping_add(1).into(),
        );
    }

    fn put_shared(&mut self, domid: DomId, at: u64, width: Width, value: u64) {
        if let Some(page) = self.domains.get(domid).and_then(|d| d.shared_info) {
            self.memory.store(page, at as usize, width, value);
        }
    }
}
