//! packetdrill scripts run for a command: what each came to, and what is printed about it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use pcap_file::PcapError;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::out::Out;
use super::outputs::{self, Outputs};
use super::{BadInput, Exit};
use crate::failure::shell_word;
use crate::packetdrill::run::config::{self, IpVersion};
use crate::packetdrill::run::failure::Failure;
use crate::packetdrill::run::verdict::{Ending, Verdict};
use crate::packetdrill::run::{self, RunOptions, capture, expected};
use crate::packetdrill::{self, Definitions, Loaded, Script};
use crate::scenario::Report;
use crate::view::outfile::OutFile;

/// Whose stack scripts are run against.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// The command that does so, as replays name it.
    pub command: &'static str,
    /// Runs a script.
    pub run: fn(&Script, &RunOptions) -> Verdict,
}

impl Default for Contender {
    /// The stack of this testbed.
    fn default() -> Contender {
        Contender {
            command: "evilbit packetdrill",
            run: run::run,
        }
    }
}

/// How scripts are run.
#[derive(Clone, Debug, Default)]
pub struct How {
    pub contender: Contender,
    /// The stack's profile, instead of the script's system's.
    pub profile: Option<String>,
    /// The stack's way to the network.
    pub path: run::Path,
    /// The IP version of scripts that name none.
    pub ip_version: Option<IpVersion>,
    /// Where captures are written.
    pub pcap: Option<PathBuf>,
    /// And once more, to compare.
    pub twice: bool,
    /// The result as JSON.
    pub json: bool,
}

/// How many scripts ended how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    /// Failed, and a file beside them says that they do.
    pub failed_as_expected: usize,
    /// Are no scripts.
    pub bad: usize,
    /// Were run, and their captures could not be written.
    pub unwritten: usize,
}

impl Tally {
    fn count(&mut self, word: Option<Word>) {
        *match word {
            Some(Word::Pass) => &mut self.passed,
            Some(Word::Fail) => &mut self.failed,
            Some(Word::Skip) => &mut self.skipped,
            Some(Word::ExpectedFail) => &mut self.failed_as_expected,
            None => &mut self.bad,
        } += 1;
    }

    /// The exit code that says so.
    pub fn exit(&self) -> Exit {
        match (self.bad + self.unwritten, self.failed + self.skipped) {
            (0, 0) => Exit::Held,
            (0, _) => Exit::Failed,
            _ => Exit::Bad,
        }
    }

    /// The last line, or two.
    pub fn print(&self, as_json: bool, out: &mut Out) {
        let Tally {
            passed,
            failed,
            skipped,
            failed_as_expected,
            ..
        } = *self;
        if passed + failed + skipped + failed_as_expected == 0 {
            // There is nothing to sum up: what was bad was said.
            return;
        }
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
}

/// How a script ended, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Pass,
    Fail,
    Skip,
    ExpectedFail,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::Pass => "PASS",
            Word::Fail => "FAIL",
            Word::Skip => "SKIP",
            Word::ExpectedFail => "XFAIL",
        }
    }
}

/// A script that was run.
struct Ran {
    /// `None`: it is no script.
    word: Option<Word>,
    /// What to print about it.
    text: String,
    /// There is no capture of it, though one was asked for.
    unwritten: bool,
}

/// Runs scripts, `jobs` at once; what is printed depends neither on how many nor on which is ready first.
pub fn run_all(
    scripts: &[PathBuf],
    how: &How,
    jobs: Option<u16>,
    out: &mut Out,
) -> Result<Tally, BadInput> {
    let folder = how.pcap.as_ref();
    let _outputs = folder
        .map(|folder| Outputs::of_scripts(scripts, folder))
        .transpose()?;
    // More threads than scripts would have nothing to do.
    let threads = jobs.map_or(0, usize::from).min(scripts.len());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| BadInput::say(error, None))?;
    let ran: Vec<Ran> =
        pool.install(|| scripts.par_iter().map(|path| run_one(path, how)).collect());
    let mut tally = Tally::default();
    for ran in &ran {
        tally.count(ran.word);
        tally.unwritten += usize::from(ran.unwritten);
        out.text(&ran.text);
    }
    Ok(tally)
}

/// Reads and runs one script.
fn run_one(path: &Path, how: &How) -> Ran {
    let loaded = match load(path, how) {
        Ok(loaded) => loaded,
        // Some are marked because nobody can read them.
        Err(report) if is_expected_to_fail(path) => {
            let problem = &report.problems()[0];
            return Ran {
                word: Some(Word::ExpectedFail),
                text: match how.json {
                    true => format!("{}\n", unreadable(path, &problem.message, how)),
                    false => format!("XFAIL {}\n  {}\n", path.display(), problem.message),
                },
                unwritten: false,
            };
        }
        Err(report) => {
            BadInput::show(&report);
            return Ran {
                word: None,
                text: String::new(),
                unwritten: false,
            };
        }
    };
    let mut verdict = verdict(&loaded, how);
    if how.twice {
        let again = self::verdict(&loaded, how);
        if again.hash != verdict.hash {
            let what = "the second run went otherwise than the first: this is a bug of evilbit";
            let failure = Failure::new(loaded.script.events[0].place.0, what);
            verdict.ending = Ending::Failed(failure);
        }
    }
    let written = match &how.pcap {
        Some(folder) => write_capture(folder, path, &verdict),
        None => Ok(()),
    };
    let word = match &verdict.ending {
        Ending::Passed => Word::Pass,
        Ending::Skipped(_) => Word::Skip,
        Ending::Failed(_) if is_expected_to_fail(path) => Word::ExpectedFail,
        Ending::Failed(_) => Word::Fail,
    };
    let text = match how.json {
        true => format!("{}\n", object(path, word, &loaded.source, &verdict, how)),
        false => text(path, word, &loaded.source, &verdict, how),
    };
    Ran {
        word: Some(word),
        text,
        unwritten: written.is_err(),
    }
}

/// Reads a script, and looks at what it asks for before anything runs.
fn load(path: &Path, how: &How) -> Result<Loaded, Report> {
    let read = |version| packetdrill::load(path, &Definitions::of_the_suites_for(version));
    let asked = how.ip_version.unwrap_or(IpVersion::V4);
    let mut loaded = read(asked)?;
    let version = config::check(&loaded.script, how.ip_version)
        .map_err(|problem| Report::new(path, loaded.source.as_str().into(), vec![problem]))?;
    // What names stand for depends on the version, which may be said by the script and not by who asks.
    if how.ip_version.is_some() && version != asked {
        loaded = read(version)?;
    }
    Ok(loaded)
}

fn verdict(loaded: &Loaded, how: &How) -> Verdict {
    let options = RunOptions {
        ip_version: how.ip_version,
        profile: how.profile.clone(),
        path: how.path,
    };
    let script = &loaded.script;
    // A bug of the stack is a failure of the script that found it, and the others still have their turn.
    let mut verdict = catch_unwind(AssertUnwindSafe(|| (how.contender.run)(script, &options)))
        .unwrap_or_else(|_| Verdict::broken(script));
    expected::apply(&mut verdict, loaded);
    verdict
}

/// nplab's suite marks scripts that its own system fails: a file of the same name beside them.
fn is_expected_to_fail(path: &Path) -> bool {
    path.with_extension("exfail").exists()
}

/// The command that runs a script once more, in the same way.
fn replay(path: &Path, how: &How) -> String {
    let mut command = format!("{} {}", how.contender.command, shell_word(path));
    if how.path == run::Path::Xen {
        command += " --path xen";
    }
    if let Some(profile) = &how.profile {
        command += &format!(" --profile {profile}");
    }
    if let Some(version) = how.ip_version {
        command += &format!(" --ip-version {}", version.name());
    }
    command
}

fn text(path: &Path, word: Word, source: &str, verdict: &Verdict, how: &How) -> String {
    let mut text = format!("{} {}\n", word.text(), path.display());
    match &verdict.ending {
        Ending::Passed => {}
        Ending::Skipped(why) => {
            let line = why.line(source);
            text += &format!("  {}:{line}: {}\n", path.display(), why.message);
        }
        Ending::Failed(failure) => {
            text += &failure.text(path, source, &verdict.ladder, &replay(path, how));
        }
    }
    text
}

/// A script's object in `--json`; its keys are stable.
fn object(path: &Path, word: Word, source: &str, verdict: &Verdict, how: &How) -> Value {
    let failure = match &verdict.ending {
        Ending::Passed => Value::Null,
        Ending::Skipped(failure) | Ending::Failed(failure) => failure_object(failure, source),
    };
    json!({
        "script": path.display().to_string(),
        "result": word.text(),
        "trace": format!("{:032x}", verdict.hash),
        "sim_ns": verdict.simulated,
        "packets": verdict.packets.len(),
        "failure": failure,
        "replay": replay(path, how),
    })
}

fn unreadable(path: &Path, message: &str, how: &How) -> Value {
    json!({
        "script": path.display().to_string(),
        "result": Word::ExpectedFail.text(),
        "failure": { "message": message },
        "replay": replay(path, how),
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

/// Writes a script's packets to a file, whole or not at all.
fn write_capture(folder: &Path, path: &Path, verdict: &Verdict) -> Result<(), BadInput> {
    let place = outputs::capture_of_script(folder, path);
    let name = path.to_string_lossy();
    let written = OutFile::create(&place)
        .map_err(PcapError::IoError)
        .and_then(|mut file| {
            capture::write(&mut file, &name, &verdict.packets)?;
            file.commit().map_err(PcapError::IoError)
        });
    written.map_err(|error| {
        let what = format_args!("--pcap {}: {error}", place.display());
        BadInput::say(
            what,
            Some("the script was run, but its packets are not there"),
        )
    })
}
