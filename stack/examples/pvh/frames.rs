//! Which guest-physical memory is free: the RAM behind all that was loaded, and a stretch of addresses without RAM for
//! pages that Xen puts there.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use xen_abi::start_info::{HvmMemmapTableEntry, HvmModlistEntry, HvmStartInfo, MEMMAP_TYPE_RAM};
use xen_abi::{Gfn, Gpa, PAGE_SIZE};
use zerocopy::{FromBytes, IntoBytes};

use crate::hardware;

/// Addresses that are neither RAM (there is less) nor devices.
const HOLES: core::ops::Range<u64> = (1 << 30) >> 12..(2 << 30) >> 12;
/// A string behind the image is not longer.
const LONGEST_STRING: u64 = 4096;

/// The domain's free memory.
pub struct Frames {
    /// Never used.
    fresh: core::ops::Range<u64>,
    /// Given back: runs by their length.
    returned: BTreeMap<u32, Vec<Gfn>>,
    next_hole: u64,
}

impl Frames {
    /// What the start info says of RAM, without what it speaks of.
    pub fn of(start_info: Gpa) -> Frames {
        let info: HvmStartInfo = at(start_info.0);
        let mut end = hardware::image_end().max(start_info.0 + size_of::<HvmStartInfo>() as u64);
        let mut taken = |at: u64, len: u64| end = end.max(at.saturating_add(len));
        taken(info.cmdline_paddr, LONGEST_STRING);
        let (modules, regions) = (u64::from(info.nr_modules), u64::from(info.memmap_entries));
        let (module, region) = (
            size_of::<HvmModlistEntry>(),
            size_of::<HvmMemmapTableEntry>(),
        );
        taken(info.modlist_paddr, modules * module as u64);
        taken(info.memmap_paddr, regions * region as u64);
        for n in 0..modules {
            let entry: HvmModlistEntry = at(info.modlist_paddr + n * module as u64);
            taken(entry.paddr, entry.size);
            taken(entry.cmdline_paddr, LONGEST_STRING);
        }
        let first = end.div_ceil(PAGE_SIZE as u64);
        let ram = (0..regions)
            .map(|n| at::<HvmMemmapTableEntry>(info.memmap_paddr + n * region as u64))
            .filter(|entry| entry.kind == MEMMAP_TYPE_RAM)
            .map(|entry| {
                (
                    entry.addr >> 12,
                    entry.addr.saturating_add(entry.size) >> 12,
                )
            })
            .find(|(from, to)| (*from..*to).contains(&first));
        let end = ram.map_or(first, |(_, end)| end.min(HOLES.start));
        Frames {
            fresh: first..end,
            returned: BTreeMap::new(),
            next_hole: HOLES.start,
        }
    }

    /// `n` frames in a row.
    pub fn take(&mut self, n: u32) -> Option<Gfn> {
        if let Some(run) = self.returned.get_mut(&n).and_then(Vec::pop) {
            return Some(run);
        }
        let first = self.fresh.start;
        let next = first
            .checked_add(u64::from(n))
            .filter(|next| *next <= self.fresh.end)?;
        self.fresh.start = next;
        Some(Gfn(first))
    }

    /// Takes frames back.
    pub fn put(&mut self, first: Gfn, n: u32) {
        self.returned.entry(n).or_default().push(first);
    }

    /// `n` addresses in a row where there is no RAM.
    pub fn holes(&mut self, n: u32) -> Option<Gfn> {
        let first = self.next_hole;
        let next = first
            .checked_add(u64::from(n))
            .filter(|next| *next <= HOLES.end)?;
        self.next_hole = next;
        Some(Gfn(first))
    }
}

/// A structure that Xen left in memory.
fn at<T: FromBytes + IntoBytes>(address: u64) -> T {
    let mut value = T::new_zeroed();
    hardware::read(address, value.as_mut_bytes());
    value
}
