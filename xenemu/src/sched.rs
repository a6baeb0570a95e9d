//! The scheduler's queue and the virtual CPUs' timers.
//!
//! One pCPU runs one guest at a time, to its block. Guests that can run wait in order of (wake, domain); timers that
//! will fire wait beside them, and count as guests: at one instant they come after dom0's actors.

use std::collections::BTreeSet;

use xen_abi::event_channel::VIRQ_TIMER;
use xen_abi::sched::{SchedOp, ShutdownReason};
use xen_abi::shared_info::VCPU_EVTCHN_UPCALL_PENDING;
use xen_abi::vcpu::VcpuOp;
use xen_abi::{DomId, Errno, HypercallResult, Width};

use crate::domain::NR_WATCHDOGS;
use crate::event::{Event, Life, Op};
use crate::hypervisor::Hypervisor;
use crate::time::Time;

/// What a timer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The single-shot timer: `VIRQ_TIMER`.
    SingleShot,
    /// A watchdog: the domain is shut down.
    Watchdog(u8),
}

/// Who waits for the pCPU, and when which timer fires.
#[derive(Default)]
pub struct RunQueue {
    runnable: BTreeSet<(Time, DomId)>,
    timers: BTreeSet<(Time, DomId, Timer)>,
}

/// What the scheduler does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Fire(DomId, Timer),
    Run(DomId),
}

impl RunQueue {
    /// When a guest wants to run or a timer fires.
    pub(crate) fn next_due(&self) -> Option<Time> {
        let run = self.runnable.first().map(|entry| entry.0);
        let timer = self.timers.first().map(|entry| entry.0);
        run.into_iter().chain(timer).min()
    }

    /// The first of those by (due, domain); a domain's timer fires before the domain runs.
    pub(crate) fn first(&self) -> Option<(Time, Next)> {
        let run = self
            .runnable
            .first()
            .map(|&(at, domid)| (at, domid, Next::Run(domid)));
        let timer = self
            .timers
            .first()
            .map(|&(at, domid, timer)| (at, domid, Next::Fire(domid, timer)));
        timer
            .into_iter()
            .chain(run)
            .min_by_key(|&(at, domid, _)| (at, domid))
            .map(|(at, _, next)| (at, next))
    }

    /// Whether a guest waits for the pCPU.
    pub(crate) fn is_busy(&self) -> bool {
        !self.runnable.is_empty()
    }
}

impl Hypervisor {
    /// Makes a domain runnable now, if it is blocked.
    pub(crate) fn wake(&mut self, domid: DomId) {
        let now = self.now();
        self.change_vcpu(domid, |domain| {
            domain.vcpu.wake.get_or_insert(now);
        });
    }

    /// Makes a domain runnable at `at`, though it has just been: a yield is over.
    pub(crate) fn requeue(&mut self, domid: DomId, at: Time) {
        self.change_vcpu(domid, |domain| domain.vcpu.wake = Some(at));
    }

    /// Whether an event waits for the domain: `vcpu_info.evtchn_upcall_pending`.
    pub(crate) fn upcall_pending(&self, domid: DomId) -> bool {
        let page = self.domains.get(domid).and_then(|d| d.shared_info);
        page.is_some_and(|page| {
            self.memory
                .load(page, VCPU_EVTCHN_UPCALL_PENDING as usize, Width::B1)
                != 0
        })
    }

    /// Takes a domain out of the queue to run it.
    pub(crate) fn dequeue(&mut self, domid: DomId) {
        self.change_vcpu(domid, |domain| domain.vcpu.wake = None);
    }

    /// `domain_pause`, as the toolstack's verb.
    pub(crate) fn pause(&mut self, domid: DomId) {
        self.change_vcpu(domid, |domain| domain.vcpu.paused = true);
    }

    /// `domain_unpause`
    pub(crate) fn unpause(&mut self, domid: DomId) {
        self.change_vcpu(domid, |domain| domain.vcpu.paused = false);
    }

    /// `domain_resume`: a suspend is over.
    pub(crate) fn resume(&mut self, domid: DomId) {
        self.change_vcpu(domid, |domain| domain.shutdown = None);
        self.wake(domid);
    }

    /// The domain spins: it is never run again.
    pub(crate) fn mark_stuck(&mut self, domid: DomId) {
        self.change_vcpu(domid, |domain| domain.stuck = true);
        self.stop_timers(domid);
        let frame = self.domains.get(domid).and_then(|d| d.last_frame);
        self.emit(&Event::Life {
            domid,
            life: Life::Stuck { frame },
        });
    }

    /// `domain_shutdown`: the domain keeps its pages and grants, and never runs again.
    pub(crate) fn shut_down(&mut self, domid: DomId, reason: ShutdownReason) {
        let Some(domain) = self.domains.get(domid) else {
            return;
        };
        if domain.shutdown.is_some() || domain.dying {
            return;
        }
        self.change_vcpu(domid, |domain| domain.shutdown = Some(reason));
        self.stop_timers(domid);
        self.emit(&Event::Life {
            domid,
            life: Life::Shutdown {
                reason: reason as u8,
            },
        });
        self.dom_exc.push_back(domid);
    }

    pub(crate) fn stop_timers(&mut self, domid: DomId) {
        self.set_singleshot(domid, None);
        for n in 0..NR_WATCHDOGS {
            self.set_watchdog(domid, n, None);
        }
    }

    /// Changes what decides whether the domain can run, and keeps the queue in step.
    pub(crate) fn change_vcpu(
        &mut self,
        domid: DomId,
        change: impl FnOnce(&mut crate::domain::Domain),
    ) {
        let Some(domain) = self.domains.get_mut(domid) else {
            return;
        };
        let before = domain.runnable();
        change(domain);
        let after = domain.runnable();
        if before != after {
            if let Some(at) = before {
                assert!(self.queue.runnable.remove(&(at, domid)));
            }
            if let Some(at) = after {
                self.queue.runnable.insert((at, domid));
            }
        }
    }

    fn set_singleshot(&mut self, domid: DomId, at: Option<Time>) {
        let Some(domain) = self.domains.get_mut(domid) else {
            return;
        };
        let before = std::mem::replace(&mut domain.vcpu.timer, at);
        self.move_timer(domid, Timer::SingleShot, before, at);
    }

    fn set_watchdog(&mut self, domid: DomId, n: usize, at: Option<Time>) {
        let Some(domain) = self.domains.get_mut(domid) else {
            return;
        };
        let before = std::mem::replace(&mut domain.vcpu.watchdogs[n], at);
        self.move_timer(domid, Timer::Watchdog(n as u8), before, at);
    }

    fn move_timer(&mut self, domid: DomId, timer: Timer, from: Option<Time>, to: Option<Time>) {
        if let Some(at) = from {
            assert!(self.queue.timers.remove(&(at, domid, timer)));
        }
        if let Some(at) = to {
            self.queue.timers.insert((at, domid, timer));
        }
    }

    /// A timer fires.
    pub(crate) fn fire(&mut self, domid: DomId, timer: Timer) {
        match timer {
            Timer::SingleShot => {
                self.set_singleshot(domid, None);
                self.raise_virq(domid, VIRQ_TIMER);
            }
            Timer::Watchdog(n) => {
                self.set_watchdog(domid, n.into(), None);
                self.shut_down(domid, ShutdownReason::Watchdog);
            }
        }
    }

    /// `HYPERVISOR_vcpu_op` on behalf of `caller`, at `now` of its own clock.
    pub fn vcpu_op(&mut self, caller: DomId, vcpu: u32, op: &VcpuOp, now: Time) -> HypercallResult {
        let (name, args) = match op {
            VcpuOp::SetSingleshotTimer {
                timeout_abs,
                future,
            } => (
                Op::VcpuSetSingleshotTimer,
                [timeout_abs.0, u64::from(*future)],
            ),
            VcpuOp::StopSingleshotTimer => (Op::VcpuStopSingleshotTimer, [vcpu.into(), 0]),
            VcpuOp::StopPeriodicTimer | VcpuOp::IsUp | VcpuOp::Unknown { .. } => {
                (Op::VcpuOther, [vcpu.into(), 0])
            }
        };
        let result = self.do_vcpu_op(caller, vcpu, op, now);
        self.report(caller, name, args, result)
    }

    fn do_vcpu_op(&mut self, caller: DomId, vcpu: u32, op: &VcpuOp, now: Time) -> HypercallResult {
        self.domain(caller)?.vcpu(vcpu)?;
        match op {
            VcpuOp::SetSingleshotTimer {
                timeout_abs,
                future,
            } => {
                if *future && *timeout_abs < self.system_time(now) {
                    return Err(Errno::ETIME);
                }
                let at = self.world_time(*timeout_abs);
                self.set_singleshot(caller, Some(at));
                Ok(0)
            }
            VcpuOp::StopSingleshotTimer => {
                self.set_singleshot(caller, None);
                Ok(0)
            }
            VcpuOp::StopPeriodicTimer => Ok(0),
            VcpuOp::IsUp => Ok(1),
            VcpuOp::Unknown { .. } => Err(Errno::ENOSYS),
        }
    }

    /// `HYPERVISOR_sched_op` on behalf of `caller`.
    pub fn sched_op(&mut self, caller: DomId, op: &SchedOp) -> HypercallResult {
        let (name, args, result) = match *op {
            SchedOp::Watchdog { id, timeout } => (
                Op::SchedWatchdog,
                [id.into(), timeout.into()],
                self.watchdog(caller, id, timeout),
            ),
            SchedOp::Unknown { cmd } => (Op::SchedUnknown, [cmd.into(), 0], Err(Errno::ENOSYS)),
        };
        self.report(caller, name, args, result)
    }

    /// `domain_watchdog`
    fn watchdog(&mut self, caller: DomId, id: u32, timeout: u32) -> HypercallResult {
        let watchdogs = self.domain(caller)?.vcpu.watchdogs;
        let bites = self.now().plus(u64::from(timeout) * 1_000_000_000);
        if id as usize > NR_WATCHDOGS {
            return Err(Errno::EINVAL);
        }
        if id == 0 {
            let n = watchdogs
                .iter()
                .position(Option::is_none)
                .ok_or(Errno::ENOSPC)?;
            self.set_watchdog(caller, n, Some(bites));
            return Ok(n as u64 + 1);
        }
        let n = id as usize - 1;
        if watchdogs[n].is_none() {
            return Err(Errno::EINVAL);
        }
        self.set_watchdog(caller, n, (timeout != 0).then_some(bites));
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use xen_abi::Instant;

    use super::*;
    use crate::fixture::{A, B, two_domains};

    const UPTIME: u64 = 5_000_000_000;

    fn arm(hv: &mut Hypervisor, at: u64, future: bool) -> HypercallResult {
        let op = VcpuOp::SetSingleshotTimer {
            timeout_abs: Instant(at),
            future,
        };
        let now = hv.now();
        hv.vcpu_op(A, 0, &op, now)
    }

    #[test]
    fn guests_wait_in_order_of_wake_and_number() {
        let mut hv = two_domains();
        hv.wake(B);
        hv.wake(A);
        assert_eq!(hv.queue.first(), Some((Time(0), Next::Run(A))));
        hv.requeue(A, Time(7));
        assert_eq!(hv.queue.first(), Some((Time(0), Next::Run(B))));
        hv.pause(B);
        assert_eq!(hv.queue.first(), Some((Time(7), Next::Run(A))));
        hv.unpause(B);
        assert_eq!(hv.queue.first(), Some((Time(0), Next::Run(B))));
    }

    #[test]
    fn a_timer_is_absolute_in_system_time_and_fires_before_its_domain_runs() {
        let mut hv = two_domains();
        assert_eq!(arm(&mut hv, UPTIME + 30, true), Ok(0));
        hv.requeue(A, Time(30));
        let fire = Next::Fire(A, Timer::SingleShot);
        assert_eq!(hv.queue.first(), Some((Time(30), fire)));
        let stopped = hv.vcpu_op(A, 0, &VcpuOp::StopSingleshotTimer, Time(0));
        assert_eq!(stopped, Ok(0));
        assert_eq!(hv.queue.first(), Some((Time(30), Next::Run(A))));
    }

    #[test]
    fn a_timer_in_the_past_fires_at_once_unless_it_had_to_lie_in_the_future() {
        let mut hv = two_domains();
        assert_eq!(arm(&mut hv, UPTIME - 1, true), Err(Errno::ETIME));
        assert_eq!(hv.queue.next_due(), None);
        assert_eq!(arm(&mut hv, UPTIME - 1, false), Ok(0));
        assert_eq!(hv.queue.next_due(), Some(Time(0)));
    }

    #[test]
    fn there_is_one_vcpu() {
        let mut hv = two_domains();
        let up = hv.vcpu_op(A, 0, &VcpuOp::IsUp, Time(0));
        assert_eq!(up, Ok(1));
        let none = hv.vcpu_op(A, 1, &VcpuOp::IsUp, Time(0));
        assert_eq!(none, Err(Errno::ENOENT));
    }

    #[test]
    fn a_watchdog_bites_unless_it_is_kicked() {
        let mut hv = two_domains();
        let dog = |id, timeout| SchedOp::Watchdog { id, timeout };
        assert_eq!(hv.sched_op(A, &dog(0, 1)), Ok(1));
        assert_eq!(hv.sched_op(A, &dog(1, 2)), Ok(0));
        assert_eq!(hv.sched_op(A, &dog(2, 2)), Err(Errno::EINVAL));
        assert_eq!(hv.sched_op(A, &dog(0, 1)), Ok(2));
        assert_eq!(hv.sched_op(A, &dog(0, 1)), Err(Errno::ENOSPC));
        let (at, Next::Fire(A, timer)) = hv.queue.first().unwrap() else {
            panic!("the watchdog is next");
        };
        assert_eq!((at, timer), (Time(1_000_000_000), Timer::Watchdog(1)));
        hv.fire(A, timer);
        let reason = hv.domain(A).unwrap().shutdown;
        assert_eq!(reason, Some(ShutdownReason::Watchdog));
        assert_eq!(hv.queue.next_due(), None, "nothing fires any more");
    }
}
