//! Mapping a granted frame into one's own guest-physical map, and what a domain has mapped.

use xen_abi::grant_table::{GntMap, GnttabMapGrantRef, GnttabOp, GnttabUnmapGrantRef, gntst};
use xen_abi::{DomId, Gpa, GrantRef};

use super::Refusal;
use crate::hypervisor::Hypervisor;
use crate::physmap::Entry;

#[derive(Clone, Copy, Debug)]
struct Mapping {
    granter: DomId,
    gref: u32,
    readonly: bool,
    at: Gpa,
}

/// What a domain has mapped, by handle: Xen's maptrack.
#[derive(Default)]
pub struct Maptrack {
    handles: Vec<Option<Mapping>>,
    free: Vec<u32>,
}

impl Maptrack {
    fn insert(&mut self, mapping: Mapping) -> u32 {
        if let Some(handle) = self.free.pop() {
            self.handles[handle as usize] = Some(mapping);
            return handle;
        }
        self.handles.push(Some(mapping));
        self.handles.len() as u32 - 1
    }

    fn get(&self, handle: u32) -> Option<Mapping> {
        *self.handles.get(handle as usize)?
    }

    fn remove(&mut self, handle: u32) {
        self.handles[handle as usize] = None;
        self.free.push(handle);
    }

    /// Mappings that exist.
    pub fn live(&self) -> usize {
        self.handles.len() - self.free.len()
    }
}

/// A page of another domain, mapped through a grant. It is given back by [`Hypervisor::unmap_page`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct MappedPage {
    /// Where the mapper sees it.
    pub at: Gpa,
    handle: u32,
}

impl Hypervisor {
    pub(super) fn map_grant(
        &mut self,
        caller: DomId,
        op: &mut GnttabMapGrantRef,
    ) -> Result<(), Refusal> {
        if !op.flags.contains(GntMap::HOST_MAP) {
            return Err(gntst::BAD_GNTREF);
        }
        let granter = DomId(op.dom);
        let readonly = op.flags.contains(GntMap::READONLY);
        let frame = self.pin(granter, op.gref, caller, readonly)?;
        let gfn = op.host_addr.frame();
        let mapper = self.domains.get_mut(caller).ok_or(gntst::BAD_DOMAIN)?;
        // A frame in the way is not replaced: the guest gives it up first.
        if !mapper.physmap.in_range(gfn) || mapper.physmap.entry(gfn) != Entry::Hole {
            self.unpin(granter, op.gref.0, readonly);
            return Err(gntst::GENERAL_ERROR);
        }
        self.memory.hold(frame);
        mapper.physmap.insert(gfn, Entry::Grant { frame, readonly });
        op.handle = mapper.maptrack.insert(Mapping {
            granter,
            gref: op.gref.0,
            readonly,
            at: gfn.gpa(),
        });
        op.dev_bus_addr = 0;
        Ok(())
    }

    pub(super) fn unmap_grant(
        &mut self,
        caller: DomId,
        op: &GnttabUnmapGrantRef,
    ) -> Result<(), Refusal> {
        let mapper = self.domains.get(caller).ok_or(gntst::BAD_DOMAIN)?;
        let mapping = mapper.maptrack.get(op.handle).ok_or(gntst::BAD_HANDLE)?;
        if op.host_addr.frame().gpa() != mapping.at {
            return Err(gntst::GENERAL_ERROR);
        }
        self.end_mapping(caller, op.handle, mapping);
        Ok(())
    }

    fn end_mapping(&mut self, caller: DomId, handle: u32, mapping: Mapping) {
        if let Some(mapper) = self.domains.get_mut(caller) {
            mapper.physmap.remove(mapping.at.frame(), &mut self.memory);
            mapper.maptrack.remove(handle);
        }
        self.unpin(mapping.granter, mapping.gref, mapping.readonly);
        self.reap(mapping.granter);
    }

    /// Ends every mapping that a domain has: `gnttab_release_mappings`.
    pub(crate) fn release_mappings(&mut self, domid: DomId) {
        let handles = self
            .domains
            .get(domid)
            .map_or(0, |domain| domain.maptrack.handles.len());
        for handle in 0..handles as u32 {
            let mapping = self
                .domains
                .get(domid)
                .and_then(|domain| domain.maptrack.get(handle));
            if let Some(mapping) = mapping {
                self.end_mapping(domid, handle, mapping);
            }
        }
    }

    /// Maps a page that `granter` grants to `caller`, at a place that is found for it.
    pub fn map_page(
        &mut self,
        caller: DomId,
        granter: DomId,
        gref: GrantRef,
        readonly: bool,
    ) -> Result<MappedPage, Refusal> {
        let mapper = self.domains.get_mut(caller).ok_or(gntst::BAD_DOMAIN)?;
        let gfn = mapper.physmap.take_hole().ok_or(gntst::NO_SPACE)?;
        let mut op = GnttabMapGrantRef {
            host_addr: gfn.gpa(),
            gref,
            dom: granter.0,
            flags: GntMap::HOST_MAP,
            ..GnttabMapGrantRef::default()
        };
        op.flags.set(GntMap::READONLY, readonly);
        let batch = std::slice::from_mut(&mut op);
        let result = self.grant_table_op(caller, GnttabOp::MapGrantRef(batch));
        assert_eq!(result, Ok(0), "a batch of one is never refused whole");
        if op.status != gntst::OKAY {
            self.give_hole(caller, gfn.gpa());
            return Err(op.status);
        }
        Ok(MappedPage {
            at: op.host_addr,
            handle: op.handle,
        })
    }

    /// Ends a mapping of [`map_page`](Self::map_page).
    pub fn unmap_page(&mut self, caller: DomId, page: MappedPage) {
        let mut op = GnttabUnmapGrantRef {
            host_addr: page.at,
            handle: page.handle,
            status: gntst::OKAY,
        };
        let batch = std::slice::from_mut(&mut op);
        let result = self.grant_table_op(caller, GnttabOp::UnmapGrantRef(batch));
        assert_eq!((result, op.status), (Ok(0), gntst::OKAY));
        self.give_hole(caller, page.at);
    }

    fn give_hole(&mut self, caller: DomId, at: Gpa) {
        if let Some(mapper) = self.domains.get_mut(caller) {
            mapper.physmap.give_hole(at.frame());
        }
    }
}
