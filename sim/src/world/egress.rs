//! The sender's end of one direction of a link: the byte queue, and the frame being serialised.
//!
//! A frame belongs to its sender until its last bit is on the wire. The queue is judged when a frame enters; its
//! serialisation starts when the previous one's ends, at the rate of that instant.

use std::collections::VecDeque;

use xenemu::{Frame, Time};

use super::impair::Way;
use crate::plan::LinkSettings;

/// A frame that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub frame: Frame,
    pub way: Way,
}

/// The queue and the wire's near end.
#[derive(Debug, Default)]
pub struct Egress {
    waiting: VecDeque<Waiting>,
    /// Bytes that wait.
    bytes: u64,
    /// What is being serialised, and when its last bit is out.
    serialising: Option<(Waiting, Time)>,
}

/// There was no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl Egress {
    /// When the frame being serialised is out.
    pub fn next_end(&self) -> Option<Time> {
        self.serialising.as_ref().map(|(_, end)| *end)
    }

    /// Frames that wait or are being serialised.
    pub fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.serialising.is_some())
    }

    /// Whether the queue is so long that a frame which finds room in it is to be marked.
    pub fn marks(&self, frame: &Frame, settings: &LinkSettings) -> bool {
        let with_it = self.bytes + frame.bytes.len() as u64;
        let waits = self.serialising.is_some() && with_it <= settings.queue;
        waits && settings.mark.is_some_and(|most| with_it > most)
    }

    /// Takes a frame at `at`; says how many bytes wait then.
    pub fn enter(
        &mut self,
        at: Time,
        waiting: Waiting,
        settings: &LinkSettings,
    ) -> Result<u64, QueueFull> {
        if self.serialising.is_none() {
            self.begin(at, waiting, settings);
            return Ok(self.bytes);
        }
        let with_it = self.bytes + waiting.frame.bytes.len() as u64;
        if with_it > settings.queue {
            return Err(QueueFull);
        }
        self.bytes = with_it;
        self.waiting.push_back(waiting);
        Ok(with_it)
    }

    /// The serialised frame, if one is out before `before`; the next one's serialisation begins.
    pub fn leave(&mut self, before: Time, settings: &LinkSettings) -> Option<(Time, Waiting)> {
        let (done, end) = self.serialising.take_if(|(_, end)| *end < before)?;
        if let Some(next) = self.waiting.pop_front() {
            self.bytes -= next.frame.bytes.len() as u64;
            self.begin(end, next, settings);
        }
        Some((end, done))
    }

    /// The sender lost its power: everything here dies, in order.
    pub fn lose_all(&mut self) -> impl Iterator<Item = Frame> + use<> {
        let Egress {
            waiting,
            serialising,
            ..
        } = std::mem::take(self);
        let first = serialising.map(|(first, _)| first);
        first.into_iter().chain(waiting).map(|lost| lost.frame)
    }

    fn begin(&mut self, at: Time, waiting: Waiting, settings: &LinkSettings) {
        let took = serialisation(waiting.frame.bytes.len(), settings.rate);
        self.serialising = Some((waiting, at.plus(took)));
    }
}

/// How long so many bytes take at this rate, ns, rounded up.
fn serialisation(bytes: usize, rate: Option<u64>) -> u64 {
    let Some(rate) = rate else { return 0 };
    let ns = (bytes as u128 * 8 * 1_000_000_000).div_ceil(u128::from(rate));
    u64::try_from(ns).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::impair::Impairments;
    use xenemu::FrameId;

    fn waiting(n: u64, len: usize) -> Waiting {
        let frame = Frame {
            id: FrameId { origin: 0, n },
            bytes: vec![0; len].into(),
        };
        let fate = Impairments::new(0, "a-b", "ab").draw(&LinkSettings::default());
        Waiting {
            frame,
            way: fate.ways[0],
        }
    }

    /// 8 Mbit/s: a byte takes a microsecond.
    fn slow() -> LinkSettings {
        LinkSettings {
            rate: Some(8_000_000),
            queue: 250,
            ..LinkSettings::default()
        }
    }

    fn leave(egress: &mut Egress, before: u64, settings: &LinkSettings) -> Option<(u64, u64)> {
        let (end, done) = egress.leave(Time(before), settings)?;
        Some((end.0, done.frame.id.n))
    }

    #[test]
    fn frames_are_serialised_one_after_the_other() {
        let (mut egress, settings) = (Egress::default(), slow());
        for n in 0..3 {
            egress.enter(Time(5), waiting(n, 100), &settings).unwrap();
        }
        let end = u64::MAX;
        assert_eq!(leave(&mut egress, 100_005, &settings), None);
        assert_eq!(leave(&mut egress, end, &settings), Some((100_005, 0)));
        assert_eq!(leave(&mut egress, end, &settings), Some((200_005, 1)));
        assert_eq!(leave(&mut egress, end, &settings), Some((300_005, 2)));
        assert_eq!(leave(&mut egress, end, &settings), None);
    }

    #[test]
    fn the_frame_on_the_wire_takes_no_room_in_the_queue() {
        let (mut egress, settings) = (Egress::default(), slow());
        let entered: Vec<_> = (0..4)
            .map(|n| egress.enter(Time(0), waiting(n, 100), &settings))
            .collect();
        assert_eq!(entered, [Ok(0), Ok(100), Ok(200), Err(QueueFull)]);
    }

    #[test]
    fn a_new_rate_holds_for_what_has_not_begun() {
        let (mut egress, settings) = (Egress::default(), slow());
        egress.enter(Time(0), waiting(0, 100), &settings).unwrap();
        egress.enter(Time(0), waiting(1, 100), &settings).unwrap();
        let faster = LinkSettings {
            rate: Some(80_000_000),
            ..settings
        };
        assert_eq!(leave(&mut egress, u64::MAX, &faster), Some((100_000, 0)));
        assert_eq!(leave(&mut egress, u64::MAX, &faster), Some((110_000, 1)));
    }

    #[test]
    fn a_link_without_a_rate_takes_no_time() {
        let mut egress = Egress::default();
        let settings = LinkSettings::default();
        egress.enter(Time(7), waiting(0, 1500), &settings).unwrap();
        assert_eq!(leave(&mut egress, 8, &settings), Some((7, 0)));
    }

    #[test]
    fn a_power_failure_takes_the_queue_and_the_wire_in_order() {
        let (mut egress, settings) = (Egress::default(), slow());
        for n in 0..3 {
            egress.enter(Time(0), waiting(n, 100), &settings).unwrap();
        }
        let lost: Vec<u64> = egress.lose_all().map(|frame| frame.id.n).collect();
        assert_eq!(lost, [0, 1, 2]);
        assert_eq!(egress.next_end(), None);
        assert_eq!(egress.enter(Time(0), waiting(3, 100), &settings), Ok(0));
    }
}
