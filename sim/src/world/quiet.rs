//! When a run is over by itself: a function of the merged trace, so that no cut of windows can move it.
//!
//! A world is quiet when no frame is queued, in flight or received and not acted on, every node's last `Busy` or `Idle`
//! is `Idle`, and every guest's last `Timers` names only kinds that finish nothing. (That no action is due and no script
//! unfinished is known elsewhere.)

use std::collections::BTreeSet;

use stack::event::{Event as GuestEvent, TimerKinds};
use xenemu::abi::DomId;
use xenemu::event::Life;
use xenemu::{FrameId, Tap};

use crate::trace::LinkEvent;

/// What is known of the world's activity.
#[derive(Debug, Default)]
pub struct Quiet {
    /// Frames that entered a queue, and neither died nor were acted on.
    underway: u64,
    /// Nodes that are busy.
    busy: BTreeSet<u16>,
    /// Guests whose timers can finish something.
    finishing: BTreeSet<(u16, DomId)>,
}

impl Quiet {
    /// Whether nothing is going on.
    pub fn holds(&self) -> bool {
        self.underway == 0 && self.busy.is_empty() && self.finishing.is_empty()
    }

    /// Frames that entered a queue, and neither died nor were acted on.
    pub fn underway(&self) -> u64 {
        self.underway
    }

    /// A link's event.
    pub fn on_link(&mut self, event: &LinkEvent) {
        match event {
            LinkEvent::Enqueued { .. } => self.underway += 1,
            LinkEvent::Died { .. } => self.underway -= 1,
            LinkEvent::Lost { .. }
            | LinkEvent::QueueFull { .. }
            | LinkEvent::Duplicated { .. }
            | LinkEvent::Corrupted { .. }
            | LinkEvent::Marked { .. }
            | LinkEvent::Serialised { .. } => {}
        }
    }

    /// A node acted on a frame that a link brought.
    pub fn on_arrival(&mut self) {
        self.underway -= 1;
    }

    /// A machine's or switch's event.
    pub fn on_node(&mut self, node: u16, event: &xenemu::Event) {
        match event {
            xenemu::Event::Busy => {
                self.busy.insert(node);
            }
            xenemu::Event::Idle => {
                self.busy.remove(&node);
            }
            xenemu::Event::Life { domid, life } if ends(life) => {
                self.finishing.remove(&(node, *domid));
            }
            _ => {}
        }
    }

    /// A guest's event.
    pub fn on_guest(&mut self, node: u16, domid: DomId, event: &GuestEvent) {
        if let GuestEvent::Timers { kinds } = event {
            if TimerKinds::from_bits_retain(*kinds).contains(TimerKinds::FINISH) {
                self.finishing.insert((node, domid));
            } else {
                self.finishing.remove(&(node, domid));
            }
        }
    }

    /// A node lost its power, and all that went on in it. (What was underway to it dies by its own events.)
    pub fn power_off(&mut self, node: u16) {
        self.busy.remove(&node);
        self.finishing.retain(|(of, _)| *of != node);
    }
}

/// Whether a guest never runs again.
pub fn ends(life: &Life) -> bool {
    match life {
        Life::Shutdown { .. }
        | Life::Crashed { .. }
        | Life::Stuck { .. }
        | Life::Dying
        | Life::Zombie
        | Life::Destroyed => true,
        Life::Created { .. } | Life::Unpaused | Life::Paused | Life::Rebooted { .. } => false,
    }
}

/// The frame that a node acts on for the first time, and the uplink that it came by.
pub fn arrival(event: &xenemu::Event) -> Option<(u32, FrameId)> {
    match event {
        xenemu::Event::FrameAt {
            frame,
            tap: Tap::UplinkIn(uplink),
        }
        | xenemu::Event::FrameDropped {
            frame,
            tap: Tap::UplinkIn(uplink),
            ..
        } => Some((uplink.0, *frame)),
        _ => None,
    }
}

/// Whether a node's encoded event matters to a run whose entries nobody looks at: frames' places, lives, `Busy` and
/// `Idle`. It saves decoding the rest.
pub fn concerns(payload: &[u8]) -> bool {
    matches!(payload.first(), Some(0 | 1 | 2 | 4 | 5))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenemu::event::DropReason;
    use xenemu::{Event, UplinkId};

    const FRAME: FrameId = FrameId { origin: 0, n: 0 };

    #[test]
    fn what_is_skipped_undecoded_concerns_nobody() {
        let tap = Tap::UplinkIn(UplinkId(0));
        let reason = DropReason::Runt;
        let life = Life::Dying;
        let domid = DomId(1);
        for event in [
            Event::Life { domid, life },
            Event::Busy,
            Event::Idle,
            Event::FrameAt { frame: FRAME, tap },
            Event::FrameDropped {
                frame: FRAME,
                tap,
                reason,
            },
        ] {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            assert!(concerns(&bytes), "{event:?}");
        }
    }

    #[test]
    fn a_keep_alive_timer_finishes_nothing_but_a_retransmission_does() {
        let mut quiet = Quiet::default();
        let timers = |kinds: TimerKinds| GuestEvent::Timers {
            kinds: kinds.bits(),
        };
        quiet.on_guest(0, DomId(1), &timers(TimerKinds::KEEP_ALIVE));
        assert!(quiet.holds());
        quiet.on_guest(
            0,
            DomId(1),
            &timers(TimerKinds::KEEP_ALIVE | TimerKinds::FINISH),
        );
        assert!(!quiet.holds());
        let life = Life::Crashed { krate: "x".into() };
        let domid = DomId(1);
        quiet.on_node(0, &Event::Life { domid, life });
        assert!(quiet.holds());
    }

    #[test]
    fn a_frame_is_underway_until_it_dies_or_is_acted_on() {
        let mut quiet = Quiet::default();
        let enqueued = LinkEvent::Enqueued {
            frame: FRAME,
            queued: 0,
        };
        quiet.on_link(&enqueued);
        quiet.on_link(&enqueued);
        quiet.on_link(&LinkEvent::Died { frame: FRAME });
        assert!(!quiet.holds());
        quiet.on_arrival();
        assert!(quiet.holds());
    }
}
