//! The kernel around a TCP/IP stack: boot, the phases of a run, tasks, and what tasks may ask.
//!
//! - [`kernel`]: [`Unikernel`], the [`Guest`](xen_abi::Guest) that the machine runs, and its phases.
//! - [`boot`]: how it comes up. [`control`], [`vif`]: the kernel's own tasks: shutdown, and the life of an interface.
//! - [`interfaces`]: the network devices in these phases.
//! - [`executor`], [`timers`]: who is polled when.
//! - [`shared`]: the one cell between tasks and phases. [`handle`]: [`Os`], the tasks' way to it, with
//!   [`tcp`], [`udp`], [`ping`] and [`xenstore`] to await.
//! - [`raw`]: the stack of an application that is its own stack.

pub mod boot;
pub mod control;
pub mod executor;
pub mod handle;
pub mod interfaces;
pub mod kernel;
pub mod ping;
pub mod raw;
pub mod shared;
pub mod tcp;
pub mod timers;
pub mod udp;
pub mod vif;
pub mod xenstore;

pub use boot::Module;
pub use handle::{Interest, Os, Sleep, Stopping, TimedOut};
pub use kernel::{AppMain, MakeStack, StackConfig, Unikernel};
pub use ping::PingError;
pub use raw::FramePort;
pub use shared::{TcpIp, WallClock};
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use vif::InterfaceConfig;
pub use xenstore::{Watch, Xenstore};

#[cfg(test)]
mod tests;
