//! A network namespace of a test's own: nothing in it reaches the machine's network, and it goes when the test does.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// Namespaces of this process so far.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A namespace, removed on drop.
pub struct Namespace(String);

impl Namespace {
    /// Makes one, if this process may.
    pub fn make() -> Result<Namespace, String> {
        let n = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("evilbit-{}-{n}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        let made = made.map_err(|error| format!("ip: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).trim().to_owned());
        }
        Ok(Namespace(name))
    }

    /// A program that will run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }

    /// Runs a program inside to its end.
    pub fn run(&self, program: &str, args: &[&str]) -> Output {
        let output = self.command(program).args(args).output();
        output.unwrap_or_else(|error| panic!("{program}: {error}"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It may hold the drop of a test that failed: nobody is left to tell.
        let _ = Command::new("ip")
            .args(["netns", "delete", &self.0])
            .output();
    }
}
