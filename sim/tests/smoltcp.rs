//! Someone else's stack under the same scripts: smoltcp, by the example's own code.

#[path = "../examples/smoltcp/calls.rs"]
mod calls;
#[path = "../examples/smoltcp/entry.rs"]
mod entry;
#[path = "../examples/smoltcp/sockets.rs"]
mod sockets;
#[path = "../examples/smoltcp/subject.rs"]
mod subject;
#[path = "../examples/smoltcp/wire.rs"]
mod wire;

use std::path::Path;

use evilbit::packetdrill::run::verdict::{Ending, Verdict};
use evilbit::packetdrill::run::{RunOptions, run_on};
use evilbit::packetdrill::{Definitions, parse};

use crate::subject::Smoltcp;

fn verdict(source: &str) -> Verdict {
    let name = Path::new("test.pkt");
    let script = parse(source.as_bytes(), name, &Definitions::default()).expect("a script");
    run_on(&script, &RunOptions::default(), Smoltcp::new)
}

fn why_not(source: &str) -> String {
    match verdict(source).ending {
        Ending::Failed(failure) => failure.message,
        other => panic!("the script fails, but: {other:?}"),
    }
}

const SERVER: &str = "
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,nop,nop,sackOK>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>
+.1 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
";

#[test]
fn a_server_reads_answers_and_closes() {
    let script = format!(
        "{SERVER}
+0 < P. 1:6(5) ack 1 win 32792
+0 read(4, ..., 100) = 5
+0 write(4, ..., 7) = 7
+0 > P. 1:8(7) ack 6
+.1 < F. 6:6(0) ack 8 win 32792
+0~+.02 > . 8:8(0) ack 7
+0 read(4, ..., 100) = 0
+0 close(4) = 0
+0 > F. 8:8(0) ack 7
+.1 < . 7:7(0) ack 9 win 32792
"
    );
    let verdict = verdict(&script);
    assert_eq!(verdict.ending, Ending::Passed, "{:#?}", verdict.ladder);
    assert_eq!(verdict.hash, self::verdict(&script).hash);
}

#[test]
fn a_read_blocks_until_the_reset_and_says_why() {
    let script = format!(
        "{SERVER}
+0...0.2 read(4, ..., 100) = -1 ECONNRESET (Connection reset by peer)
+.2 < R. 1:1(0) ack 1 win 0
"
    );
    let verdict = verdict(&script);
    assert_eq!(verdict.ending, Ending::Passed, "{:#?}", verdict.ladder);
}

#[test]
fn a_connect_that_is_refused() {
    let verdict = verdict(
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0...0.1 connect(3, ..., ...) = -1 ECONNREFUSED (Connection refused)
+0 > S 0:0(0) <...>
+.1 < R. 0:0(0) ack 1 win 0
",
    );
    assert_eq!(verdict.ending, Ending::Passed, "{:#?}", verdict.ladder);
}

#[test]
fn what_it_does_not_have_is_refused_by_name() {
    let setting = "`sysctl -w net.ipv4.tcp_ecn=1`\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";
    assert!(why_not(setting).ends_with("the stack under test cannot be told net.ipv4.tcp_ecn=1"));
    let option = format!("{SERVER}+0 setsockopt(4, SOL_TCP, TCP_CORK, [1], 4) = 0\n");
    assert!(why_not(&option).contains("ENOPROTOOPT"));
}

#[test]
fn a_script_that_differs_fails_where_it_does() {
    let script = format!("{SERVER}+0 write(4, ..., 7) = 7\n+0 > P. 1:8(7) ack 2\n");
    let why = why_not(&script);
    assert!(
        why.starts_with("the packet's acknowledgement differs"),
        "{why}"
    );
}
