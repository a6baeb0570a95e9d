//! evilbit: the world outside the machines, and the experimenter.

pub mod oracle;
pub mod plan;
pub mod rng;
pub mod scenario;
pub mod site;
pub mod trace;
pub mod verdict;
pub mod view;
pub mod world;
