//! The outside: a node whose frames come from, and go to, something that is not simulated.
//!
//! Bytes from a tap are stamped with the instant at which the next window starts and enter the world at the far end of
//! the tap's link; whoever wants them to happen again notes them as [`RecordedInput`]s, and replayed they are scheduled
//! actions. The world forgets an input once it is in: it may be served for days. What the world sends outside comes out
//! with its stamp, and the caller lets it go when the wall clock reaches that.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use xenemu::{Event, Frame, FrameId, Record, Source, Tap, Time, UplinkId};

use super::World;
use super::node::{ActionError, Boot, Leaks, Node, NodeAction, PowerLoss};
use super::options::{RecordedInput, WorldError};
use super::schedule::Group;
use crate::trace::WorldEvent;

/// What the driver keeps of the outside.
pub struct Outside {
    /// Its place among the nodes.
    pub node: usize,
    pub pipe: Rc<RefCell<Pipe>>,
    /// Inputs to come, by their numbers.
    pub inputs: BTreeMap<usize, RecordedInput>,
    /// The next input's number.
    pub next_input: usize,
}

/// What passes between the driver and the node.
#[derive(Debug, Default)]
pub struct Pipe {
    coming: VecDeque<(Time, UplinkId, Vec<u8>)>,
    gone: Vec<(Time, Vec<u8>)>,
}

impl Pipe {
    /// The next input that is due at `now`.
    fn take(&mut self, now: Time) -> Option<(Time, UplinkId, Vec<u8>)> {
        let due = self.coming.front().is_some_and(|(at, ..)| *at <= now);
        due.then(|| self.coming.pop_front())?
    }
}

impl World<'_> {
    /// Bytes come in from outside by a link, now. Noted as an input at [`World::now`] and given to
    /// [`super::RunOptions::inputs`], they come in again.
    pub fn input(&mut self, link: &str, bytes: &[u8]) -> Result<(), WorldError> {
        self.add_input(RecordedInput {
            at: self.now,
            link: link.to_owned(),
            bytes: bytes.to_vec(),
        })
    }

    /// What reached the outside since this was last asked, with the stamps of its arrival.
    pub fn outputs(&mut self) -> Vec<(Time, Vec<u8>)> {
        let outside = self.outside.as_ref();
        outside.map_or_else(Vec::new, |outside| {
            std::mem::take(&mut outside.pipe.borrow_mut().gone)
        })
    }

    /// Schedules an input that will be, or was, made.
    pub(super) fn add_input(&mut self, input: RecordedInput) -> Result<(), WorldError> {
        let uplink = self.outside_uplink(&input.link);
        let (Some(outside), Some(_)) = (&mut self.outside, uplink) else {
            return Err(WorldError::NotOutside(input.link));
        };
        let n = outside.next_input;
        outside.next_input += 1;
        self.schedule.add(input.at, Group::Input(n));
        outside.inputs.insert(n, input);
        Ok(())
    }

    /// Lets the n-th input in.
    pub(super) fn let_in(&mut self, n: usize) {
        let outside = self.outside.as_mut().expect("inputs need an outside");
        let input = outside.inputs.remove(&n);
        let RecordedInput { link, bytes, .. } = input.expect("an input comes in once");
        let pipe = outside.pipe.clone();
        let uplink = self.outside_uplink(&link).expect("it was checked");
        let coming = (self.now, uplink, bytes.clone());
        pipe.borrow_mut().coming.push_back(coming);
        self.say(WorldEvent::Input { link, bytes });
    }

    /// The outside's uplink that is an end of this link.
    fn outside_uplink(&self, link: &str) -> Option<UplinkId> {
        let outside = self.outside.as_ref()?;
        let fabric = self.fabric.borrow();
        let ports = &fabric.slots[outside.node].ports;
        let place = ports
            .iter()
            .position(|port| fabric.links[port.link].name == link)?;
        Some(UplinkId(place as u32))
    }
}

/// The outside as a node.
pub struct OutsideNode {
    pipe: Rc<RefCell<Pipe>>,
    origin: u32,
    clock: Time,
    arrivals: BTreeMap<(Time, u64), (UplinkId, Frame)>,
    leaving: VecDeque<(Time, UplinkId, Frame)>,
    events: Vec<Record>,
    next_frame: u64,
    next_seq: u64,
    last_end: Time,
}

impl OutsideNode {
    /// The node's side of a pipe.
    pub fn new(boot: &Boot, pipe: Rc<RefCell<Pipe>>) -> OutsideNode {
        OutsideNode {
            pipe,
            origin: boot.origin,
            clock: boot.started,
            arrivals: BTreeMap::new(),
            leaving: VecDeque::new(),
            events: Vec::new(),
            next_frame: boot.first_frame,
            next_seq: boot.first_seq,
            last_end: boot.started,
        }
    }

    /// The next thing: an input first, then an arrival.
    fn next_act(&self) -> Option<Time> {
        let coming = self.pipe.borrow().coming.front().map(|(at, ..)| *at);
        let arrival = self.arrivals.keys().next().map(|&(at, _)| at);
        [coming, arrival].into_iter().flatten().min()
    }

    fn act_once(&mut self, at: Time) {
        self.clock = at;
        let coming = self.pipe.borrow_mut().take(at);
        if let Some((_, uplink, bytes)) = coming {
            self.send(uplink, bytes);
        } else if let Some((_, (uplink, frame))) = self.arrivals.pop_first() {
            let tap = Tap::UplinkIn(uplink);
            self.say(Event::FrameAt {
                frame: frame.id,
                tap,
            });
            let gone = (at, frame.bytes.to_vec());
            self.pipe.borrow_mut().gone.push(gone);
        }
    }

    fn send(&mut self, uplink: UplinkId, bytes: Vec<u8>) {
        let id = FrameId {
            origin: self.origin,
            n: self.next_frame,
        };
        self.next_frame += 1;
        self.say(Event::FrameBorn {
            frame: id,
            forged: false,
            bytes: bytes.clone(),
        });
        let tap = Tap::UplinkOut(uplink);
        self.say(Event::FrameAt { frame: id, tap });
        let bytes = bytes.into();
        self.leaving
            .push_back((self.clock, uplink, Frame { id, bytes }));
    }

    fn say(&mut self, event: Event) {
        let mut payload = Vec::new();
        event.encode(&mut payload);
        self.events.push(Record {
            at: self.clock,
            seq: self.next_seq,
            source: Source::Machine,
            payload,
        });
        self.next_seq += 1;
    }
}

impl Node for OutsideNode {
    fn act(&mut self, _: Time, _: &NodeAction) -> Result<(), ActionError> {
        Err(ActionError("the outside has no domains".into()))
    }
    fn next_event(&self) -> Option<Time> {
        self.next_act()
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
        self.leaving.pop_front()
    }
    fn drain_events(&mut self, before: Time, out: &mut Vec<Record>) {
        assert!(self.events.iter().all(|record| record.at < before));
        out.append(&mut self.events);
    }
    fn power_fail(self: Box<Self>, _: Time) -> PowerLoss {
        PowerLoss {
            next_frame: self.next_frame,
            next_seq: self.next_seq,
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
