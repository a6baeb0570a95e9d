//! A learning Ethernet switch between machines, as a node of the world.
//!
//! Store and forward, one frame at a time, a fixed time a frame. It is busy from the first frame that it acts on until
//! no frame waits; whether one waits is judged only once all that arrives by then is known, so that rounds stay invisible.

use std::collections::{BTreeMap, VecDeque};

use xenemu::event::DropReason;
use xenemu::{Event, Frame, Record, Source, Tap, Time, UplinkId};

use super::node::{ActionError, Boot, Leaks, Node, NodeAction, PowerLoss};

/// The time that a frame takes, ns.
const FORWARD_NS: u64 = 1_000;
/// Addresses that it remembers: when they are full, frames to others are flooded.
const MOST_ADDRESSES: usize = 4096;
/// An Ethernet header.
const HEADER_LEN: usize = 14;

/// The switch.
pub struct Switch {
    uplinks: u32,
    clock: Time,
    busy: bool,
    /// By arrival and the link's order.
    arrivals: BTreeMap<(Time, u64), (UplinkId, Frame)>,
    learnt: BTreeMap<[u8; 6], UplinkId>,
    leaving: VecDeque<(Time, UplinkId, Frame)>,
    events: VecDeque<Record>,
    next_seq: u64,
    next_frame: u64,
    last_end: Time,
}

impl Switch {
    /// A switch that knows no address yet.
    pub fn new(boot: &Boot) -> Switch {
        Switch {
            uplinks: boot.uplinks,
            clock: boot.started,
            busy: false,
            arrivals: BTreeMap::new(),
            learnt: BTreeMap::new(),
            leaving: VecDeque::new(),
            events: VecDeque::new(),
            next_seq: boot.first_seq,
            next_frame: boot.first_frame,
            last_end: boot.started,
        }
    }

    /// The effective instant of the next frame, or of becoming idle.
    fn next_act(&self) -> Option<Time> {
        let arrival = self.arrivals.keys().next().map(|&(at, _)| at);
        match arrival {
            Some(at) if !self.busy => Some(at.max(self.clock)),
            _ if self.busy => Some(self.clock),
            _ => None,
        }
    }

    fn act_once(&mut self, at: Time) {
        self.clock = at;
        let next = self.arrivals.first_entry();
        if let Some(next) = next.filter(|next| next.key().0 <= at) {
            let (uplink, frame) = next.remove();
            self.set_busy(true);
            self.forward(uplink, frame);
        } else {
            self.set_busy(false);
        }
    }

    fn forward(&mut self, from: UplinkId, frame: Frame) {
        let tap = Tap::UplinkIn(from);
        self.say(Event::FrameAt {
            frame: frame.id,
            tap,
        });
        let Some((to, source)) = addresses(&frame.bytes) else {
            return self.say(Event::FrameDropped {
                frame: frame.id,
                tap,
                reason: DropReason::Runt,
            });
        };
        if source[0] & 1 == 0
            && (self.learnt.len() < MOST_ADDRESSES || self.learnt.contains_key(&source))
        {
            self.learnt.insert(source, from);
        }
        self.clock = self.clock.plus(FORWARD_NS);
        match self.learnt.get(&to) {
            Some(&out) if out == from => {}
            Some(&out) => self.send(out, frame),
            None => (0..self.uplinks)
                .map(UplinkId)
                .filter(|out| *out != from)
                .for_each(|out| self.send(out, frame.clone())),
        }
    }

    fn send(&mut self, out: UplinkId, frame: Frame) {
        self.say(Event::FrameAt {
            frame: frame.id,
            tap: Tap::UplinkOut(out),
        });
        self.leaving.push_back((self.clock, out, frame));
    }

    fn set_busy(&mut self, busy: bool) {
        if self.busy != busy {
            self.busy = busy;
            self.say(if busy { Event::Busy } else { Event::Idle });
        }
    }

    fn say(&mut self, event: Event) {
        let mut payload = Vec::new();
        event.encode(&mut payload);
        self.events.push_back(Record {
            at: self.clock,
            seq: self.next_seq,
            source: Source::Machine,
            payload,
        });
        self.next_seq += 1;
    }
}

/// Destination and source of a frame that is long enough to have them.
fn addresses(bytes: &[u8]) -> Option<([u8; 6], [u8; 6])> {
    let header = bytes.get(..HEADER_LEN)?;
    let (to, rest) = header.split_first_chunk::<6>()?;
    Some((*to, *rest.first_chunk::<6>()?))
}

impl Node for Switch {
    fn act(&mut self, _: Time, _: &NodeAction) -> Result<(), ActionError> {
        Err(ActionError("a switch has no domains".into()))
    }

    fn next_event(&self) -> Option<Time> {
        let leaving = self.leaving.front().map(|(at, ..)| *at);
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
        let (at, ..) = self.leaving.front()?;
        (*at < self.last_end).then(|| self.leaving.pop_front())?
    }

    fn drain_events(&mut self, before: Time, out: &mut Vec<Record>) {
        let ready = self.events.partition_point(|record| record.at < before);
        out.extend(self.events.drain(..ready));
    }

    fn power_fail(self: Box<Self>, at: Time) -> PowerLoss {
        let kept = self.events.partition_point(|record| record.at < at);
        let next_seq = self.events.get(kept).map_or(self.next_seq, |r| r.seq);
        PowerLoss {
            next_frame: self.next_frame,
            next_seq,
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

#[cfg(test)]
mod tests {
    use super::*;
    use xenemu::FrameId;

    fn switch(uplinks: u32) -> Switch {
        Switch::new(&Boot {
            name: "s".into(),
            origin: 0,
            seed: 0,
            boot: 0,
            epoch_secs: 0,
            uplinks,
            started: Time::ZERO,
            first_frame: 0,
            first_seq: 0,
        })
    }

    fn frame(to: u8, from: u8) -> Frame {
        let mut bytes = vec![0; 60];
        (bytes[5], bytes[11]) = (to, from);
        Frame {
            id: FrameId { origin: 1, n: 0 },
            bytes: bytes.into(),
        }
    }

    /// Sends a frame in by an uplink; the uplinks it leaves by.
    fn pass(switch: &mut Switch, at: u64, uplink: u32, frame: Frame) -> Vec<u32> {
        switch.receive(Time(at), UplinkId(uplink), at, frame);
        switch.run_until(Time(at + 2 * FORWARD_NS));
        let out = std::iter::from_fn(|| switch.transmit());
        out.map(|(_, uplink, _)| uplink.0).collect()
    }

    #[test]
    fn it_floods_what_it_does_not_know_and_learns_where_senders_are() {
        let mut switch = switch(3);
        assert_eq!(pass(&mut switch, 0, 0, frame(2, 1)), [1, 2]);
        assert_eq!(pass(&mut switch, 10_000, 2, frame(1, 2)), [0]);
        assert_eq!(pass(&mut switch, 20_000, 0, frame(2, 1)), [2]);
        assert_eq!(pass(&mut switch, 30_000, 2, frame(2, 9)), [0u32; 0]);
    }

    #[test]
    fn a_runt_is_dropped_and_said() {
        let mut switch = switch(2);
        let runt = Frame {
            bytes: [0; 13][..].into(),
            ..frame(0, 0)
        };
        assert!(pass(&mut switch, 0, 0, runt).is_empty());
        let mut events = Vec::new();
        switch.drain_events(Time::MAX, &mut events);
        let dropped =
            |r: &Record| matches!(Event::decode(&r.payload), Ok(Event::FrameDropped { .. }));
        assert!(events.iter().any(dropped));
    }

    #[test]
    fn a_flood_of_addresses_fills_its_memory_and_no_more() {
        let mut switch = switch(2);
        for n in 0..MOST_ADDRESSES as u64 + 10 {
            let mut bytes = vec![0; 60];
            bytes[8..12].copy_from_slice(&(n as u32).to_be_bytes());
            let frame = Frame {
                bytes: bytes.into(),
                ..frame(0, 0)
            };
            pass(&mut switch, n * 10_000, 0, frame);
        }
        assert_eq!(switch.learnt.len(), MOST_ADDRESSES);
    }

    #[test]
    fn it_is_idle_once_no_frame_waits_however_its_time_is_cut() {
        let said = |ends: &[u64]| {
            let mut switch = switch(2);
            let mut records = Vec::new();
            let mut begun = 0;
            for &end in ends {
                for at in [100, 600] {
                    if (begun..end).contains(&at) {
                        switch.receive(Time(at), UplinkId(0), at, frame(2, 1));
                    }
                }
                switch.run_until(Time(end));
                switch.drain_events(Time(end), &mut records);
                begun = end;
            }
            records
        };
        let whole = said(&[10_000]);
        assert_eq!(said(&[200, 700, 1_100, 2_099, 2_100, 2_101, 10_000]), whole);
    }
}
