//! `REQUIREMENTS.md` tells the truth: every test that it names exists, and it answers for every requirement once.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("../REQUIREMENTS.md");

fn sources(folder: &Path, to: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, to);
        } else if path.extension().is_some_and(|e| e == "rs") {
            to.push_str(&fs::read_to_string(&path).expect("text"));
        }
    }
}

fn rows() -> impl Iterator<Item = Vec<String>> {
    let cells = |line: &str| line.split('|').map(|c| c.trim().to_string()).collect();
    TABLE
        .lines()
        .filter(|line| line.starts_with("| MUST-") || line.starts_with("| SHLD-"))
        .map(cells)
}

#[test]
fn every_test_that_the_table_names_exists() {
    let mut text = String::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    for row in rows() {
        if ["by ", "open", "not done"]
            .iter()
            .any(|w| row[4].starts_with(w))
        {
            continue;
        }
        let names: Vec<&str> = row[4].split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{} names no test", row[1]);
        for name in names {
            assert!(
                text.contains(&alloc::format!("fn {name}(")),
                "{}: no test {name}",
                row[1]
            );
        }
    }
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
