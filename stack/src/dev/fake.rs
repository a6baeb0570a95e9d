//! A Xen small enough for unit tests: memory, a grant table, ports that only count. Nothing acts beside the guest; a
//! test plays the backend itself.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use xen_abi::event_channel::EvtchnOp;
use xen_abi::grant_table::{GTF_INVALID, GTF_READING, GnttabOp, gntst};
use xen_abi::hvm::HvmOp;
use xen_abi::memory::{MapSpace, MemoryOp};
use xen_abi::sched::SchedOp;
use xen_abi::vcpu::VcpuOp;
use xen_abi::version::VersionOp;
use xen_abi::{
    Errno, Fuel, Gfn, Gpa, GrantRef, HypercallResult, Hypercalls, Instant, PAGE_SIZE, Port, Rmw,
    Width,
};

/// The machine's state, open to tests.
pub struct FakeXen {
    pages: BTreeMap<u64, Box<[u8; PAGE_SIZE]>>,
    next_frame: u64,
    free: Vec<Gfn>,
    /// Frames handed out and not given back.
    pub allocated: u32,
    /// Frames that may still be handed out.
    pub memory: u32,
    grant_frames: Vec<Gfn>,
    next_port: u32,
    /// Events sent, in order.
    pub sent: Vec<Port>,
    /// Ports closed.
    pub closed: Vec<Port>,
    /// The domain's parameters.
    pub params: BTreeMap<u32, u64>,
    /// The clock.
    pub clock: Instant,
    /// The single-shot timer's deadline.
    pub timer: Option<Instant>,
}

impl FakeXen {
    /// A machine with plenty of memory, filled with what somebody left there.
    pub fn new() -> FakeXen {
        FakeXen {
            pages: BTreeMap::new(),
            next_frame: 0x100,
            free: Vec::new(),
            allocated: 0,
            memory: 4096,
            grant_frames: Vec::new(),
            next_port: 1,
            sent: Vec::new(),
            closed: Vec::new(),
            params: BTreeMap::new(),
            clock: Instant(1_000),
            timer: None,
        }
    }

    fn page(&mut self, frame: Gfn) -> &mut [u8; PAGE_SIZE] {
        self.pages
            .entry(frame.0)
            .or_insert_with(|| Box::new([0xA5; PAGE_SIZE]))
    }

    fn bytes(&mut self, at: Gpa, len: usize) -> &mut [u8] {
        let offset = at.offset();
        &mut self.page(at.frame())[offset..offset + len]
    }

    /// Where the entry of a reference lies.
    pub fn entry(&self, gref: GrantRef) -> Gpa {
        let (frame, n) = (gref.0 as usize / 512, u64::from(gref.0 % 512));
        self.grant_frames[frame].gpa().add(n * 8)
    }

    /// The frame that a live grant names.
    pub fn granted(&mut self, gref: GrantRef) -> Gfn {
        let entry = self.entry(gref);
        assert_ne!(self.load(entry, Width::B2), u64::from(GTF_INVALID));
        Gfn(self.load(entry.add(4), Width::B4))
    }

    /// The backend begins, or ends, to use a grant.
    pub fn set_in_use(&mut self, gref: GrantRef, in_use: bool) {
        let bit = u64::from(GTF_READING);
        let op = match in_use {
            true => Rmw::Or(bit),
            false => Rmw::And(!bit),
        };
        self.rmw(self.entry(gref), Width::B2, op);
    }

    fn is_granted(&mut self, frame: Gfn) -> bool {
        (0..self.grant_frames.len() as u32 * 512).any(|n| {
            let entry = self.entry(GrantRef(n));
            self.load(entry, Width::B2) != u64::from(GTF_INVALID)
                && self.load(entry.add(4), Width::B4) == frame.0
        })
    }
}

impl Hypercalls for FakeXen {
    fn event_channel_op(&mut self, op: &mut EvtchnOp) -> HypercallResult {
        match op {
            EvtchnOp::AllocUnbound { port, .. } | EvtchnOp::BindVirq { port, .. } => {
                *port = Port(self.next_port);
                self.next_port += 1;
            }
            EvtchnOp::Send { port } => self.sent.push(*port),
            EvtchnOp::Close { port } => self.closed.push(*port),
            EvtchnOp::Unmask { .. } => {}
            _ => return Err(Errno::ENOSYS),
        }
        Ok(0)
    }
    fn grant_table_op(&mut self, op: GnttabOp<'_>) -> HypercallResult {
        let GnttabOp::QuerySize(query) = op else {
            return Err(Errno::ENOSYS);
        };
        (query.nr_frames, query.max_nr_frames, query.status) = (1, 2, gntst::OKAY);
        Ok(0)
    }
    fn memory_op(&mut self, op: &mut MemoryOp<'_>) -> HypercallResult {
        let MemoryOp::AddToPhysmap {
            space, idx, gpfn, ..
        } = op
        else {
            return Err(Errno::ENOSYS);
        };
        self.page(*gpfn).fill(0);
        if *space == MapSpace::GrantTable {
            self.grant_frames.truncate(*idx as usize);
            self.grant_frames.push(*gpfn);
        }
        Ok(0)
    }
    fn hvm_op(&mut self, op: &mut HvmOp) -> HypercallResult {
        if let HvmOp::GetParam { index, value, .. } = op {
            *value = *self.params.get(index).ok_or(Errno::EINVAL)?;
        }
        Ok(0)
    }
    fn vcpu_op(&mut self, _vcpu: u32, op: &mut VcpuOp) -> HypercallResult {
        self.timer = match op {
            VcpuOp::SetSingleshotTimer { timeout_abs, .. } => Some(*timeout_abs),
            _ => None,
        };
        Ok(0)
    }
    fn sched_op(&mut self, _op: &mut SchedOp) -> HypercallResult {
        Err(Errno::ENOSYS)
    }
    fn xen_version(&mut self, _op: &mut VersionOp) -> HypercallResult {
        Err(Errno::ENOSYS)
    }
    fn cpuid(&mut self, leaf: u32, _subleaf: u32) -> [u32; 4] {
        let word = |text: &[u8; 4]| u32::from_le_bytes(*text);
        match leaf {
            0x4000_0000 => [0x4000_0005, word(b"XenV"), word(b"MMXe"), word(b"nVMM")],
            _ => [0; 4],
        }
    }
    fn load(&mut self, at: Gpa, width: Width) -> u64 {
        let mut value = [0; 8];
        let bytes = self.bytes(at, width.bytes());
        value[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(value)
    }
    fn store(&mut self, at: Gpa, width: Width, value: u64) {
        let len = width.bytes();
        self.bytes(at, len)
            .copy_from_slice(&value.to_le_bytes()[..len]);
    }
    fn rmw(&mut self, at: Gpa, width: Width, op: Rmw) -> u64 {
        let old = self.load(at, width);
        let new = match op {
            Rmw::And(mask) => old & mask,
            Rmw::Or(mask) => old | mask,
            Rmw::Swap(value) => value,
            Rmw::CmpXchg { old: expected, new } if expected == old => new,
            Rmw::CmpXchg { .. } => old,
        };
        self.store(at, width, new);
        old
    }
    fn fence(&mut self) {}
    fn read(&mut self, at: Gpa, to: &mut [u8]) {
        to.copy_from_slice(self.bytes(at, to.len()));
    }
    fn write(&mut self, at: Gpa, from: &[u8]) {
        self.bytes(at, from.len()).copy_from_slice(from);
    }
    fn with_frame(&mut self, frame: Gfn, f: &mut dyn FnMut(&mut [u8; PAGE_SIZE])) {
        assert!(!self.is_granted(frame), "the frame is granted");
        f(self.page(frame));
    }
    fn alloc_frames(&mut self, n: u32) -> Option<Gfn> {
        assert_eq!(n, 1, "frontends take frames one by one");
        self.memory = self.memory.checked_sub(1)?;
        self.allocated += 1;
        self.free.pop().or_else(|| self.reserve_gfns(1))
    }
    fn free_frames(&mut self, first: Gfn, n: u32) {
        assert!(n == 1 && !self.is_granted(first));
        self.allocated -= 1;
        self.memory += 1;
        self.free.push(first);
    }
    fn reserve_gfns(&mut self, n: u32) -> Option<Gfn> {
        let first = Gfn(self.next_frame);
        self.next_frame += u64::from(n);
        Some(first)
    }
    fn now(&mut self) -> Instant {
        self.clock
    }
    fn entropy(&mut self, to: &mut [u8]) {
        to.fill(0);
    }
    fn fuel(&self) -> Fuel {
        Fuel::unlimited()
    }
}
