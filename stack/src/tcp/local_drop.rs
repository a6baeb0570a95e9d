//! A device's queue that has no room for a packet drops it, and the sender is told (Linux, `NET_XMIT_DROP`). Text that
//! is dropped so was never sent: nothing says anything about the path, and it is tried again after a while
//! (`TCP_RESOURCE_PROBE_INTERVAL`), until the user timeout. Everything else is as if it were lost on the way.

use xen_abi::Instant;

use crate::tcp::connection::{Connection, Marks};
use crate::tcp::deadlines::Timer;
use crate::tcp::shared::Shared;
use crate::tcp::transmit::{Plan, Why};

impl Connection {
    /// The queue drops the segment. Whether it stays to be sent; otherwise it is lost.
    pub fn stays_unsent(&mut self, shared: &Shared, now: Instant, plan: &Plan) -> bool {
        let retry = shared.tcp().local_drop_retry;
        match plan.why {
            Why::Next | Why::MtuProbe | Why::Probe => {
                // What is out brings the next occasion by itself.
                if !self.snd.has_outstanding() && !self.deadlines.is_armed(Timer::Persist) {
                    let wait = if self.marks.contains(Marks::HELD_BACK) {
                        self.unanswered = self.unanswered.saturating_add(1);
                        retry
                    } else {
                        self.rto.since = now;
                        self.rto.timeout(shared.tcp())
                    };
                    self.marks |= Marks::HELD_BACK;
                    self.deadlines.arm(Timer::Persist, now.plus(wait));
                }
                true
            }
            Why::Again | Why::Rescue => {
                let wait = self.rto.timeout(shared.tcp()).min(retry);
                self.deadlines.arm(Timer::Retransmit, now.plus(wait));
                true
            }
            Why::Syn | Why::Tail | Why::KeepAlive | Why::Ack => false,
        }
    }

    /// Whether the device's queue has dropped what there is to send for as long as the application is ready to wait.
    pub fn is_held_back_for_good(&self, shared: &Shared, now: Instant) -> bool {
        self.marks.contains(Marks::HELD_BACK)
            && now.since(self.rto.since) >= self.options.user_timeout(shared.tcp())
    }
}
