//! A copy of the workspace's sources and a target directory of its own, in which one line can be broken, built and run.
//! All mutants share both, so that each costs an incremental build.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::table::Mutant;

/// What a build needs, the texts that the sources include among it. The scenarios come along, so that what is run is what
/// was copied.
const PARTS: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "stack",
    "xenemu",
    "sim",
    "tests",
    "docs",
    "scenarios",
];

/// No scenario takes that long, whatever was broken: a guest that spins is stopped by its fuel.
const TIME_LIMIT: Duration = Duration::from_secs(90);

/// The copy.
pub struct Workshop {
    sources: PathBuf,
    target: PathBuf,
}

/// How a run ended: its exit code (none: it was killed, by us or a signal), and what it said.
pub struct Ended {
    pub code: Option<i32>,
    pub text: String,
}

/// The workspace's own root.
fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("this crate lies in the workspace")
}

/// All scenarios, as paths from the root, in order.
pub fn scenarios() -> Vec<String> {
    let mut found = BTreeSet::new();
    walk(&root().join("scenarios"), &mut found);
    found
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "kdl"))
        .filter_map(|path| path.strip_prefix(root()).ok())
        .map(|path| path.display().to_string())
        .collect()
}

impl Workshop {
    /// Brings the copy up to date and builds it as it is.
    pub fn open() -> Result<Workshop, String> {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("mutants");
        let workshop = Workshop {
            sources: base.join("src"),
            target: base.join("build"),
        };
        workshop.mirror().map_err(|e| format!("copying: {e}"))?;
        workshop.build()?;
        fs::copy(workshop.built(), workshop.whole()).map_err(|e| format!("evilbit: {e}"))?;
        Ok(workshop)
    }

    /// Runs a scenario with nothing broken.
    pub fn run_whole(&self, scenario: &str) -> Result<Ended, String> {
        self.run(&self.whole(), scenario)
    }

    /// Runs a scenario with what was built last.
    pub fn run_mutant(&self, scenario: &str) -> Result<Ended, String> {
        self.run(&self.built(), scenario)
    }

    /// Breaks the mutant's line, builds, does `then`, and repairs the line, whatever came of it.
    pub fn with<T>(
        &self,
        mutant: &Mutant,
        then: impl FnOnce(&Workshop) -> Result<T, String>,
    ) -> Result<T, String> {
        let path = self.sources.join(mutant.file);
        let source = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", mutant.file))?;
        let broken = break_line(&source, mutant)?;
        fs::write(&path, broken).map_err(|e| format!("{}: {e}", mutant.file))?;
        let outcome = self.build().and_then(|()| then(self));
        fs::write(&path, source).map_err(|e| format!("{}: {e}", mutant.file))?;
        outcome
    }

    fn built(&self) -> PathBuf {
        self.target.join("debug/evilbit")
    }

    fn whole(&self) -> PathBuf {
        self.target.join("evilbit-whole")
    }

    fn mirror(&self) -> std::io::Result<()> {
        let (mut theirs, mut ours) = (BTreeSet::new(), BTreeSet::new());
        for part in PARTS {
            walk(&root().join(part), &mut theirs);
            walk(&self.sources.join(part), &mut ours);
        }
        let relative = |paths: &BTreeSet<PathBuf>, to: &Path| -> BTreeSet<PathBuf> {
            let paths = paths.iter().filter_map(|path| path.strip_prefix(to).ok());
            paths.map(Path::to_owned).collect()
        };
        let theirs = relative(&theirs, root());
        for gone in relative(&ours, &self.sources).difference(&theirs) {
            fs::remove_file(self.sources.join(gone))?;
        }
        for path in &theirs {
            let (bytes, to) = (fs::read(root().join(path))?, self.sources.join(path));
            // A file that is the same keeps its time, so that cargo does not build it again.
            if fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            fs::create_dir_all(to.parent().expect("below the copy's root"))?;
            fs::write(&to, bytes)?;
        }
        Ok(())
    }

    fn build(&self) -> Result<(), String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "-p", "evilbit", "--bin", "evilbit"])
            .arg("--target-dir")
            .arg(&self.target)
            .current_dir(&self.sources)
            .env("CARGO_INCREMENTAL", "1")
            .output()
            .map_err(|e| format!("cargo: {e}"))?;
        if built.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&built.stderr);
        Err(format!("it does not build:\n{text}"))
    }

    fn run(&self, evilbit: &Path, scenario: &str) -> Result<Ended, String> {
        let said = self.target.join("said.txt");
        let start = || -> std::io::Result<_> {
            let out = fs::File::create(&said)?;
            Command::new(evilbit)
                .args(["run", scenario])
                .current_dir(&self.sources)
                .stdin(Stdio::null())
                .stderr(out.try_clone()?)
                .stdout(out)
                .spawn()
        };
        let mut child = start().map_err(|e| format!("{}: {e}", evilbit.display()))?;
        let started = Instant::now();
        let code = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status.code(),
                Ok(None) if started.elapsed() < TIME_LIMIT => sleep(Duration::from_millis(10)),
                Ok(None) => {
                    // It may have ended just now, which is as well.
                    let _ = child.kill();
                    let _ = child.wait();
                    break None;
                }
                Err(error) => return Err(format!("waiting: {error}")),
            }
        };
        let text = fs::read(&said).map_err(|e| format!("{}: {e}", said.display()))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Ended { code, text })
    }
}

/// The source with the mutant's line broken. It must stand there once, or the mutant is not what it was.
fn break_line(source: &str, mutant: &Mutant) -> Result<String, String> {
    let is_it = |line: &str| line.trim() == mutant.line;
    let n = source.lines().filter(|line| is_it(line)).count();
    if n != 1 {
        let Mutant { file, line, .. } = mutant;
        return Err(format!("{file} has this line {n} times, not once: {line}"));
    }
    let broken = source.lines().map(|line| match is_it(line) {
        true => mutant.broken,
        false => line,
    });
    Ok(broken.flat_map(|line| [line, "\n"]).collect())
}

/// Adds all files at or below `path`.
fn walk(path: &Path, to: &mut BTreeSet<PathBuf>) {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().for_each(|entry| walk(&entry.path(), to)),
        Err(_) if path.is_file() => drop(to.insert(path.to_owned())),
        Err(_) => {}
    }
}
