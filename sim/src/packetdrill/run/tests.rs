//! Whole scripts against a whole stack: what a script says is what happens, or it fails where it differs.

use super::verdict::{Ending, Verdict};
use super::{Path, RunOptions, expected, run, run_on};
use crate::packetdrill::{Definitions, Loaded, parse};

fn verdict(source: &str) -> Verdict {
    verdict_on(Path::Raw, source)
}

fn verdict_on(path: Path, source: &str) -> Verdict {
    let name = std::path::Path::new("test.pkt");
    let script = parse(source.as_bytes(), name, &Definitions::default());
    let loaded = Loaded {
        script: script.expect("a script"),
        source: source.to_owned(),
    };
    let mut verdict = run(
        &loaded.script,
        &RunOptions {
            path,
            ..RunOptions::default()
        },
    );
    expected::apply(&mut verdict, &loaded);
    verdict
}

/// The line and the message of a failure.
fn failure(source: &str) -> (usize, String) {
    match verdict(source).ending {
        Ending::Failed(failure) => (failure.line(source), failure.message),
        other => panic!("the script fails, but: {other:?}"),
    }
}

#[track_caller]
fn passes(source: &str) {
    let verdict = verdict(source);
    assert_eq!(verdict.ending, Ending::Passed, "{:#?}", verdict.ladder);
}

const SERVER: &str = "
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
";

fn server(rest: &str) -> String {
    format!("{SERVER}{rest}")
}

#[test]
fn a_client_connects_sends_and_closes() {
    passes(
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
         +0 fcntl(3, F_SETFL, O_RDWR | O_NONBLOCK) = 0
         +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
         +0 > S 0:0(0) <...>
         +.1 < S. 500:500(0) ack 1 win 20000 <mss 1000>
         +0 > . 1:1(0) ack 1
         +0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
         +0 write(3, ..., 100) = 100
         +0 > P. 1:101(100) ack 1
         +.1 < . 1:1(0) ack 101 win 20000
         +0 close(3) = 0
         +0 > F. 101:101(0) ack 1
         +.1 < F. 1:1(0) ack 102 win 20000
         +0 > . 102:102(0) ack 2",
    );
}

#[test]
fn a_server_is_called_and_segments_are_joined() {
    passes(&server(
        "+0 write(4, ..., 5000) = 5000
         +0 > P. 1:5001(5000) ack 1
         +.1 < . 1:1(0) ack 5001 win 257",
    ));
}

#[test]
fn what_differs_is_named_and_marked() {
    let source = server("+0 write(4, ..., 100) = 100\n+0 > . 1:101(100) ack 1\n");
    let Ending::Failed(failure) = verdict(&source).ending else {
        panic!("the flags differ");
    };
    assert_eq!(failure.line(&source), 10);
    let what = "the packet's flags differ: expected ., got P.";
    assert_eq!(failure.message, what);
    let text = failure.text(
        std::path::Path::new("x.pkt"),
        &source,
        &[],
        "evilbit packetdrill x.pkt",
    );
    assert_eq!(
        text,
        "x.pkt:10: the packet's flags differ: expected ., got P.
  expected  > . 1:101(100) ack 1
       got  > P. 1:101(100) ack 1
              ^^
  again: evilbit packetdrill x.pkt
"
    );
}

#[test]
fn a_packet_that_comes_too_early_or_too_late_fails() {
    let early = server("+0 write(4, ..., 9) = 9\n+.5 > P. 1:10(9) ack 1\n");
    let (line, what) = failure(&early);
    assert!(line == 10 && what.contains("wrong time"), "{what}");
    // The retransmission, a second later.
    let late = server("+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n+0 > P. 1:10(9) ack 1\n");
    let (line, what) = failure(&late);
    assert!(line == 11 && what.contains("wrong time"), "{what}");
}

#[test]
fn a_packet_that_never_comes_is_not_waited_for_forever() {
    let (line, what) = failure(&server("* > F. 1:1(0) ack 1\n"));
    assert!(line == 9 && what.contains("no packet came"), "{what}");
}

#[test]
fn a_blocking_call_returns_when_it_may() {
    passes(&server(
        "+0...0.3 read(4, ..., 100) = 100
         +.3 < P. 1:101(100) ack 1 win 257
         * > . 1:1(0) ack 101",
    ));
    let (line, what) = failure(&server(
        "+0...0.1 read(4, ..., 100) = 100
         +.3 < P. 1:101(100) ack 1 win 257",
    ));
    assert!(line == 9 && what.contains("wrong time"), "{what}");
    let (line, what) = failure(&server("+0 read(4, ..., 100) = 100"));
    assert!(line == 9 && what.contains("blocks"), "{what}");
}

#[test]
fn a_descriptor_that_was_never_opened_is_the_scripts_mistake() {
    let (line, what) = failure("0 close(7) = 0");
    assert_eq!(line, 1);
    assert!(what.contains("no descriptor 7"), "{what}");
}

#[test]
fn bytes_that_are_only_counted_take_no_memory() {
    let (_, what) = failure(&server(
        "+0 fcntl(4, F_SETFL, O_RDWR | O_NONBLOCK) = 0
         +0 write(4, ..., 1000000000000000000) = 1000000000000000000",
    ));
    assert!(what.contains("another result"), "{what}");
}

#[test]
fn what_goes_over_the_wire_has_a_bound() {
    let line = "+0 < P. 1:65001(65000) ack 1 win 65535\n";
    let (at, what) = failure(&server(&line.repeat(2_000)));
    assert_eq!(what, "more than 64 MiB went over the wire");
    // 64 MiB of them, behind the nine lines before.
    assert_eq!(at, 9 + (64 << 20) / 65_040);
}

#[test]
fn a_failure_shows_both_sides_and_underlines_what_differs() {
    for (line, shown) in [
        (
            "+0 > [ect0] P. 1:101(100) ack 1",
            "  expected  > (ect0) P. 1:101(100) ack 1
       got  > (noecn) P. 1:101(100) ack 1
               ^^^^^
",
        ),
        (
            "+.5 > P. 1:101(100) ack 1",
            "  expected  0.600000 > P. 1:101(100) ack 1
       got  0.100000 > P. 1:101(100) ack 1
            ^^^^^^^^
",
        ),
        (
            "+0 close(4) = -1 EBADF",
            "  expected  close(4) = -1 EBADF
       got  close(4) = 0
                     ^^^
",
        ),
        (
            "+0 > P. 1:101(100) ack 1\n+0 > . 101:101(0) ack 1",
            "  expected  > . 101:101(0) ack 1
       got  > P. 1:101(100) ack 1
              ^^
",
        ),
        (
            "+0 > P. 1:101(100) ack 1\n+0 < . 1:1(0) ack 101 win 9\n+0 > . 101:101(0) ack 1",
            "  expected  > . 101:101(0) ack 1\n       got  nothing\n  so far:",
        ),
        (
            "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1",
            "  expected  POLLIN\n       got  POLLOUT\n",
        ),
    ] {
        let source = server(&format!("+0 write(4, ..., 100) = 100\n{line}\n"));
        let verdict = verdict(&source);
        let Ending::Failed(failure) = verdict.ending else {
            panic!("it fails: {line}");
        };
        let name = std::path::Path::new("x.pkt");
        let text = failure.text(name, &source, &verdict.ladder, "again");
        assert!(text.contains(shown), "{text}");
    }
}

#[test]
fn an_announced_failure_is_a_success_and_its_absence_a_failure() {
    passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n// Failure: it is open\n+0 close(3) = -1");
    let source = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n// Failure: none\n+0 close(3) = 0";
    let (line, what) = failure(source);
    assert!(line == 3 && what.contains("did not fail"), "{what}");
}

#[test]
fn a_run_is_the_same_each_time() {
    let source = server("+0 write(4, ..., 5000) = 5000\n+0 > P. 1:5001(5000) ack 1\n");
    let (one, other) = (verdict(&source), verdict(&source));
    assert_eq!(one, other);
    let another = verdict(&server("+0 write(4, ..., 4000) = 4000\n"));
    assert_ne!(one.hash, another.hash);
}

#[test]
fn on_rings_the_hash_is_also_of_what_the_machine_did() {
    use super::subject::{Making, Subject};
    use super::xen::{NoMachine, Xen};

    let source = server("+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n");
    let name = std::path::Path::new("test.pkt");
    let script = parse(source.as_bytes(), name, &Definitions::default()).expect("a script");
    // Somebody looks into the guest before the script begins, which no packet and no answer shows.
    let hash = |looks: bool| {
        let verdict = run_on(&script, &RunOptions::default(), |making: Making<'_>| {
            let seed = u64::from_le_bytes(*making.seed.first_chunk().expect("32 bytes"));
            let mut xen = Xen::new(
                making.config,
                making.profile,
                making.personality,
                seed,
                making.now,
            )?;
            if looks {
                assert!(xen.host().sockets().is_empty());
            }
            Ok::<_, NoMachine>(xen)
        });
        assert_eq!(verdict.ending, Ending::Passed);
        (verdict.hash, verdict.packets)
    };
    let (quiet, looked) = (hash(false), hash(true));
    assert_eq!(quiet.1.len(), looked.1.len());
    assert_ne!(quiet.0, looked.0);
}

#[test]
fn a_kernel_on_rings_does_what_the_bare_stack_does() {
    let sources = [
        server("+0 write(4, ..., 5000) = 5000\n+0 > P. 1:5001(5000) ack 1\n"),
        server(
            "+0...0.3 read(4, ..., 100) = 100\n+.3 < P. 1:101(100) ack 1 win 9\n* > . 1:1(0) ack 101\n",
        ),
        server("+0 `grep 1F90 /proc/net/tcp`\n+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n"),
        server("+0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n"),
        server("+0 %{ assert tcpi_state == TCP_CLOSE_WAIT }%\n"),
        server("+0 write(4, ..., 9) = 9\n+0 > . 1:10(9) ack 1\n"),
        format!(
            "--ip_version=ipv6\n{}",
            server("+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n")
        ),
    ];
    for source in sources {
        let (raw, xen) = (verdict(&source), verdict_on(Path::Xen, &source));
        assert_eq!(raw.ending, xen.ending, "{source}");
        assert_eq!(xen, verdict_on(Path::Xen, &source));
    }
}

#[test]
fn a_vif_has_its_own_mtu() {
    let jumbo = format!("--mtu=9000\n{SERVER}").replace("<...>", "<mss 8960>");
    passes(&jumbo);
    assert_eq!(verdict_on(Path::Xen, &jumbo).ending, Ending::Passed);
    let source = format!("--mtu=65535\n{SERVER}");
    let Ending::Skipped(why) = verdict_on(Path::Xen, &source).ending else {
        panic!("netif.h has no packets of that size");
    };
    assert!(why.message.contains("65535"), "{}", why.message);
}

#[test]
fn the_system_is_guessed_from_the_settings_that_a_script_makes() {
    // The window scales of both systems, as they have them after boot.
    let offer = "+0 < S 0:0(0) win 9 <mss 1000,nop,wscale 1>\n";
    let on = |settings: &str, answer: &str| {
        format!(
            "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n{settings}+0 bind(3, ..., ...) = 0
             +0 listen(3, 1) = 0\n{offer}+0 > S. 0:0(0) ack 1 <{answer}>\n"
        )
    };
    passes(&on(
        "+0 `sysctl -w net.inet.tcp.sack.enable=1`\n",
        "mss 1460,nop,wscale 6",
    ));
    passes(&on(
        "+0 `sysctl -q net.ipv4.tcp_sack=1`\n",
        "mss 1460,nop,wscale 7",
    ));
}
