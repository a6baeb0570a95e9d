//! smoltcp under the packetdrill suites: someone else's stack as the subject of the same scripts.
//!
//! ```text
//! cargo run -p evilbit --example smoltcp -- PATH…
//! ```
//!
//! What a stack needs for that is two things. [`sockets`] and [`calls`] give smoltcp's sockets the shape of POSIX's that do
//! not block ([`stack::api::Sockets`]), each an [`entry`]; descriptors, blocking and `poll` are [`stack::posix::Process`]'s. [`subject`] is time and
//! packets in, packets and a deadline out. What smoltcp does not have (most settings, `TCP_INFO`, most options, UDP here)
//! is refused with the error that a kernel without it gives, and the script that asks for it fails by name.

#![forbid(unsafe_code)]

mod calls;
mod entry;
mod sockets;
mod subject;
mod wire;

use std::process::ExitCode;

use evilbit::cli::packetdrill;
use evilbit::cli::scripts::Contender;
use evilbit::packetdrill::Script;
use evilbit::packetdrill::run::failure::Failure;
use evilbit::packetdrill::run::verdict::Verdict;
use evilbit::packetdrill::run::{Path, RunOptions, run_on};

use crate::subject::Smoltcp;

fn run(script: &Script, options: &RunOptions) -> Verdict {
    match options.path {
        Path::Raw => run_on(script, options, Smoltcp::new),
        Path::Xen => {
            let what = "no kernel of smoltcp's runs on the emulated machine";
            Verdict::skipped(Failure::new(script.events[0].place.0, what))
        }
    }
}

fn main() -> ExitCode {
    packetdrill::main(Contender {
        command: "cargo run -p evilbit --example smoltcp --",
        run,
    })
}
