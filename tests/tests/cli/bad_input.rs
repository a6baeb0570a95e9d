//! Scenarios that are none: each is refused with file, line, column, caret and hint, and nothing is run or written.

use std::fmt::Write;

use crate::bench::{Bench, GOOD};

/// `x.kdl` is refused at that place, for that reason, with that hint.
#[track_caller]
fn refused(bench: &Bench, place: &str, why: &str, hint: &str) {
    let said = bench.refuses(&["run", "x.kdl"], &[why, hint]);
    assert!(said.contains(&format!("[x.kdl:{place}]")), "{said}");
    assert!(said.contains("help: "), "{said}");
    assert!(place == "1:1" || said.contains('^'), "no caret: {said}");
    assert!(
        !said.contains('\u{1b}'),
        "colour, and this is no terminal: {said}"
    );
    bench.refuses(&["replay", "x.kdl"], &[why]);
    bench.refuses(&["test", "x.kdl"], &[why]);
}

/// The good scenario with one text in it replaced.
fn but(from: &str, to: &str) -> Bench {
    assert!(GOOD.contains(from), "{from:?} is not in it");
    Bench::with(GOOD.replacen(from, to, 1))
}

#[test]
fn an_empty_file_is_told_how_to_begin() {
    refused(
        &Bench::with(""),
        "1:1",
        "declares no scenario",
        "begin with: scenario",
    );
}

#[test]
fn random_bytes_are_no_scenario() {
    // A multiplicative generator: the same bytes each time.
    let mut state = 1u64;
    let random = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    });
    let bench = Bench::with(random.take(100_000).collect::<Vec<u8>>());
    let said = bench.refuses(&["run", "x.kdl"], &["[x.kdl:1:", "help: ", "^"]);
    let steers = |c: char| c.is_control() && c != '\n';
    assert!(
        !said.contains(steers),
        "the file steers the terminal: {said:?}"
    );
}

#[test]
fn bad_utf8_is_shown_where_it_is() {
    let bench = Bench::with(b"scenario \"x\" {\n    about \"caf\xE9\"\n}\n");
    refused(&bench, "2:15", "not UTF-8", "save the file as UTF-8");
}

#[test]
fn a_nul_byte_is_shown_where_it_is() {
    refused(
        &but("about", "abo\0ut"),
        "2:8",
        "NUL",
        "is it a scenario at all?",
    );
}

#[test]
fn an_unclosed_brace_is_shown_where_it_opens() {
    let bench = Bench::with(GOOD.replace("count=1; }\nsnapshot", "count=1;\nsnapshot"));
    refused(&bench, "15:8", "never closed", "add a `}`");
}

#[test]
fn a_hundred_thousand_nested_nodes_are_too_many() {
    refused(
        &Bench::with("a {".repeat(100_000)),
        "1:99",
        "nested more than 32 deep",
        "five levels",
    );
    refused(&Bench::with("/-".repeat(100_000)), "1:65", "deep", "help");
    refused(&Bench::with("/*".repeat(100_000)), "1:65", "deep", "help");
}

#[test]
fn ten_megabytes_are_too_long() {
    let bench = Bench::with("// a comment\n".repeat(800_000));
    refused(&bench, "1:1", "longer than 1 MiB", "pattern=BYTES");
}

#[test]
fn a_long_file_of_mistakes_is_refused_in_time_and_in_short() {
    let mut text = String::from(GOOD);
    for n in 0..4_000 {
        let _ = writeln!(text, "machin \"m{n}\" {{ domain 7 x=y; }}");
    }
    let said = Bench::with(text).refuses(&["run", "x.kdl"], &["did you mean `machine`?"]);
    assert!(said.lines().count() < 400, "{} lines", said.lines().count());
    assert!(said.contains(" more"), "{said}");
}

#[test]
fn an_unknown_word_gets_a_suggestion() {
    refused(
        &but("machine \"a\"", "machnie \"a\""),
        "4:1",
        "unknown word `machnie`",
        "did you mean `machine`?",
    );
    refused(
        &but("recv-from", "recv-form"),
        "11:9",
        "unknown word `recv-form`",
        "did you mean `recv-from`?",
    );
    refused(
        &but("delay=", "dealy="),
        "6:14",
        "no property `dealy`",
        "did you mean `delay`?",
    );
}

#[test]
fn a_name_stands_for_one_thing() {
    refused(
        &but("machine \"b\"", "machine \"a\""),
        "5:9",
        "\"a\" is declared twice",
        "choose another",
    );
    refused(
        &but("\"caller\"", "\"echo\""),
        "5:22",
        "\"echo\" is declared twice",
        "choose another",
    );
}

#[test]
fn a_name_is_a_name_for_files_too() {
    for name in ["..", ".", "a/b", "", "a b"] {
        let bench = but("\"good\"", &format!("{name:?}"));
        refused(&bench, "1:10", "cannot be a name", "1 to 63 letters");
    }
}

#[test]
fn a_link_leads_to_what_there_is() {
    refused(
        &but("link \"a\" \"b\"", "link \"a\" \"bb\""),
        "6:10",
        "no machine or switch called \"bb\"",
        "b",
    );
    refused(
        &but("link \"a\" \"b\"", "link \"a\" \"a\""),
        "6:10",
        "\"a\"",
        "help",
    );
}

#[test]
fn quantities_have_their_units() {
    refused(
        &but("5ms", "5MB"),
        "6:14",
        "a time is not measured in `MB`",
        "units: ns",
    );
    refused(
        &but("\"5ms\"", "5"),
        "6:14",
        "not a text",
        "for example \"20ms\"",
    );
    refused(&but("5ms", "-5ms"), "6:14", "-5ms", "help");
}

#[test]
fn addresses_have_four_numbers_and_a_prefix() {
    for bad in [
        "10.0.0.300/24",
        "10.0.0.2/33",
        "10.0.0.2",
        "10.0.0/24",
        "echo",
    ] {
        refused(
            &but("10.0.0.2/24", bad),
            "4:48",
            "is not an address",
            "four numbers from 0 to 255",
        );
    }
    refused(
        &but("10.0.0.2:7", "10.0.0.2:70000"),
        "10:21",
        "70000",
        "help",
    );
}

#[test]
fn guests_are_known() {
    refused(
        &but("guest=\"echo\"", "guest=\"ecko\""),
        "4:29",
        "no guest called \"ecko\"",
        "did you mean `echo`?",
    );
}

#[test]
fn a_seed_has_64_bits() {
    refused(
        &but("seed=7", "seed=18446744073709551616"),
        "1:17",
        "out of range",
        "from 0 to 18446744073709551615",
    );
    refused(
        &but("seed=7", "seed=-1"),
        "1:17",
        "out of range",
        "from 0 to 18446744073709551615",
    );
    let bench = Bench::with(GOOD);
    bench.refuses(
        &["run", "x.kdl", "--seed", "18446744073709551616"],
        &["--seed", "too large"],
    );
}

#[test]
fn a_duration_is_more_than_nothing_and_less_than_for_ever() {
    refused(&but("10s", "0s"), "1:24", "no duration", "from \"1ns\"");
    refused(&but("10s", "100000h"), "1:24", "more than ten days", "240h");
    refused(
        &but("10s", "99999999999h"),
        "1:24",
        "too large",
        "for example",
    );
}

#[test]
fn a_site_is_a_folder_that_holds_its_files() {
    let http = |site: &str| {
        let domain = format!("guest=\"http\" {{ site {site:?};");
        but("guest=\"echo\" {", &domain)
    };
    refused(
        &http("nosuch"),
        "4:49",
        "\"nosuch\" cannot be read",
        "path relative to the scenario",
    );
    let bench = http("site");
    bench.write("site/index.md", "# Home\n");
    bench.write("secret.md", "not for everybody");
    #[cfg(unix)]
    {
        let link = bench.path().join("site/link.md");
        std::os::unix::fs::symlink("../secret.md", &link).expect("a link");
        refused(
            &bench,
            "4:49",
            "a symbolic link that leaves the site's folder",
            "put a copy there",
        );
    }
}

#[test]
fn one_bad_file_among_good_ones_stops_all() {
    let bench = Bench::with(GOOD.replacen("guest=\"echo\"", "guest=\"ecko\"", 1));
    bench.write("a.kdl", GOOD);
    bench.refuses(&["run", ".", "--pcap", "captures"], &["ecko"]);
    bench.refuses(&["test", "."], &["ecko"]);
}
