//! `evilbit help`: the language's reference, and the commands' own help.

use clap::CommandFactory;

use super::args::{Cli, HelpArgs};
use super::out::Out;
use super::{BadInput, Exit};
use crate::scenario;

/// Explains a topic.
pub fn help(args: &HelpArgs, out: &mut Out) -> Result<Exit, BadInput> {
    let mut cli = Cli::command();
    // So that a command's usage names the whole command line.
    cli.build();
    match args.topic.as_deref() {
        None => out.text(cli.render_long_help()),
        Some("scenario") => out.text(scenario::reference()),
        Some(topic) => match cli.find_subcommand_mut(topic) {
            Some(command) => out.text(command.render_long_help()),
            None => {
                let hint = "`evilbit help scenario`, or the name of a command";
                return Err(BadInput::say(
                    format_args!("there is no help on {topic:?}"),
                    Some(hint),
                ));
            }
        },
    }
    Ok(Exit::Held)
}
