//! The pCPU's turn: a timer fires, or a guest runs to its block.

use xen_abi::sched::ShutdownReason;
use xen_abi::{Block, DomId, Wake};

use super::Machine;
use crate::event::Event;
use crate::guests::Ended;
use crate::sched::Next;

impl Machine {
    pub(super) fn schedule(&mut self) {
        match self.host.hv.queue.first() {
            Some((_, Next::Fire(domid, timer))) => self.host.hv.fire(domid, timer),
            Some((_, Next::Run(domid))) => self.run_guest(domid),
            None => unreachable!("a guest or a timer is due"),
        }
    }

    fn run_guest(&mut self, domid: DomId) {
        let started = self.now();
        self.host.hv.dequeue(domid);
        self.host.hv.update_vcpu_time(domid);
        let (wake, ended) = self
            .run_once(domid)
            .expect("a domain in the queue has a guest");
        self.host.hv.emit(&Event::Run {
            domid,
            wake: wake_code(wake),
            block: ended_code(&ended),
        });
        let cost = started.plus(self.config.costs.run_ns);
        self.host.hv.log.set_clock(cost.max(self.now()));
        self.after_run(domid, ended);
    }

    fn after_run(&mut self, domid: DomId, ended: Ended) {
        let now = self.now();
        match ended {
            Ended::Blocked(Block::Yield) => self.host.hv.requeue(domid, now),
            Ended::Blocked(Block::Halt) if self.host.hv.upcall_pending(domid) => {
                self.host.hv.requeue(domid, now);
            }
            Ended::Blocked(Block::Halt) => self.host.hv.dequeue(domid),
            Ended::Blocked(Block::Suspend) => {
                let reason = ShutdownReason::Suspend;
                self.host.hv.shut_down(domid, reason);
            }
            Ended::Blocked(Block::Shutdown(reason)) => self.host.hv.shut_down(domid, reason),
            Ended::Stuck => self.host.hv.mark_stuck(domid),
            Ended::Crashed(panicked) => self.crash(domid, &panicked.krate, panicked.text),
            Ended::MachineBug(panicked) => self.internal_error = Some(panicked.text),
        }
    }
}

fn wake_code(wake: Wake) -> u8 {
    match wake {
        Wake::Boot { .. } => 0,
        Wake::Running => 1,
        Wake::Resumed { cancelled: false } => 2,
        Wake::Resumed { cancelled: true } => 3,
    }
}

fn ended_code(ended: &Ended) -> u8 {
    match ended {
        Ended::Blocked(Block::Halt) => 0,
        Ended::Blocked(Block::Yield) => 1,
        Ended::Blocked(Block::Suspend) => 2,
        Ended::Blocked(Block::Shutdown(_)) => 3,
        Ended::Stuck => 4,
        Ended::Crashed(_) => 5,
        Ended::MachineBug(_) => 6,
    }
}
