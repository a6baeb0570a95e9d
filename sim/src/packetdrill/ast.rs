//! A whole script: its options, the command before it, its events, the command after it.

use std::fmt;

use super::call::Call;
use super::command::Command;
use super::packet::Packet;
use super::place::Place;
use super::time::When;

/// A script. Printed, it is a script with the same meaning: comments, blanks and names are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub options: Vec<OptionLine>,
    /// The command that runs before the clock starts.
    pub init: Option<Command>,
    /// At least one.
    pub events: Vec<Event>,
    /// The command that runs at the end, whatever happens.
    pub cleanup: Option<Command>,
}

/// `--name=value`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionLine {
    pub place: Place,
    pub name: String,
    pub value: Option<String>,
}

/// Something that happens, or has to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// From its time to its last word.
    pub place: Place,
    pub when: When,
    pub action: Action,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Packet(Box<Packet>),
    Call(Box<Call>),
    Command(Command),
    Code(Code),
}

/// `%{ … }%`: assertions about the socket's state, in a subset of Python
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub text: String,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.options.iter().try_for_each(|o| writeln!(f, "{o}"))?;
        if let Some(init) = &self.init {
            writeln!(f, "{init}")?;
        }
        self.events.iter().try_for_each(|e| writeln!(f, "{e}"))?;
        match &self.cleanup {
            Some(cleanup) => writeln!(f, "{cleanup}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for OptionLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "--{}={value}", self.name),
            None => write!(f, "--{}", self.name),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = match &self.action {
            Action::Call(call) if call.until.is_some() => "",
            _ => " ",
        };
        write!(f, "{}{between}", self.when)?;
        match &self.action {
            Action::Packet(packet) => write!(f, "{packet}"),
            Action::Call(call) => write!(f, "{call}"),
            Action::Command(command) => write!(f, "{command}"),
            Action::Code(code) => write!(f, "%{{ {} }}%", code.text),
        }
    }
}
