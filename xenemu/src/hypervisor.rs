//! Xen itself: all domains' memory, event channels, grant tables, parameters and virtual CPUs.
//!
//! Guests and dom0's actors go through the same calls here, each as the domain that it is: dom0 is `DomId(0)`, and
//! sees other domains' memory only through grants that it maps or copies. The hypercalls are in files of their own:
//! `evtchn`, `gnttab`, `memory_op`, `hvm_op`, `vcpu_op`; scheduling is in `sched`.

use std::collections::VecDeque;

use thiserror::Error;
use xen_abi::{DomId, Errno, Gfn, Gpa, HypercallResult, Instant, Port, Rmw, Width};

use crate::domain::Domain;
use crate::event::{Event, Op};
use crate::frame::FrameId;
use crate::log::Log;
use crate::memory::{Memory, Mfn, Page};
use crate::physmap::{CONSOLE_GFN, Entry, STORE_GFN, XenPage};
use crate::sched::RunQueue;
use crate::time::Time;

/// An access that the domain may not make: a page fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// Nothing lies there.
    #[error("page fault at {0:?}")]
    NotPresent(Gpa),
    /// It may only be read.
    #[error("write to the read-only page at {0:?}")]
    ReadOnly(Gpa),
    /// Not a multiple of the width.
    #[error("misaligned access at {0:?}")]
    Misaligned(Gpa),
    /// A frame is freed that was not allocated.
    #[error("{0:?} is freed but was not allocated")]
    NotAllocated(Gfn),
    /// Another domain may see the frame, or it is not the domain's own.
    #[error("the frame {0:?} may be seen by others")]
    Shared(Gfn),
}

/// The domains, by number.
pub(crate) struct Domains(Vec<Option<Box<Domain>>>);

impl Domains {
    pub(crate) fn get(&self, id: DomId) -> Option<&Domain> {
        self.0.get(usize::from(id.0))?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, id: DomId) -> Option<&mut Domain> {
        self.0.get_mut(usize::from(id.0))?.as_deref_mut()
    }

    fn insert(&mut self, domain: Box<Domain>) {
        let index = usize::from(domain.id.0);
        if self.0.len() <= index {
            self.0.resize_with(index + 1, || None);
        }
        assert!(self.0[index].is_none(), "{:?} exists", domain.id);
        self.0[index] = Some(domain);
    }

    pub(crate) fn remove(&mut self, id: DomId) -> Option<Box<Domain>> {
        self.0.get_mut(usize::from(id.0))?.take()
    }
}

/// Xen's state.
pub struct Hypervisor {
    pub(crate) memory: Memory,
    pub(crate) domains: Domains,
    pub(crate) log: Log,
    pub(crate) queue: RunQueue,
    /// dom0's ports that became pending and were not handed out.
    pub(crate) upcalls: VecDeque<Port>,
    /// Domains that shut down or died since the toolstack looked: `VIRQ_DOM_EXC`.
    pub(crate) dom_exc: VecDeque<DomId>,
    uptime: u64,
    epoch_secs: u64,
}

impl Hypervisor {
    /// Xen with dom0 and no other domain. System time runs `uptime` nanoseconds ahead of the world's clock.
    pub fn new(log: Log, uptime: u64, epoch_secs: u64) -> Hypervisor {
        let dom0 = Domain::new(DomId(0), 0, None);
        Hypervisor {
            memory: Memory::default(),
            domains: Domains(vec![Some(Box::new(dom0))]),
            log,
            queue: RunQueue::default(),
            upcalls: VecDeque::new(),
            dom_exc: VecDeque::new(),
            uptime,
            epoch_secs,
        }
    }

    /// The machine's clock.
    pub fn now(&self) -> Time {
        self.log.clock()
    }

    /// Xen's system time at a time of the world.
    pub fn system_time(&self, at: Time) -> Instant {
        Instant(at.0).plus(self.uptime)
    }

    /// The world's time at an instant of Xen's; what lies before the world is its beginning.
    pub fn world_time(&self, at: Instant) -> Time {
        Time(at.0.saturating_sub(self.uptime))
    }

    /// Nanoseconds of the wall clock when system time was 0.
    pub(crate) fn wall_clock_base(&self) -> u64 {
        (self.epoch_secs * 1_000_000_000).saturating_sub(self.uptime)
    }

    /// Reports an event, stamped with the machine's clock.
    pub fn emit(&self, event: &Event) {
        self.log.emit(event);
    }

    /// Reports a hypercall and passes its answer on.
    pub(crate) fn report(
        &self,
        domid: DomId,
        op: Op,
        args: [u64; 2],
        result: HypercallResult,
    ) -> HypercallResult {
        let code = match result {
            Ok(value) => value as i64,
            Err(errno) => errno.code(),
        };
        self.emit(&Event::Hypercall {
            domid,
            op,
            args,
            result: code,
        });
        result
    }

    // Domains.

    /// Builds a domain: paused, with a shared page, an initial grant table and the pages of store and console.
    pub fn create_domain(&mut self, id: DomId, ram_frames: u64) {
        let shared_info = self.memory.allocate();
        let mut domain = Box::new(Domain::new(id, ram_frames, Some(shared_info)));
        domain.vcpu.paused = true;
        domain.grants.grow(1, &mut self.memory);
        for gfn in [STORE_GFN, CONSOLE_GFN] {
            let frame = self.memory.allocate();
            domain.physmap.insert(gfn, Entry::Ram(frame));
        }
        self.domains.insert(domain);
        self.init_shared_info(id);
    }

    /// A domain by its number.
    pub fn domain(&self, id: DomId) -> Result<&Domain, Errno> {
        self.domains.get(id).ok_or(Errno::ESRCH)
    }

    /// A domain by its number, to be changed.
    pub fn domain_mut(&mut self, id: DomId) -> Result<&mut Domain, Errno> {
        self.domains.get_mut(id).ok_or(Errno::ESRCH)
    }

    /// All domains, dom0 first.
    pub fn domains(&self) -> impl Iterator<Item = &Domain> {
        self.domains.0.iter().flatten().map(Box::as_ref)
    }

    /// The domain that `caller` means by `dom`: `rcu_lock_domain_by_any_id`.
    pub(crate) fn resolve(&self, caller: DomId, dom: DomId) -> Result<DomId, Errno> {
        let dom = if dom == DomId::SELF { caller } else { dom };
        self.domain(dom).map(|domain| domain.id)
    }

    /// The same, for calls that only dom0 may make about others.
    pub(crate) fn privileged_over(&self, caller: DomId, dom: DomId) -> Result<DomId, Errno> {
        let dom = self.resolve(caller, dom)?;
        if dom == caller || caller == DomId(0) {
            Ok(dom)
        } else {
            Err(Errno::EPERM)
        }
    }

    /// A domain got rid of a frame or of bytes, or was given some: it does not spin.
    pub fn note_progress(&mut self, id: DomId) {
        if let Some(domain) = self.domains.get_mut(id) {
            domain.progress += 1;
        }
    }

    /// A domain was given a frame.
    pub fn note_frame(&mut self, id: DomId, frame: FrameId) {
        if let Some(domain) = self.domains.get_mut(id) {
            domain.progress += 1;
            domain.last_frame = Some(frame);
        }
    }

    // Memory, as a domain sees it.

    /// An aligned load by `caller`.
    pub fn load(&mut self, caller: DomId, at: Gpa, width: Width) -> Result<u64, Fault> {
        let frame = self.translate_aligned(caller, at, width, false)?;
        Ok(self.memory.load(frame, at.offset(), width))
    }

    /// An aligned store by `caller`.
    pub fn store(&mut self, caller: DomId, at: Gpa, width: Width, value: u64) -> Result<(), Fault> {
        let bytes = value.to_le_bytes();
        self.aligned(at, width)?;
        self.write_page(caller, at, &bytes[..width.bytes()])
    }

    /// An atomic read-modify-write by `caller`; answers the old value.
    pub fn rmw(&mut self, caller: DomId, at: Gpa, width: Width, op: Rmw) -> Result<u64, Fault> {
        let frame = self.translate_aligned(caller, at, width, true)?;
        let watched = self.grant_table_part(caller, at, width.bytes());
        self.count_grants(caller, watched.as_ref(), false);
        let old = self.memory.rmw(frame, at.offset(), width, op);
        self.count_grants(caller, watched.as_ref(), true);
        Ok(old)
    }

    /// Copies out of memory; the range may cross pages.
    pub fn read(&mut self, caller: DomId, at: Gpa, to: &mut [u8]) -> Result<(), Fault> {
        let mut at = at;
        let mut rest = to;
        while !rest.is_empty() {
            let n = rest.len().min(4096 - at.offset());
            let (head, tail) = rest.split_at_mut(n);
            let frame = self.translate(caller, at, false)?;
            self.memory.read(frame, at.offset(), head);
            at = at.add(n as u64);
            rest = tail;
        }
        Ok(())
    }

    /// Copies into memory; the range may cross pages.
    pub fn write(&mut self, caller: DomId, at: Gpa, from: &[u8]) -> Result<(), Fault> {
        let mut at = at;
        let mut rest = from;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(4096 - at.offset()));
            self.write_page(caller, at, head)?;
            at = at.add(head.len() as u64);
            rest = tail;
        }
        Ok(())
    }

    fn write_page(&mut self, caller: DomId, at: Gpa, from: &[u8]) -> Result<(), Fault> {
        let frame = self.translate(caller, at, true)?;
        let watched = self.grant_table_part(caller, at, from.len());
        self.count_grants(caller, watched.as_ref(), false);
        self.memory.write(frame, at.offset(), from);
        self.count_grants(caller, watched.as_ref(), true);
        Ok(())
    }

    /// The bytes of a frame that is the caller's own and that no grant shows to others.
    pub fn private_frame(&mut self, caller: DomId, gfn: Gfn) -> Result<&mut Page, Fault> {
        let Ok(domain) = self.domain(caller) else {
            return Err(Fault::NotPresent(gfn.gpa()));
        };
        if domain.physmap.is_granted(gfn) {
            return Err(Fault::Shared(gfn));
        }
        match self.touch(caller, gfn) {
            Entry::Ram(frame) => Ok(self.memory.page_mut(frame)),
            Entry::Hole | Entry::Untouched => Err(Fault::NotPresent(gfn.gpa())),
            Entry::Xen(..) | Entry::Grant { .. } => Err(Fault::Shared(gfn)),
        }
    }

    fn aligned(&self, at: Gpa, width: Width) -> Result<(), Fault> {
        if at.0.is_multiple_of(width.bytes() as u64) {
            Ok(())
        } else {
            Err(Fault::Misaligned(at))
        }
    }

    fn translate_aligned(
        &mut self,
        caller: DomId,
        at: Gpa,
        width: Width,
        write: bool,
    ) -> Result<Mfn, Fault> {
        self.aligned(at, width)?;
        self.translate(caller, at, write)
    }

    fn translate(&mut self, caller: DomId, at: Gpa, write: bool) -> Result<Mfn, Fault> {
        match self.touch(caller, at.frame()) {
            Entry::Ram(frame) | Entry::Xen(frame, _) => Ok(frame),
            Entry::Grant { readonly: true, .. } if write => Err(Fault::ReadOnly(at)),
            Entry::Grant { frame, .. } => Ok(frame),
            Entry::Hole | Entry::Untouched => Err(Fault::NotPresent(at)),
        }
    }

    pub(crate) fn touch(&mut self, id: DomId, gfn: Gfn) -> Entry {
        match self.domains.get_mut(id) {
            Some(domain) => domain.physmap.touch(gfn, &mut self.memory),
            None => Entry::Hole,
        }
    }

    /// The entries of the caller's grant table that an access of `len` bytes touches, if it touches any.
    fn grant_table_part(&self, caller: DomId, at: Gpa, len: usize) -> Option<std::ops::Range<u32>> {
        match self.domain(caller).ok()?.physmap.entry(at.frame()) {
            Entry::Xen(_, XenPage::GrantTable(n)) => {
                let first = n * 512 + (at.offset() / 8) as u32;
                let end = n * 512 + (at.offset() + len).div_ceil(8) as u32;
                Some(first..end)
            }
            _ => None,
        }
    }
}
