//! The front end of a shared ring (`xen/io/ring.h`): requests out, responses in, events only when they are wanted.
//!
//! Our own indices live here and not in the page, so that a peer that scribbles over it moves nothing but its own.

use thiserror::Error;
use xen_abi::io::netif::RING_SLOTS;
use xen_abi::io::ring::{REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, SLOTS, wants_event};
use xen_abi::{Gfn, Gpa, Hypercalls, Width};

/// The peer's producer index names responses to requests that were never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the backend answers {claimed} of {outstanding} requests")]
pub struct RingOverrun {
    /// How many responses there would be.
    pub claimed: u32,
    /// How many requests are outstanding.
    pub outstanding: u32,
}

/// The front end of one ring of [`RING_SLOTS`] slots.
#[derive(Debug)]
pub struct FrontRing {
    page: Gfn,
    stride: u64,
    /// Requests written, and of these published.
    written: u32,
    published: u32,
    /// Responses taken.
    taken: u32,
}

impl FrontRing {
    /// Initialises a ring in `page`, whatever it held. Both event indices begin at 1: the first one is wanted.
    pub fn new(xen: &mut dyn Hypercalls, page: Gfn, stride: u64) -> FrontRing {
        let base = page.gpa();
        for (offset, value) in [(REQ_PROD, 0), (RSP_PROD, 0), (REQ_EVENT, 1), (RSP_EVENT, 1)] {
            xen.store(base.add(offset), Width::B4, value);
        }
        FrontRing {
            page,
            stride,
            written: 0,
            published: 0,
            taken: 0,
        }
    }

    /// The ring's page.
    pub fn page(&self) -> Gfn {
        self.page
    }

    /// Slots that no request occupies.
    pub fn free(&self) -> u32 {
        RING_SLOTS - self.outstanding()
    }

    /// Requests that wait for their response.
    pub fn outstanding(&self) -> u32 {
        self.written.wrapping_sub(self.taken)
    }

    /// The slot's number that the next request will have.
    pub fn next_slot(&self) -> u32 {
        self.written % RING_SLOTS
    }

    /// Writes a request into the next slot; the peer does not see it yet.
    pub fn write(&mut self, xen: &mut dyn Hypercalls, request: &[u8]) {
        assert!(self.free() > 0 && request.len() as u64 <= self.stride);
        let at = self.slot(self.written);
        xen.write(at, request);
        self.written = self.written.wrapping_add(1);
    }

    /// Publishes what was written; whether the peer wants an event for that.
    pub fn publish(&mut self, xen: &mut dyn Hypercalls) -> bool {
        if self.written == self.published {
            return false;
        }
        let base = self.page.gpa();
        xen.store(base.add(REQ_PROD), Width::B4, u64::from(self.written));
        xen.fence();
        let event = xen.load(base.add(REQ_EVENT), Width::B4) as u32;
        let old = core::mem::replace(&mut self.published, self.written);
        wants_event(old, self.published, event)
    }

    /// How many responses wait.
    pub fn responses(&self, xen: &mut dyn Hypercalls) -> Result<u32, RingOverrun> {
        let produced = xen.load(self.page.gpa().add(RSP_PROD), Width::B4) as u32;
        let claimed = produced.wrapping_sub(self.taken);
        let outstanding = self.published.wrapping_sub(self.taken);
        if claimed > outstanding {
            return Err(RingOverrun {
                claimed,
                outstanding,
            });
        }
        Ok(claimed)
    }

    /// Copies the next response, which [`FrontRing::responses`] must have counted, and frees its slot. The slot's
    /// number comes with it. One copy: the peer may go on writing.
    pub fn take(&mut self, xen: &mut dyn Hypercalls, response: &mut [u8]) -> u32 {
        assert!(self.taken != self.published && response.len() as u64 <= self.stride);
        let index = self.taken;
        xen.read(self.slot(index), response);
        self.taken = self.taken.wrapping_add(1);
        index % RING_SLOTS
    }

    /// Asks for an event when `after` more responses are there, then looks a last time: whether some came meanwhile.
    /// `RING_FINAL_CHECK_FOR_RESPONSES`.
    pub fn final_check(&self, xen: &mut dyn Hypercalls, after: u32) -> Result<bool, RingOverrun> {
        let event = self.taken.wrapping_add(after.max(1));
        let at = self.page.gpa().add(RSP_EVENT);
        xen.store(at, Width::B4, u64::from(event));
        xen.fence();
        Ok(self.responses(xen)? >= after.max(1))
    }

    fn slot(&self, index: u32) -> Gpa {
        let offset = u64::from(index % RING_SLOTS) * self.stride;
        self.page.gpa().add(SLOTS + offset)
    }
}
