//! `GNTTABOP_copy`: bytes cross a grant without a mapping.

use xen_abi::grant_table::{CopyPtr, GnttabCopy, gntst};
use xen_abi::{DomId, GrantRef, PAGE_SIZE};

use super::{Refusal, status};
use crate::event::{Event, Op};
use crate::hypervisor::Hypervisor;
use crate::memory::Mfn;
use crate::physmap::Entry;

impl Hypervisor {
    pub(super) fn copy_grant(&mut self, caller: DomId, op: &GnttabCopy) -> Result<(), Refusal> {
        self.check_copy_domain(caller, op.source)?;
        self.check_copy_domain(caller, op.dest)?;
        let source = self.claim(caller, op.source, true)?;
        let result = self.claim(caller, op.dest, false).and_then(|dest| {
            let result = self.copy_claimed(caller, op, source, dest);
            self.unclaim(caller, op.dest, false);
            result
        });
        self.unclaim(caller, op.source, true);
        result
    }

    /// `gnttab_copy_lock_domain`: by frame number only one's own, by reference anybody's.
    fn check_copy_domain(&self, caller: DomId, ptr: CopyPtr) -> Result<(), Refusal> {
        match ptr {
            CopyPtr::Frame { domid, .. } if domid != DomId::SELF => Err(gntst::PERMISSION_DENIED),
            CopyPtr::Frame { .. } => Ok(()),
            CopyPtr::Ref { domid, .. } => match self.resolve(caller, domid) {
                Ok(_) => Ok(()),
                Err(_) => Err(gntst::BAD_DOMAIN),
            },
        }
    }

    fn claim(&mut self, caller: DomId, ptr: CopyPtr, readonly: bool) -> Result<Mfn, Refusal> {
        match ptr {
            CopyPtr::Ref { gref, domid, .. } => match self.resolve(caller, domid) {
                Ok(granter) => self.pin(granter, gref, caller, readonly),
                Err(_) => Err(gntst::BAD_DOMAIN),
            },
            CopyPtr::Frame { gfn, .. } => match self.touch(caller, gfn) {
                Entry::Ram(frame) => Ok(frame),
                Entry::Grant {
                    frame,
                    readonly: mapped_readonly,
                } if readonly || !mapped_readonly => Ok(frame),
                _ => Err(gntst::BAD_PAGE),
            },
        }
    }

    fn unclaim(&mut self, caller: DomId, ptr: CopyPtr, readonly: bool) {
        if let CopyPtr::Ref { gref, domid, .. } = ptr
            && let Ok(granter) = self.resolve(caller, domid)
        {
            self.unpin(granter, gref.0, readonly);
        }
    }

    fn copy_claimed(
        &mut self,
        caller: DomId,
        op: &GnttabCopy,
        source: Mfn,
        dest: Mfn,
    ) -> Result<(), Refusal> {
        let (from, to) = (offset(op.source), offset(op.dest));
        let len = usize::from(op.len);
        if from + len > PAGE_SIZE || to + len > PAGE_SIZE {
            return Err(gntst::BAD_COPY_ARG);
        }
        self.memory.copy((source, from), (dest, to), len);
        for (ptr, to_granter) in [(op.source, false), (op.dest, true)] {
            if let CopyPtr::Ref { gref, domid, .. } = ptr
                && let Ok(granter) = self.resolve(caller, domid)
            {
                self.report_grant_bytes(granter, gref, caller, len, to_granter, false);
            }
        }
        Ok(())
    }

    /// Reports bytes that crossed a grant. What crosses a mapping is reported by whom it serves: Xen does not see it.
    pub fn report_grant_bytes(
        &self,
        granter: DomId,
        gref: GrantRef,
        by: DomId,
        bytes: usize,
        to_granter: bool,
        mapped: bool,
    ) {
        self.emit(&Event::GrantBytes {
            granter,
            gref: gref.0,
            by,
            bytes: bytes as u32,
            to_granter,
            mapped,
        });
    }

    /// `GNTTABOP_copy` from a granted page into dom0's own memory. Answers a `GNTST_*`.
    pub fn copy_from_grant(
        &mut self,
        granter: DomId,
        gref: GrantRef,
        offset: u16,
        to: &mut [u8],
    ) -> i16 {
        let result = self.with_granted(granter, gref, offset, to.len(), true, |memory, at| {
            memory.read(at.0, at.1, to);
        });
        self.report_dom0_copy(result)
    }

    /// `GNTTABOP_copy` from dom0's own memory into a granted page. Answers a `GNTST_*`.
    pub fn copy_to_grant(
        &mut self,
        granter: DomId,
        gref: GrantRef,
        offset: u16,
        from: &[u8],
    ) -> i16 {
        let result = self.with_granted(granter, gref, offset, from.len(), false, |memory, at| {
            memory.write(at.0, at.1, from);
        });
        self.report_dom0_copy(result)
    }

    fn with_granted(
        &mut self,
        granter: DomId,
        gref: GrantRef,
        offset: u16,
        len: usize,
        readonly: bool,
        f: impl FnOnce(&mut crate::memory::Memory, (Mfn, usize)),
    ) -> Result<(), Refusal> {
        let dom0 = DomId(0);
        let frame = self.pin(granter, gref, dom0, readonly)?;
        let at = usize::from(offset);
        let result = if at + len > PAGE_SIZE {
            Err(gntst::BAD_COPY_ARG)
        } else {
            f(&mut self.memory, (frame, at));
            self.report_grant_bytes(granter, gref, dom0, len, !readonly, false);
            Ok(())
        };
        self.unpin(granter, gref.0, readonly);
        result
    }

    fn report_dom0_copy(&self, result: Result<(), Refusal>) -> i16 {
        let answer = self.report(DomId(0), Op::GnttabCopy, [1, 0], Ok(0));
        assert_eq!(answer, Ok(0));
        status(result)
    }
}

fn offset(ptr: CopyPtr) -> usize {
    let (CopyPtr::Ref { offset, .. } | CopyPtr::Frame { offset, .. }) = ptr;
    usize::from(offset)
}
