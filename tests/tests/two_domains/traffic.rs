//! What two domains say to each other: pings, echoes, the small services, silence.

use stack::api::{How, SocketError};
use stack::os::{Os, TcpStream, UdpSocket};
use stack::stack::Stack;
use xenemu::config::{Action, DomainConfig, VifConfig};
use xenemu::event::{Event, Tap};
use xenemu::time::Time;

use crate::bench::{MILLISECOND, SECOND, Seen, builtin_domain, config, domain, running};

async fn pinger(os: Os<Stack>) {
    let remote = "10.0.0.2".parse().expect("an address");
    for n in 1..=3 {
        match os.ping(remote, &[0x5A; 56], SECOND).await {
            Ok(_) => os.print(&format!("pong {n}")),
            Err(error) => os.print(&format!("ping {n}: {error}")),
        }
        os.sleep(10 * MILLISECOND).await;
    }
}

fn ping_one_another(window: u64) -> Seen {
    let actions = vec![
        builtin_domain("echo", "10.0.0.2/24"),
        domain("pinger", "10.0.0.9/24", pinger),
    ];
    Seen::run(actions, window, Time(30 * SECOND))
}

#[test]
fn two_domains_on_one_machine_ping_each_other() {
    let seen = ping_one_another(SECOND);
    assert_eq!(seen.console("pinger"), ["pong 1", "pong 2", "pong 3"]);
    assert_eq!(
        seen.console("echo"),
        ["echo: listening on 10.0.0.2:7"],
        "the server says where it listens"
    );
    seen.tear_down();
}

#[test]
fn every_frame_crosses_a_grant_on_its_way_out_and_on_its_way_in() {
    let seen = ping_one_another(SECOND);
    let out = seen.count(|e| {
        matches!(
            e,
            Event::FrameAt {
                tap: Tap::VifOut(..),
                ..
            }
        )
    });
    let into = seen.count(|e| {
        matches!(
            e,
            Event::FrameAt {
                tap: Tap::VifIn(..),
                ..
            }
        )
    });
    // At least a request and its answer for ARP, and for each ping.
    assert!(out >= 8 && into >= 8, "{out} frames out, {into} in");
    let sum = |to_granter: bool| -> u64 {
        seen.events()
            .map(|(_, event)| match event {
                Event::GrantBytes {
                    bytes,
                    to_granter: to,
                    ..
                } if to == to_granter => u64::from(bytes),
                _ => 0,
            })
            .sum()
    };
    let born: u64 = seen
        .events()
        .map(|(_, event)| match event {
            Event::FrameBorn { bytes, .. } => bytes.len() as u64,
            _ => 0,
        })
        .sum();
    assert!(born > 0 && sum(false) >= born && sum(true) >= born);
}

#[test]
fn the_record_is_the_same_however_often_and_in_whatever_windows_it_is_made() {
    let whole = ping_one_another(SECOND);
    for window in [SECOND, SECOND / 2, SECOND / 7, MILLISECOND, 777, 1] {
        let again = ping_one_another(window);
        assert!(again.records == whole.records, "windows of {window} ns");
    }
}

async fn echo_client(os: Os<Stack>) {
    if let Err(error) = echo_over_tcp(&os).await {
        os.print(&error.to_string());
    }
    os.poweroff();
}

async fn echo_over_tcp(os: &Os<Stack>) -> Result<(), SocketError> {
    let remote = "10.0.0.2:7".parse().expect("an address");
    let stream = TcpStream::connect(os, remote).await?;
    let sent: Vec<u8> = (0..50_000u32).map(|n| (n % 251) as u8).collect();
    for chunk in sent.chunks(5000) {
        stream.write_all(chunk).await?;
        let mut received = vec![0; chunk.len()];
        stream.read_exact(&mut received).await?;
        assert!(received == chunk);
    }
    stream.shutdown(How::Write)?;
    let end = stream.read(&mut [0]).await?;
    os.print(&format!("echoed {} bytes, then {end}", sent.len()));
    Ok(())
}

#[test]
fn an_echo_over_tcp_comes_back_whole_and_ends() {
    let actions = || {
        vec![
            builtin_domain("echo", "10.0.0.2/24"),
            domain("client", "10.0.0.9/24", echo_client),
        ]
    };
    let seen = Seen::run(actions(), SECOND, Time(30 * SECOND));
    assert_eq!(seen.console("client"), ["echoed 50000 bytes, then 0"]);
    let again = Seen::run(actions(), MILLISECOND, Time(30 * SECOND));
    assert!(again.records == seen.records);
    seen.tear_down();
}

async fn udp_client(os: Os<Stack>) {
    let outcome = async {
        let socket = UdpSocket::bind(&os, os.any(0))?;
        // More than a frame holds: it goes in fragments.
        let sent = [7; 4000];
        socket
            .send_to(&sent, "10.0.0.2:7".parse().expect("an address"))
            .await?;
        let mut received = [0; 5000];
        let (len, from) = socket.recv_from(&mut received).await?;
        assert!(received[..len] == sent);
        os.print(&format!("{len} bytes from {from}"));
        Ok::<(), SocketError>(())
    };
    if let Err(error) = outcome.await {
        os.print(&error.to_string());
    }
}

#[test]
fn a_datagram_in_fragments_is_echoed() {
    let actions = vec![
        builtin_domain("echo", "10.0.0.2/24"),
        domain("client", "10.0.0.9/24", udp_client),
    ];
    let seen = Seen::run(actions, SECOND, Time(30 * SECOND));
    assert_eq!(seen.console("client"), ["4000 bytes from 10.0.0.2:7"]);
    seen.tear_down();
}

#[test]
fn a_domain_that_is_asked_to_shut_down_does_and_leaves_nothing() {
    let mut seen = ping_one_another(SECOND);
    let at = Time(31 * SECOND);
    seen.machine.run_until(at);
    for name in ["echo", "pinger"] {
        let asked = seen.machine.act(at, Action::Shutdown(name.into()));
        asked.expect("the domain is there");
    }
    seen.machine.run_until(Time(40 * SECOND));
    assert_eq!(seen.machine.domains(), []);
    seen.tear_down();
}

#[test]
fn whatever_a_backend_offers_the_echo_comes_back() {
    for mode in 0..8 {
        let vif = VifConfig {
            ip: vec!["10.0.0.9/24".into()],
            sg: mode & 1 != 0,
            csum: mode & 2 != 0,
            map_tx: mode & 4 != 0,
            ..VifConfig::default()
        };
        let client = DomainConfig {
            vifs: vec![vif.clone()],
            ..config("client", "10.0.0.9/24")
        };
        let actions = vec![
            builtin_domain("echo", "10.0.0.2/24"),
            Action::Create(client, running(echo_client)),
        ];
        let seen = Seen::run(actions, SECOND, Time(30 * SECOND));
        let said = seen.console("client");
        assert_eq!(said, ["echoed 50000 bytes, then 0"], "{vif:?}");
        seen.tear_down();
    }
}

async fn small_services_client(os: Os<Stack>) {
    let outcome = async {
        let discard = TcpStream::connect(&os, "10.0.0.2:9".parse().expect("an address")).await?;
        discard.write_all(&[1; 100_000]).await?;
        discard.shutdown(How::Write)?;
        os.print(&format!("discard: {}", discard.read(&mut [0]).await?));
        let chargen = TcpStream::connect(&os, "10.0.0.3:19".parse().expect("an address")).await?;
        let mut text = vec![0; 74 * 1000];
        chargen.read_exact(&mut text).await?;
        drop(chargen);
        let lines: Vec<&[u8]> = text.chunks(74).collect();
        assert!(lines[95] == lines[0] && lines[1][..71] == lines[0][1..72]);
        os.print(&format!("chargen: {} lines", lines.len()));
        Ok::<(), SocketError>(())
    };
    if let Err(error) = outcome.await {
        os.print(&error.to_string());
    }
}

#[test]
fn discard_swallows_and_chargen_talks_until_the_client_leaves() {
    let actions = vec![
        builtin_domain("discard", "10.0.0.2/24"),
        builtin_domain("chargen", "10.0.0.3/24"),
        domain("client", "10.0.0.9/24", small_services_client),
    ];
    let seen = Seen::run(actions, SECOND, Time(30 * SECOND));
    assert_eq!(
        seen.console("client"),
        ["discard: 0", "chargen: 1000 lines"]
    );
    seen.tear_down();
}

#[test]
fn an_empty_kernel_boots_and_then_nothing_happens() {
    let seen = Seen::run(
        vec![builtin_domain("empty", "10.0.0.2/24")],
        SECOND,
        Time(30 * SECOND),
    );
    assert_eq!(seen.console("empty").len(), 0);
    assert_eq!(seen.count(|e| matches!(e, Event::FrameBorn { .. })), 0);
    let last = seen.records.last().expect("it booted").at;
    assert!(last < Time(SECOND), "something happened at {last:?}");
    seen.tear_down();
}
