//! What commands in back quotes change. They were written for a shell on a real system; here a small interpreter knows
//! the programs, options and settings that scripts use, and what each of them means for the stack under test. Nothing
//! of the machine that the run stands on is ever reached: no shell, no process, no file. Whatever is not known fails the
//! script, by name, for a setting that is silently ignored would make its verdict a lie.
//!
//! In reading order: [`shell`] makes pipelines of a text; [`run`] runs them; [`programs`] are what they name; [`files`]
//! are the few paths that exist; [`sysctl`] is the settings' table, filled by [`linux`] and [`freebsd`]; [`host`] is what
//! is asked of the machine under test; [`failure`] why a command fails.

pub mod failure;
pub mod files;
pub mod freebsd;
pub mod host;
pub mod linux;
pub mod programs;
pub mod run;
pub mod shell;
pub mod sysctl;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

use stack::profile::Profile;

pub use failure::Failure;
pub use host::{Host, NoSuchSetting, RouteChange};

use super::command::Command;

/// A system's settings, as the commands of one script have left them.
#[derive(Clone, Debug)]
pub struct Environment {
    profile: Profile,
    /// What was written, by the setting's name.
    values: BTreeMap<&'static str, String>,
    /// What a restore script would write back.
    saved: Vec<(&'static str, String)>,
    /// The counters when they were last shown.
    shown: BTreeMap<&'static str, u64>,
}

impl Environment {
    /// A system as it was booted with `profile`.
    pub fn new(profile: Profile) -> Environment {
        Environment {
            profile,
            values: BTreeMap::new(),
            saved: Vec::new(),
            shown: BTreeMap::new(),
        }
    }

    /// The profile that connections get from now on.
    pub fn profile(&self) -> Rc<Profile> {
        Rc::new(self.profile.clone())
    }

    /// Runs a command of the script; settings that changed are told to `host` before it returns.
    ///
    /// # Errors
    ///
    /// What is not known, what has a wrong value, and a command whose last program exits with another status than 0.
    pub fn command(&mut self, command: &Command, host: &mut dyn Host) -> Result<(), Failure> {
        let pipelines = shell::parse(&command.text)?;
        run::run(self, host, &pipelines)
    }
}
