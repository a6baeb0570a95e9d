//! Each diagnostic, with its place and its hint.

use super::*;

/// The first line after [`WORLD`].
const HERE: usize = 8;

/// The only problem of a text: line, column, message, hint.
fn problem(text: &str) -> (usize, usize, String, String) {
    let report = read(text).expect_err("refused");
    assert_eq!(report.problems().len(), 1, "{report}");
    let problem = &report.problems()[0];
    let (line, column) = report.place(problem.span);
    assert!(
        report
            .to_string()
            .contains(&format!("t.kdl:{line}:{column}")),
        "{report}"
    );
    (line, column, problem.message.clone(), problem.hint.clone())
}

/// That the world and `more` have one problem, in its first line at `column`.
#[track_caller]
fn refused(more: &str, column: usize, message: &str, hint: &str) {
    let found = problem(&format!("{WORLD}{more}\n"));
    assert_eq!((found.0, found.1), (HERE, column), "{found:?}");
    assert!(found.2.contains(message), "{found:?}");
    assert!(found.3.contains(hint), "{found:?}");
}

#[test]
fn a_word_that_is_not_in_the_language_is_corrected() {
    refused(
        "mashine \"x\"",
        1,
        "unknown word `mashine`",
        "did you mean `machine`?",
    );
    refused(
        "expect { tpc flags=\"S\" }",
        10,
        "unknown word `tpc`",
        "did you mean `tcp`?",
    );
    refused("banana", 1, "unknown word", "one of: ");
}

#[test]
fn a_word_at_the_wrong_place_is_told_its_place() {
    refused(
        "tcp flags=\"S\"",
        1,
        "`tcp` does not stand in the top of the file",
        "or in an `expect`",
    );
    refused(
        "at \"1s\" { on \"devil\" { connect \"c\" \"10.0.0.2:80\"; } }",
        24,
        "raw peer",
        "scripted guest",
    );
}

#[test]
fn properties_and_arguments_are_those_of_the_word() {
    refused(
        "expect { tcp flag=\"S\" }",
        14,
        "has no property `flag`",
        "did you mean `flags`?",
    );
    refused(
        "expect { tcp flags=\"S\" flags=\"F\" }",
        24,
        "given twice",
        "keep one",
    );
    refused(
        "expect { life \"blog\" }",
        10,
        "needs the property `is`",
        "created",
    );
    refused(
        "at \"1s\" { cut }",
        11,
        "needs an argument: link",
        "cut <link>",
    );
    refused(
        "at \"1s\" { stop \"now\" }",
        16,
        "an argument too many",
        "takes no arguments",
    );
    refused(
        "at \"1s\" { stop { } }",
        11,
        "has no block",
        "remove the braces",
    );
    refused(
        "expect { tcp count=(u8)1 }",
        20,
        "no type annotations",
        "remove",
    );
}

#[test]
fn quantities_say_what_they_want() {
    refused(
        "at \"5 sec\" { stop }",
        4,
        "not measured in `sec`",
        "units: ns, µs",
    );
    refused("at 5 { stop }", 4, "5 is not a text", "\"20ms\"");
    refused(
        "at \"1s\" { set link \"laptop-ec2\" loss=\"101%\" }",
        33,
        "at most 100%",
        "%",
    );
    refused(
        "at \"1s\" { set link \"laptop-ec2\" rate=\"10MB\" }",
        33,
        "not measured in `MB`",
        "Mbit",
    );
    refused(
        "expect { tcp count=\"many\" }",
        14,
        "is not a count",
        "\"1..3\"",
    );
    refused(
        "expect { tcp port=70000 }",
        14,
        "out of range",
        "from 0 to 65535",
    );
    refused(
        "expect { tcp evil=1 }",
        14,
        "neither #true nor #false",
        "hash",
    );
    refused("expect { tcp len=0.5 }", 14, "not a text", "\"1..3\"");
}

#[test]
fn names_are_declared_once_and_before_all_declared() {
    refused(
        "machine \"ec2\"",
        9,
        "the machine or switch \"ec2\" is declared twice",
        "unique",
    );
    refused(
        "link \"laptop\" \"ec3\"",
        15,
        "no machine or switch called \"ec3\"",
        "did you mean `ec2`?",
    );
    refused(
        "at \"1s\" { crash \"blgo\" }",
        17,
        "no domain called \"blgo\"",
        "did you mean `blog`?",
    );
    refused(
        "at \"1s\" { cut \"ec2-laptop\" }",
        15,
        "no link called",
        "one of: laptop-ec2",
    );
    refused(
        "machine \"m\" { domain \"d\" guest=\"ecko\" }",
        26,
        "no guest called \"ecko\"",
        "did you mean `echo`?",
    );
    refused(
        "machine \"m\" { domain \"blog\" guest=\"echo\" }",
        22,
        "the domain \"blog\" is declared twice",
        "choose another",
    );
    refused("machine \"a b\"", 9, "cannot be a name", "letters");
}

#[test]
fn addresses_are_checked() {
    let vif =
        |ip: &str| format!("machine \"m\" {{ domain \"d\" guest=\"echo\" {{ vif ip=\"{ip}\" }} }}");
    refused(
        &vif("10.0.0.300/24"),
        45,
        "is not an address",
        "10.0.0.2/24",
    );
    refused(
        &vif("10.0.0.0/24"),
        45,
        "not the address of a host",
        "between",
    );
    refused(&vif("fe80::1/64"), 45, "IPv6", "ip6");
    let connect = "at \"1s\" { on \"reader\" { connect \"c\" \"10.0.0.2\"; close \"c\"; } }";
    let report = read(&format!("{WORLD}{connect}\n")).expect_err("refused");
    assert!(
        report.to_string().contains("is not an address and a port"),
        "{report}"
    );
}

#[test]
fn the_scenario_itself_is_checked() {
    let with = |props: &str| format!("scenario \"s\" {props} {{ about \"x\" }}\n");
    let (_, column, message, hint) = problem(&with("seed=18446744073709551616"));
    assert_eq!(column, 14);
    assert!(message.contains("out of range") && hint.contains("64 bits"));
    assert!(problem(&with("duration=\"0s\"")).2.contains("no duration"));
    assert!(
        problem(&with("duration=\"241h\""))
            .2
            .contains("more than ten days")
    );
    assert!(problem(&with("reaction=\"10ns\"")).3.contains("1us"));
    assert!(
        problem(&with("epoch=\"yesterday\""))
            .2
            .contains("not a date")
    );
    assert!(
        problem(&with("epoch=\"2100-01-01T00:00:00Z\""))
            .2
            .contains("1970 to 2099")
    );
    assert!(problem("").3.contains("begin with"));
    assert!(problem("scenario \"s\"").2.contains("what it is about"));
    assert!(
        problem(&format!("{}{}", with(""), with("")))
            .2
            .contains("a second scenario")
    );
}

#[test]
fn links_are_possible() {
    refused(
        "link \"ec2\" \"ec2\" name=\"x\"",
        12,
        "to itself",
        "two machines",
    );
    refused(
        "link \"ec2\" \"laptop\"",
        1,
        "closes a loop",
        "spanning tree",
    );
    refused(
        "switch \"s\"; link \"ec2\" \"s\" delay=\"1ms\" jitter=\"2ms\"",
        40,
        "jitter",
        "at most the delay",
    );
    refused(
        "switch \"s\"; link \"ec2\" \"s\" rate=\"1Mbit\" queue=\"100B\"",
        41,
        "no room",
        "1514B",
    );
    refused(
        "switch \"s\"; link \"ec2\" \"s\" { from \"laptop\" delay=\"1ms\"; }",
        35,
        "not an end",
        "",
    );
    refused(
        "switch \"s\"; link \"ec2\" \"s\" loss=\"1%\" { gemodel \"1%\" \"10%\"; }",
        40,
        "two ways",
        "either",
    );
    refused(
        "at \"1s\" { set link \"laptop-ec2\" }",
        11,
        "nothing is changed",
        "delay=",
    );
    refused(
        "at \"1s\" { set link \"laptop-ec2\" from=\"reader\" }",
        33,
        "no machine or switch",
        "",
    );
}

#[test]
fn guests_do_what_they_can() {
    refused(
        "at \"1s\" { on \"blog\" { close \"c\"; } }",
        14,
        "takes no commands",
        "guest=\"script\"",
    );
    refused(
        "at \"1s\" { on \"reader\" { close \"c\"; } }",
        31,
        "never opens \"c\"",
        "connect",
    );
    refused(
        "at \"1s\" { on \"devil\" { send \"S\"; } }",
        24,
        "no flow yet",
        "flow",
    );
    refused(
        "machine \"m\" { domain \"d\" guest=\"http\" }",
        15,
        "no site",
        "site",
    );
    refused(
        "machine \"m\" { domain \"d\" guest=\"echo\" { site \"x\"; } }",
        41,
        "serves no site",
        "http",
    );
    refused(
        "machine \"m\" { domain \"d\" guest=\"http\" { site \"no-such\"; } }",
        46,
        "no-such",
        "",
    );
    let flow =
        "at \"1s\" { on \"devil\" { flow \"f\" \"10.0.0.2:7\"; send \"f\" \"P. 1:3(3)\"; } }";
    refused(flow, 56, "is not a segment", "END - SEQ");
    let twice =
        "at \"1s\" { on \"reader\" { udp \"u\"; send-to \"u\" \"10.0.0.2:7\" \"x\" hex=\"00\"; } }";
    refused(twice, 34, "says it twice", "exactly one of");
    let many =
        "at \"1s\" { on \"reader\" { udp \"u\"; send-to \"u\" \"10.0.0.2:7\" \"x\" count=2; } }";
    refused(many, 63, "goes with a pattern", "pattern=N");
}

#[test]
fn a_domain_s_tcp_is_set_as_it_can_be() {
    let with = |guest: &str, words: &str| {
        format!("machine \"m\" {{ domain \"d\" guest=\"{guest}\" {{ {words}; }} }}")
    };
    let refused_in =
        |words: &str, column, message, hint| refused(&with("echo", words), column, message, hint);
    refused_in(
        "tcp enc=\"active\"",
        45,
        "no property `enc`",
        "did you mean `ecn`?",
    );
    refused_in(
        "tcp ecn=\"activ\"",
        45,
        "not possible",
        "did you mean `active`?",
    );
    refused_in("tcp sack=\"on\"", 45, "neither #true", "#true or #false");
    refused_in(
        "tcp sack=#true; tcp sack=#false",
        61,
        "`tcp.sack` is given twice",
        "keep one",
    );
    refused_in(
        "md5 peer=\"10.0.0.2\" key=\"a b\"",
        61,
        "is not a key",
        "without spaces",
    );
    refused(
        &with("raw", "tcp sack=#true"),
        40,
        "has no TCP",
        "writes each option itself",
    );
}

#[test]
fn a_connect_that_fails_opens_nothing() {
    let on = "at \"1s\" { on \"reader\" { connect \"c\" \"10.0.0.2:7\" fails=\"ECONNREFUSED\"; close \"c\"; } }";
    refused(on, 78, "never opens \"c\"", "connect");
}

#[test]
fn a_domain_is_nobody_elses_namesake() {
    refused(
        "machine \"m\" { domain \"bridge\" guest=\"echo\"; }",
        22,
        "an actor of dom0",
        "choose another",
    );
    refused(
        "machine \"m\" { domain \"d\" guest=\"echo\" start=\"60s\"; }",
        39,
        "over by then",
        "duration",
    );
}

#[test]
fn times_lie_within_the_run() {
    refused("at \"61s\" { stop }", 4, "over by then", "duration");
    refused("at \"1s\" { }", 1, "does nothing", "actions");
    refused("every \"10ns\" { stop }", 7, "a period that short", "1us");
    refused(
        "expect { within \"2s\" \"1s\" { tcp; }; }",
        22,
        "ends before it begins",
        "until before",
    );
}

#[test]
fn matchers_ask_for_something() {
    refused(
        "when tpc flags=\"S\" { stop }",
        6,
        "needs something to wait for",
        "did you mean `tcp`?",
    );
    refused(
        "when tcp flags=\"S\" count=1 { stop }",
        20,
        "belongs to an expectation",
        "nth",
    );
    refused(
        "when xen leaked=0 { stop }",
        6,
        "only when the run is over",
        "tcp",
    );
    refused("expect { xen; }", 10, "does not say what", "leaked=0");
    refused(
        "expect { xen op=\"GNTTABOP_cpoy\"; }",
        14,
        "no hypercall",
        "did you mean `GNTTABOP_copy`?",
    );
    refused(
        "expect { tcp flags=\"SA\"; }",
        14,
        "not TCP flags",
        "the dot is ACK",
    );
    refused(
        "expect { tcp count=\">=0\"; }",
        14,
        "any count would do",
        "count=1",
    );
    refused(
        "expect { tcp-state \"blog\" is=\"TIMEWAIT\"; }",
        27,
        "not possible",
        "did you mean `TIME-WAIT`?",
    );
    refused(
        "expect { site from=\"blog\" by=\"reader\"; }",
        15,
        "has the guest \"echo\"",
        "http",
    );
}

#[test]
fn a_domain_has_one_interface_with_any_number_of_addresses() {
    let domain =
        |vifs: &str| format!("machine \"m2\" {{ domain \"d2\" guest=\"echo\" {{ {vifs} }}; }}");
    let text = |vifs: &str| format!("{WORLD}{}\n", domain(vifs));
    let two = read(&text("vif ip=\"10.0.0.5/24\"; vif ip=\"10.1.0.5/24\"")).expect_err("refused");
    assert!(two.to_string().contains("2 interfaces"));
    let both = read(&text("vif ip=\"10.0.0.5/24 10.1.0.5/24\""));
    assert!(both.is_ok_and(|plan| plan.machines.iter().any(|m| m.name == "m2")));
}

#[test]
fn a_pipe_is_not_read() {
    let folder = load(&std::env::temp_dir(), &Overrides::default()).expect_err("refused");
    assert!(folder.to_string().contains("it is not a file"));
}

#[test]
fn all_mistakes_are_told_at_once_in_order() {
    let text = format!("{WORLD}at \"1x\" {{ stop }}\nexpect {{ tpc; tcp flg=1; }}\nbanana\n");
    let report = read(&text).expect_err("refused");
    let places: Vec<_> = report
        .problems()
        .iter()
        .map(|p| report.place(p.span))
        .collect();
    assert_eq!(places, [(8, 4), (9, 10), (9, 19), (10, 1)]);
}

#[test]
fn what_is_not_kdl_is_told_by_line_and_column() {
    let report = read(&format!("{WORLD}at \"1s\" {{ stop = }}\n")).expect_err("refused");
    assert_eq!(report.place(report.problems()[0].span).0, HERE);
    let missing = load(Path::new("/no/such.kdl"), &Overrides::default()).expect_err("refused");
    assert!(missing.to_string().contains("cannot be read"));
}
