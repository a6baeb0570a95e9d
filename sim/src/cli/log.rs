//! The simulator's own log, on stderr: `-v` for the world's deeds, `-vv` for everything, `EVILBIT_LOG` for filters.
//!
//! Its lines carry simulated time, machine and domain as fields, and no wall clock.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// Starts the log for this process.
pub fn start(verbose: u8) {
    let default = match verbose {
        0 => "off",
        1 => "evilbit=info",
        2 => "evilbit=debug",
        _ => "evilbit=trace",
    };
    let filter = match std::env::var("EVILBIT_LOG") {
        Ok(text) => EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::new(default)),
        Err(_) => EnvFilter::new(default),
    };
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // A second start in one process keeps the first: tests call commands as functions.
    let _ = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colour)
        .without_time()
        .try_init();
}
