//! evilbit: the world outside the machines, and the experimenter.

pub mod plan;
pub mod rng;
pub mod trace;
pub mod world;
