//! evilbit: the world outside the machines, and the experimenter.
//!
//! The way of a scenario, which is the reading order:
//!
//! - [`scenario`] reads the language into a [`plan`], with [`site`] making web pages of Markdown; [`builder`] is the same
//!   for Rust.
//! - [`runner`] runs a plan once: [`world`] is turmoil's network with machines, switches and links on it, and time in
//!   rounds. All that is random comes from [`rng`], by name.
//! - [`trace`] merges what machines, links and the world report into one order, and hashes it: the run's identity.
//! - [`oracle`] judges the trace as it is merged; [`view`] shows it: ladder, snapshot, pcapng, JSON lines, log. A
//!   [`verdict`] is the one line about a run, [`failure`] the text about one that failed.
//! - [`cli`] is the command line, [`tap`] the bridge to a real network interface.
//!
//! # How a segment travels from machine to machine
//!
//! ```text
//! guest      its TCP writes a frame into granted memory and rings netback          stack/src/lib.rs tells how
//! machine    netback copies it, the bridge sends it to the uplink:                 xenemu/src/lib.rs tells how
//!            Machine::transmit gives it up, stamped                                world/machine.rs
//! egress     chance is drawn, the queue judges, it is serialised at the            world/link.rs, impair.rs, egress.rs
//!            link's rate; until then it dies with its sender
//! turmoil    in a datagram with the others of this round, host to host             world/datagram.rs, turmoil.rs
//! flight     it is the link's now: it waits for its arrival, and dies if           world/flight.rs, faults.rs
//!            the link is cut
//! machine    Machine::receive in the round that holds its arrival: bridge,         world/fabric.rs
//!            netback, a buffer of the other guest
//! ```
//!
//! Each step reports events into its own buffer. When a round ends, what is stamped before its end is merged and goes,
//! entry by entry, into the hash, then to the watchers: matchers, checks and views all see the same entry once.
//! Where rounds end leaves no mark: a round is so short that nothing sent in it can matter before the next.
#![forbid(unsafe_code)]

pub mod builder;
pub mod cli;
pub mod divergence;
pub mod failure;
pub mod oracle;
pub mod packetdrill;
pub mod plan;
pub mod rng;
pub mod runner;
pub mod scenario;
pub mod site;
#[cfg(target_os = "linux")]
pub mod tap;
pub mod trace;
pub mod verdict;
pub mod view;
pub mod world;

pub use builder::{Domain, Judgement, Link, Machine, Scenario, ScenarioError};
/// The contract of a guest, for those who bring their own.
pub use xenemu::abi as xen_abi;
