//! The grant table, version 1: entries are handed out from reference 8, and the table grows with use.

use alloc::vec::Vec;

use thiserror::Error;
use xen_abi::grant_table::{
    GNTTAB_NR_RESERVED_ENTRIES, GRANT_ENTRIES_PER_FRAME, GTF_INVALID, GTF_PERMIT_ACCESS,
    GTF_READING, GTF_READONLY, GTF_WRITING, GnttabOp, GnttabQuerySize, gntst,
};
use xen_abi::memory::{MapSpace, MemoryOp};
use xen_abi::{DomId, Errno, Gfn, Gpa, GrantRef, Hypercalls, Rmw, Width};

/// Frames of the table that we ever use: 4,096 grants.
const MOST_FRAMES: u32 = 8;

/// Why a grant could not be given or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GrantError {
    /// Every entry is in use.
    #[error("the grant table is full")]
    Full,
    /// The peer has it mapped, or is copying.
    #[error("grant {} is still in use by the peer", .0.0)]
    InUse(GrantRef),
    /// The frame's number does not fit into an entry.
    #[error("frame {:#x} cannot be granted", .0.0)]
    Frame(Gfn),
    /// Xen refused to set the table up.
    #[error("no grant table: {0}")]
    Xen(#[from] Errno),
}

/// What the peer may do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    ReadOnly,
    /// Read and write it.
    ReadWrite,
}

/// The domain's grant table.
#[derive(Debug)]
pub struct GrantTable {
    base: Gfn,
    frames: u32,
    most_frames: u32,
    free: Vec<GrantRef>,
    given: u32,
}

impl GrantTable {
    /// Finds a place for the table and maps its first frame.
    pub fn new(xen: &mut dyn Hypercalls) -> Result<GrantTable, GrantError> {
        let mut query = GnttabQuerySize {
            dom: DomId::SELF,
            nr_frames: 0,
            max_nr_frames: 0,
            status: gntst::OKAY,
        };
        xen.grant_table_op(GnttabOp::QuerySize(&mut query))?;
        if query.status != gntst::OKAY {
            return Err(GrantError::Xen(Errno::EINVAL));
        }
        let most_frames = query.max_nr_frames.min(MOST_FRAMES);
        let base = xen.reserve_gfns(most_frames).ok_or(Errno::ENOMEM)?;
        let mut table = GrantTable {
            base,
            frames: 0,
            most_frames,
            free: Vec::new(),
            given: 0,
        };
        table.grow(xen)?;
        Ok(table)
    }

    /// After a suspend that was not cancelled: the table is empty and must be mapped again; no old reference counts.
    pub fn resume(&mut self, xen: &mut dyn Hypercalls) -> Result<(), GrantError> {
        self.frames = 0;
        self.given = 0;
        self.free.clear();
        self.grow(xen)
    }

    /// How many grants are given now.
    pub fn given(&self) -> u32 {
        self.given
    }

    /// Whether `count` more grants can be given; grows the table when that helps.
    pub fn reserve(&mut self, xen: &mut dyn Hypercalls, count: usize) -> bool {
        while self.free.len() < count {
            if self.grow(xen).is_err() {
                return false;
            }
        }
        true
    }

    /// Lets `peer` use `frame`.
    pub fn grant(
        &mut self,
        xen: &mut dyn Hypercalls,
        peer: DomId,
        frame: Gfn,
        access: Access,
    ) -> Result<GrantRef, GrantError> {
        let number = u32::try_from(frame.0).map_err(|_| GrantError::Frame(frame))?;
        if !self.reserve(xen, 1) {
            return Err(GrantError::Full);
        }
        let gref = self.free.pop().ok_or(GrantError::Full)?;
        self.given += 1;
        let entry = self.entry(gref);
        let flags = match access {
            Access::ReadOnly => GTF_PERMIT_ACCESS | GTF_READONLY,
            Access::ReadWrite => GTF_PERMIT_ACCESS,
        };
        // The flags are written last: they make the entry valid.
        xen.store(entry.add(4), Width::B4, u64::from(number));
        xen.store(entry.add(2), Width::B2, u64::from(peer.0));
        xen.store(entry, Width::B2, u64::from(flags));
        Ok(gref)
    }

    /// Takes a grant back; fails while the peer uses it.
    pub fn end(&mut self, xen: &mut dyn Hypercalls, gref: GrantRef) -> Result<(), GrantError> {
        let flags = self.entry(gref);
        let old = xen.load(flags, Width::B2);
        let in_use = u64::from(GTF_READING | GTF_WRITING);
        if old & in_use != 0 {
            return Err(GrantError::InUse(gref));
        }
        let swap = Rmw::CmpXchg {
            old,
            new: u64::from(GTF_INVALID),
        };
        // Only Xen changes an entry beside us, and only these two bits: a lost exchange says that they are set now.
        if xen.rmw(flags, Width::B2, swap) != old {
            return Err(GrantError::InUse(gref));
        }
        assert!(self.given > 0, "a grant is ended once");
        self.given -= 1;
        self.free.push(gref);
        Ok(())
    }

    fn grow(&mut self, xen: &mut dyn Hypercalls) -> Result<(), GrantError> {
        if self.frames == self.most_frames {
            return Err(GrantError::Full);
        }
        xen.memory_op(&mut MemoryOp::AddToPhysmap {
            domid: DomId::SELF,
            space: MapSpace::GrantTable,
            idx: u64::from(self.frames),
            gpfn: Gfn(self.base.0 + u64::from(self.frames)),
        })?;
        let first = self.frames * GRANT_ENTRIES_PER_FRAME;
        let end = first + GRANT_ENTRIES_PER_FRAME;
        let usable = first.max(GNTTAB_NR_RESERVED_ENTRIES)..end;
        self.free.extend(usable.rev().map(GrantRef));
        self.frames += 1;
        Ok(())
    }

    fn entry(&self, gref: GrantRef) -> Gpa {
        assert!(gref.0 < self.frames * GRANT_ENTRIES_PER_FRAME);
        self.base.gpa().add(u64::from(gref.0) * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::fake::FakeXen;

    fn table() -> (FakeXen, GrantTable) {
        let mut xen = FakeXen::new();
        let table = GrantTable::new(&mut xen).unwrap();
        (xen, table)
    }

    #[test]
    fn references_are_handed_out_from_8_and_used_again() {
        let (mut xen, mut table) = table();
        let give = |xen: &mut FakeXen, table: &mut GrantTable| {
            table
                .grant(xen, DomId(0), Gfn(7), Access::ReadOnly)
                .unwrap()
        };
        assert_eq!(give(&mut xen, &mut table), GrantRef(8));
        assert_eq!(give(&mut xen, &mut table), GrantRef(9));
        table.end(&mut xen, GrantRef(8)).unwrap();
        assert_eq!(give(&mut xen, &mut table), GrantRef(8));
        assert_eq!(table.given(), 2);
    }

    #[test]
    fn a_grant_in_use_cannot_be_ended() {
        let (mut xen, mut table) = table();
        let gref = table
            .grant(&mut xen, DomId(0), Gfn(7), Access::ReadWrite)
            .unwrap();
        xen.set_in_use(gref, true);
        assert_eq!(table.end(&mut xen, gref), Err(GrantError::InUse(gref)));
        xen.set_in_use(gref, false);
        assert_eq!(table.end(&mut xen, gref), Ok(()));
    }

    #[test]
    fn the_table_grows_until_xen_gives_no_more() {
        let (mut xen, mut table) = table();
        let mut given = 0;
        while table
            .grant(&mut xen, DomId(0), Gfn(7), Access::ReadOnly)
            .is_ok()
        {
            given += 1;
        }
        assert_eq!(
            given,
            2 * GRANT_ENTRIES_PER_FRAME - GNTTAB_NR_RESERVED_ENTRIES
        );
    }
}
