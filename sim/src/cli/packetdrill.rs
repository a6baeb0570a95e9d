//! `evilbit packetdrill`: scripts of the packetdrill suites, run against the stack; or what they use, and what blocks
//! how many of them.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::args::PacketdrillArgs;
use super::discover::{self, Sort};
use super::out::{Out, talk};
use super::{BadInput, Exit};
use crate::failure::shell_word;
use crate::packetdrill::construct::{Construct, constructs};
use crate::packetdrill::run::failure::Failure;
use crate::packetdrill::run::verdict::{Ending, Verdict};
use crate::packetdrill::run::{self, RunOptions, capture, expected};
use crate::packetdrill::survey::Survey;
use crate::packetdrill::{self, Definitions};

/// Runs scripts, or lists them. A bad script does not hide the others, but it is bad input.
pub fn packetdrill(args: &PacketdrillArgs, out: &mut Out) -> Result<Exit, BadInput> {
    let found = discover::files(&args.paths, Sort::Script).map_err(|error| {
        let help = miette::Diagnostic::help(&error).map(|help| help.to_string());
        BadInput::say(&error, help.as_deref())
    })?;
    let chosen: Vec<PathBuf> = found
        .into_iter()
        .filter(|path| is_chosen(args, path))
        .collect();
    match args.list {
        true => Ok(survey(chosen, args.missing, out)),
        false => run_all(&chosen, args, out),
    }
}

/// How many scripts ended how.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Beside whose file another one says that they fail, and who did.
    failed_as_expected: usize,
    /// That are no scripts.
    bad: usize,
}

/// A script that was run.
struct Ran {
    /// How it ended; `None`: it is no script.
    word: Option<&'static str>,
    /// What to print about it.
    text: String,
}

/// Runs scripts, several at once; what is printed depends neither on how many nor on which is ready first.
fn run_all(chosen: &[PathBuf], args: &PacketdrillArgs, out: &mut Out) -> Result<Exit, BadInput> {
    if let Some(folder) = &args.pcap {
        std::fs::create_dir_all(folder)
            .map_err(|error| BadInput::say(format_args!("{}: {error}", folder.display()), None))?;
    }
    let threads = args.jobs.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| BadInput::say(error, None))?;
    let ran: Vec<Ran> =
        pool.install(|| chosen.par_iter().map(|path| run_one(path, args)).collect());
    let mut tally = Tally::default();
    for ran in &ran {
        let Some(word) = ran.word else {
            tally.bad += 1;
            continue;
        };
        match word {
            "PASS" => tally.passed += 1,
            "SKIP" => tally.skipped += 1,
            "XFAIL" => tally.failed_as_expected += 1,
            _ => tally.failed += 1,
        }
        out.text(&ran.text);
    }
    summary(&tally, args.json, out);
    Ok(match tally {
        Tally { bad: 1.., .. } => Exit::Bad,
        Tally {
            failed: 0,
            skipped: 0,
            ..
        } => Exit::Held,
        _ => Exit::Failed,
    })
}
fn summary(tally: &Tally, as_json: bool, out: &mut Out) {
    let Tally {
        passed,
        failed,
        skipped,
        failed_as_expected,
        ..
    } = *tally;
    if as_json {
        out.line(json!({
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
            "failed_as_expected": failed_as_expected,
        }));
        return;
    }
    if failed_as_expected > 0 {
        out.line(format_args!("{failed_as_expected} failed as expected"));
    }
    out.line(format_args!(
        "{passed} passed, {failed} failed, {skipped} skipped"
    ));
}

/// Reads and runs one script.
fn run_one(path: &Path, args: &PacketdrillArgs) -> Ran {
    let loaded = match packetdrill::load(path, &Definitions::of_the_suites()) {
        Ok(loaded) => loaded,
        // Some are marked because nobody can read them.
        Err(report) if is_expected_to_fail(path) => {
            let problem = &report.problems()[0];
            return Ran {
                word: Some("XFAIL"),
                text: match args.json {
                    true => format!("{}\n", unreadable(path, &problem.message)),
                    false => format!("XFAIL {}\n  {}\n", path.display(), problem.message),
                },
            };
        }
        Err(report) => {
            BadInput::show(&report);
            return Ran {
                word: None,
                text: String::new(),
            };
        }
    };
    let options = RunOptions {
        profile: args.profile.clone(),
    };
    // A bug of the stack is a failure of the script that found it, and the others still have their turn.
    let script = &loaded.script;
    let mut verdict = catch_unwind(AssertUnwindSafe(|| run::run(script, &options)))
        .unwrap_or_else(|_| Verdict::broken(script));
    expected::apply(&mut verdict, &loaded);
    if let Some(folder) = &args.pcap {
        write_capture(folder, path, &verdict);
    }
    let word = match &verdict.ending {
        Ending::Passed => "PASS",
        Ending::Skipped(_) => "SKIP",
        Ending::Failed(_) if is_expected_to_fail(path) => "XFAIL",
        Ending::Failed(_) => "FAIL",
    };
    let text = match args.json {
        true => format!("{}\n", object(path, word, &loaded.source, &verdict)),
        false => text(path, word, &loaded.source, &verdict),
    };
    Ran {
        word: Some(word),
        text,
    }
}

/// nplab's suite marks scripts that its own system fails: a file of the same name beside them.
fn is_expected_to_fail(path: &Path) -> bool {
    path.with_extension("exfail").exists()
}

fn replay(path: &Path) -> String {
    format!("evilbit packetdrill {}", shell_word(path))
}

fn text(path: &Path, word: &str, source: &str, verdict: &Verdict) -> String {
    let mut text = format!("{word} {}\n", path.display());
    match &verdict.ending {
        Ending::Passed => {}
        Ending::Skipped(why) => {
            let line = why.line(source);
            text += &format!("  {}:{line}: {}\n", path.display(), why.message);
        }
        Ending::Failed(failure) => {
            text += &failure.text(path, source, &verdict.ladder, &replay(path));
        }
    }
    text
}

/// A script's object in `--json`; its keys are stable.
fn object(path: &Path, word: &str, source: &str, verdict: &Verdict) -> Value {
    let failure = match &verdict.ending {
        Ending::Passed => Value::Null,
        Ending::Skipped(failure) | Ending::Failed(failure) => failure_object(failure, source),
    };
    json!({
        "script": path.display().to_string(),
        "result": word,
        "trace": format!("{:032x}", verdict.hash),
        "sim_ns": verdict.simulated,
        "packets": verdict.packets.len(),
        "failure": failure,
        "replay": replay(path),
    })
}

fn unreadable(path: &Path, message: &str) -> Value {
    json!({
        "script": path.display().to_string(),
        "result": "XFAIL",
        "failure": { "message": message },
        "replay": replay(path),
    })
}

fn failure_object(failure: &Failure, source: &str) -> Value {
    let compared = failure.compared.as_ref();
    json!({
        "line": failure.line(source),
        "message": failure.message,
        "expected": compared.map(|c| &c.expected),
        "got": compared.map(|c| &c.got),
    })
}

/// Writes a script's packets to a file of its name; that it could not is no failure of the script.
fn write_capture(folder: &Path, path: &Path, verdict: &Verdict) {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let file = folder.join(format!("{name}.pcapng"));
    if let Err(error) = capture::write(&file, &name, &verdict.packets) {
        talk(format_args!("{}: {error}", file.display()));
    }
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

fn is_chosen(args: &PacketdrillArgs, path: &Path) -> bool {
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
