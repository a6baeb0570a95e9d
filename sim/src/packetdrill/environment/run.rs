//! Running pipelines: each program gets what the one before it printed.

use super::files;
use super::programs;
use super::shell::{Invocation, Pipeline};
use super::{Environment, Failure, Host};

/// What a program printed, and its exit status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub output: String,
    pub status: u8,
}

impl Outcome {
    /// Nothing to say.
    pub fn quiet() -> Outcome {
        Outcome::default()
    }

    /// Something to say.
    pub fn says(output: String) -> Outcome {
        Outcome { output, status: 0 }
    }
}

/// Runs pipelines one after the other; the last one's status counts.
pub fn run(
    environment: &mut Environment,
    host: &mut dyn Host,
    pipelines: &[Pipeline],
) -> Result<(), Failure> {
    let mut last = Ok(());
    for pipeline in pipelines {
        last = Ok(());
        let mut input = String::new();
        for invocation in pipeline {
            let outcome = invoke(environment, host, invocation, input)?;
            last = match outcome.status {
                0 => Ok(()),
                status => Err(Failure::Status {
                    program: invocation.words[0].clone(),
                    status,
                }),
            };
            input = match &invocation.output {
                None => outcome.output,
                Some(file) => {
                    files::write(environment, host, file, &outcome.output)?;
                    String::new()
                }
            };
        }
    }
    last
}

fn invoke(
    environment: &mut Environment,
    host: &mut dyn Host,
    invocation: &Invocation,
    piped: String,
) -> Result<Outcome, Failure> {
    let input = match &invocation.input {
        None => piped,
        Some(file) => files::read(environment, host, file)?,
    };
    let (name, arguments) = invocation
        .words
        .split_first()
        .expect("an invocation has words");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    programs::run(environment, host, name, &arguments, &input)
}
