//! evilbit: the world outside the machines, and the experimenter.

pub mod plan;
pub mod trace;
