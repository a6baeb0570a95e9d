//! The language as a whole: scripts of all sorts, hostile ones, and the public corpora where they are present.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::ast::Action;
use super::{Definitions, Report, Script, lex, parse};

/// A script that uses each construct of the language at least once.
const EVERYTHING: &str = r#"// A comment, and /* what looks like one */ inside it.
--ip_version=ipv4
--tolerance_usecs=7000
--define=CC="reno"
`../setup.sh
 sysctl -q a.b=1`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_TCP, TCP_CONGESTION, CC, 4) = 0 /* over
      two lines */
   +0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
   +0 bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("192.0.2.9")}, 16) = 0
   +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
   +0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
  +.1 < S. 0:0(0) ack 1 win 32767 <mss 1000,sackOK,FO 0123456789abcdef>
    * > . 1:1(0) ack 1 <...>
+1~+1.5 > [ect0] P. 1:1001(1000) ack 1 win 256
2.5~2.75 > (tos 0x10, ttl 64) F. 1001:1001(0) ack 1 <nop,nop,sack 1:2 3:4>
   +0 < icmp unreachable frag_needed mtu 600 [1:1001(1000)/udp(1 > 2)]
   +0 < udp 53 > 1024 (20)
   +0 < encap psp spi 7 . 1:1(0) ack 1002 win 0
   +0 > R. 1:1(0)! ack 1 win 0/udp(9811 > 9811)
   +0...0.25 recvmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {..., 0x5}], msg_flags=MSG_ERRQUEUE|MSG_TRUNC,
        msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={ee_errno=0, ee_origin=ZERO, ee_type=0,
        ee_code=1, ee_info=0, ee_data=2}}]}, 0) = 15
#ifdef UNDEFINED
   +0 this is not even (read
#endif
   +0 poll([{fd=3, events=POLLIN, revents=0}], 1, 0) = 0
   +0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)
   +0 %{
assert tcpi_state == 1, "}"
x = {1}
}%
   +0 `echo "a" | grep a`
`../cleanup.sh`
"#;

fn parsed(text: &str) -> Result<Script, Report> {
    let definitions = Definitions::of_the_suites();
    parse(text.as_bytes(), Path::new("a.pkt"), &definitions)
}

/// What is printed means the same; it is a script without definitions.
fn assert_round_trip(script: &Script, name: &str) {
    let printed = script.to_string();
    let again = parse(printed.as_bytes(), Path::new(name), &Definitions::default());
    match again {
        Ok(again) => assert_eq!(&again, script, "{name}:\n{printed}"),
        Err(report) => panic!("{report}\n{printed}"),
    }
}

#[test]
fn every_construct_comes_through_a_print_unchanged() {
    let script = parsed(EVERYTHING).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(script.options.len(), 3);
    assert_eq!(script.events.len(), 20);
    assert!(script.init.is_some() && script.cleanup.is_some());
    assert_round_trip(&script, "everything.pkt");
}

#[test]
fn an_event_knows_its_place() {
    let script = parsed("0 close(3) = 0\n +1  < S 0:0(0) win 1 // b\n").expect("a script");
    let place = script.events[1].place.0;
    assert_eq!((place.offset, place.len), (16, 20));
    assert!(matches!(script.events[1].action, Action::Packet(_)));
}

#[test]
fn a_syntax_error_has_its_place_its_caret_and_its_hint() {
    let text = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 > S 0:0(0) <mss 1460,sackOk>\n";
    let report = parsed(text).expect_err("an error");
    let shown = report.render(false);
    assert!(shown.contains("a.pkt:2:25"), "{shown}");
    assert!(shown.contains("did you mean `sackOK`?"), "{shown}");
    assert!(shown.contains("+0 > S 0:0(0) <mss 1460,sackOk>"), "{shown}");
}

#[test]
fn an_error_does_not_hide_the_next() {
    let text = "0 close 3\n+0 close(4) = 0\n+0 > S 0:1(0)\n+x close(5) = 0\n";
    let report = parsed(text).expect_err("errors");
    let lines: Vec<usize> = report
        .problems()
        .iter()
        .map(|p| report.place(p.span).0)
        .collect();
    assert_eq!(lines, [1, 3, 4]);
}

#[test]
fn what_is_no_script_is_refused() {
    for (text, says) in [
        ("", "no events"),
        ("// only a comment", "no events"),
        ("--mtu=1500\n`init`\n", "no events"),
        ("1 close(3) = 0", "not at time 0"),
        (
            "0 close(3) = 0\n2 close(4) = 0\n1 close(5) = 0",
            "backwards",
        ),
        (
            "0 close(3) = 0\n+1.5 close(4) = 0\n+0.5 close(4) = 0\n1 close(5) = 0",
            "backwards, from 2.000000 to 1.000000",
        ),
        ("0~1 close(3) = 0", "only an outbound packet"),
        ("* < S 0:0(0) win 1", "only an outbound packet"),
        (
            "0 close(3) = 0\n+2...1 read(3, ..., 1) = 1",
            "returns before it begins",
        ),
        ("0 close(3) = 0\n`a`\n+0 close(4) = 0", "expected the end"),
        ("0 close(3) = 0\n`a`\n`b`", "expected the end"),
        ("0 close(3) = 0 --mtu=1500", "expected a time"),
        (
            "0 close(3) = 0\n+1000000000 close(4) = 0\n+1 close(5) = 0",
            "lasts longer than 1000000000",
        ),
        (
            "0 close(3) = 0\n+0...600000000 read(3, ..., 1) = 1\n+500000000 close(3) = 0",
            "lasts longer than 1000000000",
        ),
        ("0", "expected an event"),
        ("0 > S 0:0(0) <mss NAME>", "`NAME` has no value"),
        ("0 write(3, ..., 99999999999999999999) = 1", "out of range"),
    ] {
        let shown = parsed(text).expect_err(text).render(false);
        assert!(shown.contains(says), "{text}: {shown}");
    }
}

#[test]
fn hostile_sizes_are_refused_or_read_in_linear_time() {
    let most = lex::MAX_BYTES / 8;
    assert!(
        parse(
            &vec![b'x'; 8 * most + 1],
            Path::new("a"),
            &Definitions::default()
        )
        .is_err()
    );
    for piece in [
        "(",
        "[",
        "{",
        "0 ",
        "+",
        "`",
        "\"",
        "%{",
        "/*",
        "<",
        "--a=",
        "#ifdef A\n",
        "a.",
        "0 f(",
        "x\n",
    ] {
        assert!(
            parsed(&piece.repeat(most / piece.len())).is_err(),
            "{piece}"
        );
        assert!(
            parsed(&format!("0 {}", piece.repeat(10_000))).is_err(),
            "{piece}"
        );
    }
    let long = format!("0 close(3) = 0\n{}", "+0 close(3) = 0\n".repeat(10_000));
    assert_eq!(parsed(&long).expect("a script").events.len(), 10_001);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, Path::new("a"), &Definitions::of_the_suites());
    }

    #[test]
    fn no_tokens_make_it_panic(words in prop::collection::vec(word(), 0..60)) {
        check(&words.join(" "));
        check(&words.concat());
    }

    #[test]
    fn no_mutation_makes_it_panic(cuts in prop::collection::vec((any::<prop::sample::Index>(), word()), 1..4)) {
        let mut text = EVERYTHING.to_owned();
        for (index, word) in cuts {
            let at = index.index(text.len());
            let end = (at + word.len() / 2).min(text.len());
            text.replace_range(at..end, &word);
        }
        check(&text);
    }
}

/// A word of the language.
fn word() -> impl Strategy<Value = String> {
    const WORDS: [&str; 48] = [
        "0",
        "+0",
        "1.5",
        "-1",
        "0x10",
        "*",
        "~",
        "+",
        "...",
        "<",
        ">",
        ".",
        "-",
        "S",
        "S.",
        "1:1(0)",
        "0:0(0)",
        "ack 1",
        "win 5",
        "<mss 1460>",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        "=",
        "|",
        "close(3) = 0",
        "EINVAL",
        "(note)",
        "`cmd`",
        "%{ x }%",
        "\"text\"",
        "--mtu=1",
        "/udp(1 > 2)",
        "!",
        "\n",
        "//",
        "/*",
        "*/",
        "ipv6 ::1 > ::2 :",
        "{fd=1, events=2}",
        "icmp",
        "udp",
        "#ifdef A\n",
        "#endif\n",
    ];
    prop::sample::select(WORDS.map(str::to_owned).to_vec())
}

/// A text is refused with a report that can be shown, or is a script that comes through a print unchanged.
fn check(text: &str) {
    match parsed(text) {
        Ok(script) => assert_round_trip(&script, "mutated.pkt"),
        Err(report) => assert!(!report.render(false).is_empty()),
    }
}

/// The public suites, where somebody has put them beside the repository.
fn corpora() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = here
        .ancestors()
        .map(|folder| folder.join("shared/packetdrill"));
    beside.into_iter().find(|folder| folder.is_dir())
}

fn scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            scripts(&path, found);
        } else if path.extension().is_some_and(|e| e == "pkt") {
            found.push(path);
        }
    }
}

#[test]
fn the_public_suites_come_through_a_print_unchanged() {
    let Some(folder) = corpora() else {
        return;
    };
    let mut paths = Vec::new();
    scripts(&folder, &mut paths);
    assert!(!paths.is_empty(), "no scripts below {}", folder.display());
    for path in &paths {
        match super::load(path, &Definitions::of_the_suites()) {
            Ok(loaded) => assert_round_trip(&loaded.script, &path.display().to_string()),
            // Where the system itself fails a script, the reason may be that it is none.
            Err(report) => assert!(path.with_extension("exfail").exists(), "{report}"),
        }
    }
}
