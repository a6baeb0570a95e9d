//! The one trace: every view, oracle and hash is derived from it.

pub mod entry;
pub mod frames;
