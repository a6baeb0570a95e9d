//! Programs that read and write settings.

use super::super::linux::SUITE_DEFAULTS;
use super::super::run::Outcome;
use super::super::{Environment, Failure, Host, files};
use super::unknown;

/// sysctl(8) of both systems: `NAME` prints, `NAME=VALUE` sets.
pub fn sysctl(
    environment: &mut Environment,
    host: &mut dyn Host,
    arguments: &[&str],
) -> Result<Outcome, Failure> {
    let mut printed = String::new();
    let (mut quiet, mut bare) = (false, false);
    for &argument in arguments {
        match (argument, argument.split_once('=')) {
            // -e would ignore unknown names: here they are still told.
            ("-w" | "-e", _) => {}
            ("-q", _) => quiet = true,
            ("-n", _) => bare = true,
            (_, Some((name, value))) => {
                environment.set(host, name, value)?;
                if !quiet {
                    printed += &format!("{name} = {value}\n");
                }
            }
            _ if argument.starts_with('-') => return Err(unknown("sysctl", argument)),
            _ if bare => printed += &format!("{}\n", environment.value(argument)?),
            _ => printed += &format!("{argument} = {}\n", environment.value(argument)?),
        }
    }
    Ok(Outcome::says(printed))
}

/// The values that a suite takes for granted.
pub fn defaults(
    environment: &mut Environment,
    host: &mut dyn Host,
    arguments: &[&str],
) -> Result<Outcome, Failure> {
    if let Some(argument) = arguments.first() {
        return Err(unknown("defaults.sh", argument));
    }
    host.forget_peers();
    for (name, value) in SUITE_DEFAULTS {
        match environment.set(host, name, value) {
            // They are the ground that scripts stand on, not what one is about: as the profile is that a stack is made with.
            Err(Failure::Untold { .. }) => {}
            set => set?,
        }
    }
    host.limit_queue(None)?;
    host.pace(false)?;
    Ok(Outcome::quiet())
}

/// `FILE=VALUE…`: sets, and keeps what a restore script brings back.
pub fn set_sysctls(
    environment: &mut Environment,
    host: &mut dyn Host,
    arguments: &[&str],
) -> Result<Outcome, Failure> {
    environment.forget_saved();
    for argument in arguments {
        let Some((file, value)) = argument.split_once('=') else {
            return Err(unknown("set_sysctls.py", argument));
        };
        let name = files::setting(file).ok_or_else(|| Failure::UnknownFile(file.to_owned()))?;
        environment.save(&name)?;
        environment.set(host, &name, value)?;
    }
    Ok(Outcome::quiet())
}

/// Whether a program is the script that [`set_sysctls`] has left for the end.
pub fn is_restore_script(path: &str) -> bool {
    path == "/tmp/sysctl_restore_${PPID}.sh"
}

/// Brings back what [`set_sysctls`] found.
pub fn restore(
    environment: &mut Environment,
    host: &mut dyn Host,
    arguments: &[&str],
) -> Result<Outcome, Failure> {
    if let Some(argument) = arguments.first() {
        return Err(unknown("the restore script", argument));
    }
    environment.restore(host)?;
    Ok(Outcome::quiet())
}
