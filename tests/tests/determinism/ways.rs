//! Ways of driving, watching and accompanying a run. None of them may be seen in its trace.

use std::fs;
use std::path::Path;

use evilbit::view::Wanted;
use evilbit::world::{RunOptions, WindowMode};
use rayon::prelude::*;
use tests::scenario::Scenario;

use crate::{PLAIN, cuts};

/// Runs every scenario so, and compares.
fn compare(way: &str, run: impl Fn(&Scenario) -> u128 + Sync) {
    PLAIN.par_iter().for_each(|(scenario, plain)| {
        let hash = run(scenario);
        assert_eq!(
            hash, plain.hash,
            "{} is another when {way}: {hash:032x}, not {:032x}",
            scenario.name, plain.hash
        );
    });
}

#[test]
fn windows_and_the_order_of_hosts_leave_no_mark() {
    for options in &cuts()[1..] {
        let way = format!("driven {options:?}");
        compare(&way, |s| s.run(&Wanted::default(), options).run.hash);
    }
}

#[test]
fn windows_were_really_cut() {
    for (windows, parts) in [(WindowMode::Halved, 2), (WindowMode::Sevenths, 7)] {
        let options = RunOptions {
            windows,
            ..RunOptions::default()
        };
        PLAIN.par_iter().for_each(|(scenario, plain)| {
            let cut = scenario.run(&Wanted::default(), &options).run.stats.rounds;
            let whole = plain.stats.rounds;
            assert!(
                whole > 0 && cut >= parts * whole,
                "{}: {whole} windows in {cut} rounds when driven {windows:?}",
                scenario.name
            );
        });
    }
}

#[test]
fn views_leave_no_mark() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("views");
    compare("every view is asked for", |scenario| {
        let folder = root.join(scenario.name.replace('/', "-"));
        fs::create_dir_all(&folder).expect("a folder for the views");
        let wanted = Wanted {
            ladder: true,
            xen: true,
            snapshot: true,
            pcap: Some(folder.join("all.pcapng")),
            pcap_taps: Some(folder.clone()),
            trace: Some(folder.join("trace.jsonl")),
        };
        let outcome = scenario.run(&wanted, &RunOptions::default());
        assert!(outcome.rendered.ladder.is_some() && outcome.rendered.xen.is_some());
        fs::remove_dir_all(&folder).expect("it was there");
        outcome.run.hash
    });
}

#[test]
fn the_log_leaves_no_mark() {
    compare("everything is logged", |scenario| {
        let log = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(std::io::sink)
            .finish();
        tracing::subscriber::with_default(log, || {
            let outcome = scenario.run(&Wanted::default(), &RunOptions::default());
            outcome.run.hash
        })
    });
}

#[test]
fn company_leaves_no_mark() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build();
    let pool = pool.expect("eight threads");
    pool.install(|| {
        (0..2).into_par_iter().for_each(|_| {
            compare("eight threads run scenarios", |s| {
                s.run(&Wanted::default(), &RunOptions::default()).run.hash
            });
        });
    });
}

#[tokio::test]
async fn a_runtime_around_it_leaves_no_mark() {
    let (scenario, plain) = &PLAIN[0];
    let outcome = scenario.run(&Wanted::default(), &RunOptions::default());
    assert_eq!(outcome.run.hash, plain.hash);
    assert_eq!(outcome.failures, []);
}
