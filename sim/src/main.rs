//! The `evilbit` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    evilbit::cli::main()
}
