//! What a random machine is, what happens to it, and whether that was enough.

use std::rc::Rc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use xenemu::event::Life;
use xenemu::{
    Action, ActorKind, Costs, DomainConfig, Event, ForcedSwitch, Frame, FrameId, Machine,
    MachineConfig, OnExit, Record, Source, Time, UplinkId, rng,
};

use crate::toy::Toy;

/// Something that happens to the machine.
pub struct Stimulus {
    pub at: Time,
    pub action: Action,
}

/// A machine and all that happens to it.
pub struct Plan {
    pub seed: u64,
    pub actions: Vec<Stimulus>,
    pub frames: Vec<(Time, UplinkId, u64, Frame)>,
    pub end: Time,
    config: MachineConfig,
}

const SPAN_NS: u64 = 20_000_000;

fn pick<T: Copy>(dice: &mut ChaCha8Rng, of: &[T]) -> T {
    of[(dice.next_u64() % of.len() as u64) as usize]
}

impl Plan {
    /// The plan with this seed.
    pub fn random(seed: u64) -> Plan {
        let mut dice = rng::stream(seed, "plan");
        let domains = 1 + dice.next_u64() % 4;
        let actions = actions(&mut dice, domains);
        let frames = frames(&mut dice);
        let schedule = schedule(&mut dice, domains);
        let config = MachineConfig {
            name: "m".into(),
            origin: 1,
            seed,
            boot: 0,
            epoch_secs: 1_405_036_800,
            uplinks: 2,
            started: Time::ZERO,
            first_frame: 0,
            first_seq: 0,
            costs: Costs {
                run_ns: pick(&mut dice, &[1, 1_000, 50_000, 700_000]),
                frame_ns: pick(&mut dice, &[1, 100, 20_000]),
                step_ns: pick(&mut dice, &[1, 100, 5_000]),
            },
            schedule,
        };
        Plan {
            seed,
            actions,
            frames,
            end: Time(SPAN_NS),
            config,
        }
    }

    /// The machine, just powered on.
    pub fn machine(&self) -> Machine {
        Machine::new(self.config.clone())
    }
}

fn name(n: u64) -> String {
    format!("toy{n}")
}

fn actions(dice: &mut ChaCha8Rng, domains: u64) -> Vec<Stimulus> {
    let mut all = Vec::new();
    for n in 1..=domains {
        let peer = n % domains + 1;
        let config = DomainConfig {
            name: name(n),
            memory_kib: 256,
            cmdline: format!("peer={peer}"),
            modules: vec![],
            vifs: vec![],
            xenstore: vec![("data/x".into(), b"y".to_vec())],
            on_poweroff: OnExit::Destroy,
            on_reboot: OnExit::Destroy,
            on_crash: pick(dice, &[OnExit::Destroy, OnExit::Preserve]),
            fuel: 100_000,
            counted: dice.next_u64().is_multiple_of(3),
        };
        let factory = Rc::new(move |_: &_, _| Box::new(Toy::new(peer as u16)) as _);
        let at = Time(pick(dice, &[0, 0, 1_000_000]));
        let action = Action::Create(config, factory);
        all.push(Stimulus { at, action });
    }
    for _ in 0..dice.next_u64() % 6 {
        let who = name(1 + dice.next_u64() % domains);
        let at = Time(dice.next_u64() % SPAN_NS);
        let back = at.plus(dice.next_u64() % 2_000_000);
        let action = match dice.next_u64() % 5 {
            0 | 1 => {
                let action = Action::Unpause(who.clone());
                all.push(Stimulus { at: back, action });
                Action::Pause(who)
            }
            2 => Action::Crash(who),
            3 => Action::Shutdown(who),
            _ => Action::Destroy(who),
        };
        all.push(Stimulus { at, action });
    }
    all.retain(|stimulus| stimulus.at < Time(SPAN_NS));
    all.sort_by_key(|stimulus| stimulus.at);
    all
}

fn frames(dice: &mut ChaCha8Rng) -> Vec<(Time, UplinkId, u64, Frame)> {
    let mut frames: Vec<_> = (0..dice.next_u64() % 200)
        .map(|n| {
            let mut bytes = vec![0; 60];
            dice.fill_bytes(&mut bytes);
            let at = Time(dice.next_u64() % SPAN_NS);
            let uplink = UplinkId((dice.next_u64() % 2) as u32);
            let id = FrameId { origin: 9, n };
            let bytes = bytes.into();
            (at, uplink, n, Frame { id, bytes })
        })
        .collect();
    frames.sort_by_key(|frame| (frame.0, frame.2));
    frames
}

fn schedule(dice: &mut ChaCha8Rng, domains: u64) -> Vec<ForcedSwitch> {
    let mut schedule: Vec<_> = (0..dice.next_u64() % 10)
        .map(|_| ForcedSwitch {
            domain: name(1 + dice.next_u64() % domains),
            call: dice.next_u64() % 400,
            actor: pick(dice, &ActorKind::ALL),
            steps: (dice.next_u64() % 5) as u32,
        })
        .collect();
    schedule.sort();
    schedule
}

/// A record for people.
pub fn readable(record: &Record) -> String {
    let what = match record.source {
        Source::Machine => format!("{:?}", Event::decode(&record.payload)),
        Source::Guest(domid) => format!("{domid:?} {:?}", record.payload),
    };
    format!("{:?} #{} {what}", record.at, record.seq)
}

/// What happened in the runs, so that a plan in which nothing happens is noticed.
#[derive(Debug, Default)]
pub struct Seen {
    runs: usize,
    crashes: usize,
    switches: usize,
    console: usize,
    store: usize,
    idle: usize,
    frames: usize,
}

impl Seen {
    /// Adds a run.
    pub fn count(&mut self, records: &[Record], frames: usize) {
        self.frames += frames;
        for record in records {
            match Event::decode(&record.payload) {
                Ok(Event::Run { .. }) => self.runs += 1,
                Ok(Event::Switch { .. }) => self.switches += 1,
                Ok(Event::Console { .. }) => self.console += 1,
                Ok(Event::Xenstore { .. }) => self.store += 1,
                Ok(Event::Idle) => self.idle += 1,
                Ok(Event::Life {
                    life: Life::Crashed { .. },
                    ..
                }) => self.crashes += 1,
                _ => {}
            }
        }
    }

    /// Everything happened.
    pub fn assert_all(&self) {
        let all = [
            self.runs,
            self.crashes,
            self.switches,
            self.console,
            self.store,
            self.idle,
            self.frames,
        ];
        assert!(all.iter().all(|&n| n > 0), "{self:?}");
    }
}
