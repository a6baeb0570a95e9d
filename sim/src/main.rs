//! The `evilbit` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    evilbit::cli::main()
}
