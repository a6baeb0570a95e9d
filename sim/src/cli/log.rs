//! The simulator's own log, on stderr: `-v` for the world's deeds, `-vv` for packets and connections too, `-vvv` for
//! everything; `EVILBIT_LOG` for filters.
//!
//! Its lines carry simulated time, machine and domain as fields ([`crate::view::log`]), and no wall clock.

use std::env::{self, VarError};
use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use super::BadInput;
use super::out;

/// Starts the log for this process.
pub fn start(verbose: u8) -> Result<(), BadInput> {
    let default = match verbose {
        0 => "off",
        1 => "evilbit=info",
        2 => "evilbit=debug",
        _ => "evilbit=trace",
    };
    let filter = match env::var("EVILBIT_LOG") {
        Err(VarError::NotPresent) => EnvFilter::new(default),
        Ok(text) => EnvFilter::try_new(text).map_err(|e| refuse(&e))?,
        Err(not_unicode) => return Err(refuse(&not_unicode)),
    };
    // A second start in one process keeps the first: tests call commands as functions.
    let _ = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(out::colour())
        .without_time()
        .try_init();
    Ok(())
}

fn refuse(error: &dyn std::error::Error) -> BadInput {
    let hint = Some("a level, or target=level, separated by commas: evilbit=debug");
    BadInput::say(format_args!("EVILBIT_LOG: {error}"), hint)
}
