//! `REQUIREMENTS.md` tells the truth: every file and every test that it names exists, it links to the scripts that say
//! that they show a requirement and to no others, and it answers for every requirement once.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("../REQUIREMENTS.md");

/// All files below a folder whose names end in `.EXTENSION`.
fn files(folder: &Path, extension: &str, to: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, extension, to);
        } else if path.extension().is_some_and(|e| e == extension) {
            to.push(path);
        }
    }
}

/// The requirements that a script's first line names.
fn shown_by(script: &str) -> impl Iterator<Item = &str> {
    let first = script.lines().next().unwrap_or_default();
    let words = first.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.starts_with("MUST-") || word.starts_with("SHLD-"))
}

fn rows() -> impl Iterator<Item = Vec<String>> {
    let cells = |line: &str| line.split('|').map(|c| c.trim().to_string()).collect();
    TABLE
        .lines()
        .filter(|line| line.starts_with("| MUST-") || line.starts_with("| SHLD-"))
        .map(cells)
}

/// The text of all sources below a folder of `src`.
fn sources(below: &str) -> String {
    let mut paths = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    files(&folder.join(below), "rs", &mut paths);
    let text = |path| fs::read_to_string(path).expect("text");
    paths.iter().map(text).collect()
}

/// The functions that are tests: those behind `#[test]` and perhaps other attributes.
fn tests(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut lines = source.lines().map(str::trim);
    while lines.any(|line| line == "#[test]") {
        let behind = lines.find(|line| !line.starts_with("#["));
        let behind = behind.and_then(|line| line.strip_prefix("fn "));
        names.extend(behind.and_then(|line| line.split('(').next()));
    }
    names
}

#[test]
fn every_test_that_the_table_names_exists_once() {
    let source = sources(".");
    let tests = tests(&source);
    for row in rows() {
        if let Some(reason) = row[4].strip_prefix("by construction") {
            assert!(reason.starts_with(": "), "{} gives no reason", row[1]);
            continue;
        }
        let names: Vec<&str> = row[4].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{} names no test", row[1]);
        for name in names {
            let times = tests.iter().filter(|&&test| test == name).count();
            assert_eq!(times, 1, "{}: {times} tests are called {name}", row[1]);
        }
    }
}

#[test]
fn every_file_that_the_table_names_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for row in rows() {
        for place in row[3].split(", ") {
            let path = place.split(' ').next().unwrap_or_default();
            assert!(!path.is_empty(), "{} is met nowhere", row[1]);
            assert!(folder.join(path).exists(), "{}: no file {path}", row[1]);
        }
    }
}

#[test]
fn no_application_of_ours_marks_urgent_data_or_chooses_diffserv() {
    let (api, applications) = (sources("posix"), sources("app"));
    for word in ["OOB", "TrafficClass"] {
        assert!(api.contains(word), "{word} has another name now");
        assert!(!applications.contains(word), "{word}");
    }
}

#[test]
fn a_row_links_to_the_scripts_that_say_they_show_its_requirement() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut scripts = Vec::new();
    files(&root.join("scenarios/conformance"), "pkt", &mut scripts);
    let mut said = BTreeSet::new();
    for path in scripts {
        let script = fs::read_to_string(&path).expect("text");
        let below = path.strip_prefix(&root).expect("it lies in the repository");
        let target = alloc::format!("../../../{}", below.display());
        said.extend(shown_by(&script).map(|number| (number.to_string(), target.clone())));
    }
    let mut linked = BTreeSet::new();
    for row in rows() {
        for link in row[5].split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            linked.insert((row[1].clone(), target.to_string()));
        }
    }
    assert_eq!(linked, said);
}

#[test]
fn every_requirement_of_appendix_b_is_in_the_table() {
    let known: BTreeSet<String> = rows().map(|row| row[1].clone()).collect();
    assert_eq!(known.len(), rows().count(), "once each");
    for n in 1..=69 {
        assert!(known.contains(&alloc::format!("MUST-{n}")), "MUST-{n}");
    }
    for n in 1..=31 {
        assert!(known.contains(&alloc::format!("SHLD-{n}")), "SHLD-{n}");
    }
}
