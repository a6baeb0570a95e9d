//! A suite of packetdrill scripts, run by `evilbit packetdrill --json`: what a user sees is what is judged.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tests::binary::evilbit;

/// The stack's ways to the network.
pub const PATHS: [&str; 2] = ["raw", "xen"];

/// A suite that somebody else wrote.
pub struct Corpus {
    /// Its folder among the suites.
    pub name: &'static str,
    /// The part of its scripts' paths that says nothing.
    pub above: &'static str,
    /// How many folders below that make a line of the table.
    pub depth: usize,
    /// The other IP versions for which its scripts are meant that name none.
    pub versions: &'static [&'static str],
}

pub const CORPORA: [Corpus; 2] = [
    Corpus {
        name: "google",
        above: "gtests/net/",
        depth: 2,
        versions: &["ipv6", "ipv4-mapped-ipv6"],
    },
    Corpus {
        name: "freebsd",
        above: "",
        depth: 1,
        versions: &[],
    },
];

/// What a script came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its path below the suite's folder.
    pub script: String,
    /// `PASS`, `FAIL`, `SKIP`, or `XFAIL`: the suite itself says that it fails.
    pub result: String,
    /// The hash of all that happened; there is none of a script that cannot be read.
    pub trace: Option<String>,
    /// Where it failed, and what was said.
    pub failure: Option<String>,
}

/// Runs all scripts below a folder, in order of their names.
pub fn run(folder: &Path, path: &str, jobs: Option<u16>) -> Vec<Ran> {
    match jobs {
        None => run_with(folder, path, &[]),
        Some(jobs) => run_with(folder, path, &["--jobs", &jobs.to_string()]),
    }
}

/// The same with more options.
pub fn run_with(folder: &Path, path: &str, options: &[&str]) -> Vec<Ran> {
    let mut command = Command::new(evilbit());
    command.args(["packetdrill", "--json", "--path", path]);
    command.args(options);
    let output = command.arg(folder).output().expect("the command runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}: {said}");
    let text = String::from_utf8(output.stdout).expect("JSON is text");
    let objects = text.lines().map(|line| {
        let object: Result<Value, _> = serde_json::from_str(line);
        object.unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    // The last object is the sum.
    let scripts = objects.filter(|object| object["script"].is_string());
    scripts.map(|object| ran(folder, &object)).collect()
}

fn ran(folder: &Path, object: &Value) -> Ran {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let script = text(&object["script"]).expect("a path");
    let below = Path::new(&script).strip_prefix(folder);
    let failure = &object["failure"];
    let at = match failure["line"].as_u64() {
        Some(line) => format!("line {line}: "),
        None => String::new(),
    };
    Ran {
        script: below.expect("below its folder").display().to_string(),
        result: text(&object["result"]).expect("a word"),
        trace: text(&object["trace"]),
        failure: text(&failure["message"]).map(|message| at + &message),
    }
}
