//! `HYPERVISOR_memory_op`: a domain's guest-physical map and its reservation.

use xen_abi::memory::{MapSpace, MemmapEntry, MemoryOp};
use xen_abi::start_info::{MEMMAP_TYPE_RAM, MEMMAP_TYPE_RESERVED};
use xen_abi::{DomId, Errno, Gfn, HypercallResult};

use crate::event::Op;
use crate::hypervisor::Hypervisor;
use crate::physmap::{Entry, SPECIAL_BASE, SPECIAL_PAGES, XenPage};

/// Extents of one call: a guest asks again for more.
const MAX_EXTENTS: usize = 1 << 16;

impl Hypervisor {
    /// `HYPERVISOR_memory_op` on behalf of `caller`.
    pub fn memory_op(&mut self, caller: DomId, op: &mut MemoryOp<'_>) -> HypercallResult {
        let (name, args) = describe(op);
        let result = self.do_memory_op(caller, op);
        self.report(caller, name, args, result)
    }

    fn do_memory_op(&mut self, caller: DomId, op: &mut MemoryOp<'_>) -> HypercallResult {
        match op {
            MemoryOp::AddToPhysmap {
                domid,
                space,
                idx,
                gpfn,
            } => {
                let dom = self.privileged_over(caller, *domid)?;
                self.add_to_physmap(dom, *space, *idx, *gpfn)
            }
            MemoryOp::RemoveFromPhysmap { domid, gpfn } => {
                let dom = self.privileged_over(caller, *domid)?;
                let domain = self.domains.get_mut(dom).ok_or(Errno::ESRCH)?;
                match domain.physmap.entry(*gpfn) {
                    // A mapped grant is ended by unmapping it.
                    Entry::Hole | Entry::Grant { .. } => Err(Errno::ENOENT),
                    _ => {
                        domain.physmap.remove(*gpfn, &mut self.memory);
                        Ok(0)
                    }
                }
            }
            MemoryOp::MemoryMap { entries } => {
                **entries = memory_map(self.domain(caller)?.physmap.ram_frames());
                Ok(0)
            }
            MemoryOp::DecreaseReservation { domid, extents } => {
                let dom = self.privileged_over(caller, *domid)?;
                self.decrease_reservation(dom, extents)
            }
            MemoryOp::PopulatePhysmap { domid, extents } => {
                let dom = self.privileged_over(caller, *domid)?;
                self.populate_physmap(dom, extents)
            }
            MemoryOp::CurrentReservation { domid } => {
                let dom = self.privileged_over(caller, *domid)?;
                Ok(self.domain(dom)?.physmap.pages())
            }
            MemoryOp::MaximumReservation { domid } => {
                let dom = self.privileged_over(caller, *domid)?;
                Ok(self.domain(dom)?.max_pages)
            }
            MemoryOp::Unknown { .. } => Err(Errno::ENOSYS),
        }
    }

    fn add_to_physmap(
        &mut self,
        dom: DomId,
        space: MapSpace,
        idx: u64,
        gpfn: Gfn,
    ) -> HypercallResult {
        let domain = self.domains.get_mut(dom).ok_or(Errno::ESRCH)?;
        let (frame, page) = match space {
            MapSpace::SharedInfo if idx == 0 => {
                let frame = domain.shared_info.ok_or(Errno::EINVAL)?;
                (frame, XenPage::SharedInfo)
            }
            MapSpace::GrantTable => {
                let frame = domain.grants.frame(idx, &mut self.memory);
                let n = u32::try_from(idx).map_err(|_| Errno::EINVAL)?;
                (frame.ok_or(Errno::EINVAL)?, XenPage::GrantTable(n))
            }
            MapSpace::SharedInfo | MapSpace::Other(_) => return Err(Errno::EINVAL),
        };
        if !domain.physmap.in_range(gpfn) {
            return Err(Errno::EINVAL);
        }
        if let Entry::Grant { .. } = domain.physmap.entry(gpfn) {
            return Err(Errno::EBUSY);
        }
        // The page is moved here if it lies elsewhere, and what was here is lost.
        self.memory.hold(frame);
        domain.physmap.remove_xen_page(page, &mut self.memory);
        domain.physmap.remove(gpfn, &mut self.memory);
        domain.physmap.insert(gpfn, Entry::Xen(frame, page));
        Ok(0)
    }

    fn decrease_reservation(&mut self, dom: DomId, extents: &[Gfn]) -> HypercallResult {
        let domain = self.domains.get_mut(dom).ok_or(Errno::ESRCH)?;
        let mut done = 0;
        for &gfn in extents.iter().take(MAX_EXTENTS) {
            match domain.physmap.entry(gfn) {
                Entry::Ram(_) | Entry::Untouched => {
                    domain.physmap.remove(gfn, &mut self.memory);
                    done += 1;
                }
                Entry::Hole | Entry::Xen(..) | Entry::Grant { .. } => break,
            }
        }
        Ok(done)
    }

    fn populate_physmap(&mut self, dom: DomId, extents: &[Gfn]) -> HypercallResult {
        let domain = self.domains.get_mut(dom).ok_or(Errno::ESRCH)?;
        let mut done = 0;
        for &gfn in extents.iter().take(MAX_EXTENTS) {
            let room = domain.physmap.pages() < domain.max_pages;
            let hole = domain.physmap.in_range(gfn) && domain.physmap.entry(gfn) == Entry::Hole;
            if !room || !hole {
                break;
            }
            domain.physmap.insert(gfn, Entry::Untouched);
            done += 1;
        }
        Ok(done)
    }
}

/// The regions that a domain with this much RAM is told of: the pool, and the special pages.
pub(crate) fn memory_map(ram_frames: u64) -> Vec<MemmapEntry> {
    vec![
        MemmapEntry {
            addr: 0,
            size: ram_frames << 12,
            kind: MEMMAP_TYPE_RAM,
        },
        MemmapEntry {
            addr: SPECIAL_BASE << 12,
            size: SPECIAL_PAGES << 12,
            kind: MEMMAP_TYPE_RESERVED,
        },
    ]
}

fn describe(op: &MemoryOp<'_>) -> (Op, [u64; 2]) {
    let dom = |dom: &DomId| u64::from(dom.0);
    match op {
        MemoryOp::AddToPhysmap { idx, gpfn, .. } => (Op::MemoryAddToPhysmap, [*idx, gpfn.0]),
        MemoryOp::RemoveFromPhysmap { domid, gpfn } => {
            (Op::MemoryRemoveFromPhysmap, [dom(domid), gpfn.0])
        }
        MemoryOp::MemoryMap { .. } => (Op::MemoryMap, [0, 0]),
        MemoryOp::DecreaseReservation { domid, extents } => (
            Op::MemoryDecreaseReservation,
            [dom(domid), extents.len() as u64],
        ),
        MemoryOp::PopulatePhysmap { domid, extents } => (
            Op::MemoryPopulatePhysmap,
            [dom(domid), extents.len() as u64],
        ),
        MemoryOp::CurrentReservation { domid } => (Op::MemoryReservation, [dom(domid), 0]),
        MemoryOp::MaximumReservation { domid } => (Op::MemoryReservation, [dom(domid), 1]),
        MemoryOp::Unknown { cmd } => (Op::MemoryUnknown, [(*cmd).into(), 0]),
    }
}
