//! The table itself, and pinning: taking an entry into use and letting it go.
//!
//! Xen also counts here how many entries permit access to each frame, so that a guest that works on a frame in place
//! can be held to its word that nobody else sees it.

use std::collections::BTreeMap;
use std::ops::Range;

use xen_abi::grant_table::{
    GRANT_ENTRIES_PER_FRAME, GTF_PERMIT_ACCESS, GTF_READING, GTF_READONLY, GTF_TYPE_MASK,
    GTF_WRITING, GrantEntryV1, gntst,
};
use xen_abi::{DomId, Gfn, GrantRef, Rmw, Width};
use zerocopy::{FromBytes, IntoBytes};

use super::Refusal;
use crate::hypervisor::Hypervisor;
use crate::memory::{Memory, Mfn};
use crate::physmap::Entry;

/// `opt_max_grant_frames`
pub(super) const MAX_FRAMES: u32 = 64;

/// What Xen keeps of an entry that is in use.
#[derive(Clone, Copy, Debug)]
struct Active {
    frame: Mfn,
    user: DomId,
    readers: u32,
    writers: u32,
}

/// A domain's grant table.
#[derive(Default)]
pub struct GrantTable {
    frames: Vec<Mfn>,
    active: BTreeMap<u32, Active>,
}

impl GrantTable {
    /// Makes the table at least `frames` frames long.
    pub fn grow(&mut self, frames: u32, memory: &mut Memory) {
        assert!(frames <= MAX_FRAMES);
        while self.nr_frames() < frames {
            self.frames.push(memory.allocate());
        }
    }

    /// How many frames the table has.
    pub fn nr_frames(&self) -> u32 {
        self.frames.len() as u32
    }

    /// The table's frame with that number; the table grows up to it.
    pub fn frame(&mut self, n: u64, memory: &mut Memory) -> Option<Mfn> {
        let n = u32::try_from(n).ok().filter(|&n| n < MAX_FRAMES)?;
        self.grow(n + 1, memory);
        Some(self.frames[n as usize])
    }

    /// Entries that somebody uses.
    pub fn in_use(&self) -> usize {
        self.active.len()
    }

    /// Lets go of the table's own pages.
    pub fn clear(&mut self, memory: &mut Memory) {
        assert!(self.active.is_empty(), "a grant is still in use");
        for frame in self.frames.drain(..) {
            memory.release(frame);
        }
    }

    fn place(&self, gref: u32) -> Option<(Mfn, usize)> {
        let frame = self.frames.get((gref / GRANT_ENTRIES_PER_FRAME) as usize)?;
        Some((*frame, (gref % GRANT_ENTRIES_PER_FRAME) as usize * 8))
    }

    fn entry(&self, gref: u32, memory: &Memory) -> Option<GrantEntryV1> {
        let (frame, at) = self.place(gref)?;
        let bytes = &memory.page(frame)[at..at + 8];
        Some(GrantEntryV1::read_from_bytes(bytes).expect("an entry has 8 bytes"))
    }

    fn change_flags(&self, gref: u32, op: Rmw, memory: &mut Memory) {
        let (frame, at) = self.place(gref).expect("a pinned entry is in the table");
        memory.rmw(frame, at, Width::B2, op);
    }
}

impl Hypervisor {
    /// Writes an entry of `granter`'s table on its behalf, as the toolstack does for store and console
    /// (`xc_dom_gnttab_seed`).
    pub fn seed_grant(&mut self, granter: DomId, gref: GrantRef, to: DomId, gfn: Gfn) {
        let Some(domain) = self.domains.get_mut(granter) else {
            return;
        };
        let (frame, at) = domain
            .grants
            .place(gref.0)
            .expect("reserved entries are in the first frame");
        let entry = GrantEntryV1 {
            flags: GTF_PERMIT_ACCESS,
            domid: to.0,
            frame: gfn.0 as u32,
        };
        self.memory.write(frame, at, entry.as_bytes());
        domain.physmap.count_grant(gfn, true);
    }

    /// Takes an entry into use: the checks of `_set_status_v1`, and the flags that the granter sees.
    pub(super) fn pin(
        &mut self,
        granter: DomId,
        gref: GrantRef,
        user: DomId,
        readonly: bool,
    ) -> Result<Mfn, Refusal> {
        let gref = gref.0;
        let domain = self.domains.get_mut(granter).ok_or(gntst::BAD_DOMAIN)?;
        let entry = domain
            .grants
            .entry(gref, &self.memory)
            .ok_or(gntst::BAD_GNTREF)?;
        let active = domain.grants.active.get(&gref).copied();
        let allowed = match active {
            Some(active) => active.user == user,
            None => entry.flags & GTF_TYPE_MASK == GTF_PERMIT_ACCESS && entry.domid == user.0,
        };
        if !allowed || (!readonly && entry.flags & GTF_READONLY != 0) {
            return Err(gntst::GENERAL_ERROR);
        }
        let mut active = match active {
            Some(active) => active,
            None => {
                let gfn = Gfn(entry.frame.into());
                let Entry::Ram(frame) = domain.physmap.touch(gfn, &mut self.memory) else {
                    return Err(gntst::BAD_PAGE);
                };
                self.memory.hold(frame);
                Active {
                    frame,
                    user,
                    readers: 0,
                    writers: 0,
                }
            }
        };
        let in_use = if readonly {
            active.readers += 1;
            GTF_READING
        } else {
            active.writers += 1;
            GTF_READING | GTF_WRITING
        };
        domain.grants.active.insert(gref, active);
        domain
            .grants
            .change_flags(gref, Rmw::Or(in_use.into()), &mut self.memory);
        Ok(active.frame)
    }

    /// Ends one use of an entry.
    pub(super) fn unpin(&mut self, granter: DomId, gref: u32, readonly: bool) {
        let Some(domain) = self.domains.get_mut(granter) else {
            return;
        };
        let active = domain
            .grants
            .active
            .get_mut(&gref)
            .expect("an entry is unpinned by who pinned it");
        let uses = if readonly {
            &mut active.readers
        } else {
            &mut active.writers
        };
        *uses -= 1;
        let (readers, writers, frame) = (active.readers, active.writers, active.frame);
        let mut over = 0;
        if writers == 0 {
            over |= GTF_WRITING;
        }
        if readers == 0 && writers == 0 {
            over |= GTF_READING;
            domain.grants.active.remove(&gref);
            self.memory.release(frame);
        }
        domain
            .grants
            .change_flags(gref, Rmw::And(!u64::from(over)), &mut self.memory);
    }

    /// Counts the entries in `range` of a domain's table in (or out of) the frames that they permit access to. Called
    /// around each write of a guest to its own table.
    pub(crate) fn count_grants(
        &mut self,
        granter: DomId,
        range: Option<&Range<u32>>,
        permitted: bool,
    ) {
        let (Some(range), Some(domain)) = (range, self.domains.get_mut(granter)) else {
            return;
        };
        for gref in range.clone() {
            if let Some(entry) = domain.grants.entry(gref, &self.memory)
                && entry.flags & GTF_TYPE_MASK == GTF_PERMIT_ACCESS
            {
                let gfn = Gfn(entry.frame.into());
                domain.physmap.count_grant(gfn, permitted);
            }
        }
    }
}
