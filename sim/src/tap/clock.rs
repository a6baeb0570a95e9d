//! The world in real time: it is advanced as far as the wall clock has come, and no further.
//!
//! A frame from the tap enters at the world's own time, which lags the wall clock by the length of a turn of this loop;
//! a frame for the tap leaves when the wall clock reaches its stamp. Only here does simulated time follow a real clock,
//! and what comes in is recorded by the world, so that it can happen again without one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use xenemu::Time;

use super::{Place, Tap};
use crate::plan::Plan;
use crate::world::{Builtin, Ended, Observer, Run, RunOptions, World, WorldError, XenMachines};

/// The longest wait between two looks at `stop`.
const NAP: Duration = Duration::from_millis(50);
/// Frames taken from the tap before the world goes on.
const BURST: usize = 256;

/// Serves a plan on a tap until `stop` is set.
pub fn serve(
    plan: &Plan,
    place: &Place,
    tap: &Tap,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Run, WorldError> {
    let options = RunOptions {
        outside: Some(place.machine.clone()),
        ..RunOptions::default()
    };
    let machines = XenMachines(&Builtin);
    let mut world = World::build(plan, &machines, &options)?;
    let started = Instant::now();
    let wall = || Time(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    while !stop.load(Ordering::Relaxed) {
        world.advance(wall(), observer)?;
        for (_, frame) in world.outputs() {
            tap.send(&frame);
        }
        let due = world.next_due().unwrap_or(Time::MAX);
        let nap = Duration::from_nanos(due.since(wall())).min(NAP);
        let first = tap.incoming().recv_timeout(nap);
        for frame in first
            .into_iter()
            .chain(tap.incoming().try_iter())
            .take(BURST)
        {
            world.input(&place.link, &frame)?;
        }
    }
    world.finish(Ended::Caller, observer)
}
