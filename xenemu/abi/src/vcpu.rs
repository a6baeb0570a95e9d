//! `xen/vcpu.h`: a virtual CPU's timers.

use crate::contract::Instant;

/// `VCPUOP_*`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VcpuOp {
    /// `VCPUOP_set_singleshot_timer`: raises `VIRQ_TIMER` at the absolute system time `timeout_abs`.
    SetSingleshotTimer {
        /// When.
        timeout_abs: Instant,
        /// `VCPU_SSHOTTMR_future`: refuse a time in the past with ETIME.
        future: bool,
    },
    /// `VCPUOP_stop_singleshot_timer`
    StopSingleshotTimer,
    /// `VCPUOP_stop_periodic_timer`
    StopPeriodicTimer,
    /// `VCPUOP_is_up`
    IsUp,
    /// A command number that no header knows.
    Unknown {
        /// The number.
        cmd: u32,
    },
}
