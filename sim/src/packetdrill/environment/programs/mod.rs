//! The programs that a command can name. Each knows exactly the options that scripts give it.
//!
//! [`settings`]: sysctl and the suites' own scripts; [`device`]: tc, ethtool, ip; [`listing`]: sockstat, tcpdrop, nstat;
//! [`text`]: grep, wc, echo, cat.

mod device;
mod listing;
mod settings;
mod text;

use super::run::Outcome;
use super::{Environment, Failure, Host};

/// The longest `sleep`, seconds.
const MAX_SLEEP: f64 = 3600.0;

/// All programs, by their names; restore scripts have one that differs from process to process.
const NAMES: [&str; 16] = [
    "sysctl",
    "defaults.sh",
    "set_sysctls.py",
    "tc",
    "ethtool",
    "ip",
    "kldload",
    "sockstat",
    "tcpdrop",
    "nstat",
    "grep",
    "wc",
    "cat",
    "echo",
    "true",
    "sleep",
];

/// Is there a program of this name?
pub fn knows(name: &str) -> bool {
    NAMES.contains(&name) || name == ":" || settings::is_restore_script(&format!("/tmp/{name}"))
}

/// Runs a program.
pub fn run(
    environment: &mut Environment,
    host: &mut dyn Host,
    path: &str,
    arguments: &[&str],
    input: &str,
) -> Result<Outcome, Failure> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "sysctl" => settings::sysctl(environment, host, arguments),
        "defaults.sh" => settings::defaults(environment, host, arguments),
        "set_sysctls.py" => settings::set_sysctls(environment, host, arguments),
        _ if settings::is_restore_script(path) => settings::restore(environment, host, arguments),
        "tc" => device::tc(host, arguments),
        "ethtool" => device::ethtool(host, arguments),
        "ip" => device::ip(host, arguments),
        "kldload" => device::kldload(arguments),
        "sockstat" => listing::sockstat(host, arguments),
        "tcpdrop" => listing::tcpdrop(host, arguments),
        "nstat" => listing::nstat(environment, host, arguments),
        "grep" => text::grep(environment, host, arguments, input),
        "wc" => text::wc(arguments, input),
        "cat" => text::cat(environment, host, arguments, input),
        "echo" => Ok(text::echo(arguments)),
        "true" | ":" => Ok(Outcome::quiet()),
        "sleep" => sleep(host, arguments),
        _ => Err(Failure::UnknownProgram(path.to_owned())),
    }
}

fn sleep(host: &mut dyn Host, arguments: &[&str]) -> Result<Outcome, Failure> {
    let seconds = match arguments {
        [one] => one.parse::<f64>().ok(),
        _ => None,
    };
    match seconds {
        Some(seconds) if (0.0..=MAX_SLEEP).contains(&seconds) => {
            host.sleep((seconds * 1e9) as u64)?;
            Ok(Outcome::quiet())
        }
        _ => Err(unknown("sleep", &arguments.join(" "))),
    }
}

/// The program does not know the argument.
fn unknown(program: &str, argument: &str) -> Failure {
    Failure::UnknownArgument {
        program: program.to_owned(),
        argument: argument.to_owned(),
    }
}
