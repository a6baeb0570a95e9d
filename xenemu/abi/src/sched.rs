//! `xen/sched.h`: shutdown reasons, and the operations that are not a way to block.

/// `SHUTDOWN_*`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ShutdownReason {
    /// `SHUTDOWN_poweroff`
    Poweroff = 0,
    /// `SHUTDOWN_reboot`
    Reboot = 1,
    /// `SHUTDOWN_suspend`
    Suspend = 2,
    /// `SHUTDOWN_crash`
    Crash = 3,
    /// `SHUTDOWN_watchdog`
    Watchdog = 4,
}

/// `SCHEDOP_*`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchedOp {
    /// `SCHEDOP_watchdog`: with `id` 0 a new one; `timeout` in seconds, 0 disarms.
    Watchdog {
        /// Which.
        id: u32,
        /// Seconds.
        timeout: u32,
    },
    /// A command number that no header knows.
    Unknown {
        /// The number.
        cmd: u32,
    },
}
