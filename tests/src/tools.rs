//! Programs from outside that tests need: where one is missing, a test is skipped by name, unless the environment
//! demands it.

use std::process::{Command, Stdio};

/// The first of these programs that cannot be run here.
pub fn missing<'a>(programs: &[&'a str]) -> Option<&'a str> {
    let found = |program: &str| {
        let look = format!("command -v {program}");
        let mut command = Command::new("sh");
        command.args(["-c", &look]).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    programs.iter().copied().find(|program| !found(program))
}

/// Says that a test is skipped, and why; with `demand` set to 1 in the environment that is a failure.
pub fn skip(test: &str, why: &str, demand: &str) {
    let demanded = std::env::var(demand).is_ok_and(|value| value == "1");
    assert!(!demanded, "{test} cannot run, and {demand}=1: {why}");
    eprintln!("{test}: skipped: {why}");
}
