//! Grant tables, version 1: how a domain shows its frames to another.
//!
//! The table lies in shared pages that the granter writes without a hypercall; Xen reads an entry when somebody maps
//! it or copies through it, *pins* it, and says in its flags (`GTF_reading`, `GTF_writing`) that it is in use. The
//! order of checks and the status of each refusal follow `xen/common/grant_table.c`.
//!
//! - [`table`]: the table itself, what Xen keeps of the entries in use, pinning
//! - [`mapping`]: `GNTTABOP_map_grant_ref` and unmap, and what a domain has mapped
//! - [`copy`]: the operation `GNTTABOP_copy`
//!
//! This file dispatches the operations and answers the small ones.

pub mod copy;
pub mod mapping;
pub mod table;

use xen_abi::grant_table::{GnttabOp, GnttabQuerySize, GnttabSetupTable, gntst};
use xen_abi::{DomId, Errno, HypercallResult};

pub use mapping::{MappedPage, Maptrack};
pub use table::GrantTable;

use crate::event::Op;
use crate::hypervisor::Hypervisor;
use table::MAX_FRAMES;

/// Elements that one batch may have. Xen takes more and is preempted between them; nobody here needs them.
const MAX_BATCH: usize = 4096;

/// A status other than `GNTST_okay`.
pub type Refusal = i16;

impl Hypervisor {
    /// `HYPERVISOR_grant_table_op` on behalf of `caller`.
    pub fn grant_table_op(&mut self, caller: DomId, op: GnttabOp<'_>) -> HypercallResult {
        let (name, count) = describe(&op);
        let result = self.do_grant_table_op(caller, op).map(|()| 0);
        self.report(caller, name, [count, 0], result)
    }

    fn do_grant_table_op(&mut self, caller: DomId, op: GnttabOp<'_>) -> Result<(), Errno> {
        match op {
            GnttabOp::MapGrantRef(batch) => {
                for op in bounded(batch)? {
                    op.status = status(self.map_grant(caller, op));
                }
            }
            GnttabOp::UnmapGrantRef(batch) => {
                for op in bounded(batch)? {
                    op.status = status(self.unmap_grant(caller, op));
                }
            }
            GnttabOp::Copy(batch) => {
                for op in bounded(batch)? {
                    op.status = status(self.copy_grant(caller, op));
                }
            }
            GnttabOp::SetupTable(op) => op.status = status(self.setup_table(caller, op)),
            GnttabOp::QuerySize(op) => op.status = status(self.query_size(caller, op)),
            GnttabOp::SetVersion(version) => match *version {
                1 => {}
                2 => return Err(Errno::ENOSYS),
                _ => return Err(Errno::EINVAL),
            },
            // `gnttab_transfer` is for PV guests only.
            GnttabOp::Transfer { .. } | GnttabOp::Unknown { .. } => return Err(Errno::ENOSYS),
        }
        Ok(())
    }

    fn setup_table(&mut self, caller: DomId, op: &GnttabSetupTable) -> Result<(), Refusal> {
        if op.nr_frames > MAX_FRAMES {
            return Err(gntst::GENERAL_ERROR);
        }
        let dom = self.table_owner(caller, op.dom)?;
        let domain = self.domains.get_mut(dom).ok_or(gntst::BAD_DOMAIN)?;
        domain.grants.grow(op.nr_frames, &mut self.memory);
        Ok(())
    }

    fn query_size(&self, caller: DomId, op: &mut GnttabQuerySize) -> Result<(), Refusal> {
        let dom = self.table_owner(caller, op.dom)?;
        let domain = self.domains.get(dom).ok_or(gntst::BAD_DOMAIN)?;
        op.nr_frames = domain.grants.nr_frames();
        op.max_nr_frames = MAX_FRAMES;
        Ok(())
    }

    fn table_owner(&self, caller: DomId, dom: DomId) -> Result<DomId, Refusal> {
        self.privileged_over(caller, dom).map_err(|e| match e {
            Errno::EPERM => gntst::PERMISSION_DENIED,
            _ => gntst::BAD_DOMAIN,
        })
    }
}

fn bounded<T>(batch: &mut [T]) -> Result<&mut [T], Errno> {
    if batch.len() <= MAX_BATCH {
        Ok(batch)
    } else {
        Err(Errno::EINVAL)
    }
}

fn status(result: Result<(), Refusal>) -> i16 {
    match result {
        Ok(()) => gntst::OKAY,
        Err(refusal) => refusal,
    }
}

fn describe(op: &GnttabOp<'_>) -> (Op, u64) {
    match op {
        GnttabOp::MapGrantRef(batch) => (Op::GnttabMapGrantRef, batch.len() as u64),
        GnttabOp::UnmapGrantRef(batch) => (Op::GnttabUnmapGrantRef, batch.len() as u64),
        GnttabOp::Copy(batch) => (Op::GnttabCopy, batch.len() as u64),
        GnttabOp::SetupTable(op) => (Op::GnttabSetupTable, op.nr_frames.into()),
        GnttabOp::QuerySize(op) => (Op::GnttabQuerySize, op.dom.0.into()),
        GnttabOp::Transfer { gref, .. } => (Op::GnttabTransfer, gref.0.into()),
        GnttabOp::SetVersion(version) => (Op::GnttabSetVersion, (**version).into()),
        GnttabOp::Unknown { cmd } => (Op::GnttabUnknown, (*cmd).into()),
    }
}

#[cfg(test)]
mod tests;
