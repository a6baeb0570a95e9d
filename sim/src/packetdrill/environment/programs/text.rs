//! Programs that filter text.

use super::super::run::Outcome;
use super::super::{Environment, Failure, Host, files};
use super::unknown;

/// What a pattern may not hold: here it is a text to be found.
const SPECIAL: [char; 8] = ['.', '*', '[', ']', '^', '$', '\\', '+'];

/// `grep [-c] [-q] TEXT [FILE…]`
pub fn grep(
    environment: &Environment,
    host: &mut dyn Host,
    arguments: &[&str],
    input: &str,
) -> Result<Outcome, Failure> {
    let (mut count, mut quiet) = (false, false);
    let mut rest = arguments;
    while let [option, after @ ..] = rest
        && option.starts_with('-')
    {
        match *option {
            "-c" => count = true,
            "-q" => quiet = true,
            _ => return Err(unknown("grep", option)),
        }
        rest = after;
    }
    let Some((pattern, paths)) = rest.split_first() else {
        return Err(unknown("grep", "no pattern"));
    };
    if pattern.contains(SPECIAL) {
        return Err(unknown("grep", pattern));
    }
    let mut text = String::new();
    for path in paths {
        text += &files::read(environment, host, path)?;
    }
    let searched = if paths.is_empty() { input } else { &text };
    let found: Vec<&str> = searched.lines().filter(|l| l.contains(pattern)).collect();
    let output = match (quiet, count) {
        (true, _) => String::new(),
        (false, true) => format!("{}\n", found.len()),
        (false, false) => found.iter().flat_map(|line| [line, "\n"]).collect(),
    };
    let status = u8::from(found.is_empty());
    Ok(Outcome { output, status })
}

/// `wc -l`
pub fn wc(arguments: &[&str], input: &str) -> Result<Outcome, Failure> {
    match arguments {
        ["-l"] => Ok(Outcome::says(format!("{}\n", input.lines().count()))),
        _ => Err(unknown("wc", &arguments.join(" "))),
    }
}

/// `cat [FILE…]`
pub fn cat(
    environment: &Environment,
    host: &mut dyn Host,
    arguments: &[&str],
    input: &str,
) -> Result<Outcome, Failure> {
    if arguments.is_empty() {
        return Ok(Outcome::says(input.to_owned()));
    }
    let mut text = String::new();
    for path in arguments {
        text += &files::read(environment, host, path)?;
    }
    Ok(Outcome::says(text))
}

/// `echo WORD…`
pub fn echo(arguments: &[&str]) -> Outcome {
    Outcome::says(format!("{}\n", arguments.join(" ")))
}
