#![no_std]
#![forbid(unsafe_code)]
//! The contract between a guest and Xen.
//!
//! Guests (`evilbit-stack`) and the emulated machine (`evilbit-xenemu`) know each other only through this crate:
//! the [`Hypercalls`] that a guest may make, the [`Guest`] that a machine runs, and the layouts and constants of
//! Xen's public headers. In reading order:
//!
//! - [`contract`]: what a guest may ask and when others may act; [`Fuel`]; [`Sink`].
//! - the hypercalls, one module a public header: [`event_channel`], [`grant_table`], [`memory`], [`hvm`], [`vcpu`],
//!   [`sched`], [`version`]
//! - shared structures: [`shared_info`], [`start_info`], and [`io`] (rings of netif, xenstore, console; xenbus states)
//! - [`errno`]: how a hypercall refuses.

extern crate alloc;

pub mod codec;
pub mod contract;
pub mod errno;
pub mod event_channel;
pub mod grant_table;
pub mod hvm;
pub mod io;
pub mod memory;
pub mod sched;
pub mod shared_info;
pub mod start_info;
pub mod vcpu;
pub mod version;

pub use contract::*;
pub use errno::{Errno, HypercallResult};
