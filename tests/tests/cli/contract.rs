//! What each command promises to users and scripts.

use std::io::Read;
use std::process::Stdio;

use serde_json::Value;
use tests::binary::evilbit;
use tests::scenario::root;

use crate::bench::{Bench, GOOD, stderr, stdout};

/// The good scenario, but it expects what does not happen.
fn failing() -> String {
    GOOD.replace("count=1; }", "count=2; }")
}

/// `PASS x.kdl seed=7 trace=<32 hex> sim=0.1s wall=3ms packets=4`, in its parts.
#[track_caller]
fn closing(line: &str) -> (String, String) {
    let words: Vec<&str> = line.split(' ').collect();
    let [word, _, seed, trace, sim, wall, packets] = words[..] else {
        panic!("not a closing line: {line:?}");
    };
    let hash = trace.strip_prefix("trace=").expect(line);
    assert!(
        hash.len() == 32 && hash.chars().all(|c| c.is_ascii_hexdigit()),
        "{line}"
    );
    assert!(
        seed.strip_prefix("seed=")
            .is_some_and(|n| n.parse::<u64>().is_ok()),
        "{line}"
    );
    let sim = sim.strip_prefix("sim=").and_then(|s| s.strip_suffix('s'));
    assert!(sim.is_some_and(|s| s.parse::<f64>().is_ok()), "{line}");
    let wall = wall
        .strip_prefix("wall=")
        .and_then(|s| s.strip_suffix("ms"));
    assert!(wall.is_some_and(|s| s.parse::<u64>().is_ok()), "{line}");
    assert!(
        packets
            .strip_prefix("packets=")
            .is_some_and(|n| n.parse::<u64>().is_ok()),
        "{line}"
    );
    (word.to_owned(), hash.to_owned())
}

#[test]
fn a_run_that_holds_says_one_line_and_exits_0() {
    let bench = Bench::with(GOOD);
    let run = bench.run(&["run", "x.kdl"]).code(0).stderr("");
    let out = stdout(&run);
    assert_eq!(out.lines().count(), 1, "{out}");
    assert_eq!(closing(out.trim_end()).0, "PASS");
    assert!(out.starts_with("PASS x.kdl seed=7 "), "{out}");
    assert_eq!(bench.files().len(), 1, "it left something");
}

#[test]
fn a_run_that_fails_begins_with_the_command_that_replays_it_and_exits_1() {
    let bench = Bench::with(failing());
    let run = bench
        .run(&["run", "x.kdl", "--seed", "8"])
        .code(1)
        .stderr("");
    let out = stdout(&run);
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("evilbit replay x.kdl --seed 8"));
    assert!(out.contains("x.kdl:15:10"), "{out}");
    assert!(
        out.contains("captures and trace: target/evilbit/good-8"),
        "{out}"
    );
    let (word, hash) = closing(lines.last().expect("a closing line"));
    assert_eq!(word, "FAIL");
    // The command says what it says.
    let again = bench.run(&["replay", "x.kdl", "--seed", "8"]).code(1);
    assert_eq!(
        closing(stdout(&again).lines().last().expect("a line")).1,
        hash
    );
}

#[test]
fn a_failed_run_leaves_captures_trace_and_snapshot_diff() {
    let bench = Bench::with(failing());
    bench.run(&["run", "x.kdl"]).code(1);
    let left = |name: &str| std::fs::read(bench.path().join("target/evilbit/good-7").join(name));
    for capture in [
        "caller-vif0.pcapng",
        "echo-vif0.pcapng",
        "a-uplink0.pcapng",
        "b-uplink0.pcapng",
    ] {
        let bytes = left(capture).expect(capture);
        assert_eq!(
            bytes[..4],
            [0x0A, 0x0D, 0x0D, 0x0A],
            "{capture} is no pcapng"
        );
    }
    let trace = String::from_utf8(left("trace.jsonl").expect("a trace")).expect("text");
    assert!(
        trace
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
    let diff = String::from_utf8(left("snapshot.diff").expect("a diff")).expect("text");
    assert!(diff.contains("+== ladder =="), "{diff}");
}

#[test]
fn a_replay_line_can_be_pasted_into_a_shell() {
    let bench = Bench::empty();
    bench.write("it's here/x y.kdl", failing());
    let out = stdout(&bench.run(&["run", "it's here"]).code(1));
    let line = out.lines().next().expect("a line").to_owned();
    let rest = line.strip_prefix("evilbit ").expect("a command");
    let shell = format!("{} {rest}", evilbit().display());
    let mut command = std::process::Command::new("sh");
    let again = command
        .args(["-c", &shell])
        .current_dir(bench.path())
        .output();
    let again = again.expect("a shell");
    assert_eq!(again.status.code(), Some(1), "{shell}");
    assert!(String::from_utf8_lossy(&again.stdout).starts_with(&line));
}

#[test]
fn one_failure_among_many_fails_all_and_each_has_its_line() {
    let bench = Bench::empty();
    bench.write("a.kdl", failing());
    bench.write("b.kdl", GOOD);
    let out = stdout(&bench.run(&["run", "."]).code(1));
    let closings: Vec<&str> = out.lines().filter(|l| l.contains(" trace=")).collect();
    assert_eq!(closings.len(), 2, "{out}");
    assert!(closings[0].starts_with("FAIL ./a.kdl") && closings[1].starts_with("PASS ./b.kdl"));
}

#[test]
fn json_is_one_object_a_line_with_stable_keys() {
    let bench = Bench::empty();
    bench.write("a.kdl", failing());
    bench.write("b.kdl", GOOD);
    let keys = [
        "scenario", "result", "seed", "trace", "sim_ns", "wall_ms", "packets", "failures",
        "replay", "traces",
    ];
    let out = stdout(&bench.run(&["run", ".", "--json"]).code(1));
    let objects: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).expect(l))
        .collect();
    assert_eq!(objects.len(), 2);
    for object in &objects {
        let found: Vec<&String> = object.as_object().expect("an object").keys().collect();
        assert_eq!(found, keys);
    }
    assert_eq!(objects[0]["result"], "FAIL");
    assert_eq!(objects[0]["replay"], "evilbit replay ./a.kdl --seed 7");
    assert_eq!(objects[0]["failures"][0]["line"], 15);
    assert_eq!(objects[1]["result"], "PASS");
    assert_eq!(objects[1]["replay"], Value::Null);
    let out = stdout(&bench.run(&["test", ".", "--json"]).code(1));
    for line in out.lines() {
        let object: Value = serde_json::from_str(line).expect(line);
        assert!(
            object["result"].is_string() || object["passed"].is_u64(),
            "{line}"
        );
    }
}

#[test]
fn twice_finds_a_deterministic_run_the_same() {
    let bench = Bench::with(GOOD);
    let once = stdout(&bench.run(&["run", "x.kdl"]).code(0));
    let twice = stdout(&bench.run(&["run", "x.kdl", "--twice"]).code(0));
    assert_eq!(closing(once.trim_end()), closing(twice.trim_end()));
}

#[test]
fn views_change_nothing_and_go_where_they_were_sent() {
    let bench = Bench::with(GOOD);
    let plain = closing(stdout(&bench.run(&["run", "x.kdl"]).code(0)).trim_end());
    let args = [
        "run", "x.kdl", "--ladder", "--xen", "--pcap", "p", "--trace", "t.jsonl", "-vvv",
    ];
    let run = bench.run(&args).code(0);
    let out = stdout(&run);
    assert_eq!(closing(out.lines().last().expect("a line")), plain);
    assert!(out.contains("caller") && out.contains("grant"), "{out}");
    for capture in ["caller-vif0", "echo-vif0", "a-uplink0", "b-uplink0"] {
        assert!(
            bench
                .path()
                .join(format!("p/good/{capture}.pcapng"))
                .is_file(),
            "{capture}"
        );
    }
    assert!(bench.read("t.jsonl").lines().count() > 50);
}

#[test]
fn the_log_says_when_and_where() {
    let bench = Bench::with(GOOD);
    let run = bench.run(&["run", "x.kdl", "-vv"]).code(0);
    let said = stderr(&run);
    assert!(said.lines().all(|line| line.contains(" at=")), "{said}");
    let console = said
        .lines()
        .find(|line| line.contains("listening"))
        .expect("a console line");
    assert!(
        console.contains("machine=a") && console.contains("domain=echo"),
        "{console}"
    );
    let packet = said
        .lines()
        .find(|line| line.contains("UDP"))
        .expect("a packet");
    assert!(
        packet.contains("machine=b") && packet.contains("domain=caller"),
        "{packet}"
    );
    assert!(!said.contains('\u{1b}'), "colour, and this is no terminal");
    let mut command = bench.command(&["run", "x.kdl"]);
    let filtered = command
        .env("EVILBIT_LOG", "evilbit=info")
        .output()
        .expect("it runs");
    assert!(String::from_utf8_lossy(&filtered.stderr).contains("listening"));
    let mut command = bench.command(&["run", "x.kdl"]);
    let bad = command
        .env("EVILBIT_LOG", "evilbit=loud")
        .output()
        .expect("it runs");
    assert_eq!(bad.status.code(), Some(2));
}

#[test]
fn a_reader_that_has_seen_enough_is_not_complained_about() {
    let bench = Bench::with(GOOD);
    for args in [
        &["run", "x.kdl", "--ladder", "--xen"][..],
        &["help", "scenario"],
    ] {
        let mut command = bench.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        drop(child.stdout.take());
        let mut said = String::new();
        let mut stderr = child.stderr.take().expect("piped");
        stderr.read_to_string(&mut said).expect("text");
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        assert_eq!(said, "");
    }
}

#[test]
fn a_test_compares_with_the_snapshot_and_accepts_on_request() {
    let bench = Bench::with(GOOD);
    let first = stdout(&bench.run(&["test", "x.kdl"]).code(1));
    assert!(
        first.starts_with("evilbit replay x.kdl --seed 7\n"),
        "{first}"
    );
    assert!(first.contains("no accepted snapshot"), "{first}");
    assert!(
        first.ends_with("0 passed, 1 failed, 0 skipped\n"),
        "{first}"
    );
    bench.run(&["test", "x.kdl", "--accept"]).code(0);
    let accepted = bench.read("x.snap");
    assert!(accepted.starts_with("---\n") && accepted.contains("== ladder =="));
    let out = stdout(&bench.run(&["test", "x.kdl"]).code(0));
    assert!(out.ends_with("1 passed, 0 failed, 0 skipped\n"), "{out}");
    bench.write(
        "x.snap",
        accepted.replace("hello", "hullo").replace("UDP", "TCP"),
    );
    let out = stdout(&bench.run(&["test", "x.kdl"]).code(1));
    assert!(
        out.contains("the snapshot differs") && out.contains("UDP"),
        "{out}"
    );
    let diff = bench.read("target/evilbit/good-7/snapshot.diff");
    assert!(
        diff.contains("--- accepted") && diff.contains("+++ this run"),
        "{diff}"
    );
}

#[test]
fn accepting_is_refused_in_ci() {
    let bench = Bench::with(GOOD);
    let before = bench.files();
    let mut command = bench.command(&["test", "x.kdl", "--accept"]);
    let output = command.env("CI", "true").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("CI=true"));
    assert_eq!(bench.files(), before);
}

#[test]
fn what_fails_is_not_accepted() {
    let bench = Bench::with(failing());
    bench.run(&["test", "x.kdl", "--accept"]).code(1);
    assert!(!bench.path().join("x.snap").exists());
}

#[test]
fn tests_are_chosen_by_name_and_by_share() {
    let bench = Bench::empty();
    let plain = GOOD.split("snapshot").next().expect("a text");
    for name in ["a", "b", "c", "d", "e"] {
        bench.write(&format!("{name}.kdl"), plain);
    }
    let last = |args: &[&str]| {
        let out = stdout(&bench.run(args).code(0));
        out.lines().last().expect("a line").to_owned()
    };
    assert_eq!(last(&["test", "."]), "5 passed, 0 failed, 0 skipped");
    assert_eq!(
        last(&["test", ".", "--filter", "c.k"]),
        "1 passed, 0 failed, 4 skipped"
    );
    let shards = ["1/3", "2/3", "3/3"].map(|shard| {
        let out = stdout(&bench.run(&["test", ".", "--shard", shard]).code(0));
        let lines = out.lines().filter(|line| line.starts_with("PASS"));
        lines
            .map(|line| line.split(' ').nth(1).expect("a path").to_owned())
            .collect::<Vec<_>>()
    });
    let mut all = shards.concat();
    all.sort();
    assert_eq!(all, ["./a.kdl", "./b.kdl", "./c.kdl", "./d.kdl", "./e.kdl"]);
}

#[test]
fn bad_usage_exits_2() {
    let bench = Bench::with(GOOD);
    for (args, word) in [
        (&["rum", "x.kdl"][..], "similar subcommand exists: 'run'"),
        (&["run"], "PATH"),
        (&["run", "x.kdl", "--ladders"], "--ladder"),
        (&["run", "x.kdl", "--seed", "seven"], "--seed"),
        (&["run", "nosuch.kdl"], "nosuch.kdl"),
        (&["run", "nosuch"], "nosuch"),
        (&["replay", "."], "help: "),
        (&["test", ".", "--shard", "4/3"], "I/N"),
        (&["serve", "x.kdl"], "--tap"),
        (&["serve", "x.kdl", "--tap", "a/b"], "help: "),
        (&["help", "scenery"], "evilbit help scenario"),
        (&[], "Usage"),
    ] {
        if args.last() == Some(&".") && args[0] == "replay" {
            bench.write("y.kdl", GOOD);
        }
        bench.refuses(args, &[word]);
    }
}

#[test]
fn help_is_a_result() {
    let bench = Bench::empty();
    for args in [
        &["help"][..],
        &["--help"],
        &["help", "run"],
        &["run", "--help"],
        &["--version"],
    ] {
        let out = stdout(&bench.run(args).code(0).stderr(""));
        assert!(out.contains("evilbit"), "{out}");
    }
    let reference = stdout(&bench.run(&["help", "scenario"]).code(0).stderr(""));
    assert!(reference.lines().all(|line| line.chars().count() <= 100));
    for word in ["machine", "link", "when", "expect", "snapshot", "await"] {
        assert!(reference.contains(word), "{word}");
    }
}

#[test]
fn the_repositorys_first_scenario_passes_from_anywhere() {
    let blog = root().join("scenarios/blog/blog.kdl");
    let bench = Bench::empty();
    let run = bench.run(&["run", blog.to_str().expect("a path")]).code(0);
    assert!(stdout(&run).starts_with("PASS "));
}
