//! The emulated Xen machine: a discrete-event simulator of one physical host, its hypervisor and its dom0.
//!
//! In reading order:
//!
//! - [`machine`]: the loop. One clock; everything acts at its effective instant, max(due, clock). [`config`] says what
//!   a machine is made of, [`inspect`] looks at one.
//! - `calls`: a running guest's view of Xen, with the points where others may act in between. `guests`: what runs in
//!   each domain. `guard` catches its panics.
//! - [`hypervisor`]: Xen's state. [`memory`] and [`physmap`]; [`evtchn`]; [`gnttab`]; [`memory_op`], [`hvm_op`];
//!   [`sched`] and [`clock`]; a domain's [`life`] and what is kept of it, [`domain`].
//! - [`toolstack`]: `xl`, which builds domains ([`start_info`]) and ends them.
//! - [`actor`]: dom0's backends and daemons as step machines ([`due`]: when). [`xenstore`] with its transport
//!   [`store_ring`], [`console`], both on [`pipe`]; [`netback`] and [`bridge`].
//! - [`event`], [`log`], [`frame`], [`time`], [`rng`]: what is reported and how; names; randomness by name.
//!
//! # How a segment travels
//!
//! 1. A guest grants the pages of its packet, writes slots into its transmit ring and sends an event (`calls` →
//!    [`evtchn`]). The event is an upcall for netback, which is now due.
//! 2. Netback looks at the ring, takes each slot once ([`netback::packet`]) and has Xen copy the granted bytes into
//!    dom0's own pages ([`netback::tx`] → [`gnttab::copy`]). The frame is born: it gets its name, and its bytes are
//!    recorded once.
//! 3. The frame enters its [`bridge`], which learns its source and looks up its destination: another vif, or an uplink
//!    and so [`Machine::transmit`]. What arrives by [`Machine::receive`] enters here too.
//! 4. Netback queues it towards its guest and, as soon as buffers are posted, has Xen copy it into them and answers in
//!    their slots ([`netback::rx`]); one event tells the guest of as many frames as went in.
#![forbid(unsafe_code)]

pub mod actor;
pub mod bridge;
mod calls;
pub mod clock;
pub mod config;
pub mod console;
pub mod domain;
pub mod due;
pub mod event;
pub mod evtchn;
#[cfg(test)]
mod fixture;
pub mod frame;
pub mod gnttab;
mod guard;
mod guests;
pub mod hvm_op;
pub mod hypervisor;
pub mod inspect;
pub mod life;
pub mod log;
pub mod machine;
pub mod memory;
pub mod memory_op;
pub mod netback;
pub mod physmap;
pub mod pipe;
pub mod rng;
pub mod sched;
pub mod start_info;
pub mod store_ring;
pub mod time;
pub mod toolstack;
pub mod xenstore;

/// The contract with guests, for those who look from outside at both.
pub use xen_abi as abi;

pub use actor::ActorKind;
pub use config::{
    Action, Costs, DomainConfig, ForcedSwitch, GuestFactory, MachineConfig, OnExit, VifConfig,
};
pub use event::{Event, Record, Source, Tap};
pub use frame::{Frame, FrameId, UplinkId};
pub use hypervisor::Hypervisor;
pub use inspect::{DomainInfo, DomainState, LeakReport};
pub use machine::{Machine, PowerOff};
pub use start_info::Module;
pub use time::Time;
pub use toolstack::ActionError;
