//! Devices: where a stack puts frames.

pub mod raw;
