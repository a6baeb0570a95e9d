//! What our captures are to tcpdump and tshark: every tap of every scenario, each in a file of its own.
//!
//! Nothing a guest sends has a bad checksum or is malformed. Excused is only what its capture says was changed by a link
//! (a comment) or sent by the experimenter or a raw peer (the evil bit of RFC 3514). Without the programs the tests are
//! skipped by name; EVILBIT_REQUIRE_TSHARK=1 makes that a failure.

mod dissected;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use dissected::{Packet, dissect};
use evilbit::plan::{Action, Plan};
use evilbit::view::Wanted;
use evilbit::world::RunOptions;
use rayon::prelude::*;
use tests::scenario::{self, Scenario};
use tests::tools;

/// How tcpdump says that a packet is not what it should be.
const COMPLAINTS: [&str; 8] = [
    "(incorrect",
    "bad cksum",
    "bad udp cksum",
    "wrong icmp cksum",
    "[bad ",
    "[|",
    "truncated",
    "invalid",
];
/// RFC 3514, as a filter.
const EVIL: &str = "ip[6] & 0x80 != 0";

/// One tap of one scenario.
struct TapCapture {
    scenario: String,
    /// `blog vif0`
    tap: String,
    file: PathBuf,
    packets: Vec<Packet>,
    /// The tap is the vif of a guest that has no stack.
    raw: bool,
}

/// All captures; `None` where the programs are missing.
fn captures(test: &str) -> Option<&'static [TapCapture]> {
    if let Some(program) = tools::missing(&["tshark", "tcpdump"]) {
        let why = format!("there is no {program}");
        tools::skip(test, &why, "EVILBIT_REQUIRE_TSHARK");
        return None;
    }
    static CAPTURES: OnceLock<Vec<TapCapture>> = OnceLock::new();
    Some(CAPTURES.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("captures");
        // The last run's are gone, or were never there.
        let _ = fs::remove_dir_all(&folder);
        let scenarios = scenario::all();
        scenarios
            .par_iter()
            .flat_map(|scenario| capture(scenario, &folder))
            .collect()
    }))
}

/// Runs a scenario, and lets tshark read what passed its taps.
fn capture(scenario: &Scenario, folder: &Path) -> Vec<TapCapture> {
    let folder = folder.join(scenario.name.replace('/', "-"));
    fs::create_dir_all(&folder).expect("a folder for captures");
    let wanted = Wanted {
        pcap_taps: Some(folder.clone()),
        ..Wanted::default()
    };
    scenario.run(&wanted, &RunOptions::default());
    let files = fs::read_dir(&folder).expect("it was made");
    let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let tap = |file: PathBuf| {
        let packets = dissect(&file);
        let tap = packets
            .first()
            .map_or_else(String::new, |p| p.interface.clone());
        TapCapture {
            scenario: scenario.name.clone(),
            raw: raw_vif(&scenario.plan, &tap),
            tap,
            file,
            packets,
        }
    };
    files.into_iter().map(tap).collect()
}

/// Whether a tap is the vif of a raw guest.
fn raw_vif(plan: &Plan, tap: &str) -> bool {
    let domains = plan.machines.iter().flat_map(|machine| &machine.domains);
    domains
        .filter(|domain| domain.guest == "raw")
        .any(|domain| tap.starts_with(&format!("{} vif", domain.name)))
}

/// tcpdump's lines on a capture.
fn tcpdump(file: &Path, flags: &str, filter: &str) -> Vec<String> {
    let output = Command::new("tcpdump")
        .args([flags])
        .arg(file)
        .arg(filter)
        .output();
    let output = output.expect("tcpdump runs");
    assert!(
        output.status.success(),
        "{} {filter}: {output:?}",
        file.display()
    );
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn tshark_finds_no_bad_checksum_and_nothing_malformed() {
    let Some(captures) = captures("tshark_finds_no_bad_checksum_and_nothing_malformed") else {
        return;
    };
    let mut seen = 0;
    for capture in captures {
        for (n, packet) in (1..).zip(&capture.packets) {
            seen += 1;
            let fine = packet.excused() || !(packet.bad_checksum || packet.malformed);
            assert!(fine, "{} {n}: {packet:?}", capture.file.display());
        }
    }
    assert!(seen > 1000, "{seen} packets are too few to say anything");
}

#[test]
fn tcpdump_finds_no_bad_checksum_and_nothing_malformed() {
    let Some(captures) = captures("tcpdump_finds_no_bad_checksum_and_nothing_malformed") else {
        return;
    };
    captures.par_iter().for_each(|capture| {
        // tcpdump knows no comments, so of a capture with corrupted frames it says nothing.
        if capture
            .packets
            .iter()
            .any(|p| p.comment.contains("corrupted"))
        {
            return;
        }
        let lines = tcpdump(&capture.file, "-nvr", &format!("not ({EVIL})"));
        // Lines that begin with a tab are what HTTP says, cut off where the segment ends.
        let complains = |line: &&String| {
            !line.starts_with('\t') && COMPLAINTS.iter().any(|word| line.contains(word))
        };
        let complaint = lines.iter().find(complains);
        assert_eq!(complaint, None, "{}", capture.file.display());
    });
}

#[test]
fn a_capture_names_its_interface_and_counts_nanoseconds() {
    let Some(captures) = captures("a_capture_names_its_interface_and_counts_nanoseconds") else {
        return;
    };
    let mut below_microseconds = false;
    for TapCapture {
        tap, packets, file, ..
    } in captures
    {
        for packet in packets {
            assert_eq!(&packet.interface, tap, "{}", file.display());
            let (_, fraction) = packet.time.split_once('.').expect("seconds and less");
            assert_eq!(fraction.len(), 9, "{}", file.display());
            below_microseconds |= !fraction.ends_with("000");
        }
        assert!(
            packets.is_sorted_by(|a, b| a.time <= b.time),
            "{}",
            file.display()
        );
    }
    assert!(below_microseconds, "no time stamp needs nanoseconds");
}

#[test]
fn comments_say_what_the_bytes_do_not() {
    let Some(captures) = captures("comments_say_what_the_bytes_do_not") else {
        return;
    };
    let with = |comment: &str| -> BTreeSet<&str> {
        let has = |c: &&TapCapture| c.packets.iter().any(|p| p.comment.contains(comment));
        captures
            .iter()
            .filter(has)
            .map(|c| c.scenario.as_str())
            .collect()
    };
    assert!(with("lost").is_superset(&["blog/blog", "tcp/lost-syn"].into()));
    assert!(with("retransmission").contains("tcp/fast-retransmit"));
    assert!(with("dup ack 3").contains("tcp/fast-retransmit"));
    assert!(with("duplicated").contains("services/discard"));
    assert!(with("died on the link").contains("world/machine-power-failure"));
    assert!(with("forged").contains("evil/spoofed-ping"));
    assert!(with("dropped: vif queue full").contains("world/paused-domain"));
    // A scenario whose line is good and whose peers are honest has nothing to remark.
    for word in ["lost", "retransmission", "dropped", "forged", "evil"] {
        assert!(!with(word).contains("services/echo"), "{word}");
    }
}

#[test]
fn a_dropped_frame_is_said_to_be_where_it_was_sent_and_is_nowhere_else() {
    let Some(captures) =
        captures("a_dropped_frame_is_said_to_be_where_it_was_sent_and_is_nowhere_else")
    else {
        return;
    };
    let dropped = |tap: &str| {
        let is_it = |c: &&TapCapture| c.scenario == "world/paused-domain" && c.tap == tap;
        let capture = captures.iter().find(is_it).expect("it was captured");
        let packets = capture.packets.iter();
        packets.filter(|p| p.comment.contains("dropped")).count()
    };
    // As many as the scenario expects, from either.
    assert_eq!(dropped("neighbour vif0"), 622);
    assert_eq!(dropped("friend vif0"), 4);
    assert_eq!(dropped("sleeper vif0"), 0);
}

#[test]
fn the_evil_bit_marks_exactly_the_forged_packets() {
    let Some(captures) = captures("the_evil_bit_marks_exactly_the_forged_packets") else {
        return;
    };
    let liars: BTreeSet<&str> = scenario::all()
        .iter()
        .filter(|scenario| lies(&scenario.plan))
        .map(|scenario| captures.iter().find(|c| c.scenario == scenario.name))
        .map(|capture| capture.expect("it was run").scenario.as_str())
        .collect();
    assert!(liars.len() >= 2, "{liars:?}");
    captures.par_iter().for_each(|capture| {
        let TapCapture {
            scenario,
            file,
            packets,
            raw,
            ..
        } = capture;
        let marked = packets.iter().filter(|p| p.evil == Some(true)).count();
        assert_eq!(
            tcpdump(file, "-nr", EVIL).len(),
            marked,
            "{}",
            file.display()
        );
        assert!(
            marked == 0 || liars.contains(scenario.as_str()),
            "{}",
            file.display()
        );
        for packet in packets {
            let said = packet.comment.contains("evil") || packet.comment.contains("forged");
            assert_eq!(
                packet.evil == Some(true),
                said && packet.evil.is_some(),
                "{packet:?}"
            );
            // At its own vif, a raw guest's packets are all that leave.
            if *raw && packet.outbound {
                assert_ne!(packet.evil, Some(false), "{}: {packet:?}", file.display());
            }
        }
    });
}

/// Whether somebody without a stack takes part: a raw guest, or the experimenter with frames of his own.
fn lies(plan: &Plan) -> bool {
    let mut domains = plan.machines.iter().flat_map(|machine| &machine.domains);
    let timed = plan.timeline.iter().flat_map(|timed| &timed.actions);
    let everies = plan.everies.iter().flat_map(|every| &every.actions);
    let whens = plan.whens.iter().flat_map(|when| &when.actions);
    let mut actions = timed.chain(everies).chain(whens);
    domains.any(|domain| domain.guest == "raw")
        || actions.any(|action| matches!(action.action, Action::Inject { .. }))
}
