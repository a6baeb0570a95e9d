//! Devices: where a stack puts frames, and the guest's side of Xen's split drivers. The latter are called from the
//! phases of a run, and nowhere else.
//!
//! - [`raw`]: devices without Xen, for a stack that runs alone.
//! - [`evtchn`]: event channels: which ports are pending, and how to ring the peer's.
//! - [`gnttab`]: grants: which frames the backend may use.
//! - [`ring`]: the arithmetic of a shared ring's front end.
//! - [`xenbus`]: messages over the xenstore ring. [`console`]: bytes over the console ring.
//! - [`netfront`]: Ethernet frames over two rings. A frame goes out by `netfront::tx` (built in place, granted, pushed)
//!   and comes in by `netfront::rx` (posted, filled by the backend, grant ended, parsed in place).

pub mod console;
pub mod evtchn;
#[cfg(test)]
pub(crate) mod fake;
pub mod gnttab;
pub mod netfront;
pub mod raw;
pub mod ring;
pub mod xenbus;
