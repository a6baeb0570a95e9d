//! Each sort of thing that a script can expect, once as it happens and once otherwise: what is wrong fails the script,
//! with its name. A line that could not fail would judge nothing.

use super::verdict::Ending;
use super::{RunOptions, run};
use crate::packetdrill::{Definitions, parse};

/// A connection of a listener: the descriptor is 4, the peer offers options, and reads or writes never block.
const SERVER: &str = "
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>
+.1 < . 1:1(0) ack 1 win 32792
+0 accept(3, ..., ...) = 4
+0 fcntl(4, F_SETFL, O_RDWR | O_NONBLOCK) = 0
";

/// How a script ends: nothing, or what is said.
fn ending(source: &str) -> Option<String> {
    let name = std::path::Path::new("test.pkt");
    let script = parse(source.as_bytes(), name, &Definitions::default());
    let script = script.unwrap_or_else(|report| panic!("{report}"));
    match run(&script, &RunOptions::default()).ending {
        Ending::Passed => None,
        Ending::Failed(failure) => Some(failure.message),
        Ending::Skipped(failure) => panic!("skipped: {}", failure.message),
    }
}

/// The script passes; with `right` replaced by `wrong` it fails, and says so.
#[track_caller]
fn judges(source: &str, right: &str, wrong: &str, says: &str) {
    assert_eq!(ending(source), None, "{source}");
    let (before, after) = source.rsplit_once(right).expect("it is in the script");
    let wrong = format!("{before}{wrong}{after}");
    let said = ending(&wrong).unwrap_or_else(|| panic!("this passes:\n{wrong}"));
    assert!(said.contains(says), "{said}\n{wrong}");
}

fn after_accept(lines: &str) -> String {
    format!("{SERVER}{lines}")
}

#[test]
fn each_field_of_a_segment() {
    let written = after_accept("+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1 win 65535\n");
    let offered = "<mss 1460,nop,nop,sackOK>";
    for (right, wrong, says) in [
        ("> P.", "> .", "flags"),
        ("1:101(100)", "2:102(100)", "sequence number"),
        ("1:101(100)", "1:100(99)", "length"),
        ("ack 1 win", "ack 2 win", "acknowledgement"),
        ("win 65535", "win 65534", "window"),
        ("ack 1 win 65535", "ack 1 win 65535 urg 1", "urgent pointer"),
        ("> P. 1:101(100)", "> [ect0] P. 1:101(100)", "ECN"),
        (
            "> P. 1:101(100)",
            "> (tos 0x10) P. 1:101(100)",
            "type of service",
        ),
        ("> P. 1:101(100)", "> (ttl 7) P. 1:101(100)", "time to live"),
        ("win 65535", "win 65535/udp(1 > 2)", "UDP ports"),
        (offered, "<mss 1461,nop,nop,sackOK>", "options"),
        (offered, "<nop,nop,sackOK,mss 1460>", "options"),
        (offered, "<mss 1460>", "options"),
        (offered, "<mss 1460,sackOK,nop,nop>", "options"),
        ("+0 > P.", "+.1 > P.", "wrong time"),
        ("+0 > P.", "+.1~+.2 > P.", "wrong time"),
    ] {
        judges(&written, right, wrong, says);
    }
    judges(
        &after_accept(
            "+.1 < . 101:201(100) ack 1 win 9\n+0 > . 1:1(0) ack 1 <nop,nop,sack 101:201>\n",
        ),
        "sack 101:201",
        "sack 101:202",
        "options",
    );
    judges(
        &after_accept("+0 write(4, \"\\0\\0\", 2) = 2\n+0 > P. 1:3(2) ack 1\n"),
        "\"\\0\\0\"",
        "\"\\0x\"",
        "text",
    );
}

#[test]
fn a_timestamp_whose_clock_is_told() {
    let source = "--tcp_ts_tick_usecs=1000
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1 ecr 0>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,nop,TS val 100 ecr 1>
+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 2 ecr 100>
+0 accept(3, ..., ...) = 4
+0 write(4, ..., 9) = 9
+0 > P. 1:10(9) ack 1 <nop,nop,TS val 200 ecr 2>
";
    judges(source, "TS val 200", "TS val 260", "options");
}

#[test]
fn that_a_packet_comes_and_comes_next() {
    let two = after_accept(
        "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n\
         +0 < . 1:1(0) ack 11 win 9000\n+0 close(4) = 0\n+0 > F. 11:11(0) ack 1\n\
         +0 < . 1:1(0) ack 12 win 9000\n",
    );
    judges(
        &two,
        "+0 > P. 1:11(10) ack 1\n",
        "",
        "the packet's flags differ",
    );
    judges(
        &two,
        "ack 12 win 9000\n",
        "ack 12 win 9000\n+0 > . 12:12(0) ack 1\n",
        "no packet came",
    );
}

#[test]
fn what_a_call_returns_and_when() {
    let read = after_accept("+0 read(4, ..., 5) = -1 EAGAIN (Resource temporarily unavailable)\n");
    judges(&read, "= -1 EAGAIN", "= 0", "another result");
    judges(&read, "EAGAIN", "ECONNRESET", "another error");
    let blocks = "
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0...0.2 accept(3, ..., ...) = 4
+.1 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 32792
+0 close(4) = 0
";
    judges(blocks, "+0...0.2", "+0...0.3", "wrong time");
    let flags = after_accept("+0 fcntl(4, F_GETFL) = 0x802\n");
    let flags = format!(
        "--profile=linux\n{}",
        flags.replace("<mss 1460,nop,nop,sackOK>", "<...>")
    );
    judges(&flags, "0x802", "0x2", "another result");
    judges(
        &after_accept("+0 close(4) = 0\n"),
        "close(4) = 0",
        "close(4) = 1",
        "another result",
    );
}

#[test]
fn what_stands_in_brackets_is_for_the_reader() {
    let read = |note: &str| after_accept(&format!("+0 read(4, ..., 5) = -1 EAGAIN {note}\n"));
    assert_eq!(ending(&read("(Try again)")), None);
    assert_eq!(ending(&read("(whatever)")), None);
}

#[test]
fn a_socket_option_and_its_length() {
    let option = after_accept("+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [0], [4]) = 0\n");
    judges(&option, "[0]", "[1]", "the option differs");
    judges(&option, "[4]) = 0", "[4]) = -1", "another result");
    let linger = after_accept(
        "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0
+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, [8]) = 0\n",
    );
    judges(&linger, "onoff=1", "onoff=0", "the option differs");
    judges(&linger, "linger=5}", "linger=6}", "the option differs");
    judges(
        &linger,
        "[8]) = 0",
        "[9]) = 0",
        "the option's length differs",
    );
    let error = after_accept(
        "+.1 < R. 1:1(0) ack 1 win 0
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNRESET], [4]) = 0\n",
    );
    judges(
        &error,
        "[ECONNRESET]",
        "[0]",
        "the pending error is another",
    );
    judges(
        &error,
        "[ECONNRESET]",
        "[EPIPE]",
        "the pending error is another",
    );
}

#[test]
fn the_addresses_of_both_ends() {
    let address = |ip: &str, port| {
        format!("{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr(\"{ip}\")}}")
    };
    let ours = address("192.168.0.1", 8080);
    let theirs = address("192.0.2.1", 49_152);
    let accepted = SERVER.replace("accept(3, ..., ...)", &format!("accept(3, {theirs}, [16])"));
    let named =
        |call: &str, address: &str| after_accept(&format!("+0 {call}(4, {address}, [16]) = 0\n"));
    let sources = [
        (accepted, theirs.clone()),
        (named("getsockname", &ours), ours),
        (named("getpeername", &theirs), theirs),
    ];
    for (source, address) in &sources {
        let other_port = address
            .replace("htons(8080)", "htons(8081)")
            .replace("htons(49152)", "htons(49153)");
        judges(source, address, &other_port, "what was received differs");
        for (right, wrong) in [("192.", "193."), ("[16]", "[28]")] {
            judges(source, right, wrong, "what was received differs");
        }
        judges(source, "AF_INET", "AF_INET6", "an address cannot be");
    }
    let from =
        after_accept("+0 < P. 1:11(10) ack 1 win 9\n+0 recvfrom(4, ..., 10, 0, ..., ...) = 10\n");
    // A stream says nobody's.
    let theirs = address("192.0.2.1", 49_152);
    judges(
        &from,
        "0, ..., ...)",
        &format!("0, {theirs}, ...)"),
        "got none",
    );
}

#[test]
fn sockets_of_version_six_write_mapped_addresses() {
    let source = format!(
        "--ip_version=ipv4-mapped-ipv6\n{SERVER}+0 getpeername(4, {}, [28]) = 0\n",
        "{sa_family=AF_INET6, sin_port=htons(49152), sin_addr=inet_pton(AF_INET6, \"::ffff:192.0.2.1\")}"
    );
    judges(
        &source,
        "192.0.2.1",
        "192.0.2.2",
        "what was received differs",
    );
}

#[test]
fn received_octets() {
    let come = "+0 < P. 1:5(4) ack 1 win 9\n";
    for call in [
        "read(4, \"\\0\\0\\0\\0\", 9) = 4",
        "recv(4, \"\\0\\0\\0\\0\", 9, 0) = 4",
        "recvfrom(4, \"\\0\\0\\0\\0\", 9, 0, ..., ...) = 4",
        "recvmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 2}, {\"\\0\\0\", 7}], msg_flags=0}, 0) = 4",
    ] {
        let source = after_accept(&format!("{come}+0 {call}\n"));
        judges(&source, "\\0\"", "x\"", "what was received differs");
    }
    let whole = after_accept(&format!("{come}+0 read(4, \"\\0\\0\\0\\0\", 9) = 4\n"));
    judges(&whole, "\"\\0\\0", "\"\\0", "what was received differs");
}

#[test]
fn flags_and_control_messages() {
    let inq = after_accept(
        "+0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0
+0 < P. 1:101(100) ack 1 win 9
* > . 1:1(0) ack 101
+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0,
  msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=90}]}, 0) = 10\n",
    );
    let control = "[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=90}]";
    for (right, wrong, says) in [
        ("cmsg_data=90", "cmsg_data=91", "expected 91, got 90"),
        ("cmsg_level=SOL_TCP", "cmsg_level=SOL_SOCKET", "got SOL_TCP"),
        ("TCP_CM_INQ", "SCM_TIMESTAMPING", "got TCP_CM_INQ"),
        ("msg_flags=0", "msg_flags=MSG_TRUNC", "expected MSG_TRUNC"),
        (control, "[]", "got 1 control messages"),
        (
            &format!(",\n  msg_control={control}"),
            "",
            "got 1 control messages",
        ),
        (
            "cmsg_data=90}]",
            "cmsg_data=90}, {cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=90}]",
            "expected 2, got 1",
        ),
    ] {
        judges(&inq, right, wrong, says);
    }
}

#[test]
fn events() {
    let polled = after_accept(
        "+0 < P. 1:11(10) ack 1 win 9
+0 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1\n",
    );
    judges(
        &polled,
        "revents=POLLIN",
        "revents=POLLHUP",
        "poll reports other events",
    );
    let epolled = after_accept(
        "+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0
+0 < P. 1:11(10) ack 1 win 9
+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1\n",
    );
    for (right, wrong, says) in [
        (
            "events=EPOLLIN",
            "events=EPOLLOUT",
            "epoll reports other events",
        ),
        ("fd=4}, 1", "fd=5}, 1", "what comes back with the events"),
        ("1, 0) = 1", "1, 0) = 0", "another result"),
    ] {
        judges(&epolled, right, wrong, says);
    }
}

#[test]
fn a_call_that_gives_up_when_its_time_is_over() {
    let polled = after_accept(
        "+0...0.2 poll([{fd=4, events=POLLIN, revents=0}], 1, 200) = 0\n+.1 close(4) = 0\n",
    );
    judges(&polled, "0.2 poll", "0.3 poll", "wrong time");
    judges(&polled, "200) = 0", "200) = 1", "another result");
    let epolled = after_accept(
        "+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0
+0...0.2 epoll_wait(5, {events=0, fd=0}, 1, 200) = 0
+.1 close(4) = 0\n",
    );
    judges(&epolled, "0.2 epoll_wait", "0.3 epoll_wait", "wrong time");
}

#[test]
fn an_event_whose_time_is_past() {
    let late =
        after_accept("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n0.1 close(4) = 0\n");
    judges(&late, "0.1 close", "0.01 close", "was due");
}

#[test]
fn numbers_commands_and_code() {
    let queue = after_accept("+0 < P. 1:11(10) ack 1 win 9\n+0 ioctl(4, SIOCINQ, [10]) = 0\n");
    judges(&queue, "[10]", "[11]", "what ioctl tells");
    let command = after_accept("+0 `grep -q :1F90 /proc/net/tcp`\n");
    judges(&command, ":1F90", ":1F91", "the command fails");
    let code = after_accept("+0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n");
    judges(&code, "ESTABLISHED", "LISTEN", "does not hold");
}

#[test]
fn datagrams_and_what_is_said_of_them() {
    let source = "
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, {sa_family=AF_INET, sin_port=htons(9999), sin_addr=inet_addr(\"192.168.0.1\")}, 16) = 0
+0 connect(3, ..., ...) = 0
+0 write(3, ..., 1000) = 1000
+0 > [noecn] udp 9999 > 8080 (1000)
+.1 < udp (500)
+0 read(3, ..., 1000) = 500
+0 < icmp unreachable port_unreachable [udp (1000)]
+0 write(3, ..., 1000) = -1 ECONNREFUSED (Connection refused)
";
    for (right, wrong, says) in [
        ("8080 (1000)", "8080 (999)", "the packet's length differs"),
        ("9999 > 8080", "9998 > 8080", "the packet's ports differ"),
        ("9999 > 8080", "9999 > 8081", "the packet's ports differ"),
        ("[noecn]", "[ce]", "the packet's ECN differs"),
        (
            "write(3, ..., 1000) = 1000\n+0 >",
            "write(3, ..., 1000) = 1000\n+.1 >",
            "wrong time",
        ),
        (
            "= 1000\n+0 >",
            "= 1000\n+0 > udp (1000)\n+0 >",
            "no packet came",
        ),
        (
            "> [noecn] udp 9999 > 8080 (1000)",
            "> . 1:1001(1000)",
            "another protocol",
        ),
        ("< udp (500)", "< udp (499)", "another result"),
        ("< udp (500)", "< udp 8081 > 9999 (500)", "read blocks"),
        ("[udp (1000)]", "[1:1001(1000)]", "has no peer"),
        ("ECONNREFUSED", "EHOSTUNREACH", "another error"),
    ] {
        judges(source, right, wrong, says);
    }
    let text = "
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 connect(3, ..., ...) = 0
+0 write(3, \"\\0\\0\", 2) = 2
+0 > udp (2)
";
    judges(
        text,
        "\"\\0\\0\"",
        "\"\\0x\"",
        "expected zeros, got 0x78 at byte 1",
    );
}

#[test]
fn who_sent_a_datagram() {
    let source = "
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
+0 < udp (20)
+0 recvfrom(3, ..., 100, 0, {sa_family=AF_INET, sin_port=htons(49152), sin_addr=inet_addr(\"192.0.2.1\")}, [16]) = 20
+0 < udp 7 > 8080 (20)
+0 recvmsg(3, {msg_name(...)={sa_family=AF_INET, sin_port=htons(7), sin_addr=inet_addr(\"192.0.2.1\")},
     msg_iov(1)=[{..., 100}], msg_flags=0}, 0) = 20
";
    for (right, wrong) in [
        ("htons(49152)", "htons(49153)"),
        ("192.0.2.1\")}, [16]", "192.0.2.2\")}, [16]"),
        ("[16]", "[28]"),
        ("htons(7)", "htons(8)"),
    ] {
        judges(source, right, wrong, "what was received differs");
    }
}

#[test]
fn a_segment_where_a_datagram_is_due() {
    let source = after_accept("+0 close(4) = 0\n+0 > F. 1:1(0) ack 1\n");
    judges(
        &source,
        "> F. 1:1(0) ack 1",
        "> udp (0)",
        "another protocol: a segment came",
    );
}
