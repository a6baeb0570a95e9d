//! Frames out: built in place in a frame of our own, granted, pushed, taken back when the backend answers.

use alloc::vec::Vec;

use xen_abi::grant_table::GNTTAB_NR_RESERVED_ENTRIES;
use xen_abi::io::netif::{
    NETTXF_CSUM_BLANK, NETTXF_DATA_VALIDATED, NETTXF_MORE_DATA, NR_SLOTS_MIN, NetifTxRequest,
    NetifTxResponse, RING_SLOTS, TX_STRIDE,
};
use xen_abi::{DomId, Hypercalls, PAGE_SIZE};
use zerocopy::{FromZeros, IntoBytes};

use super::{FramePool, Granted, NetfrontError};
use crate::api::DeviceFull;
use crate::dev::gnttab::{Access, GrantTable};
use crate::dev::ring::FrontRing;

/// Destination, source, type.
pub const ETHERNET_HEADER: usize = 14;

/// The largest frame: what one page holds, or what a request's 16-bit size and the agreed number of slots allow.
pub const fn largest_frame(scatter_gather: bool) -> usize {
    let all_slots = NR_SLOTS_MIN as usize * PAGE_SIZE;
    match scatter_gather {
        false => PAGE_SIZE,
        true if all_slots < u16::MAX as usize => all_slots,
        true => u16::MAX as usize,
    }
}

/// The transmit side.
#[derive(Debug)]
pub struct Tx {
    ring: FrontRing,
    ring_grant: Granted,
    /// What each id in use stands for.
    buffers: Vec<Option<Granted>>,
    free_ids: Vec<u16>,
    pool: FramePool,
    /// Where a frame of several pages is built.
    scratch: Vec<u8>,
    /// Packets that the backend dropped.
    dropped: u64,
}

impl Tx {
    /// Initialises the ring.
    pub fn new(xen: &mut dyn Hypercalls, ring_grant: Granted) -> Tx {
        Tx {
            ring: FrontRing::new(xen, ring_grant.frame, TX_STRIDE),
            ring_grant,
            buffers: alloc::vec![None; RING_SLOTS as usize],
            free_ids: (0..RING_SLOTS as u16).rev().collect(),
            pool: FramePool::default(),
            scratch: Vec::new(),
            dropped: 0,
        }
    }

    /// Requests that wait for their response.
    pub fn outstanding(&self) -> u32 {
        self.ring.outstanding()
    }

    /// Sends one frame; the backend sees it at the next [`Tx::publish`].
    pub fn send(
        &mut self,
        xen: &mut dyn Hypercalls,
        grants: &mut GrantTable,
        backend: DomId,
        len: usize,
        needs_csum: bool,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        let slots = len.div_ceil(PAGE_SIZE).max(1);
        assert!(slots <= NR_SLOTS_MIN as usize);
        if (self.ring.free() as usize) < slots || !grants.reserve(xen, slots) {
            return Err(DeviceFull);
        }
        // Pages that were filled, in their order.
        let mut frames = [None; NR_SLOTS_MIN as usize];
        for n in 0..slots {
            frames[n] = self.pool.take(xen);
            if frames[n].is_none() {
                frames[..n]
                    .iter()
                    .flatten()
                    .for_each(|f| self.pool.put(xen, *f));
                return Err(DeviceFull);
            }
        }
        let frames = frames.into_iter().flatten();
        if slots == 1 {
            for frame in frames.clone() {
                xen.with_frame(frame, &mut |page| fill(&mut page[..len]));
            }
        } else {
            self.scratch.resize(len, 0);
            fill(&mut self.scratch);
            for (frame, piece) in frames.clone().zip(self.scratch.chunks(PAGE_SIZE)) {
                xen.with_frame(frame, &mut |page| {
                    page[..piece.len()].copy_from_slice(piece)
                });
            }
        }
        for (n, frame) in frames.enumerate() {
            let gref = grants
                .grant(xen, backend, frame, Access::ReadOnly)
                .expect("entries were reserved, and the frame's number fits");
            let begin = n * PAGE_SIZE;
            let mut flags = 0;
            if n == 0 && needs_csum {
                flags |= NETTXF_CSUM_BLANK | NETTXF_DATA_VALIDATED;
            }
            if n + 1 < slots {
                flags |= NETTXF_MORE_DATA;
            }
            // The first request carries the whole packet's size, later ones their own part's.
            let size = if n == 0 {
                len
            } else {
                (len - begin).min(PAGE_SIZE)
            };
            self.push(xen, Granted { frame, gref }, size, flags);
        }
        Ok(())
    }

    fn push(&mut self, xen: &mut dyn Hypercalls, buffer: Granted, size: usize, flags: u16) {
        assert!(buffer.gref.0 >= GNTTAB_NR_RESERVED_ENTRIES);
        let id = self.free_ids.pop().expect("a free slot has a free id");
        let request = NetifTxRequest {
            gref: buffer.gref.0,
            offset: 0,
            flags,
            id,
            size: u16::try_from(size).expect("a frame's size fits"),
        };
        let earlier = self.buffers[usize::from(id)].replace(buffer);
        assert!(earlier.is_none(), "an id stands for one request");
        self.ring.write(xen, request.as_bytes());
    }

    /// Shows the backend what was sent; whether it wants an event.
    pub fn publish(&mut self, xen: &mut dyn Hypercalls) -> bool {
        self.ring.publish(xen)
    }

    /// Takes back what the backend has answered.
    pub fn reap(
        &mut self,
        xen: &mut dyn Hypercalls,
        grants: &mut GrantTable,
    ) -> Result<(), NetfrontError> {
        for _ in 0..self.ring.responses(xen)? {
            let mut response = NetifTxResponse::new_zeroed();
            self.ring.take(xen, response.as_mut_bytes());
            let id = response.id;
            let slot = self.buffers.get_mut(usize::from(id));
            let buffer = slot.and_then(|slot| slot.as_ref().copied());
            let buffer = buffer.ok_or(NetfrontError::BadId(id))?;
            grants.end(xen, buffer.gref)?;
            self.buffers[usize::from(id)] = None;
            self.free_ids.push(id);
            self.pool.put(xen, buffer.frame);
            self.dropped += u64::from(response.status < 0);
        }
        Ok(())
    }

    /// Asks for an event when half of what is outstanding is answered: fewer events, and none is ever missing.
    pub fn final_check(&self, xen: &mut dyn Hypercalls) -> Result<bool, NetfrontError> {
        let after = self.ring.outstanding() / 2 + 1;
        Ok(self.ring.final_check(xen, after)?)
    }

    /// All that is granted, the ring too; free frames go to `pool`.
    pub fn into_granted(self, pool: &mut FramePool) -> Vec<Granted> {
        pool.0.extend(self.pool.0);
        let buffers = self.buffers.into_iter().flatten();
        core::iter::once(self.ring_grant).chain(buffers).collect()
    }
}
