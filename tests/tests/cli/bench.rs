//! The workbench of these tests: the command, built once, in a folder of its own with scenarios to try it on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use assert_cmd::assert::{Assert, OutputAssertExt};
use tempfile::TempDir;
use tests::binary::evilbit;

/// Bad input is refused within this time, in a debug build.
const PROMPT: Duration = Duration::from_secs(1);

/// A scenario that passes: one datagram there and back.
pub const GOOD: &str = r#"scenario "good" seed=7 duration="10s" {
    about "An echo is heard"
}
machine "a" { domain "echo" guest="echo" { vif ip="10.0.0.2/24"; } }
machine "b" { domain "caller" guest="script" { vif ip="10.0.0.9/24"; } }
link "a" "b" delay="5ms"
when console="echo" contains="listening" {
    on "caller" {
        udp "u" ":4001"
        send-to "u" "10.0.0.2:7" "hello"
        recv-from "u" "hello"
        close "u"
    }
}
expect { udp from="echo" contains="hello" count=1; }
snapshot { ladder; console "echo"; }
"#;

/// A folder to run the command in.
pub struct Bench(TempDir);

impl Bench {
    /// With nothing in it.
    pub fn empty() -> Bench {
        Bench(tempfile::tempdir().expect("a folder for the test"))
    }
    /// With these bytes as `x.kdl`.
    pub fn with(bytes: impl AsRef<[u8]>) -> Bench {
        let bench = Bench::empty();
        bench.write("x.kdl", bytes);
        bench
    }
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
    /// Puts a file into it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    /// Reads a file of it.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).expect(name)
    }
    /// The command, to be run in it, undisturbed by the environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(evilbit());
        command.args(args).current_dir(self.path());
        for name in ["CI", "EVILBIT_LOG", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }
    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Assert {
        self.command(args).assert()
    }
    /// Runs it, and it must be refused: quickly, on stderr only, with these words, nothing written.
    #[track_caller]
    pub fn refuses(&self, args: &[&str], words: &[&str]) -> String {
        let before = self.files();
        let assert = self.run_promptly(args).code(2).stdout("");
        assert_eq!(self.files(), before, "something was written");
        let said = stderr(&assert);
        for word in words {
            assert!(said.contains(word), "no {word:?} in:\n{said}");
        }
        said
    }
    /// Runs it, and it must not take longer than bad input may.
    #[track_caller]
    pub fn run_promptly(&self, args: &[&str]) -> Assert {
        let mut command = self.command(args);
        let started = Instant::now();
        let assert = command.assert();
        let took = started.elapsed();
        assert!(
            took < PROMPT,
            "{args:?} took {took:?}, more than {PROMPT:?}"
        );
        assert
    }
    /// All that is in it: files with their bytes, folders, links.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path.clone());
                }
                files.insert(path.clone(), fs::read(&path).unwrap_or_default());
            }
        }
        files
    }
}

/// What a command said.
pub fn stderr(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
}

/// What a command gave.
pub fn stdout(assert: &Assert) -> String {
    String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
}
