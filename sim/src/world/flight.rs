//! Frames in flight in one direction of a link: serialised, not yet arrived.
//!
//! They belong to the link, so they outlive their sender, and wait outside turmoil's hosts, in order of (arrival,
//! sequence), where a fault finds all of them.

use std::collections::BTreeMap;

use xenemu::{Frame, Time};

/// What is in flight.
#[derive(Debug, Default)]
pub struct Flight {
    /// By arrival and the direction's sequence number.
    frames: BTreeMap<(Time, u64), Frame>,
}

impl Flight {
    /// Takes a frame that will arrive at `arrival`.
    pub fn insert(&mut self, arrival: Time, seq: u64, frame: Frame) {
        let before = self.frames.insert((arrival, seq), frame);
        assert!(before.is_none(), "two frames in flight are number {seq}");
    }
    /// When the next frame arrives.
    pub fn next_arrival(&self) -> Option<Time> {
        self.frames.keys().next().map(|&(arrival, _)| arrival)
    }
    /// Takes the next frame that arrives before `end`.
    pub fn arrive(&mut self, end: Time) -> Option<(Time, u64, Frame)> {
        let next = self.frames.first_entry()?;
        let &(arrival, seq) = next.key();
        (arrival < end).then(|| (arrival, seq, next.remove()))
    }
    /// Those that were held arrive at `now` at the earliest.
    pub fn release(&mut self, now: Time) {
        let later = self.frames.split_off(&(now, 0));
        let late = std::mem::replace(&mut self.frames, later);
        for ((_, seq), frame) in late {
            self.insert(now, seq, frame);
        }
    }
    /// Takes everything, in order: it dies.
    pub fn lose_all(&mut self) -> impl Iterator<Item = Frame> + use<> {
        std::mem::take(&mut self.frames).into_values()
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }
    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenemu::FrameId;

    fn frame(n: u64) -> Frame {
        Frame {
            id: FrameId { origin: 0, n },
            bytes: [][..].into(),
        }
    }

    #[test]
    fn frames_arrive_by_time_and_then_by_sequence() {
        let mut flight = Flight::default();
        for (at, seq) in [(9, 0), (5, 2), (5, 1)] {
            flight.insert(Time(at), seq, frame(seq));
        }
        let order: Vec<u64> = std::iter::from_fn(|| flight.arrive(Time(9)))
            .map(|(_, seq, _)| seq)
            .collect();
        assert_eq!(order, [1, 2]);
        assert_eq!(flight.next_arrival(), Some(Time(9)));
    }

    #[test]
    fn what_was_held_arrives_when_it_is_released_at_the_earliest() {
        let mut flight = Flight::default();
        for (at, seq) in [(5, 1), (7, 0), (9, 2)] {
            flight.insert(Time(at), seq, frame(seq));
        }
        flight.release(Time(8));
        let order: Vec<(u64, u64)> = std::iter::from_fn(|| flight.arrive(Time::MAX))
            .map(|(at, seq, _)| (at.0, seq))
            .collect();
        assert_eq!(order, [(8, 0), (8, 1), (9, 2)]);
    }
}
