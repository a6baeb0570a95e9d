//! A toy machine: guests that run, sleep, send and answer at random, without Xen and without a stack.
//!
//! It obeys the same rules of time as the real machine (everything acts at max(due, clock); nothing acts inside a run;
//! what a run stamps beyond a window's end waits) and does everything else as wildly as it can, so that a hole in the
//! world's rules shows within a few worlds.

use std::collections::{BTreeMap, VecDeque};

use evilbit::plan::MachinePlan;
use evilbit::world::{ActionError, Boot, Leaks, Machines, Node, NodeAction, PowerLoss};
use stack::event::{Event as GuestEvent, TimerKinds};
use xenemu::abi::DomId;
use xenemu::event::Life;
use xenemu::{Event, Frame, FrameId, Record, Source, Tap, Time, UplinkId};

use crate::guest::{Deed, Draws, ToyGuest, hops};

/// Two addresses, a type, and the hops.
const HEADER: usize = 15;

/// Makes toy machines for a world of so many nodes.
pub struct Toys {
    pub nodes: u64,
}

impl Machines for Toys {
    fn machine(&self, _: &MachinePlan, boot: &Boot) -> Result<Box<dyn Node>, String> {
        Ok(Box::new(Toy::new(boot, self.nodes)))
    }
}

struct Toy {
    boot: Boot,
    nodes: u64,
    rng: Draws,
    /// What a frame costs.
    cost: u64,
    clock: Time,
    last_end: Time,
    busy: bool,
    guests: BTreeMap<DomId, ToyGuest>,
    next_domid: u16,
    arrivals: BTreeMap<(Time, u64), (UplinkId, Frame)>,
    /// By due time, kind and number.
    jobs: BTreeMap<(Time, u8, u64), Job>,
    next_job: u64,
    leaving: BTreeMap<(Time, UplinkId, u64), Frame>,
    next_leaving: u64,
    events: VecDeque<Record>,
    next_seq: u64,
    next_frame: u64,
}
/// What the machine does later by itself.
enum Job {
    Deliver(DomId, Frame),
    Transmit(Frame),
    Notify(DomId),
}
impl Toy {
    fn new(boot: &Boot, nodes: u64) -> Toy {
        let mut rng = Draws::new(boot, "machine");
        Toy {
            boot: boot.clone(),
            nodes,
            cost: [1, 20, 500, 5_000][rng.below(4) as usize],
            rng,
            clock: boot.started,
            last_end: boot.started,
            busy: false,
            guests: BTreeMap::new(),
            next_domid: 1,
            arrivals: BTreeMap::new(),
            jobs: BTreeMap::new(),
            next_job: 0,
            leaving: BTreeMap::new(),
            next_leaving: 0,
            events: VecDeque::new(),
            next_seq: boot.first_seq,
            next_frame: boot.first_frame,
        }
    }

    fn me(&self) -> u8 {
        self.boot.origin as u8
    }

    // ---- What is due

    /// The effective instant of the next act.
    fn next_act(&self) -> Option<Time> {
        let arrival = self.arrivals.keys().next().map(|key| key.0);
        let job = self.jobs.keys().next().map(|key| key.0);
        let guest = self.guests.values().filter_map(ToyGuest::due).min();
        let due = [arrival, job, guest].into_iter().flatten().min()?;
        Some(due.max(self.clock))
    }

    fn act_once(&mut self, at: Time) {
        self.clock = at;
        if self.arrivals.keys().next().is_some_and(|key| key.0 <= at) {
            let (_, (uplink, frame)) = self.arrivals.pop_first().expect("it is due");
            self.set_busy(true);
            self.on_arrival(uplink, frame);
        } else if self.jobs.keys().next().is_some_and(|key| key.0 <= at) {
            let (_, job) = self.jobs.pop_first().expect("it is due");
            self.set_busy(true);
            self.on_job(job);
            self.clock = self.clock.max(at.plus(1));
        } else {
            self.set_busy(true);
            self.run_guest();
        }
        self.settle();
    }

    /// Busy until nothing but guests' timers is pending.
    fn settle(&mut self) {
        let woken = |guest: &ToyGuest| !guest.paused && guest.wake.is_some();
        let pending = !self.jobs.is_empty() || self.guests.values().any(woken);
        self.set_busy(pending);
    }

    fn set_busy(&mut self, busy: bool) {
        if self.busy != busy {
            self.busy = busy;
            self.say(if busy { Event::Busy } else { Event::Idle });
        }
    }

    // ---- Frames and jobs

    fn on_arrival(&mut self, uplink: UplinkId, frame: Frame) {
        let tap = Tap::UplinkIn(uplink);
        let id = frame.id;
        self.say(Event::FrameAt { frame: id, tap });
        self.clock = self.clock.plus(self.cost);
        if frame.bytes.len() < HEADER {
            return;
        }
        if frame.bytes[5] == self.me() {
            self.deliver(frame);
        } else if self.boot.uplinks > 1 && hops(&frame) > 0 {
            let mut bytes = frame.bytes.to_vec();
            bytes[14] = hops(&frame) - 1;
            let later = self.rng.time(3_000);
            let bytes = bytes.into();
            self.job(later, 1, Job::Transmit(Frame { id, bytes }));
        }
    }

    fn deliver(&mut self, frame: Frame) {
        let all: Vec<DomId> = self.guests.keys().copied().collect();
        if all.is_empty() {
            return;
        }
        let domid = all[(frame.id.n % all.len() as u64) as usize];
        let later = self.rng.time(30_000);
        self.job(later, 0, Job::Deliver(domid, frame));
    }

    fn on_job(&mut self, job: Job) {
        let now = self.clock;
        match job {
            Job::Deliver(domid, frame) => {
                let Some(guest) = self.guests.get_mut(&domid) else {
                    return;
                };
                guest.wake(now);
                let tap = Tap::VifIn(domid, 0);
                let event = Event::FrameAt {
                    frame: frame.id,
                    tap,
                };
                guest.inbox.push_back(frame);
                self.say(event);
            }
            Job::Notify(domid) => {
                if let Some(guest) = self.guests.get_mut(&domid) {
                    guest.wake(now);
                }
            }
            Job::Transmit(frame) => {
                self.clock = self.clock.plus(self.cost);
                if frame.bytes[5] == self.me() {
                    self.deliver(frame);
                } else {
                    self.transmit_at(self.clock, frame);
                }
            }
        }
    }

    fn transmit_at(&mut self, at: Time, frame: Frame) {
        if self.boot.uplinks == 0 {
            return;
        }
        let n = u64::from(frame.bytes[5]) + frame.id.n;
        let uplink = UplinkId((n % u64::from(self.boot.uplinks)) as u32);
        self.leaving.insert((at, uplink, self.next_leaving), frame);
        self.next_leaving += 1;
    }

    fn job(&mut self, later: u64, kind: u8, job: Job) {
        let due = self.clock.plus(later);
        self.jobs.insert((due, kind, self.next_job), job);
        self.next_job += 1;
    }

    // ---- Guests

    fn run_guest(&mut self) {
        let begun = self.clock;
        let due = |(domid, guest): (&DomId, &ToyGuest)| Some((guest.due()?, *domid));
        let (_, domid) = self
            .guests
            .iter()
            .filter_map(due)
            .min()
            .expect("one is due");
        let mut guest = self.guests.remove(&domid).expect("it is there");
        let length = guest.rng.run_length();
        let deeds = guest.deeds(begun, self.nodes);
        let parts = deeds.len() as u64 + 1;
        for (n, deed) in (1..).zip(deeds) {
            self.clock = begun.plus(length * n / parts);
            self.on_deed(domid, &mut guest, deed);
        }
        self.clock = begun.plus(length);
        let finishing = guest.timers.iter().any(|timer| timer.1);
        let kinds = if finishing {
            TimerKinds::FINISH
        } else {
            TimerKinds::KEEP_ALIVE
        };
        self.guests.insert(domid, guest);
        let kinds = kinds.bits();
        self.guest_says(domid, GuestEvent::Timers { kinds });
        let line = format!("{length}");
        self.say(Event::Console { domid, line });
    }

    fn on_deed(&mut self, domid: DomId, guest: &mut ToyGuest, deed: Deed) {
        match deed {
            Deed::Send { hops, to } => self.send(domid, guest, hops, to),
            Deed::Timer { finishes } => {
                let later = guest.rng.timer(finishes);
                guest.timers.push((self.clock.plus(later), finishes));
            }
            Deed::Notify => {
                let all: Vec<DomId> = self.guests.keys().copied().collect();
                if !all.is_empty() {
                    let other = all[guest.rng.below(all.len() as u64) as usize];
                    let later = guest.rng.time(10_000);
                    self.job(later, 2, Job::Notify(other));
                }
            }
            Deed::Script(block) => self.guest_says(domid, GuestEvent::ScriptDone { block }),
        }
    }

    fn send(&mut self, domid: DomId, guest: &mut ToyGuest, hops: u8, to: u8) {
        let mut bytes = vec![0; 60 + guest.rng.below(1440) as usize];
        (bytes[0], bytes[5]) = (2, to);
        (bytes[6], bytes[11]) = (2, self.me());
        bytes[14] = hops;
        let id = FrameId {
            origin: self.boot.origin,
            n: self.next_frame,
        };
        self.next_frame += 1;
        self.say(Event::FrameBorn {
            frame: id,
            forged: false,
            bytes: bytes.clone(),
        });
        let tap = Tap::VifOut(domid, 0);
        self.say(Event::FrameAt { frame: id, tap });
        let bytes = bytes.into();
        let frame = Frame { id, bytes };
        if guest.rng.percent(50) && to != self.me() {
            self.transmit_at(self.clock, frame);
        } else {
            let later = guest.rng.time(20_000);
            self.job(later, 1, Job::Transmit(frame));
        }
    }

    // ---- Lives

    fn create(&mut self, name: &str) -> Result<(), ActionError> {
        if self.guests.values().any(|guest| guest.name == name) {
            return Err(ActionError(format!("{name} exists")));
        }
        let domid = DomId(self.next_domid);
        self.next_domid += 1;
        let mut rng = Draws::new(&self.boot, &format!("{name}/{}", domid.0));
        let later = if rng.percent(20) {
            0
        } else {
            rng.time(200_000)
        };
        let guest = ToyGuest::new(name, rng, self.clock.plus(later));
        self.guests.insert(domid, guest);
        let name = name.to_owned();
        self.live(domid, Life::Created { name });
        self.live(domid, Life::Unpaused);
        Ok(())
    }

    fn end(&mut self, name: &str, lives: &[Life]) -> Result<(), ActionError> {
        let domid = self.find(name)?;
        self.guests.remove(&domid);
        for life in lives {
            self.live(domid, life.clone());
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<DomId, ActionError> {
        let found = self.guests.iter().find(|(_, guest)| guest.name == name);
        let missing = || ActionError(format!("{name} is not there"));
        found.map(|(domid, _)| *domid).ok_or_else(missing)
    }

    fn guest(&mut self, name: &str) -> Result<&mut ToyGuest, ActionError> {
        let domid = self.find(name)?;
        Ok(self.guests.get_mut(&domid).expect("it was found"))
    }

    fn xenstore_write(&mut self, name: &str, path: &str) -> Result<(), ActionError> {
        let now = self.clock;
        let guest = self.guest(name)?;
        let block = path
            .strip_prefix("data/script/")
            .and_then(|rest| rest.strip_suffix("/parts"))
            .and_then(|block| block.parse().ok());
        if let Some(block) = block {
            guest.scripts.push_back(block);
            guest.wake(now);
        }
        Ok(())
    }

    // ---- Reports

    fn live(&mut self, domid: DomId, life: Life) {
        self.say(Event::Life { domid, life });
    }
    fn say(&mut self, event: Event) {
        let mut payload = Vec::new();
        event.encode(&mut payload);
        self.report(Source::Machine, payload);
    }
    fn guest_says(&mut self, domid: DomId, event: GuestEvent) {
        let mut payload = Vec::new();
        event.encode(&mut payload);
        self.report(Source::Guest(domid), payload);
    }
    fn report(&mut self, source: Source, payload: Vec<u8>) {
        self.events.push_back(Record {
            at: self.clock,
            seq: self.next_seq,
            source,
            payload,
        });
        self.next_seq += 1;
    }
}

impl Node for Toy {
    fn act(&mut self, at: Time, action: &NodeAction) -> Result<(), ActionError> {
        self.clock = self.clock.max(at);
        let done = match action {
            NodeAction::Create(name) => self.create(name),
            NodeAction::Destroy(name) => self.end(name, &[Life::Dying, Life::Destroyed]),
            NodeAction::Shutdown(name) => {
                self.end(name, &[Life::Shutdown { reason: 0 }, Life::Destroyed])
            }
            NodeAction::Crash(name) => {
                let krate = "toy".into();
                self.end(name, &[Life::Crashed { krate }, Life::Destroyed])
            }
            NodeAction::Reboot(name) => self
                .end(name, &[Life::Shutdown { reason: 1 }, Life::Destroyed])
                .and_then(|()| self.create(name)),
            NodeAction::Pause(name) => self.guest(name).map(|guest| guest.paused = true),
            NodeAction::Unpause(name) => self.guest(name).map(|guest| guest.paused = false),
            NodeAction::XenstoreWrite { domain, path, .. } => self.xenstore_write(domain, path),
            NodeAction::VifDetach { .. } | NodeAction::Inject { .. } => {
                Err(ActionError("a toy has no vifs".into()))
            }
        };
        self.settle();
        done
    }

    fn next_event(&self) -> Option<Time> {
        let leaving = self.leaving.keys().next().map(|key| key.0);
        let event = self.events.front().map(|record| record.at);
        [self.next_act(), leaving, event]
            .into_iter()
            .flatten()
            .min()
    }

    fn run_until(&mut self, end: Time) {
        while let Some(at) = self.next_act().filter(|at| *at < end) {
            self.act_once(at);
        }
        self.last_end = end;
    }

    fn clock(&self) -> Time {
        self.clock
    }

    fn receive(&mut self, at: Time, uplink: UplinkId, order: u64, frame: Frame) {
        assert!(at >= self.last_end, "a frame arrived in the past");
        self.arrivals.insert((at, order), (uplink, frame));
    }

    fn transmit(&mut self) -> Option<(Time, UplinkId, Frame)> {
        let next = self.leaving.first_entry()?;
        let &(at, uplink, _) = next.key();
        (at < self.last_end).then(|| (at, uplink, next.remove()))
    }

    fn drain_events(&mut self, before: Time, out: &mut Vec<Record>) {
        let ready = self.events.partition_point(|record| record.at < before);
        out.extend(self.events.drain(..ready));
    }

    fn power_fail(self: Box<Self>, at: Time) -> PowerLoss {
        let kept = self.events.iter().find(|record| record.at >= at);
        PowerLoss {
            next_frame: self.next_frame,
            next_seq: kept.map_or(self.next_seq, |record| record.seq),
        }
    }

    fn destroy_all(&mut self) {}

    fn held(&self) -> Leaks {
        Leaks::default()
    }

    fn crash_texts(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn internal_error(&self) -> Option<String> {
        None
    }
}
