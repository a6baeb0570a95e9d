//! How much memory a run takes. The peak that Linux counts is a whole process's, so each run gets a process of its own:
//! this very program, told by its environment what to run.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use evilbit::plan::{Plan, Scope};
use evilbit::runner;
use evilbit::scenario::{self, Overrides};
use evilbit::view::Wanted;
use evilbit::world::{Builtin, RunOptions, World};

/// What the child is to run: `blog`, or how many bytes to push.
const RUN: &str = "EVILBIT_MEMORY_OF";
const MIB: u64 = 1 << 20;

/// Peak memory of a run, in bytes.
fn peak_of(run: &str) -> u64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .args(["a_run_in_a_process_of_its_own", "--exact", "--nocapture"])
        .env(RUN, run)
        .output()
        .expect("it runs again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let peak = said
        .split("VmHWM:")
        .nth(1)
        .expect("the child says its peak");
    let kib = peak.split_whitespace().next().and_then(|n| n.parse().ok());
    kib.map(|kib: u64| kib << 10).expect("a number of KiB")
}

#[test]
fn a_run_in_a_process_of_its_own() {
    match std::env::var(RUN) {
        Err(_) => return,
        Ok(run) if run == "blog" => blog(),
        Ok(bytes) => push(&bytes),
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
    println!("\n{}", peak.expect("a peak"));
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")
}

fn blog() {
    let path = scenarios().join("blog/blog.kdl");
    let plan = scenario::load(&path, &Overrides::default()).expect("it is well written");
    let (wanted, options) = (Wanted::default(), RunOptions::default());
    let ran = runner::run(&plan, &Builtin, Scope::Expect, &wanted, &options).expect("it runs");
    assert_eq!(ran.failures, []);
}

/// Pushes bytes through four taps, kept by nobody but the hash.
fn push(bytes: &str) {
    let text = format!(
        r#"
        scenario "push" duration="1h" {{ about "bytes go through four taps"; }}
        machine "a" {{ domain "discard" guest="discard" {{ vif ip="10.0.0.2/24"; }} }}
        machine "b" {{ domain "talker" guest="script" {{ vif ip="10.0.0.9/24"; }} }}
        link "a" "b" delay="100us" rate="1Gbit"
        at "1s" {{
            on "talker" {{ connect "c" "10.0.0.2:9"; send "c" pattern={bytes}; shutdown "c"; recv "c" eof=#true; }}
        }}
        expect {{ script "talker" count=1; }}
        "#
    );
    let name = Path::new("push.kdl");
    let plan: Plan = scenario::parse(text.as_bytes(), name, &scenarios(), &Overrides::default())
        .expect("it is well written");
    let run = World::run(&plan, &Builtin, &RunOptions::default(), &mut ()).expect("it runs");
    assert_eq!(run.script_failures, []);
    assert_eq!(run.scripts_unfinished, []);
}

#[test]
fn the_blog_takes_less_than_64_mebibytes() {
    let peak = peak_of("blog");
    assert!(peak < 64 * MIB, "{} KiB", peak >> 10);
}

#[test]
fn a_longer_transfer_takes_no_more_memory() {
    let (short, long) = (peak_of("1000000"), peak_of("5000000"));
    assert!(
        long < short + MIB,
        "{} KiB, then {} KiB",
        short >> 10,
        long >> 10
    );
}
