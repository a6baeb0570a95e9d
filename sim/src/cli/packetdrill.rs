//! `evilbit packetdrill`: what scripts of the packetdrill suites use, and what blocks how many of them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::args::PacketdrillArgs;
use super::discover::{self, Sort};
use super::out::Out;
use super::{BadInput, Exit};
use crate::packetdrill::construct::{Construct, constructs};
use crate::packetdrill::survey::Survey;
use crate::packetdrill::{self, Definitions};

/// A script that was read.
struct Listed {
    path: PathBuf,
    events: usize,
    used: BTreeSet<Construct>,
}

/// Lists scripts, or what blocks them.
pub fn packetdrill(args: &PacketdrillArgs, out: &mut Out) -> Result<Exit, BadInput> {
    let scripts = load(args)?;
    match args.missing {
        true => missing(scripts, out),
        false => list(&scripts, out),
    }
    Ok(Exit::Held)
}

/// Reads all scripts, and says what is wrong with each bad one.
fn load(args: &PacketdrillArgs) -> Result<Vec<Listed>, BadInput> {
    let found = discover::files(&args.paths, Sort::Script).map_err(|error| {
        let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
        BadInput::say(&error, help.as_deref())
    })?;
    let definitions = Definitions::of_the_suites();
    let mut listed = Vec::new();
    let mut bad = None;
    for path in found.into_iter().filter(|path| is_chosen(args, path)) {
        match packetdrill::load(&path, &definitions) {
            Ok(script) => listed.push(Listed {
                path,
                events: script.events.len(),
                used: constructs(&script),
            }),
            Err(report) => bad = Some(BadInput::show(&report)),
        }
    }
    match bad {
        Some(bad) => Err(bad),
        None => Ok(listed),
    }
}

fn is_chosen(args: &PacketdrillArgs, path: &std::path::Path) -> bool {
    let path = path.to_string_lossy();
    args.filter
        .as_ref()
        .is_none_or(|filter| path.contains(filter.as_str()))
}

fn list(scripts: &[Listed], out: &mut Out) {
    for script in scripts {
        let used: Vec<String> = script.used.iter().map(Construct::to_string).collect();
        let path = script.path.display();
        out.line(format_args!("{path} {} {}", script.events, used.join(" ")));
    }
}

fn missing(scripts: Vec<Listed>, out: &mut Out) {
    let mut survey = Survey::default();
    for script in scripts {
        survey.add(script.used);
    }
    for (construct, scripts) in survey.missing() {
        out.line(format_args!("{scripts:>6} {construct}"));
    }
    let (blocked, all) = (survey.blocked, survey.scripts);
    out.line(format_args!("{blocked} of {all} scripts are blocked"));
}
