//! Whole files: what a plan says, that every scenario loads, that no file whatever makes the checker panic; and, in
//! [`diagnostics`], what each mistake is told.

mod diagnostics;

use proptest::prelude::*;

use super::*;
use crate::plan::{Action, At, Count, Loss, Matcher, OnExit, Probability, Scope, SnapshotPart};
use stack::app::command::Command;
use stack::profile::TcpProfile;

const WORLD: &str = r#"scenario "test" { about "a test" }
machine "ec2" { domain "blog" guest="echo" { vif ip="10.0.0.2/24" } }
machine "laptop" {
    domain "reader" guest="script" { vif ip="10.0.0.9/24" }
    domain "devil" guest="raw" { vif ip="10.0.0.66/24" }
}
link "laptop" "ec2"
"#;
fn read(text: &str) -> Result<Plan, Report> {
    parse(
        text.as_bytes(),
        Path::new("t.kdl"),
        Path::new(""),
        &Overrides::default(),
    )
}

/// The plan of the world and `more`.
fn plan(more: &str) -> Plan {
    read(&format!("{WORLD}{more}\n")).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn a_domain_s_profile_is_a_word_of_its_command_line() {
    let plan = plan(
        r#"machine "m" { domain "penguin" guest="echo" profile="linux" { vif ip="10.0.0.3/24" } }
link "m" "ec2""#,
    );
    let penguin = plan.machines.last().expect("there are three");
    assert_eq!(penguin.domains[0].args["profile"], "linux");
    assert!(plan.machines[0].domains[0].args.is_empty());
    let unknown = WORLD.replace("guest=\"echo\"", "guest=\"echo\" profile=\"minix\"");
    assert!(read(&unknown).is_err());
}

#[test]
fn settings_of_tcp_are_words_of_the_command_line() {
    let text = WORLD.replace(
        "vif ip=\"10.0.0.9/24\"",
        "vif ip=\"10.0.0.9/24\"; tcp ecn=\"active\" sack=#false; md5 peer=\"10.0.0.2\" key=\"secret\"",
    );
    let plan = read(&text).unwrap_or_else(|report| panic!("{report}"));
    let said: Vec<String> = plan.machines[1].domains[0]
        .args
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let expected = ["tcp.ecn=active", "tcp.md5.10.0.0.2=secret", "tcp.sack=off"];
    assert_eq!(said, expected);
}

/// Whatever the language lets through, the kernel boots with.
#[test]
fn every_setting_of_tcp_is_one_that_the_kernel_takes() {
    for setting in language::declarations::TCP {
        let values: &[&str] = match setting.kind {
            language::Kind::Choice(values) => values,
            language::Kind::Bool => &["on", "off"],
            other => panic!("{} is a {other:?}", setting.name),
        };
        for value in values {
            let taken = TcpProfile::default().set(setting.name, value);
            assert_eq!(taken, Some(()), "{}={value}", setting.name);
        }
    }
}

#[test]
fn a_plan_says_what_the_file_says() {
    let plan = plan(
        r#"switch "s"
link "ec2" "s" name="up" delay="5ms" { from "s" delay="1.5ms" { gemodel "1%" "10%"; }; }
at "1s" { set link "up" from="s" loss="0.5%"; partition "ec2" "laptop"; }
after "500ms" { heal; detach "blog" vif=0; }
every "2s" { pause "blog"; }
when tcp flags=".S" from="blog" nth=3 reaction="2ms" {
    on "reader" { connect "c" "10.0.0.2:7" from=":4000"; recv "c" eof=#true least=3; }
    on "devil" { flow "f" "10.0.0.2:7"; send "S 0:0(0)"; await "S. ack 1" timeout="3s"; }
}
when console="blog" contains="up" { stop; }
expect { within "1s" "2s" { udp at="receiver" count=0; }; xen leaked-grants=0 leaked=0; }
always { tcp flags="R" count=0 retransmits="only" vacuous=#true; }
snapshot { ladder only="blog reader"; tcp "blog"; }"#,
    );
    assert_eq!(
        (plan.seed, plan.duration, plan.epoch_secs),
        (1, 60_000_000_000, 1_405_036_800)
    );
    let blog = &plan.machines[0].domains[0];
    assert_eq!(
        (blog.memory_kib, blog.on_reboot, blog.on_crash),
        (32 * 1024, OnExit::Restart, OnExit::Destroy)
    );
    let up = plan
        .links
        .iter()
        .find(|l| l.name == "up")
        .expect("declared");
    assert_eq!(
        (up.settings[0].delay, up.settings[1].delay),
        (5_000_000, 1_500_000)
    );
    assert!(matches!(
        up.settings[1].loss,
        Loss::GilbertElliott {
            loss_bad: Probability::ONE,
            ..
        }
    ));
    assert_eq!(plan.timeline[1].at.0, 1_500_000_000);
    assert_eq!(plan.everies[0].first.0, 2_000_000_000);
    let when = &plan.whens[0];
    assert_eq!((when.nth, when.reaction), (3, 2_000_000));
    let Action::On {
        commands, spans, ..
    } = &when.actions[1].action
    else {
        panic!("not a script")
    };
    assert_eq!(commands.len(), spans.len());
    assert_eq!(
        commands[1],
        Command::RawSend {
            name: "f".into(),
            segment: "S 0:0(0)".into()
        }
    );
    let Matcher::Packet(packet) = &when.matcher else {
        panic!("not a packet")
    };
    assert_eq!(
        (packet.flags.as_deref(), packet.at),
        (Some("S."), At::Sender)
    );
    assert_eq!(plan.whens[1].reaction, 1_000_000);
    assert_eq!(plan.expectations.len(), 4);
    assert_eq!(plan.expectations[0].count, Count { least: 0, most: 0 });
    assert!(plan.expectations[0].within.is_some() && plan.expectations[3].scope == Scope::Always);
    assert_eq!(
        plan.snapshot[0],
        SnapshotPart::Ladder {
            only: vec!["blog".into(), "reader".into()],
            arp: false
        }
    );
}

#[test]
fn a_seed_on_the_command_line_wins() {
    let overrides = Overrides {
        seed: Some(7),
        guests: vec!["smoltcp".into()],
    };
    let text =
        "scenario \"s\" seed=3 { about \"x\" }\nmachine \"m\" { domain \"d\" guest=\"smoltcp\" }\n";
    let plan = parse(
        text.as_bytes(),
        Path::new("t.kdl"),
        Path::new(""),
        &overrides,
    )
    .expect("accepted");
    assert_eq!(plan.seed, 7);
}

#[test]
fn every_scenario_in_the_repository_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut loaded = 0;
    for folder in std::fs::read_dir(root).expect("scenarios") {
        for file in std::fs::read_dir(folder.expect("a folder").path()).expect("a folder") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|e| e == "kdl") {
                let plan =
                    load(&path, &Overrides::default()).unwrap_or_else(|report| panic!("{report}"));
                let stem = path.file_stem().and_then(|s| s.to_str());
                assert_eq!(Some(plan.name.as_str()), stem, "named after its file");
                let of = |scope| plan.expectations.iter().any(|e| e.scope == scope);
                assert!(
                    of(Scope::Expect) && of(Scope::Always) && !plan.snapshot.is_empty(),
                    "{}",
                    plan.name
                );
                loaded += 1;
            }
        }
    }
    assert!(loaded >= 16, "{loaded}");
}

/// What the user may throw at us, and how long it may take.
fn answers_soon(bytes: &[u8]) {
    let _ = parse(
        bytes,
        Path::new("t.kdl"),
        Path::new(""),
        &Overrides::default(),
    )
    .map_err(|report| report.render(true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        answers_soon(&bytes);
    }

    #[test]
    fn any_text_of_kdls_letters_gets_an_answer(text in "[a-c \\n{}()\"#/*=\\\\;-]{0,200}") {
        answers_soon(text.as_bytes());
    }

    #[test]
    fn a_broken_scenario_gets_an_answer(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = include_bytes!("../../../../scenarios/world/domain-crash.kdl").to_vec();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            if byte % 3 == 0 {
                bytes.remove(at);
            } else {
                bytes[at] = byte % 128;
            }
        }
        answers_soon(&bytes);
    }
}
