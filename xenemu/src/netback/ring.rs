//! The backend's end of a shared ring: `BACK_RING` of `xen/io/ring.h`, one shared-memory access a method.
//!
//! Everything on the page belongs to the frontend as much as to us: an index is read once and checked, a request is
//! copied out once and never looked at again.

use xen_abi::io::netif::RING_SLOTS;
use xen_abi::io::ring::{REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, SLOTS};
use xen_abi::{DomId, Gpa, GrantRef, Width};

use crate::gnttab::MappedPage;
use crate::hypervisor::Hypervisor;
use crate::xenstore::perms::DOM0;

/// What the frontend did that no frontend does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// It says that it produced more requests than the ring holds.
    #[error("{0} requests in a ring of {RING_SLOTS}")]
    RingOverrun(u32),
    /// A packet goes on in a slot that wasn't produced.
    #[error("a packet goes on beyond the producer index")]
    MissingSlot,
    /// A packet of absurdly many slots.
    #[error("a packet takes {0} slots")]
    TooManySlots(usize),
    /// A slot's bytes leave its page.
    #[error("offset {offset} and size {size} cross a page")]
    CrossesPage {
        /// Where they begin.
        offset: u16,
        /// How many they are.
        size: u16,
    },
    /// An extra of a kind that doesn't exist.
    #[error("extra of type {0}")]
    BadExtra(u8),
}

/// A mapped ring.
#[derive(Debug)]
pub struct BackRing {
    page: MappedPage,
    stride: u64,
    /// The next request to be looked at.
    pub req_cons: u32,
    /// Responses written, of which those up to `pushed` are the frontend's.
    rsp_prod: u32,
    pushed: u32,
}

impl BackRing {
    /// Maps the ring that `granter` shows, and goes on where its shared indices stand (`BACK_RING_ATTACH`): a
    /// frontend may have posted requests before we came, and our predecessor may have answered some.
    pub fn attach(
        hv: &mut Hypervisor,
        granter: DomId,
        gref: GrantRef,
        stride: u64,
    ) -> Result<BackRing, String> {
        let page = hv.map_page(DOM0, granter, gref, false);
        let page = page.map_err(|status| format!("cannot map ring-ref {}: {status}", gref.0))?;
        let mut ring = BackRing {
            page,
            stride,
            req_cons: 0,
            rsp_prod: 0,
            pushed: 0,
        };
        let rsp_prod = ring.load(hv, RSP_PROD);
        let req_prod = ring.load(hv, REQ_PROD);
        if req_prod.wrapping_sub(rsp_prod) > RING_SLOTS {
            ring.detach(hv);
            let overrun = Nonsense::RingOverrun(req_prod.wrapping_sub(rsp_prod));
            return Err(overrun.to_string());
        }
        (ring.req_cons, ring.rsp_prod, ring.pushed) = (rsp_prod, rsp_prod, rsp_prod);
        Ok(ring)
    }

    /// Unmaps the ring.
    pub fn detach(self, hv: &mut Hypervisor) {
        hv.unmap_page(DOM0, self.page);
    }

    /// `req_prod`, if it can be true: neither behind what was taken, nor more than a ring beyond what was answered
    /// (`RING_REQUEST_PROD_OVERFLOW`).
    pub fn load_req_prod(&self, hv: &mut Hypervisor) -> Result<u32, Nonsense> {
        let prod = self.load(hv, REQ_PROD);
        let new = prod.wrapping_sub(self.req_cons);
        let unanswered = prod.wrapping_sub(self.rsp_prod);
        if new > RING_SLOTS || unanswered > RING_SLOTS {
            return Err(Nonsense::RingOverrun(new.max(unanswered)));
        }
        Ok(prod)
    }

    /// Copies the next request out, and moves on.
    pub fn take_request<const N: usize>(&mut self, hv: &mut Hypervisor) -> [u8; N] {
        let at = self.slot(self.req_cons);
        let mut request = [0; N];
        hv.read(DOM0, at, &mut request).expect("a mapped page");
        self.req_cons = self.req_cons.wrapping_add(1);
        request
    }

    /// `req_event`: from which request on the frontend shall send an event.
    pub fn store_req_event(&self, hv: &mut Hypervisor, event: u32) {
        self.store(hv, REQ_EVENT, event);
    }

    /// Writes the next response.
    pub fn put_response(&mut self, hv: &mut Hypervisor, response: &[u8]) {
        let at = self.slot(self.rsp_prod);
        hv.write(DOM0, at, response).expect("a mapped page");
        self.rsp_prod = self.rsp_prod.wrapping_add(1);
    }

    /// Whether responses were written that the frontend doesn't see yet.
    pub fn has_unpushed(&self) -> bool {
        self.rsp_prod != self.pushed
    }

    /// Shows the frontend what was written; the producer index before that, for [`wants_event`].
    ///
    /// [`wants_event`]: xen_abi::io::ring::wants_event
    pub fn push_responses(&mut self, hv: &mut Hypervisor) -> u32 {
        let old = std::mem::replace(&mut self.pushed, self.rsp_prod);
        self.store(hv, RSP_PROD, self.rsp_prod);
        old
    }

    /// Whether the frontend, which saw responses up to `old`, wants an event for those since.
    pub fn wants_event(&self, hv: &mut Hypervisor, old: u32) -> bool {
        let event = self.load(hv, RSP_EVENT);
        xen_abi::io::ring::wants_event(old, self.pushed, event)
    }

    fn slot(&self, index: u32) -> Gpa {
        let at = SLOTS + u64::from(index % RING_SLOTS) * self.stride;
        self.page.at.add(at)
    }

    fn load(&self, hv: &mut Hypervisor, offset: u64) -> u32 {
        let value = hv.load(DOM0, self.page.at.add(offset), Width::B4);
        value.expect("a mapped page") as u32
    }

    fn store(&self, hv: &mut Hypervisor, offset: u64, value: u32) {
        let at = self.page.at.add(offset);
        hv.store(DOM0, at, Width::B4, value.into())
            .expect("a mapped page");
    }
}
