//! The applications that a builtin kernel runs.

pub mod command;
pub mod http;
pub mod raw;
pub mod script;
