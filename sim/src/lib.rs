//! evilbit: the world outside the machines, and the experimenter.

pub mod plan;
pub mod scenario;
pub mod site;
pub mod trace;
