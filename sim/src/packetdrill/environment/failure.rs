//! Why a command fails.

use thiserror::Error;

/// A command that cannot be run, or that says no.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The text is more than the words, pipes and redirections that are known here.
    #[error("`{what}` is shell that is not known here: {why}")]
    Syntax { what: String, why: &'static str },
    /// There is no such program.
    #[error("no program `{0}`")]
    UnknownProgram(String),
    /// The program has no such option or argument.
    #[error("{program} knows no `{argument}`")]
    UnknownArgument { program: String, argument: String },
    /// There is no such setting.
    #[error("no setting `{0}`")]
    UnknownSysctl(String),
    /// The setting does not take the value.
    #[error("setting {name} does not take `{value}`: {why}")]
    BadValue {
        name: String,
        value: String,
        why: &'static str,
    },
    /// The stack under test has no such setting, or not this value of it.
    #[error("the stack under test cannot be told {name}={value}")]
    Untold { name: String, value: String },
    /// There is no such file.
    #[error("no file `{0}`")]
    UnknownFile(String),
    /// The machine under test cannot do that.
    #[error("the machine under test cannot {0}")]
    Unsupported(&'static str),
    /// A program exited with another status than 0.
    #[error("{program} exits with status {status}")]
    Status { program: String, status: u8 },
}
