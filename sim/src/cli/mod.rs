//! The command line: words in, exit codes out.
//!
//! [`args`] are the words; a file a command: [`run`] (and `replay`), [`test`], [`serve`], [`packetdrill`], [`help`].
//! [`discover`] finds files, [`outputs`] looks at the files to be written, [`session`] runs a scenario, [`scripts`] run
//! packetdrill scripts, [`out`] is stdout, [`log`] the simulator's talk on stderr.
//!
//! Exit codes: 0 all held; 1 an expectation, a snapshot or an invariant failed; 2 the input or the usage was bad, and
//! nothing was written.

pub mod args;
pub mod discover;
pub mod help;
pub mod log;
pub mod out;
pub mod outputs;
pub mod packetdrill;
pub mod run;
pub mod scripts;
pub mod serve;
pub mod session;
pub mod test;

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Command};
use self::out::{Out, talk};
use self::scripts::Contender;
use crate::scenario::Report;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All held.
    Held,
    /// Something failed.
    Failed,
    /// The input or the usage was bad.
    Bad,
}

impl Exit {
    /// The worse of two.
    pub fn and(self, other: Exit) -> Exit {
        match (self, other) {
            (Exit::Bad, _) | (_, Exit::Bad) => Exit::Bad,
            (Exit::Failed, _) | (_, Exit::Failed) => Exit::Failed,
            _ => Exit::Held,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Held => 0,
            Exit::Failed => 1,
            Exit::Bad => 2,
        })
    }
}

/// Bad input or usage; what is wrong was said already.
#[derive(Debug)]
pub struct BadInput;

impl BadInput {
    /// Says what is wrong, and what to do about it.
    pub fn say(what: impl Display, hint: Option<&str>) -> BadInput {
        talk(format_args!("error: {what}"));
        if let Some(hint) = hint {
            talk(format_args!("  help: {hint}"));
        }
        BadInput
    }
    /// Shows what is wrong with a scenario.
    pub fn show(report: &Report) -> BadInput {
        talk(report.render(out::colour()).trim_end());
        BadInput
    }
}

/// The `evilbit` command.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no error; a closed pipe is nobody to tell.
            let bad = error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if bad { 2 } else { 0 });
        }
    };
    let mut out = Out::default();
    // A bug of the testbed is a failure of the run; what it was, the panic's own message said.
    let exit = catch_unwind(AssertUnwindSafe(|| command(&cli, &mut out))).unwrap_or_else(|_| {
        talk("internal error: this is a bug of evilbit, please report it");
        Ok(Exit::Failed)
    });
    match exit.unwrap_or(Exit::Bad) {
        Exit::Held if !out.arrived() => Exit::Bad.into(),
        exit => exit.into(),
    }
}

fn command(cli: &Cli, out: &mut Out) -> Result<Exit, BadInput> {
    log::start(cli.verbose)?;
    match &cli.command {
        Command::Run(args) => run::run(args, out),
        Command::Replay(args) => run::replay(args, out),
        Command::Test(args) => test::test(args, out),
        Command::Serve(args) => serve::serve(args, out),
        Command::Packetdrill(args) => packetdrill::packetdrill(args, Contender::default(), out),
        Command::Help(args) => help::help(args, out),
    }
}
