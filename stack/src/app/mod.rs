//! The applications that a builtin kernel runs.

pub mod chargen;
pub mod command;
pub mod desk;
pub mod discard;
pub mod echo;
pub mod empty;
pub mod http;
pub mod raw;
pub mod router;
pub mod script;
pub mod service;
