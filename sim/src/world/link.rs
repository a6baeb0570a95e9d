//! A link: two directions between two nodes, in netem's words, driven by events at each sender's egress.
//!
//! The way of a frame: it enters at its stamp, where chance is asked once for all ([`super::impair`]) and the queue is
//! judged ([`super::egress`]); it is serialised; it flies ([`super::flight`]). Between its serialisation and its flight
//! it travels to the receiver's host through turmoil, which is not this file's business: [`Direction::transmit`] hands
//! it out, [`Direction::take_off`] takes it back.
//!
//! At one instant actions come first (they are done between rounds), then the end of serialisation, then entries.

use std::collections::VecDeque;

use xenemu::{Frame, FrameId, Time};

use super::egress::{Egress, QueueFull, Waiting};
use super::flight::Flight;
use super::impair::{Impairments, Way, lookahead};
use super::mark;
use crate::plan::{LinkChange, LinkSettings};
use crate::trace::{Author, Buffer, LinkEvent};

/// A link between two nodes.
#[derive(Debug)]
pub struct Link {
    pub name: String,
    pub cut: bool,
    pub held: bool,
    /// From its first end to its second, and back.
    pub directions: [Direction; 2],
}

/// One direction of a link.
#[derive(Debug)]
pub struct Direction {
    /// The sender's place among the nodes.
    pub from: usize,
    /// The receiver's.
    pub to: usize,
    pub settings: LinkSettings,
    pub flight: Flight,
    pub events: Buffer,
    impairments: Impairments,
    egress: Egress,
    /// What the sender transmitted and has not yet entered.
    entering: VecDeque<(Time, Frame)>,
    /// `FrameId.origin` of frames born here: copies, marked and corrupted ones.
    origin: u32,
    next_frame: u64,
    /// Counts the ends of serialisation.
    next_seq: u64,
}

/// A frame whose last bit is on the wire.
#[derive(Clone, Debug)]
pub struct Serialised {
    pub arrival: Time,
    pub seq: u64,
    pub frame: Frame,
}

impl Link {
    /// The least lookahead of its directions.
    pub fn lookahead(&self) -> u64 {
        let [ab, ba] = &self.directions;
        lookahead(&ab.settings).min(lookahead(&ba.settings))
    }
    /// Whether something flies in either direction.
    pub fn in_flight(&self) -> bool {
        self.directions.iter().any(|d| !d.flight.is_empty())
    }
    /// Cuts it: what is in flight dies.
    pub fn cut(&mut self, at: Time) {
        self.cut = true;
        for direction in &mut self.directions {
            direction.lose_flight(at);
        }
    }
    /// What was held flies on.
    pub fn release(&mut self, at: Time) {
        self.held = false;
        for direction in &mut self.directions {
            direction.flight.release(at);
        }
    }
}

impl Direction {
    /// Direction `side` (0 or 1) of the link at `place` among the links, named `link`.
    pub fn new(
        seed: u64,
        link: &str,
        (place, side): (u16, u8),
        (from, to): (usize, usize),
        origin: u32,
        settings: LinkSettings,
    ) -> Direction {
        Direction {
            from,
            to,
            settings,
            flight: Flight::default(),
            events: Buffer::new(Author::Link(place, side)),
            impairments: Impairments::new(seed, link, ["ab", "ba"][usize::from(side)]),
            egress: Egress::default(),
            entering: VecDeque::new(),
            origin,
            next_frame: 0,
            next_seq: 0,
        }
    }

    /// What `set link` says.
    pub fn set(&mut self, change: &LinkChange) {
        let LinkChange {
            delay,
            jitter,
            rate,
            queue,
            mark,
            loss,
            duplicate,
            reorder,
            corrupt,
        } = change;
        let s = &mut self.settings;
        *s = LinkSettings {
            delay: delay.unwrap_or(s.delay),
            jitter: jitter.unwrap_or(s.jitter),
            rate: rate.unwrap_or(s.rate),
            queue: queue.unwrap_or(s.queue),
            mark: mark.unwrap_or(s.mark),
            loss: loss.unwrap_or(s.loss),
            duplicate: duplicate.unwrap_or(s.duplicate),
            reorder: reorder.unwrap_or(s.reorder),
            corrupt: corrupt.unwrap_or(s.corrupt),
        };
    }

    /// When something happens here by itself.
    pub fn next_end_of_serialisation(&self) -> Option<Time> {
        self.egress.next_end()
    }

    /// Frames that entered, and neither left nor died.
    pub fn underway(&self) -> usize {
        self.egress.len() + self.flight.len()
    }

    /// The sender transmitted a frame at `at`.
    pub fn offer(&mut self, at: Time, frame: Frame) {
        debug_assert!(self.entering.back().is_none_or(|(last, _)| *last <= at));
        self.entering.push_back((at, frame));
    }

    /// Acts until `end`; every frame serialised on a living direction goes to `out`.
    pub fn transmit(&mut self, end: Time, dead: bool, mut out: impl FnMut(Serialised)) {
        loop {
            let enters = self.entering.front().map_or(Time::MAX, |(at, _)| *at);
            let bound = end.min(enters.plus(1));
            if let Some((at, done)) = self.egress.leave(bound, &self.settings) {
                self.leave(at, done, end, dead, &mut out);
            } else if enters < end {
                let (at, frame) = self.entering.pop_front().expect("it was seen");
                self.enter(at, frame);
            } else {
                return;
            }
        }
    }

    /// A frame handed out by [`Direction::transmit`] reached the receiver's host: it flies until its arrival.
    pub fn take_off(&mut self, serialised: Serialised) {
        let Serialised {
            arrival,
            seq,
            frame,
        } = serialised;
        self.flight.insert(arrival, seq, frame);
    }

    /// What is in flight dies.
    pub fn lose_flight(&mut self, at: Time) {
        for frame in self.flight.lose_all() {
            self.die(at, frame.id);
        }
    }

    /// The sender lost its power, and what it had not yet serialised.
    pub fn lose_egress(&mut self, at: Time) {
        assert!(self.entering.is_empty(), "a round enters all it is offered");
        for frame in self.egress.lose_all() {
            self.die(at, frame.id);
        }
    }

    /// A frame ends here.
    pub fn die(&mut self, at: Time, frame: FrameId) {
        self.say(at, LinkEvent::Died { frame });
    }

    fn enter(&mut self, at: Time, frame: Frame) {
        let fate = self.impairments.draw(&self.settings);
        if fate.lost {
            return self.say(at, LinkEvent::Lost { frame: frame.id });
        }
        let frame = match fate.corrupted {
            Some(bit) if !frame.bytes.is_empty() => self.corrupt(at, &frame, bit),
            _ => frame,
        };
        let copy = fate.duplicated.then(|| self.duplicate(at, &frame));
        let [way, copys_way] = fate.ways;
        self.queue(at, frame, way);
        if let Some(copy) = copy {
            self.queue(at, copy, copys_way);
        }
    }

    fn corrupt(&mut self, at: Time, frame: &Frame, draw: u64) -> Frame {
        let bits = frame.bytes.len() as u64 * 8;
        let bit = crate::rng::scale(draw, bits - 1);
        let mut bytes = frame.bytes.to_vec();
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        let into = self.name();
        let event = LinkEvent::Corrupted {
            frame: frame.id,
            into,
            bytes: bytes.clone(),
        };
        self.say(at, event);
        Frame {
            id: into,
            bytes: bytes.into(),
        }
    }

    fn duplicate(&mut self, at: Time, frame: &Frame) -> Frame {
        let copy = self.name();
        let event = LinkEvent::Duplicated {
            frame: frame.id,
            copy,
        };
        self.say(at, event);
        Frame {
            id: copy,
            bytes: frame.bytes.clone(),
        }
    }

    fn queue(&mut self, at: Time, frame: Frame, way: Way) {
        let frame = match self.egress.marks(&frame, &self.settings) {
            true => self.mark(at, frame),
            false => frame,
        };
        let name = frame.id;
        let event = match self
            .egress
            .enter(at, Waiting { frame, way }, &self.settings)
        {
            Ok(queued) => LinkEvent::Enqueued {
                frame: name,
                queued,
            },
            Err(QueueFull) => LinkEvent::QueueFull { frame: name },
        };
        self.say(at, event);
    }

    /// Marks a frame, if it can be.
    fn mark(&mut self, at: Time, frame: Frame) -> Frame {
        let Some(bytes) = mark::marked(&frame.bytes) else {
            return frame;
        };
        let into = self.name();
        let event = LinkEvent::Marked {
            frame: frame.id,
            into,
            bytes: bytes.clone(),
        };
        self.say(at, event);
        Frame {
            id: into,
            bytes: bytes.into(),
        }
    }

    fn leave(
        &mut self,
        at: Time,
        done: Waiting,
        end: Time,
        dead: bool,
        out: &mut impl FnMut(Serialised),
    ) {
        let Waiting { frame, way } = done;
        if dead {
            return self.die(at, frame.id);
        }
        let delay = way.delay(&self.settings);
        assert!(
            delay >= lookahead(&self.settings),
            "a delay of {delay} ns is shorter than the lookahead"
        );
        let arrival = at.plus(delay);
        assert!(
            arrival >= end,
            "a frame sent at {at:?} arrives at {arrival:?}, inside the round that ends at {end:?}"
        );
        let event = LinkEvent::Serialised {
            frame: frame.id,
            arrival,
            reordered: way.reordered(&self.settings),
        };
        self.say(at, event);
        let seq = self.next_seq;
        self.next_seq += 1;
        out(Serialised {
            arrival,
            seq,
            frame,
        });
    }

    fn name(&mut self) -> FrameId {
        let n = self.next_frame;
        self.next_frame += 1;
        FrameId {
            origin: self.origin,
            n,
        }
    }

    fn say(&mut self, at: Time, event: LinkEvent) {
        self.events.push(at, |bytes| event.encode(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Probability;

    fn direction(settings: LinkSettings) -> Direction {
        Direction::new(1, "a-b", (0, 0), (0, 1), 2, settings)
    }

    fn offer(direction: &mut Direction, at: u64, n: u64) {
        let frame = Frame {
            id: FrameId { origin: 0, n },
            bytes: vec![n as u8; 100].into(),
        };
        direction.offer(Time(at), frame);
    }

    fn run(direction: &mut Direction, end: u64, dead: bool) -> Vec<Serialised> {
        let mut out = Vec::new();
        direction.transmit(Time(end), dead, |serialised| out.push(serialised));
        out
    }

    /// What a direction has said so far.
    fn said(direction: &mut Direction) -> Vec<(u64, LinkEvent)> {
        let mut merge = crate::trace::Merge::default();
        merge.take(&mut direction.events, Time::MAX);
        let decode = |i| {
            let raw = merge.get(i);
            let event = xenemu::abi::codec::decode(raw.payload).unwrap();
            (raw.at.0, event)
        };
        (0..merge.len()).map(decode).collect()
    }

    #[test]
    fn a_copy_and_a_corrupted_frame_go_by_their_own_names() {
        let mut direction = direction(LinkSettings {
            duplicate: Probability::ONE,
            corrupt: Probability::ONE,
            ..LinkSettings::default()
        });
        offer(&mut direction, 5, 7);
        let out = run(&mut direction, 6, false);
        let names: Vec<FrameId> = out.iter().map(|s| s.frame.id).collect();
        assert_eq!(names, [0, 1].map(|n| FrameId { origin: 2, n }));
        let flipped: u32 = out[0]
            .frame
            .bytes
            .iter()
            .map(|b| (b ^ 7).count_ones())
            .sum();
        assert_eq!(flipped, 1);
        assert_eq!(out[0].frame.bytes, out[1].frame.bytes);
    }

    #[test]
    fn a_dead_direction_serialises_into_the_void_and_its_queue_goes_on() {
        let mut direction = direction(LinkSettings {
            rate: Some(8_000_000),
            ..LinkSettings::default()
        });
        offer(&mut direction, 0, 0);
        offer(&mut direction, 0, 1);
        assert!(run(&mut direction, 150_000, true).is_empty());
        assert_eq!(run(&mut direction, 250_000, false).len(), 1);
        let died: Vec<u64> = said(&mut direction)
            .into_iter()
            .filter(|(_, event)| matches!(event, LinkEvent::Died { .. }))
            .map(|(at, _)| at)
            .collect();
        assert_eq!(died, [100_000]);
    }

    #[test]
    fn the_delay_in_force_at_the_end_of_serialisation_counts() {
        let mut direction = direction(LinkSettings {
            rate: Some(8_000_000),
            ..LinkSettings::default()
        });
        offer(&mut direction, 0, 0);
        assert!(run(&mut direction, 50_000, false).is_empty());
        direction.set(&LinkChange {
            delay: Some(3_000_000),
            ..LinkChange::default()
        });
        let out = run(&mut direction, 150_000, false);
        assert_eq!(out[0].arrival, Time(3_100_000));
    }

    #[test]
    fn a_packet_that_finds_a_long_queue_is_marked_under_a_name_of_its_own() {
        let mut direction = direction(LinkSettings {
            rate: Some(8_000_000),
            mark: Some(150),
            ..LinkSettings::default()
        });
        let mut bytes = vec![0; 100];
        bytes[12..16].copy_from_slice(&[0x86, 0xdd, 0x60, 0x20]);
        for n in 0..3 {
            let id = FrameId { origin: 0, n };
            let bytes = bytes.clone().into();
            direction.offer(Time(0), Frame { id, bytes });
        }
        // The first is being serialised, the second waits, and only the third finds more than 150 bytes waiting.
        let out = run(&mut direction, 400_000, false);
        let marks: Vec<u8> = out.iter().map(|s| s.frame.bytes[15] >> 4).collect();
        assert_eq!(marks, [0b10, 0b10, 0b11]);
        assert_eq!(out[2].frame.id, FrameId { origin: 2, n: 0 });
    }

    #[test]
    fn at_one_instant_serialisation_ends_before_a_frame_enters() {
        let mut direction = direction(LinkSettings {
            rate: Some(8_000_000),
            queue: 0,
            ..LinkSettings::default()
        });
        offer(&mut direction, 0, 0);
        offer(&mut direction, 100_000, 1);
        assert_eq!(run(&mut direction, 300_000, false).len(), 2);
    }
}
