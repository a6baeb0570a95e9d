//! `evilbit packetdrill`: scripts of the packetdrill suites, run against the stack; or what they use, and what blocks
//! how many of them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::args::PacketdrillArgs;
use super::discover::{self, Sort};
use super::out::Out;
use super::scripts::{self, Contender, How};
use super::{BadInput, Exit};
use crate::packetdrill::construct::{Construct, constructs};
use crate::packetdrill::run::Path;
use crate::packetdrill::run::config::IpVersion;
use crate::packetdrill::survey::Survey;
use crate::packetdrill::{self, Definitions};

/// A command of its own that runs scripts against another stack: its words are `evilbit packetdrill`'s, and so is what it
/// prints.
pub fn main(contender: Contender) -> ExitCode {
    /// Run packetdrill scripts against this stack.
    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        args: PacketdrillArgs,
    }
    let mut out = Out::default();
    let args = match Words::try_parse() {
        Ok(words) => words.args,
        Err(error) => {
            let bad = error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if bad { 2 } else { 0 });
        }
    };
    match packetdrill(&args, contender, &mut out).unwrap_or(Exit::Bad) {
        Exit::Held if !out.arrived() => Exit::Bad.into(),
        exit => exit.into(),
    }
}

/// Runs scripts, or lists them. A bad script does not hide the others, but it is bad input.
pub fn packetdrill(
    args: &PacketdrillArgs,
    contender: Contender,
    out: &mut Out,
) -> Result<Exit, BadInput> {
    let found = discover::files(&args.paths, Sort::Script).map_err(|error| {
        let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
        BadInput::say(&error, help.as_deref())
    })?;
    let chosen: Vec<PathBuf> = found
        .into_iter()
        .filter(|path| is_chosen(args, path))
        .collect();
    if let (Some(filter), true) = (&args.filter, chosen.is_empty()) {
        let hint = Some("a filter is a part of the paths as they are printed");
        return Err(BadInput::say(
            format_args!("no script's path contains {filter:?}"),
            hint,
        ));
    }
    if args.list {
        return Ok(survey(chosen, args.missing, out));
    }
    let how = How {
        contender,
        profile: args.profile.clone(),
        path: match args.path.as_str() {
            "xen" => Path::Xen,
            _ => Path::Raw,
        },
        ip_version: args.ip_version.as_deref().and_then(IpVersion::named),
        pcap: args.pcap.clone(),
        json: args.json,
        ..How::default()
    };
    let tally = scripts::run_all(&chosen, &how, args.jobs, out)?;
    tally.print(args.json, out);
    Ok(tally.exit())
}

/// A script that was read.
struct Listed {
    path: PathBuf,
    events: usize,
    used: BTreeSet<Construct>,
}

fn survey(chosen: Vec<PathBuf>, only_missing: bool, out: &mut Out) -> Exit {
    let read: Vec<Result<Listed, BadInput>> = chosen.into_iter().map(load).collect();
    let bad = read.iter().filter(|script| script.is_err()).count();
    let scripts: Vec<Listed> = read.into_iter().flatten().collect();
    match only_missing {
        true => missing(scripts, bad, out),
        false => list(&scripts, out),
    }
    if bad == 0 { Exit::Held } else { Exit::Bad }
}

/// Reads a script, or says what is wrong with it.
fn load(path: PathBuf) -> Result<Listed, BadInput> {
    let loaded = packetdrill::load(&path, &Definitions::of_the_suites());
    let script = loaded.map_err(|report| BadInput::show(&report))?.script;
    Ok(Listed {
        path,
        events: script.events.len(),
        used: constructs(&script),
    })
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

fn missing(scripts: Vec<Listed>, bad: usize, out: &mut Out) {
    let mut survey = Survey::default();
    for script in scripts {
        survey.add(script.used);
    }
    for (construct, scripts) in survey.missing() {
        out.line(format_args!("{scripts:>6} {construct}"));
    }
    let (blocked, all) = (survey.blocked, survey.scripts + bad);
    out.line(format_args!(
        "{blocked} of {all} scripts are blocked, {bad} cannot be read"
    ));
}
