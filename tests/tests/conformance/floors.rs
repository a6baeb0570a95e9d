//! `tests/conformance-floors.txt`: how many scripts of a suite pass at least, on which path. A floor is raised by
//! `EVILBIT_BLESS=1 cargo test -p tests --test conformance`, and lowered by hand only, by someone who can say why.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tests::scenario;

use super::suite::PATHS;
use super::table::Score;

/// A suite and a path, perhaps with an IP version, and how many pass there at least.
type Floors = BTreeMap<(String, String), usize>;

fn file() -> PathBuf {
    scenario::root().join("tests/conformance-floors.txt")
}

fn read() -> Floors {
    let text = fs::read_to_string(file()).expect("the file can be read");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(line).collect()
}

fn line(line: &str) -> ((String, String), usize) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [suite, path, least] = words[..] else {
        panic!("a line is SUITE PATH LEAST: {line:?}");
    };
    let least = least.parse().expect("a number of scripts");
    ((suite.to_owned(), path.to_owned()), least)
}

fn passed(scores: &[Score]) -> Floors {
    let mut passed = Floors::new();
    for score in scores {
        for path in PATHS {
            let key = (score.corpus.name.to_owned(), path.to_owned());
            passed.insert(key, score.passed(path));
        }
        for (version, count) in &score.by_version {
            let key = (score.corpus.name.to_owned(), format!("raw,{version}"));
            passed.insert(key, *count);
        }
    }
    passed
}

/// Every floor holds, and there is one for every suite, path and version.
pub fn check(scores: &[Score]) {
    let (floors, passed) = (read(), passed(scores));
    assert!(
        floors.keys().eq(passed.keys()),
        "each suite on each path and with each version"
    );
    for (key, least) in floors {
        let now = passed[&key];
        let (suite, path) = key;
        assert!(
            now >= least,
            "{suite} --path {path}: {now} scripts pass, and {least} did"
        );
        if now > least {
            eprintln!("{suite} --path {path}: {now} scripts pass, the floor is {least}: raise it");
        }
    }
}

/// Raises the floors to what passes now.
pub fn write(scores: &[Score]) {
    let old = read();
    let mut text =
        String::from("# How many scripts pass at least: suite, path of the stack, number.\n");
    for (key, now) in passed(scores) {
        let least = old.get(&key).map_or(now, |least| now.max(*least));
        let (suite, path) = key;
        text += &format!("{suite} {path} {least}\n");
    }
    fs::write(file(), text).expect("the file can be written");
}
