//! The world in real time: it is advanced as far as the wall clock has come, and no further.
//!
//! A frame from the tap enters the world at the instant that the wall clock shows when it is taken; a frame for the tap
//! leaves when the wall clock reaches its stamp. A world that cannot keep up is late and stays in order: it runs as fast
//! as it can in short strides, in each of which signals and frames have their turn, and more frames than wait in the tap's
//! bounded queue are lost as on any wire. Only here does simulated time follow a real clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use xenemu::Time;

use super::{Place, Tap};
use crate::plan::Plan;
use crate::world::{Builtin, Ended, Observer, Run, RunOptions, World, WorldError, XenMachines};

/// The longest wait between two looks at `stop`.
const NAP: Duration = Duration::from_millis(50);
/// The longest piece of simulated time between two looks at `stop` and the tap, ns.
const STRIDE: u64 = 100_000_000;
/// Frames taken from the tap before the world goes on.
const BURST: usize = 256;

/// Why serving is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// `stop` was set.
    Stopped,
    /// The interface was deleted.
    TapGone,
}

/// Serves a plan on a tap until `stop` is set or the tap is gone.
pub fn serve(
    plan: &Plan,
    place: &Place,
    tap: &Tap,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<(Run, Over), WorldError> {
    let options = RunOptions {
        outside: Some(place.machine.clone()),
        ..RunOptions::default()
    };
    let machines = XenMachines(&Builtin);
    let mut world = World::build(plan, &machines, &options)?;
    let clock = Clock(Instant::now());
    let over = loop {
        if stop.load(Ordering::Relaxed) {
            break Over::Stopped;
        }
        let due = world.next_due().unwrap_or(Time::MAX);
        let first = match tap.incoming().recv_timeout(clock.until(due).min(NAP)) {
            Ok(frame) => Some(frame),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break Over::TapGone,
        };
        let stride = world.now().plus(STRIDE);
        world.advance(clock.now().min(stride), observer)?;
        for (at, frame) in world.outputs() {
            assert!(at <= clock.now(), "a frame leaves before its time");
            tap.send(&frame);
        }
        let waiting = tap.incoming().try_iter().take(BURST);
        for frame in first.into_iter().chain(waiting) {
            world.input(&place.link, &frame)?;
        }
    };
    Ok((world.finish(Ended::Caller, observer)?, over))
}

/// The wall clock, counting from the world's beginning.
struct Clock(Instant);

impl Clock {
    fn now(&self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
    /// How long it is until `at`.
    fn until(&self, at: Time) -> Duration {
        Duration::from_nanos(at.since(self.now()))
    }
}
