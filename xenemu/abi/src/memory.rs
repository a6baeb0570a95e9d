//! `xen/memory.h`: the guest-physical map and reservations.

use alloc::vec::Vec;

use crate::contract::{DomId, Gfn};

/// `XENMAPSPACE_*`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapSpace {
    /// `XENMAPSPACE_shared_info` (0)
    SharedInfo,
    /// `XENMAPSPACE_grant_table` (1)
    GrantTable,
    /// Any other space.
    Other(u32),
}

/// One region of `XENMEM_memory_map`, as in the start info's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemmapEntry {
    /// First byte.
    pub addr: u64,
    /// Length in bytes.
    pub size: u64,
    /// 1: RAM, 2: reserved.
    pub kind: u32,
}

/// `XENMEM_*`
#[derive(Debug)]
pub enum MemoryOp<'a> {
    /// `XENMEM_add_to_physmap`: puts a special page at `gpfn`.
    AddToPhysmap {
        domid: DomId,
        space: MapSpace,
        idx: u64,
        gpfn: Gfn,
    },
    /// `XENMEM_remove_from_physmap`
    RemoveFromPhysmap { domid: DomId, gpfn: Gfn },
    /// `XENMEM_memory_map`
    MemoryMap {
        /** OUT */
        entries: &'a mut Vec<MemmapEntry>,
    },
    /// `XENMEM_decrease_reservation`: gives frames up; answers how many.
    DecreaseReservation { domid: DomId, extents: &'a [Gfn] },
    /// `XENMEM_populate_physmap`: asks for frames at these places; answers how many.
    PopulatePhysmap { domid: DomId, extents: &'a [Gfn] },
    /// `XENMEM_current_reservation`: answers the pages that the domain has.
    CurrentReservation { domid: DomId },
    /// `XENMEM_maximum_reservation`
    MaximumReservation { domid: DomId },
    /// A command number that no header knows.
    Unknown {
        /** The number. */
        cmd: u32,
    },
}
