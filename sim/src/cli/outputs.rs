//! What a command writes beside its result: every place is looked at, and every folder made, before anything runs.
//!
//! A bad place is found while nothing is written. Folders that were made and stay empty go again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::BadInput;
use super::args::ViewArgs;
use super::session::Loaded;
use crate::view::Wanted;
use crate::view::outfile::OutFile;

/// What stands on the command line about files, for each of its scenarios.
#[derive(Debug, Default)]
pub struct Outputs {
    /// The folders that were not there before, outermost first.
    made: Vec<PathBuf>,
}

impl Outputs {
    /// Looks at all places that the views of all scenarios write to.
    pub fn prepare(scenarios: &[Loaded], views: &ViewArgs) -> Result<Outputs, BadInput> {
        let mut outputs = Outputs::default();
        if let Some(path) = &views.trace {
            check_trace(path, scenarios.len())?;
        }
        if let Some(folder) = &views.pcap {
            check_names(scenarios)?;
            for scenario in scenarios {
                outputs.prepare_captures(folder, &captures_of(folder, scenario))?;
            }
        }
        Ok(outputs)
    }

    /// Looks at all places that the captures of scripts go to.
    pub fn of_scripts(scripts: &[PathBuf], folder: &Path) -> Result<Outputs, BadInput> {
        let mut outputs = Outputs::default();
        let mut taken = BTreeMap::new();
        for script in scripts {
            let place = capture_of_script(folder, script);
            if let Some(other) = taken.insert(place.clone(), script) {
                let what = format_args!(
                    "--pcap: {} and {} would both be written to {}",
                    other.display(),
                    script.display(),
                    place.display()
                );
                let hint = "captures are named after their scripts: run these one by one";
                return Err(BadInput::say(what, Some(hint)));
            }
            let own = place.parent().unwrap_or(folder);
            outputs.prepare_captures(folder, own)?;
        }
        Ok(outputs)
    }

    fn prepare_captures(&mut self, folder: &Path, own: &Path) -> Result<(), BadInput> {
        let refuse = |why: &dyn Display| {
            let hint = "--pcap takes a folder, which is made if it is not there";
            BadInput::say(
                format_args!("--pcap {}: {why}", folder.display()),
                Some(hint),
            )
        };
        if folder.exists() && !folder.is_dir() {
            return Err(refuse(&"not a folder"));
        }
        self.make(own).map_err(|error| refuse(&error))?;
        // Made and dropped: it leaves nothing, and shows that files can be made here.
        OutFile::create(&own.join("capture")).map_err(|error| refuse(&error))?;
        Ok(())
    }

    /// Makes a folder and what it needs.
    fn make(&mut self, folder: &Path) -> std::io::Result<()> {
        let missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && !path.exists())
            .collect();
        for path in missing.into_iter().rev() {
            fs::create_dir(path)?;
            self.made.push(path.to_owned());
        }
        Ok(())
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for folder in self.made.iter().rev() {
            // Refused where a run has left its files: these stay.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// What the command line wants to see of a run.
pub fn wanted(scenario: &Loaded, views: &ViewArgs) -> Wanted {
    let captures = |folder: &PathBuf| captures_of(folder, scenario);
    Wanted {
        ladder: views.ladder,
        xen: views.xen,
        pcap_taps: views.pcap.as_ref().map(captures),
        trace: views.trace.clone(),
        ..Wanted::default()
    }
}

fn captures_of(folder: &Path, scenario: &Loaded) -> PathBuf {
    folder.join(&scenario.plan.name)
}

/// Where a script's packets are written: at its own path, as it is printed, below the folder. What would lead out of the
/// folder is left out of the path.
pub fn capture_of_script(folder: &Path, script: &Path) -> PathBuf {
    let names = script
        .components()
        .filter(|part| matches!(part, Component::Normal(_)));
    folder
        .join(names.collect::<PathBuf>())
        .with_extension("pcapng")
}

/// `--trace` names a file that can be made, for one scenario.
fn check_trace(path: &Path, scenarios: usize) -> Result<(), BadInput> {
    if scenarios > 1 {
        let hint = Some("run them one by one, or leave --trace out");
        let what = "--trace writes one file, and there are several scenarios";
        return Err(BadInput::say(what, hint));
    }
    // A pipe is opened once, by the run itself.
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Ok(());
    }
    let refuse = |error| {
        let hint = Some("--trace takes a file in a folder that is there");
        BadInput::say(format_args!("--trace {}: {error}", path.display()), hint)
    };
    OutFile::create(path).map(drop).map_err(refuse)
}

/// Captures lie in folders that are named after their scenarios.
fn check_names(scenarios: &[Loaded]) -> Result<(), BadInput> {
    let mut seen = BTreeSet::new();
    match scenarios.iter().find(|s| !seen.insert(&s.plan.name)) {
        None => Ok(()),
        Some(twice) => {
            let what = format_args!(
                "--pcap: two of these scenarios are called {:?}",
                twice.plan.name
            );
            let hint = Some("captures lie in folders that are named after their scenarios");
            Err(BadInput::say(what, hint))
        }
    }
}
