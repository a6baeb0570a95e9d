//! Our stack among real peers: Linux, ping, curl, wrk and bash on the other end of a tap.
//!
//! Each test makes a namespace, serves a scenario in it and talks to it there; nothing leaves the namespace. Without
//! root, /dev/net/tun or the programs a test is skipped by name; EVILBIT_REQUIRE_TAP=1 makes that a failure.

#![cfg(target_os = "linux")]

mod namespace;
mod service;

use std::process::{Child, Command, Stdio};

use evilbit::plan::Site;
use evilbit::site;
use namespace::Namespace;
use service::{Service, TAP, refused, root};
use tests::tools;

const BLOG: &str = "scenarios/blog/blog.kdl";
const ADDRESS: &str = "10.0.0.2";

/// A namespace, unless the test cannot run here.
fn namespace(test: &str, programs: &[&str]) -> Option<Namespace> {
    let made = match tools::missing(&[&["ip"], programs].concat()) {
        Some(program) => Err(format!("there is no {program}")),
        None if !std::path::Path::new("/dev/net/tun").exists() => {
            Err("there is no /dev/net/tun".to_owned())
        }
        None => Namespace::make(),
    };
    match made {
        Ok(namespace) => Some(namespace),
        Err(why) => {
            tools::skip(test, &why, "EVILBIT_REQUIRE_TAP");
            None
        }
    }
}

/// The blog's site, as it is configured.
fn blog() -> Site {
    site::configure(&root().join("scenarios/blog/site")).expect("the blog has a site")
}

/// What bash prints: its /dev/tcp and /dev/udp are plain sockets.
fn bash(service: &Service, script: &str) -> Vec<u8> {
    let output = service
        .namespace
        .run("timeout", &["20", "bash", "-c", script]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}: {said}");
    output.stdout
}

fn get(service: &Service, path: &str) -> Child {
    let url = format!("http://{ADDRESS}{path}");
    let mut curl = service.namespace.command("curl");
    curl.args(["--silent", "--show-error", "--max-time", "20", &url]);
    curl.stdout(Stdio::piped()).spawn().expect("curl runs")
}

/// What a `curl` brings.
fn body(curl: Child) -> Vec<u8> {
    let output = curl.wait_with_output().expect("a child");
    assert!(output.status.success(), "curl: {}", output.status);
    output.stdout
}

#[test]
fn five_pings_come_back() {
    let Some(namespace) = namespace("five_pings_come_back", &["ping"]) else {
        return;
    };
    // A link that loses nothing, so no echo may be lost.
    let service = Service::start(namespace, "scenarios/services/echo.kdl", &[]);
    let ping = service
        .namespace
        .run("ping", &["-c", "5", "-i", "0.2", ADDRESS]);
    let said = String::from_utf8_lossy(&ping.stdout).into_owned();
    assert!(said.contains("5 received, 0% packet loss"), "{said}");
    // Twice the link's 5 ms, and never less.
    let times = said.split("time=").skip(1);
    let times: Vec<f64> = times
        .map(|rest| {
            rest.split(' ')
                .next()
                .and_then(|t| t.parse().ok())
                .expect("ms")
        })
        .collect();
    assert!(
        times.len() == 5 && times.iter().all(|ms| *ms >= 10.0),
        "{said}"
    );
    assert_eq!(service.end("INT").0, Some(0));
}

#[test]
fn curl_gets_every_page_byte_for_byte() {
    let Some(namespace) = namespace("curl_gets_every_page_byte_for_byte", &["curl"]) else {
        return;
    };
    let service = Service::start(namespace, BLOG, &[]);
    let site = blog();
    assert!(site.pages.len() > 10);
    for (path, page) in &site.pages {
        assert!(body(get(&service, path)) == page.body, "{path} differs");
    }
    let missing = body(get(&service, "/no-such-page"));
    assert!(missing == site.pages["/404.html"].body, "the 404 differs");
    assert_eq!(service.end("TERM").0, Some(0));
}

#[test]
fn pings_and_pages_come_back_over_both_versions_of_ip() {
    let name = "pings_and_pages_come_back_over_both_versions_of_ip";
    let Some(namespace) = namespace(name, &["ping", "curl"]) else {
        return;
    };
    let service = Service::start(namespace, "tests/tests/real_peers/dual-stack.kdl", &[]);
    let page = &blog().pages["/"].body;
    // The guest makes sure first that nobody else has its address: one second, and up to another before it asks.
    let answers = |_| {
        let ping = ["-c", "1", "-W", "1", "-6", "2001:db8::2"];
        service.namespace.run("ping", &ping).status.success()
    };
    assert!((0..10).any(answers), "it never answers");
    for (version, host) in [("-6", "2001:db8::2"), ("-4", ADDRESS)] {
        let ping = ["-c", "5", "-i", "0.2", version, host];
        let ping = service.namespace.run("ping", &ping);
        let said = String::from_utf8_lossy(&ping.stdout).into_owned();
        assert!(said.contains("5 received, 0% packet loss"), "{said}");
        // Longer than the link takes: it goes and comes in pieces.
        let ping = ["-c", "1", "-s", "4000", version, host];
        let ping = service.namespace.run("ping", &ping);
        let said = String::from_utf8_lossy(&ping.stdout).into_owned();
        assert!(said.contains("1 received, 0% packet loss"), "{said}");
        let url = match version {
            "-6" => format!("http://[{host}]/"),
            _ => format!("http://{host}/"),
        };
        let curl = [
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            version,
            &url,
        ];
        let curl = service.namespace.run("curl", &curl);
        assert!(curl.stdout == *page, "{url} differs");
    }
    assert_eq!(service.end("INT").0, Some(0));
}

#[test]
fn fifty_curls_at_once_get_the_page() {
    let Some(namespace) = namespace("fifty_curls_at_once_get_the_page", &["curl"]) else {
        return;
    };
    let service = Service::start(namespace, BLOG, &[]);
    let site = blog();
    let paths: Vec<&String> = site.pages.keys().cycle().take(50).collect();
    let curls: Vec<Child> = paths.iter().map(|path| get(&service, path)).collect();
    for (curl, path) in curls.into_iter().zip(paths) {
        assert!(body(curl) == site.pages[path].body, "{path} differs");
    }
    assert_eq!(service.end("INT").0, Some(0));
}

#[test]
fn wrk_gets_two_thousand_pages_a_second_without_an_error() {
    let name = "wrk_gets_two_thousand_pages_a_second_without_an_error";
    let Some(namespace) = namespace(name, &["wrk"]) else {
        return;
    };
    let service = Service::start(namespace, BLOG, &[]);
    let url = format!("http://{ADDRESS}/");
    let wrk = service
        .namespace
        .run("wrk", &["-t2", "-c100", "-d5s", &url]);
    let said = String::from_utf8_lossy(&wrk.stdout).into_owned();
    eprintln!("{said}");
    assert!(!said.contains("Socket errors"), "{said}");
    assert!(!said.contains("Non-2xx"), "{said}");
    let rate = said.split("Requests/sec:").nth(1).and_then(|rest| {
        let number = rest.split_whitespace().next()?;
        number.parse::<f64>().ok()
    });
    assert!(rate.is_some_and(|rate| rate >= 2000.0), "{said}");
    // Ten thousand requests leave nothing behind.
    let peak = service.peak_memory();
    eprintln!("{peak} KiB at most");
    assert!(peak < 64 << 10, "{peak} KiB");
    assert_eq!(service.end("INT").0, Some(0));
}

#[test]
fn echo_gives_bytes_and_datagrams_back() {
    let Some(namespace) = namespace("echo_gives_bytes_and_datagrams_back", &["bash"]) else {
        return;
    };
    let service = Service::start(namespace, "scenarios/services/echo.kdl", &[]);
    let sent: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
    let tcp = format!(
        "exec 3<>/dev/tcp/{ADDRESS}/7; seq 20000 >&3 & head -c {} <&3",
        sent.len()
    );
    assert!(bash(&service, &tcp) == sent.as_bytes(), "the echo differs");
    let udp = format!("exec 3<>/dev/udp/{ADDRESS}/7; printf 'only an echo' >&3; head -c 12 <&3");
    assert_eq!(bash(&service, &udp), b"only an echo");
    assert_eq!(service.end("INT").0, Some(0));
}

#[test]
fn discard_takes_everything_and_says_nothing() {
    let Some(namespace) = namespace("discard_takes_everything_and_says_nothing", &["bash"]) else {
        return;
    };
    let service = Service::start(namespace, "scenarios/services/discard.kdl", &[]);
    // Twenty times the receive buffer: it was taken, or the writer would wait for ever.
    let script = format!(
        "exec 3<>/dev/tcp/{ADDRESS}/9; head -c 5000000 /dev/zero >&3; timeout 1 cat <&3 || true"
    );
    assert_eq!(bash(&service, &script), b"");
    assert_eq!(service.end("INT").0, Some(0));
}

#[test]
fn chargen_generates_lines_of_72_characters() {
    let Some(namespace) = namespace("chargen_generates_lines_of_72_characters", &["bash"]) else {
        return;
    };
    let service = Service::start(namespace, "scenarios/services/chargen.kdl", &[]);
    let script = format!("exec 3<>/dev/tcp/{ADDRESS}/19; head -c 7400 <&3");
    let text = String::from_utf8(bash(&service, &script)).expect("RFC 864 is ASCII");
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 100);
    assert!(lines.iter().all(|line| line.len() == 72), "{text}");
    // Each line begins one character later: RFC 864's popular pattern.
    assert!(lines.windows(2).all(|pair| pair[0][1..] == pair[1][..71]));
    assert_eq!(service.end("INT").0, Some(0));
}

#[test]
fn signals_end_a_service_cleanly_with_its_capture_complete() {
    let test = "signals_end_a_service_cleanly_with_its_capture_complete";
    for signal in ["INT", "TERM"] {
        let Some(namespace) = namespace(test, &["ping", "tcpdump"]) else {
            return;
        };
        let name = format!("evilbit-peers-{}-{signal}.pcapng", std::process::id());
        let capture = std::env::temp_dir().join(name);
        let path = capture.to_str().expect("a path of text");
        let service = Service::start(namespace, BLOG, &["--pcap", path]);
        let ping = service.namespace.run("ping", &["-c", "1", ADDRESS]);
        assert!(ping.status.success());
        let there = service.namespace.run("ip", &["link", "show", TAP]);
        assert!(there.status.success());
        let begun = service.namespace.run("ls", &[&format!("{path}.part")]);
        assert!(begun.status.success(), "it is written as it comes");
        let (code, said) = service.end(signal);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            said.starts_with("served ") && said.contains(" 0 leaks"),
            "{said}"
        );
        let read = Command::new("tcpdump").args(["-nr", path, "icmp"]).output();
        let read = read.expect("tcpdump runs");
        std::fs::remove_file(&capture).expect("the capture is there");
        let packets = String::from_utf8_lossy(&read.stdout).lines().count();
        assert!(read.status.success() && packets >= 6, "{packets} packets");
    }
}

#[test]
fn what_cannot_be_a_tap_is_refused_with_a_hint() {
    let Some(namespace) = namespace("what_cannot_be_a_tap_is_refused_with_a_hint", &[]) else {
        return;
    };
    for (tap, why) in [
        ("lo", "exists already"),
        ("no/name", "cannot be the name"),
        ("sixteen-letters-", "cannot be the name"),
    ] {
        let output = refused(&namespace, BLOG, tap);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why) && said.contains("help: "), "{said}");
    }
    let nobody = refused(&namespace, "scenarios/nothing/do-nothing.kdl", TAP);
    assert_eq!(nobody.status.code(), Some(2), "nobody gives way there");
    let left = namespace.run("ip", &["link", "show", TAP]);
    assert!(!left.status.success(), "a refused service leaves a tap");
}
