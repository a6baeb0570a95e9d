//! packetdrill scripts on the command line: what is said of those that pass, fail, are skipped or are none.

use serde_json::Value;

use crate::bench::{Bench, stderr, stdout};

/// A script that passes: a connection is taken, and closed.
const GOOD: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 9000 <mss 1000>
+0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 9000
+0 accept(3, ..., ...) = 4
+0 close(4) = 0
+0 > F. 1:1(0) ack 1
";

/// Another one, whose last line is not what happens.
fn failing() -> String {
    GOOD.replace("> F. 1:1(0) ack 1", "> F. 1:1(0) ack 7")
}

fn bench() -> Bench {
    let bench = Bench::empty();
    bench.write("suite/a-good.pkt", GOOD);
    bench.write("suite/b-bad.pkt", failing());
    bench.write("suite/c-skipped.pkt", "0 fork() = 0\n");
    bench.write("suite/d-known.pkt", failing());
    bench.write("suite/d-known.exfail", "a bug\n");
    bench
}

#[test]
fn a_script_passes_and_says_so() {
    let bench = Bench::empty();
    bench.write("x.pkt", GOOD);
    for path in ["raw", "xen"] {
        let assert = bench.run(&["packetdrill", "x.pkt", "--path", path]).code(0);
        assert_eq!(
            stdout(&assert),
            "PASS x.pkt\n1 passed, 0 failed, 0 skipped\n"
        );
        assert_eq!(stderr(&assert), "");
    }
    bench
        .run(&["packetdrill", "x.pkt", "--profile", "rfc"])
        .code(0);
}

#[test]
fn a_failure_shows_line_expectation_and_what_came() {
    let assert = bench().run(&["packetdrill", "suite/b-bad.pkt"]).code(1);
    let said = stdout(&assert);
    for words in [
        "suite/b-bad.pkt:9: the packet's acknowledgement differs: expected 7, got 1",
        "  expected  > F. 1:1(0) ack 7\n       got  > F. 1:1(0) ack 1\n",
        "^^^^^",
        "0.100000 close(4) = 0",
        "  again: evilbit packetdrill suite/b-bad.pkt\n",
        "0 passed, 1 failed, 0 skipped",
    ] {
        assert!(said.contains(words), "no {words:?} in:\n{said}");
    }
}

#[test]
fn the_command_that_repeats_a_failure_runs_the_script_as_it_was_run() {
    let options = ["--path", "xen", "--profile", "freebsd"];
    let args = [&["packetdrill", "suite/b-bad.pkt"][..], &options].concat();
    let said = stdout(&bench().run(&args).code(1));
    let again = "  again: evilbit packetdrill suite/b-bad.pkt --path xen --profile freebsd\n";
    assert!(said.contains(again), "{said}");
}

#[test]
fn each_ending_is_counted_apart_and_a_skip_has_its_reason() {
    let assert = bench().run(&["packetdrill", "suite"]).code(1);
    let said = stdout(&assert);
    assert!(
        said.contains("it uses what cannot be run: call:fork"),
        "{said}"
    );
    let end = "1 failed as expected\n1 passed, 1 failed, 1 skipped\n";
    assert!(said.ends_with(end), "{said}");
}

#[test]
fn the_same_is_printed_whatever_runs_at_once() {
    let bench = bench();
    let on = |jobs: &str| stdout(&bench.run(&["packetdrill", "suite", "--jobs", jobs]));
    assert_eq!(on("1"), on("7"));
}

#[test]
fn json_is_an_object_a_line_with_a_hash_that_stays() {
    let bench = bench();
    let lines = || {
        let assert = bench.run(&["packetdrill", "suite", "--json"]).code(1);
        let said = stdout(&assert);
        let lines = said.lines().map(|l| serde_json::from_str(l).expect(l));
        lines.collect::<Vec<Value>>()
    };
    let once = lines();
    assert_eq!(once, lines());
    assert_eq!(once[0]["result"], "PASS");
    assert_eq!(once[0]["trace"].as_str().map(str::len), Some(32));
    assert_eq!(once[1]["failure"]["line"], 9);
    assert_eq!(once[1]["failure"]["got"], "> F. 1:1(0) ack 1");
    assert_eq!(once[3]["result"], "XFAIL");
    assert_eq!(once[4]["failed_as_expected"], 1);
}

#[test]
fn captures_are_written_and_what_the_script_forged_is_evil() {
    let bench = bench();
    let args = ["packetdrill", "suite/a-good.pkt", "--pcap", "captures"];
    bench.run(&args).code(0);
    let capture =
        std::fs::read(bench.path().join("captures/suite/a-good.pcapng")).expect("written");
    // An IPv4 header from the remote's address, with the evil bit; none from ours has it.
    let header = |flags: u8, source: [u8; 4]| {
        let of = |w: &&[u8]| w[0] == 0x45 && w[6] & 0x80 == flags && w[12..16] == source;
        capture.windows(20).filter(of).count()
    };
    // Two of its lines, and the reset that ends the connection.
    assert_eq!(header(0x80, [192, 0, 2, 1]), 3);
    assert_eq!(header(0x80, [192, 168, 0, 1]), 0);
    assert_eq!(header(0, [192, 168, 0, 1]), 2);
}

#[test]
fn a_capture_lies_where_its_script_does() {
    let bench = Bench::empty();
    for script in ["suite/a/x.pkt", "suite/b/x.pkt", "x.pkt"] {
        bench.write(script, GOOD);
    }
    for path in ["raw", "xen"] {
        let args = ["packetdrill", ".", "--path", path, "--pcap", path];
        bench.run(&args).code(0);
        for capture in ["suite/a/x.pcapng", "suite/b/x.pcapng", "x.pcapng"] {
            let written = std::fs::read(bench.path().join(path).join(capture));
            let written = written.expect(capture);
            assert!(written.len() > 400, "{capture}: {} bytes", written.len());
        }
    }
    let twice = ["packetdrill", "x.pkt", "./x.pkt", "--pcap", "twice"];
    bench.refuses(&twice, &["x.pcapng", "help: "]);
    // What leads out of the folder is left out.
    let inside = bench.path().join("suite/a");
    let mut command = bench.command(&["packetdrill", "../b/x.pkt", "--pcap", "."]);
    assert!(
        command
            .current_dir(inside)
            .output()
            .expect("it runs")
            .status
            .success()
    );
    assert!(bench.path().join("suite/a/b/x.pcapng").exists());
}

#[test]
fn a_capture_that_cannot_be_written_is_said_before_anything_runs() {
    let bench = bench();
    bench.write("file", "I was here first");
    for place in [
        "file",
        "file/below",
        "/dev/full",
        "/dev/full/x",
        "/proc/evilbit",
    ] {
        let args = ["packetdrill", "suite", "--pcap", place];
        bench.refuses(&args, &["--pcap", "help: --pcap takes a folder"]);
    }
}

#[test]
fn a_capture_that_is_not_there_is_no_success() {
    let bench = Bench::empty();
    bench.write("x.pkt", GOOD);
    // In the file's place stands a folder.
    bench.write("captures/x.pcapng/inside", "");
    let args = ["packetdrill", "x.pkt", "--pcap", "captures"];
    let said = stderr(&bench.run(&args).code(2));
    assert!(said.contains("error: --pcap captures/x.pcapng"), "{said}");
}

#[test]
fn scripts_run_wherever_scenarios_do() {
    let bench = bench();
    bench.write("suite/x.kdl", crate::bench::GOOD);
    let assert = bench.run(&["run", "suite", "--twice"]).code(1);
    let said = stdout(&assert);
    assert!(said.contains("PASS suite/x.kdl seed=7"), "{said}");
    assert!(said.contains("PASS suite/a-good.pkt"), "{said}");
    assert!(said.contains("FAIL suite/b-bad.pkt"), "{said}");
    let args = ["test", "suite", "--filter", "a-good"];
    let said = stdout(&bench.run(&args).code(0));
    assert!(said.ends_with("1 passed, 0 failed, 4 skipped\n"), "{said}");
    let said = stderr(
        &bench
            .run(&["run", "suite/a-good.pkt", "--seed", "1"])
            .code(2),
    );
    assert!(said.contains("--seed is for scenarios"), "{said}");
}

#[test]
fn what_is_no_script_is_refused_at_once() {
    // A multiplicative generator: the same bytes each time.
    let mut state = 1u64;
    let random = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    let random: Vec<u8> = random.take(100_000).collect();
    for (bytes, words) in [
        (&b""[..], "the script has no events"),
        (&random, "not UTF-8"),
        (b"0 close(3) = 0 // caf\xe9\n", "[x.pkt:1:22]"),
        (b"0 clo\0se(3) = 0\n", "'\\0' means nothing here"),
    ] {
        let bench = Bench::empty();
        bench.write("x.pkt", bytes);
        let said = bench.refuses(&["packetdrill", "x.pkt"], &[words, "[x.pkt:1:", "help: "]);
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(
            !said.contains(steers),
            "the file steers the terminal: {said:?}"
        );
        bench.refuses(&["run", "x.pkt"], &[words]);
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_at_once() {
    const LONG: usize = 100 << 20;
    let event = "0 close(3) = 0\n";
    for text in [
        "#".repeat(LONG),
        event.repeat(LONG / event.len()),
        format!("0 f({}", "{".repeat(LONG)),
        format!("0 f({}", "(".repeat(LONG)),
    ] {
        let bench = Bench::empty();
        bench.write("x.pkt", text);
        bench.refuses(&["packetdrill", "x.pkt"], &["more than 1048576 bytes"]);
    }
    for (bracket, words) in [
        ("[", "nested more than"),
        ("{", "nested more than"),
        ("(", "expected an argument"),
        ("%{", "the code block is not closed"),
    ] {
        let bench = Bench::empty();
        bench.write("x.pkt", format!("0 close({}", bracket.repeat(100_000)));
        let words = [words, "[x.pkt:1:", "^", "help: "];
        let said = bench.refuses(&["packetdrill", "x.pkt"], &words);
        assert!(said.len() < 1_000, "the whole line is shown");
    }
}

#[test]
fn what_is_wrong_in_a_line_is_shown_where_it_is() {
    let lines = [
        (
            "+0 write(4, \"abc, 3) = 3",
            "10:13",
            "the text is not closed",
        ),
        (
            "+0 close(4) = 0 /* abc",
            "10:17",
            "the comment is not closed",
        ),
        ("+0 `ls", "10:4", "the command is not closed"),
        ("+0 %{ assert x", "10:4", "the code block is not closed"),
        (
            "2 close(4) = 0\n1 close(4) = 0",
            "11:1",
            "time runs backwards",
        ),
        (
            "3~4 > . 1:1(0) ack 1\n1~2 > . 1:1(0) ack 1",
            "11:1",
            "time runs backwards",
        ),
        (
            "+2~+1 > . 1:1(0) ack 1",
            "10:1",
            "the window ends before it begins",
        ),
        ("1e300 close(4) = 0", "10:1", "expected a time"),
        ("+99999999999 close(4) = 0", "10:2", "out of range"),
        ("+0...99999999999 close(4) = 0", "10:6", "out of range"),
        ("+0 close(7) = 0", "10:10", "no descriptor 7"),
        ("+0 write(-1, ..., 3) = 3", "10:10", "no descriptor -1"),
        (
            "+0 write(3, ..., 1000000000000000000) = 5",
            "10:18",
            "no call moves so many",
        ),
        (
            "+0...9 read(3, ..., 1000000000000000000) = 5",
            "10:21",
            "no call moves so many",
        ),
        ("-5 close(4) = 0", "10:1", "out of range"),
        (
            "+0 close(99999999999999999999) = 0",
            "10:10",
            "out of range",
        ),
        (
            "+0 < . 1:99999(99998) ack 1 win 9",
            "10:16",
            "cannot be 99998",
        ),
        ("+0 this is no event", "10:9", "expected"),
    ];
    for (line, place, what) in lines {
        let bench = Bench::empty();
        bench.write("x.pkt", format!("{GOOD}{line}\n"));
        let words = [&format!("[x.pkt:{place}]"), what, "^", "help: "];
        bench.refuses(&["packetdrill", "x.pkt"], &words);
    }
}

#[test]
fn what_is_named_and_is_not_there_is_refused() {
    let bench = Bench::with("");
    bench.refuses(&["packetdrill", "."], &["no script in this folder"]);
    bench.refuses(&["packetdrill", "x.kdl"], &["not a script", ".pkt"]);
    bench.refuses(&["packetdrill", "nowhere"], &["nowhere"]);
    bench.refuses(&["packetdrill", ".", "--profile", "plan9"], &["plan9"]);
    let bench = self::bench();
    bench.refuses(&["packetdrill", "suite", "--filter", "zzz"], &["zzz"]);
    bench.refuses(
        &["packetdrill", "suite", "--jobs", "0"],
        &["--jobs", "1..="],
    );
    bench
        .run(&["packetdrill", "suite/a-good.pkt", "--jobs", "65535"])
        .code(0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_script_that_cannot_be_read_is_named() {
    let bench = Bench::empty();
    // Not even root reads the first page of a process.
    let place = bench.path().join("x.pkt");
    std::os::unix::fs::symlink("/proc/self/mem", place).expect("a link");
    let words = ["x.pkt", "cannot be read", "help: "];
    bench.refuses(&["packetdrill", "x.pkt"], &words);
}

#[test]
fn a_script_that_asks_for_the_impossible_fails_soon_and_by_its_line() {
    let accepted = GOOD.split("+0 close").next().expect("there is a close");
    for (line, words) in [
        ("+0 %{\nwhile True:\n  pass\n}%", "`while` is not part of"),
        ("+0 %{ x = range(10 * 10) }%", "no function `range`"),
        (
            "+0...1 write(4, ..., 2147479552) = 5",
            "write blocks, and nothing would end that",
        ),
        (
            "+0 write(4, \"abc\", 1000000000) = 5",
            "bytes of this length cannot be",
        ),
        (
            "+0...999999999 read(4, ..., 2147479552) = 5",
            "read blocks, and nothing would end that",
        ),
        ("* > . 1:1(0) ack 1", "no packet came, and none would"),
        (
            "+0 `while true; do true; done`",
            "it uses what cannot be run",
        ),
    ] {
        let bench = Bench::empty();
        bench.write("x.pkt", format!("{accepted}{line}\n"));
        let said = stdout(&bench.run_promptly(&["packetdrill", "x.pkt"]).code(1));
        assert!(said.contains(words), "{said}");
        let at = if words.contains("cannot be run") {
            1
        } else {
            8
        };
        assert!(said.contains(&format!("x.pkt:{at}: ")), "{said}");
    }
    let doubled = format!("+0 %{{\nx = (1,)\n{}}}%", "x = (x, x)\n".repeat(60));
    let bench = Bench::empty();
    bench.write("x.pkt", format!("{accepted}{doubled}\n"));
    let said = stdout(&bench.run_promptly(&["packetdrill", "x.pkt"]).code(1));
    assert!(said.contains("the blocks do too much"), "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let bench = bench();
    let mut command = bench.command(&["packetdrill", "suite"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = command.stdout(writer).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn one_script_runs_with_each_ip_version() {
    let bench = Bench::empty();
    bench.write("x.pkt", GOOD.replace("<...>", "<mss 1460>"));
    bench.write("v4.pkt", format!("--ip_version=ipv4\n{GOOD}"));
    // The IP version of the first packet of a capture: behind section, interface and the packet's own header.
    let version = |script: &str, folder: &str| {
        let place = bench.path().join(folder).join(script);
        let capture = std::fs::read(place).expect("written");
        let word = |at: usize| {
            let bytes = capture[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes) as usize
        };
        let interface = word(4);
        let packet = interface + word(interface + 4);
        capture[packet + 28] >> 4
    };
    for (asked, is) in [("ipv4", 4), ("ipv6", 6), ("ipv4-mapped-ipv6", 4)] {
        for path in ["raw", "xen"] {
            let how = ["--ip-version", asked, "--path", path, "--pcap", asked];
            let args = [&["packetdrill", "x.pkt", "v4.pkt"][..], &how].concat();
            bench.run(&args).code(0);
            assert_eq!(version("x.pcapng", asked), is, "{asked}");
            assert_eq!(version("v4.pcapng", asked), 4, "the script's own counts");
        }
    }
    let args = ["packetdrill", "x.pkt", "--ip-version", "ipv5"];
    bench.refuses(&args, &["ipv5", "ipv4-mapped-ipv6"]);
    bench.write("bad.pkt", failing());
    let args = ["packetdrill", "bad.pkt", "--ip-version", "ipv6"];
    let said = stdout(&bench.run(&args).code(1));
    assert!(said.contains("bad.pkt --ip-version ipv6\n"), "{said}");
}

#[test]
fn an_option_that_says_what_cannot_be_is_no_script_s() {
    let bench = Bench::empty();
    bench.write("x.pkt", format!("// a comment\n--mtu=1\n{GOOD}"));
    let words = [
        "[x.pkt:2:1]",
        "`--mtu=1`",
        "^^^^^^^",
        "help: it is a number of bytes",
    ];
    bench.refuses(&["packetdrill", "x.pkt"], &words);
    bench.refuses(&["run", "x.pkt"], &words);
}

#[test]
fn a_bad_script_does_not_hide_the_others() {
    let bench = bench();
    bench.write("suite/e.pkt", "nonsense");
    let assert = bench.run(&["packetdrill", "suite"]).code(2);
    let said = stdout(&assert);
    assert!(said.ends_with("1 passed, 1 failed, 1 skipped\n"), "{said}");
}
