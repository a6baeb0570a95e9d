//! Two domains on one machine: each boots, connects its vif, and speaks to the other through netfront, rings, grants,
//! netback and the bridge. Nothing in the path is a stand-in; the record of it is the same however time is cut.

use std::rc::Rc;

use stack::api::{How, SocketError};
use stack::kernel::{builtin, own_stack};
use stack::os::{Os, TcpStream, UdpSocket, Unikernel, any};
use stack::stack::Stack;
use xen_abi::{Guest, Sink};
use xenemu::config::{Action, Costs, DomainConfig, GuestFactory, MachineConfig, OnExit, VifConfig};
use xenemu::event::{Event, Record, Source, Tap};
use xenemu::inspect::LeakReport;
use xenemu::machine::Machine;
use xenemu::time::Time;

const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;

/// What is configured of a domain that is called as its application.
fn config(name: &str, ip: &str) -> DomainConfig {
    DomainConfig {
        name: name.into(),
        memory_kib: 8192,
        cmdline: format!("app={name}"),
        modules: Vec::new(),
        vifs: vec![VifConfig {
            ip: vec![ip.into()],
            sg: true,
            csum: true,
            ..VifConfig::default()
        }],
        xenstore: Vec::new(),
        on_poweroff: OnExit::Destroy,
        on_reboot: OnExit::Destroy,
        on_crash: OnExit::Destroy,
        fuel: 10_000_000,
        counted: false,
    }
}

/// Boots a kernel that chooses its application itself.
fn builtin_domain(name: &str, ip: &str) -> Action {
    let factory = Rc::new(|_: &DomainConfig, sink: Rc<dyn Sink>| builtin(sink));
    Action::Create(config(name, ip), factory)
}

/// Boots a domain with an application of the test's.
fn domain<F>(name: &str, ip: &str, main: fn(Os<Stack>) -> F) -> Action
where
    F: Future<Output = ()> + 'static,
{
    Action::Create(config(name, ip), running(main))
}

fn running<F>(main: fn(Os<Stack>) -> F) -> GuestFactory
where
    F: Future<Output = ()> + 'static,
{
    Rc::new(move |_: &DomainConfig, sink: Rc<dyn Sink>| {
        let main = Box::new(move |os| Box::pin(main(os)) as _);
        Box::new(Unikernel::new(sink, Box::new(own_stack), main)) as Box<dyn Guest>
    })
}

fn machine() -> Machine {
    Machine::new(MachineConfig {
        name: "box".into(),
        origin: 0,
        seed: 793,
        boot: 0,
        epoch_secs: 1_405_036_800,
        uplinks: 0,
        started: Time::ZERO,
        first_frame: 0,
        first_seq: 0,
        costs: Costs::default(),
        schedule: Vec::new(),
    })
}

/// What happened on a machine until nothing was left to do, or until `limit`.
struct Seen {
    machine: Machine,
    records: Vec<Record>,
}

impl Seen {
    /// Runs the machine in windows of at most `window` nanoseconds.
    fn run(actions: Vec<Action>, window: u64, limit: Time) -> Seen {
        let mut machine = machine();
        for action in actions {
            machine.act(Time::ZERO, action).expect("the action is done");
        }
        let mut records = Vec::new();
        while let Some(next) = machine.next_event().filter(|next| *next < limit) {
            let end = next.plus(window).min(limit);
            machine.run_until(end);
            machine.drain_events(end, &mut records);
        }
        assert_eq!(machine.internal_error(), None);
        Seen { machine, records }
    }

    fn events(&self) -> impl Iterator<Item = (&Record, Event)> {
        self.records
            .iter()
            .filter(|record| record.source == Source::Machine)
            .map(|record| (record, Event::decode(&record.payload).expect("it decodes")))
    }

    fn count(&self, matches: impl Fn(&Event) -> bool) -> usize {
        self.events().filter(|(_, event)| matches(event)).count()
    }

    fn console(&self, name: &str) -> Vec<String> {
        self.machine.console(name).map(String::from).collect()
    }

    /// Destroys all: nothing may be left.
    fn tear_down(mut self) {
        assert_eq!(self.machine.destroy_all(), LeakReport::default());
    }
}

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
        let socket = UdpSocket::bind(&os, any(0))?;
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
