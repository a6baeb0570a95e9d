//! Files that cannot be written: found before anything runs where that is possible, and never half written.

use std::path::Path;

use crate::bench::{Bench, GOOD};

#[test]
fn captures_go_into_a_folder() {
    let bench = Bench::with(GOOD);
    bench.write("file", "I was here first");
    for place in ["file", "file/below", "x.kdl"] {
        bench.refuses(
            &["run", "x.kdl", "--pcap", place],
            &["--pcap", "help: --pcap takes a folder"],
        );
    }
    bench.refuses(
        &[
            "serve",
            "x.kdl",
            "--tap",
            "evilbit0",
            "--pcap",
            "no/such.pcapng",
        ],
        &["help: "],
    );
}

#[test]
fn a_trace_goes_into_a_file() {
    let bench = Bench::with(GOOD);
    for place in [".", "no/such/folder/t.jsonl", "x.kdl/t.jsonl"] {
        bench.refuses(
            &["run", "x.kdl", "--trace", place],
            &["--trace", "help: --trace takes a file"],
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_where_the_disk_is_full_or_nothing_may_be_written() {
    let bench = Bench::with(GOOD);
    for place in ["/dev/full", "/dev/full/x", "/proc/evilbit"] {
        bench.refuses(&["run", "x.kdl", "--pcap", place], &["--pcap", "help: "]);
    }
    bench.refuses(
        &["run", "x.kdl", "--trace", "/proc/evilbit"],
        &["--trace", "help: "],
    );
    // The trace fails at its end, and takes the captures with it.
    let args = ["run", "x.kdl", "--trace", "/dev/full", "--pcap", "captures"];
    bench.refuses(&args, &["/dev/full", "No space left", "help: "]);
    assert!(!Path::new("/dev/full.part").exists());
}

#[test]
fn one_trace_is_of_one_scenario_and_captures_have_names() {
    let bench = Bench::with(GOOD);
    bench.write("y.kdl", GOOD);
    bench.refuses(
        &["run", ".", "--trace", "t.jsonl"],
        &["several scenarios", "one by one"],
    );
    bench.refuses(
        &["run", ".", "--pcap", "captures"],
        &["are called \"good\"", "help: "],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_does_not_arrive_is_no_success() {
    let bench = Bench::with(GOOD);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let Ok(full) = full else { return };
    let mut command = bench.command(&["run", "x.kdl"]);
    let output = command.stdout(full).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("No space left"), "{said}");
}
