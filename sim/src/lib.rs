//! evilbit: the world outside the machines, and the experimenter.

pub mod cli;
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
