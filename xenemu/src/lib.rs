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
//!   [`store_ring`], [`console`], both on [`pipe`]. A frame's way: [`netback`] → [`bridge`] → netback, or an uplink.
//! - [`event`], [`log`], [`frame`], [`time`], [`rng`]: what is reported and how; names; randomness by name.

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
