//! packetdrill scripts as tests: those of `scenarios/conformance` pass on both paths; of google's and FreeBSD's suites,
//! where they are to be found, as many pass as `tests/conformance-floors.txt` says, and `docs/conformance.md` says of each
//! of the others why it does not. In every way of running a suite the same comes out.
//!
//! In reading order: [`suite`] (a suite, run by the command), [`floors`], [`table`] (the page of docs).

mod floors;
mod suite;
mod table;

use std::path::PathBuf;

use suite::{CORPORA, PATHS, Ran};
use tests::{corpora, scenario, tools};

/// The suites of others; skipped by name where they are not.
fn others(test: &str) -> Option<PathBuf> {
    let folder = corpora::folder();
    if folder.is_none() {
        let why = "no google/ and freebsd/ in ../shared/packetdrill or EVILBIT_PACKETDRILL";
        tools::skip(test, why, "EVILBIT_REQUIRE_PACKETDRILL");
    }
    folder
}

/// What is to be written anew instead of being compared.
fn blessed() -> bool {
    let set_to = |name, wanted| std::env::var(name).is_ok_and(|value| value == wanted);
    let bless = set_to("EVILBIT_BLESS", "1");
    assert!(
        !(bless && set_to("CI", "true")),
        "EVILBIT_BLESS is refused where CI=true"
    );
    bless
}

#[test]
fn every_script_of_our_own_passes_on_every_path() {
    let folder = scenario::root().join("scenarios/conformance");
    for path in PATHS {
        let ran = suite::run(&folder, path, None);
        assert!(!ran.is_empty(), "there are scripts");
        let others: Vec<&Ran> = ran.iter().filter(|ran| ran.result != "PASS").collect();
        assert!(others.is_empty(), "--path {path}: {others:#?}");
    }
}

#[test]
fn no_number_of_jobs_and_no_second_run_changes_a_verdict_or_a_hash() {
    let mut folders = vec![scenario::root().join("scenarios/conformance")];
    folders.extend(corpora::folder().map(|others| others.join("google")));
    for folder in folders {
        for path in PATHS {
            let once = suite::run(&folder, path, Some(1));
            for jobs in [1, 2, 7] {
                let again = suite::run(&folder, path, Some(jobs));
                assert_eq!(again, once, "--path {path} --jobs {jobs}");
            }
        }
    }
}

#[test]
fn the_suites_of_others_pass_as_far_as_was_reached_and_the_rest_is_explained() {
    let Some(folder) = others("the suites of others") else {
        return;
    };
    let scores: Vec<table::Score> = CORPORA
        .iter()
        .map(|corpus| table::Score::of(corpus, &folder))
        .collect();
    if blessed() {
        floors::write(&scores);
        table::write(&scores);
    }
    floors::check(&scores);
    table::check(&scores);
}
