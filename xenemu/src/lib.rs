//! The emulated Xen machine: a discrete-event simulator of one physical host, its hypervisor and its dom0.
//!
//! A frame's way through a machine, in reading order:
//!
//! - [`machine`]: the loop. One clock; everything acts at its effective instant, max(due, clock).
//! - [`calls`]: a running guest's view of Xen, with the points where others may act in between.
//! - [`hypervisor`]: Xen's state. [`memory`] and [`physmap`]; [`evtchn`]; [`gnttab`]; [`memory_op`], [`hvm_op`];
//!   [`sched`] and [`clock`]; a domain's [`life`] and what is kept of it, [`domain`].
//! - [`actor`]: dom0's backends and daemons as step machines.
//! - [`event`], [`log`], [`frame`], [`time`], [`rng`]: what is reported and how; names; randomness by name.

pub mod actor;
pub mod bridge;
pub mod clock;
pub mod domain;
pub mod event;
pub mod evtchn;
pub mod frame;
pub mod gnttab;
pub mod hvm_op;
pub mod hypervisor;
pub mod life;
pub mod log;
pub mod memory;
pub mod memory_op;
pub mod netback;
pub mod physmap;
pub mod rng;
pub mod sched;
pub mod time;
pub mod xenstore;

pub use event::{Event, Record, Source, Tap};
pub use frame::{Frame, FrameId, UplinkId};
pub use hypervisor::Hypervisor;
pub use time::Time;
