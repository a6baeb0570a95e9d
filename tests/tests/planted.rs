//! A comparison that has never found anything proves nothing. So mistakes are planted in the binary, by a build with
//! `--features planted`, and `evilbit run --twice` must find each, name the first event in which two runs differ, and
//! exit with 1.
#![cfg(feature = "planted")]

use std::fs;
use std::process::{Command, Output};

use tests::binary::{evilbit, with_mistakes};
use tests::scenario::root;

/// Eight domains that are created at one instant.
fn eight_at_once() -> String {
    let each = |line: fn(u32) -> String| (0..8).map(line).collect::<String>();
    let domains =
        each(|n| format!("  domain \"d{n}\" guest=\"empty\" start=\"manual\" {{ vif; }}\n"));
    let creates = each(|n| format!("  create \"d{n}\"\n"));
    let about = "scenario \"eight\" { about \"Eight domains begin together\"; }\n";
    format!("{about}machine \"m\" {{\n{domains}}}\nat \"1ms\" {{\n{creates}}}\n")
}

/// What `run --twice` says of a file, with such a mistake or with none.
fn twice(scenario: &str, mistake: Option<&str>) -> Output {
    let folder = tempfile::tempdir().expect("a folder for the run");
    let file = folder.path().join("x.kdl");
    let path = match scenario.ends_with(".kdl") {
        true => root().join("scenarios").join(scenario),
        false => {
            fs::write(&file, scenario).expect("written");
            file
        }
    };
    let mut run = Command::new(with_mistakes());
    run.current_dir(folder.path()).args(["run", "--twice"]);
    run.args(mistake.into_iter().flat_map(|mistake| ["--plant", mistake]));
    run.arg(path).output().expect("the binary runs")
}

/// The run failed for this alone: two runs differ, in an event that is named and shown as it was in each.
#[track_caller]
fn assert_found(output: &Output, contains: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines: Vec<&str> = said.lines().map(str::trim_start).collect();
    let [replay, failure, first, second, _, closing] = lines[..] else {
        panic!("{said}");
    };
    assert!(
        replay.starts_with("evilbit replay ") && closing.starts_with("FAIL "),
        "{said}"
    );
    let n = failure.strip_prefix("× not deterministic: two runs differ, first in event ");
    assert!(
        n.is_some_and(|n| n.parse::<u64>().is_ok_and(|n| n > 0)),
        "{said}"
    );
    let (first, second) = (
        first.strip_prefix("first run: "),
        second.strip_prefix("second run: "),
    );
    assert!(
        first.is_some() && second.is_some() && first != second,
        "{said}"
    );
    assert!(
        first.is_some_and(|first| first.contains(contains)),
        "{said}"
    );
}

#[test]
fn a_wall_clock_that_a_guest_sees_is_found() {
    // Of all events the first that tells the time is the blog's first answer.
    assert_found(
        &twice("blog/blog.kdl", Some("wall-clock")),
        "ec2: FrameBorn",
    );
}

#[test]
fn draws_in_the_order_of_use_are_found() {
    // Its link draws a delay for each frame; a rare loss may not hit in either run.
    assert_found(&twice("services/discard.kdl", Some("draw-order")), "");
}

#[test]
fn the_order_of_a_hash_map_is_found() {
    assert_found(&twice(&eight_at_once(), Some("hash-map-order")), "create");
}

#[test]
fn nothing_planted_nothing_found() {
    for scenario in ["blog/blog.kdl", "services/discard.kdl", &eight_at_once()] {
        let output = twice(scenario, None);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn what_users_get_has_nothing_to_plant() {
    let mut run = Command::new(evilbit());
    run.args(["run", "--plant", "wall-clock", "x.kdl"]);
    let output = run.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("unexpected argument '--plant'"), "{said}");
}
