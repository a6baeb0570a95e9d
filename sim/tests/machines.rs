//! Worlds of emulated Xen machines: what the toy machines prove about time holds for the real ones.

use std::collections::BTreeSet;

use evilbit::oracle::Watch;
use evilbit::plan::{
    Action, LinkSettings, MachinePlan, Page, Plan, Scope, Site, Span, Timed, VifPlan,
};
use evilbit::trace::{Entry, Event, Retention};
use evilbit::view::Wanted;
use evilbit::world::sample::{self, act, domain, empty, link};
use evilbit::world::{
    Builtin, Ended, Observer, Run, RunOptions, Triggers, WindowMode, World, XenMachines,
};
use stack::app::command::{Command, WORDS};
use stack::event::Event as GuestEvent;
use xenemu::Time;
use xenemu::event::Life;

/// Two machines, a link, and a domain on each that does nothing.
fn two_machines() -> Plan {
    let mut plan = empty(7);
    for name in ["a", "b"] {
        let kernel = domain(&format!("{name}-dom"), "empty", Some(Time::ZERO));
        plan.machines.push(MachinePlan {
            name: name.into(),
            domains: vec![kernel],
            schedule: vec![],
        });
    }
    plan.links.push(link("a", "b", LinkSettings::default()));
    plan
}

fn run(plan: &Plan, options: RunOptions) -> Run {
    World::run(plan, &Builtin, &options, &mut ()).expect("the plan is sound")
}

fn lives(run: &Run) -> Vec<&Life> {
    let life = |event| match event {
        &Event::Machine(xenemu::Event::Life { ref life, .. }) => Some(life),
        _ => None,
    };
    let events = run.trace.entries().iter().map(|entry| &entry.event);
    events.filter_map(life).collect()
}

#[test]
fn two_booted_kernels_that_do_nothing_are_quiet_and_give_everything_back() {
    let run = run(
        &two_machines(),
        RunOptions {
            retention: Retention::Full,
            ..RunOptions::default()
        },
    );
    assert_eq!(run.internal_error, None);
    assert_eq!(run.crashes, []);
    assert_eq!(run.why, Ended::Quiet, "{:#?}", run.trace.entries().last());
    assert!(lives(&run).iter().any(|life| **life == Life::Unpaused));
    for (machine, leaks) in &run.leaks {
        assert_eq!(leaks.total(), 0, "{machine}: {leaks:?}");
    }
}

#[test]
fn cuts_and_the_order_of_hosts_leave_no_mark_on_real_machines() {
    let mut plan = two_machines();
    let timed = |ms: u64, action| Timed {
        at: Time(ms * 1_000_000),
        actions: vec![act(action)],
        span: Span::default(),
    };
    let machine = String::from("b");
    plan.timeline = vec![
        timed(
            3,
            Action::PowerOff {
                machine: machine.clone(),
            },
        ),
        timed(5, Action::PowerOn { machine }),
        timed(
            7,
            Action::Crash {
                domain: "a-dom".into(),
            },
        ),
    ];
    let whole = run(&plan, RunOptions::default());
    for windows in [
        WindowMode::Halved,
        WindowMode::Sevenths,
        WindowMode::Random(1),
    ] {
        let options = RunOptions {
            windows,
            reverse_hosts: true,
            retention: Retention::Headers,
            ..RunOptions::default()
        };
        assert_eq!(run(&plan, options).hash, whole.hash, "{windows:?}");
    }
}

/// Who has 10.0.0.2? Tell 10.0.0.9 (RFC 826).
fn arp_request() -> Vec<u8> {
    let me = [2, 0, 0, 0, 0, 9];
    let mut frame = vec![0xFF; 6];
    frame.extend_from_slice(&me);
    frame.extend_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend_from_slice(&me);
    frame.extend_from_slice(&[10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    frame.resize(60, 0);
    frame
}

#[test]
fn a_unikernel_answers_who_it_is_across_a_link_through_rings_and_bridge() {
    let mut plan = two_machines();
    let server = &mut plan.machines[1].domains[0];
    server.guest = "echo".into();
    server.vifs = vec![VifPlan {
        ip: vec!["10.0.0.2/24".into()],
        ..VifPlan::default()
    }];
    let options = RunOptions {
        outside: Some("a".into()),
        ..RunOptions::default()
    };
    let machines = XenMachines(&Builtin);
    let mut world = World::build(&plan, &machines, &options).expect("the plan is sound");
    let booted = Time(1_000_000_000);
    assert_eq!(world.advance(booted, &mut ()).expect("it runs"), None);
    world.outputs();
    world
        .input("a-b", &arp_request())
        .expect("it leads outside");
    let answered = booted.plus(10_000_000);
    assert_eq!(world.advance(answered, &mut ()).expect("it runs"), None);
    let reply = |(at, frame): &(Time, Vec<u8>)| {
        *at >= booted.plus(2_000_000) && frame[20..22] == [0, 2] && frame[28..32] == [10, 0, 0, 2]
    };
    let outputs = world.outputs();
    assert!(outputs.iter().any(reply), "{outputs:?}");
    let run = world.finish(Ended::Caller, &mut ()).expect("it ends");
    assert_eq!(run.crashes, []);
    assert!(
        run.leaks.iter().all(|(_, leaks)| leaks.total() == 0),
        "{:?}",
        run.leaks
    );
}

/// Fires a plan's `when`s, and notes which commands guests came to.
struct Listener {
    watch: Watch,
    commands: BTreeSet<String>,
}

impl Listener {
    fn new(plan: &Plan) -> Listener {
        let watch = Watch::new(plan, Scope::Always, &Wanted::default());
        Listener {
            watch: watch.expect("no files"),
            commands: BTreeSet::new(),
        }
    }
}

impl Observer for Listener {
    fn on_entry(&mut self, entry: &Entry) {
        self.watch.on_entry(entry);
        if let Event::Guest(_, event) = &entry.event
            && let GuestEvent::ScriptStep { command, .. } | GuestEvent::ScriptFailed { command, .. } =
                event
        {
            let word = command.split(' ').next().unwrap_or_default();
            self.commands.insert(word.to_owned());
        }
    }
    fn triggers(&mut self) -> Option<&mut dyn Triggers> {
        self.watch.triggers()
    }
}

#[test]
fn rounds_are_invisible_in_random_worlds_of_real_machines() {
    let worlds = std::env::var("EVILBIT_WORLDS").ok();
    let worlds = worlds.and_then(|n| n.parse().ok());
    let worlds = worlds.unwrap_or(sample::WORLDS);
    let (mut frames, mut triggers, mut commands) = (0, 0, BTreeSet::new());
    for seed in 0..worlds {
        let plan = sample::kernels(seed);
        let drive = |windows, reverse_hosts| {
            let options = RunOptions {
                windows,
                reverse_hosts,
                ..RunOptions::default()
            };
            let mut listener = Listener::new(&plan);
            let run = World::run(&plan, &Builtin, &options, &mut listener);
            (run.expect("the plan is sound"), listener.commands)
        };
        let (whole, said) = drive(WindowMode::Whole, false);
        assert_eq!(whole.internal_error, None, "world {seed}");
        frames += whole.stats.frames;
        triggers += whole.stats.triggers;
        commands.extend(said);
        for (windows, reverse_hosts) in [
            (WindowMode::Halved, false),
            (WindowMode::Sevenths, true),
            (WindowMode::Random(1), false),
        ] {
            let (cut, _) = drive(windows, reverse_hosts);
            assert_eq!(cut.hash, whole.hash, "world {seed}, {windows:?}");
        }
    }
    assert!(frames > 0, "no frame went from machine to machine");
    assert!(triggers > 0, "no trigger fired");
    // All are said, as a test beside the sampler holds. Which of them a guest comes to depends on how those before them
    // ended, so on every detail of the stack: most must be come to.
    let silent = WORDS.iter().filter(|word| !commands.contains(**word));
    let silent: Vec<&&str> = silent.collect();
    assert!(
        silent.len() * 4 <= WORDS.len(),
        "no guest came to these commands: {silent:?}"
    );
}

#[test]
fn a_script_gets_a_page_across_a_link_and_the_world_is_quiet() {
    let mut plan = two_machines();
    let settings = LinkSettings {
        delay: 10_000_000,
        ..LinkSettings::default()
    };
    plan.links = vec![link("a", "b", settings)];
    let page = Page {
        content_type: "text/plain".into(),
        etag: "\"1\"".into(),
        body: vec![b'x'; 10 << 10],
    };
    let pages = [("/".to_owned(), page)].into();
    let kernels = ["script", "http"].into_iter().zip(["9", "2"]);
    for (machine, (guest, host)) in plan.machines.iter_mut().zip(kernels) {
        let domain = &mut machine.domains[0];
        domain.guest = guest.into();
        domain.vifs[0].ip = vec![format!("10.0.0.{host}/24")];
    }
    plan.machines[1].domains[0].site = Some(std::sync::Arc::new(Site { pages }));
    let name = || "c".to_owned();
    let commands = vec![
        Command::Connect {
            name: name(),
            remote: "10.0.0.2:80".into(),
            local: String::new(),
        },
        Command::HttpGet {
            name: name(),
            path: "/".into(),
            status: 200,
            close: true,
        },
        Command::Close { name: name() },
    ];
    let domain = "a-dom".into();
    let spans = vec![];
    plan.timeline = vec![Timed {
        at: Time(1_000_000_000),
        actions: vec![act(Action::On {
            domain,
            commands,
            spans,
        })],
        span: Span::default(),
    }];
    plan.duration = 60_000_000_000;
    let run = run(&plan, RunOptions::default());
    assert_eq!(run.crashes, []);
    assert_eq!(
        (run.script_failures, run.scripts_unfinished),
        (vec![], vec![])
    );
    assert_eq!(run.why, Ended::Quiet);
    assert!(run.packets >= 10, "{}", run.packets);
    assert!(
        run.stats.rounds <= 14,
        "rounds are the cost to save: {:?}",
        run.stats
    );
}
