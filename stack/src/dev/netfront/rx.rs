//! Frames in: buffers are posted, the backend fills them, the grant is ended and the frame parsed in place.

use alloc::vec::Vec;

use xen_abi::io::netif::{
    NETRXF_CSUM_BLANK, NETRXF_DATA_VALIDATED, NETRXF_EXTRA_INFO, NETRXF_MORE_DATA, NR_SLOTS_MIN,
    NetifRxRequest, NetifRxResponse, RING_SLOTS, RX_STRIDE,
};
use xen_abi::{DomId, Gfn, Hypercalls, PAGE_SIZE};
use zerocopy::{FromZeros, IntoBytes};

use super::{FramePool, Granted, NetfrontError};
use crate::dev::gnttab::{Access, GrantTable};
use crate::dev::ring::FrontRing;

/// Buffers posted at first: an idle domain stays small.
const FIRST_TARGET: u32 = 32;

/// A packet whose last slot has not come.
#[derive(Debug)]
struct Partial {
    bytes: Vec<u8>,
    slots: u32,
    csum_ok: bool,
    /// A slot failed: the packet is dropped at its end.
    failed: bool,
}

/// The receive side.
#[derive(Debug)]
pub struct Rx {
    ring: FrontRing,
    ring_grant: Granted,
    /// What is posted in each slot: a response stands in its request's slot.
    buffers: Vec<Option<Granted>>,
    pool: FramePool,
    target: u32,
    partial: Option<Partial>,
    /// Packets that the backend reported as failed.
    failed: u64,
}

impl Rx {
    /// Initialises the ring; nothing is posted yet.
    pub fn new(xen: &mut dyn Hypercalls, ring_grant: Granted) -> Rx {
        Rx {
            ring: FrontRing::new(xen, ring_grant.frame, RX_STRIDE),
            ring_grant,
            buffers: alloc::vec![None; RING_SLOTS as usize],
            pool: FramePool::default(),
            target: FIRST_TARGET,
            partial: None,
            failed: 0,
        }
    }

    /// Hands every complete frame to `deliver`.
    pub fn receive(
        &mut self,
        xen: &mut dyn Hypercalls,
        grants: &mut GrantTable,
        deliver: &mut dyn FnMut(&[u8], bool),
    ) -> Result<(), NetfrontError> {
        let arrived = self.ring.responses(xen)?;
        // The backend has nearly run out of buffers: post more from now on.
        if self.ring.outstanding() - arrived < self.target / 4 {
            self.target = (self.target * 2).min(RING_SLOTS);
        }
        for _ in 0..arrived {
            let mut response = NetifRxResponse::new_zeroed();
            let slot = self.ring.take(xen, response.as_mut_bytes());
            let posted = self.buffers[slot as usize];
            let buffer = posted
                .filter(|_| u32::from(response.id) == slot)
                .ok_or(NetfrontError::BadId(response.id))?;
            grants.end(xen, buffer.gref)?;
            self.buffers[slot as usize] = None;
            let outcome = self.take_slot(xen, buffer.frame, &response, deliver);
            self.pool.put(xen, buffer.frame);
            outcome?;
        }
        Ok(())
    }

    fn take_slot(
        &mut self,
        xen: &mut dyn Hypercalls,
        frame: Gfn,
        response: &NetifRxResponse,
        deliver: &mut dyn FnMut(&[u8], bool),
    ) -> Result<(), NetfrontError> {
        if response.flags & NETRXF_EXTRA_INFO != 0 {
            return Err(NetfrontError::UnexpectedExtra);
        }
        let more = response.flags & NETRXF_MORE_DATA != 0;
        let csum_ok = response.flags & (NETRXF_CSUM_BLANK | NETRXF_DATA_VALIDATED) != 0;
        // A negative status says that the slot holds nothing.
        let len = u16::try_from(response.status).unwrap_or(0);
        let begin = usize::from(response.offset);
        let extent = begin..begin + usize::from(len);
        if extent.end > PAGE_SIZE {
            return Err(NetfrontError::BadExtent {
                offset: response.offset,
                len,
            });
        }
        if self.partial.is_none() && !more {
            match response.status {
                ..0 => self.failed += 1,
                _ => xen.with_frame(frame, &mut |page| deliver(&page[extent.clone()], csum_ok)),
            }
            return Ok(());
        }
        let partial = self.partial.get_or_insert_with(|| Partial {
            bytes: Vec::new(),
            slots: 0,
            csum_ok,
            failed: false,
        });
        partial.slots += 1;
        partial.failed |= response.status < 0;
        if partial.slots > NR_SLOTS_MIN {
            return Err(NetfrontError::TooManySlots);
        }
        let bytes = &mut partial.bytes;
        xen.with_frame(frame, &mut |page| {
            bytes.extend_from_slice(&page[extent.clone()]);
        });
        if !more && let Some(whole) = self.partial.take() {
            match whole.failed {
                true => self.failed += 1,
                false => deliver(&whole.bytes, whole.csum_ok),
            }
        }
        Ok(())
    }

    /// Posts buffers up to the target, as far as there is memory.
    pub fn refill(&mut self, xen: &mut dyn Hypercalls, grants: &mut GrantTable, backend: DomId) {
        while self.ring.outstanding() < self.target {
            let Some(frame) = self.pool.take(xen) else {
                break;
            };
            let Ok(gref) = grants.grant(xen, backend, frame, Access::ReadWrite) else {
                self.pool.put(xen, frame);
                break;
            };
            let slot = self.ring.next_slot();
            let request = NetifRxRequest {
                id: slot as u16,
                pad: 0,
                gref: gref.0,
            };
            let earlier = self.buffers[slot as usize].replace(Granted { frame, gref });
            assert!(earlier.is_none(), "a free slot holds no buffer");
            self.ring.write(xen, request.as_bytes());
        }
    }

    /// Shows the backend what was posted; whether it wants an event.
    pub fn publish(&mut self, xen: &mut dyn Hypercalls) -> bool {
        self.ring.publish(xen)
    }

    /// Asks for an event at the next frame, and looks a last time.
    pub fn final_check(&self, xen: &mut dyn Hypercalls) -> Result<bool, NetfrontError> {
        Ok(self.ring.final_check(xen, 1)?)
    }

    /// All that is granted, the ring too; free frames go to `pool`.
    pub fn into_granted(self, pool: &mut FramePool) -> Vec<Granted> {
        pool.0.extend(self.pool.0);
        let buffers = self.buffers.into_iter().flatten();
        core::iter::once(self.ring_grant).chain(buffers).collect()
    }
}
