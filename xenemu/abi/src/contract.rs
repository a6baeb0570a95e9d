//! What a guest may ask of Xen, what a machine asks of a guest, and when others may act in between.
//!
//! `[P]` in a method's documentation marks a preemption point: the rest of the machine may act before the call
//! takes effect. Nothing else lets anybody act while a guest runs.

use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;

use crate::errno::HypercallResult;
use crate::event_channel::EvtchnOp;
use crate::grant_table::GnttabOp;
use crate::hvm::HvmOp;
use crate::memory::MemoryOp;
use crate::sched::{SchedOp, ShutdownReason};
use crate::vcpu::VcpuOp;
use crate::version::VersionOp;

/// Bytes in a page; frames are always 4 KiB.
pub const PAGE_SIZE: usize = 4096;

/// A domain's number. Xen's `domid_t`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomId(pub u16);

impl DomId {
    /// The calling domain itself.
    pub const SELF: DomId = DomId(0x7FF0);
    /// The first reserved id: ordinary domains are below it.
    pub const FIRST_RESERVED: u16 = 0x7FF0;
}

impl fmt::Debug for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

impl fmt::Display for DomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An event channel port, local to its domain. Port 0 is never valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Port(pub u32);

/// An index into a domain's grant table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GrantRef(pub u32);

/// A guest-physical address, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Gpa(pub u64);

impl Gpa {
    /// The frame that holds this address.
    pub const fn frame(self) -> Gfn {
        Gfn(self.0 >> 12)
    }
    /// The offset inside its frame.
    pub const fn offset(self) -> usize {
        (self.0 & 0xFFF) as usize
    }
    /// This address plus `n` bytes, wrapping: a bad address is refused where it is used.
    pub const fn add(self, n: u64) -> Gpa {
        Gpa(self.0.wrapping_add(n))
    }
}

/// A guest frame number: a guest-physical address over 4096.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Gfn(pub u64);

impl Gfn {
    /// The address of the frame's first byte.
    pub const fn gpa(self) -> Gpa {
        Gpa(self.0 << 12)
    }
}

/// Xen system time in nanoseconds. Not 0 at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The instant `ns` nanoseconds later; saturates at the end of time.
    pub const fn plus(self, ns: u64) -> Instant {
        Instant(self.0.saturating_add(ns))
    }
    /// Nanoseconds since `earlier`; 0 if that lies in the future.
    pub const fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The width of an aligned, single-copy atomic access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 1 byte.
    B1,
    /// 2 bytes.
    B2,
    /// 4 bytes.
    B4,
    /// 8 bytes.
    B8,
}

impl Width {
    /// The width in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Width::B1 => 1,
            Width::B2 => 2,
            Width::B4 => 4,
            Width::B8 => 8,
        }
    }
}

/// An atomic read-modify-write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rmw {
    /// `*at &= mask`
    And(u64),
    /// `*at |= mask`
    Or(u64),
    /// `*at = value`
    Swap(u64),
    /// `if *at == old { *at = new }`
    CmpXchg {
        /// The value that must be there.
        old: u64,
        /// The value to put there.
        new: u64,
    },
}

/// Everything that a guest may ask of the machine it runs on.
///
/// Addresses that the domain does not own are a fault of the guest: the access kills it as a page fault would,
/// by a panic that the machine catches and reports as a crash of the domain.
pub trait Hypercalls {
    /// `HYPERVISOR_event_channel_op` [P]
    fn event_channel_op(&mut self, op: &mut EvtchnOp) -> HypercallResult;
    /// `HYPERVISOR_grant_table_op` [P]
    fn grant_table_op(&mut self, op: GnttabOp<'_>) -> HypercallResult;
    /// `HYPERVISOR_memory_op` [P]
    fn memory_op(&mut self, op: &mut MemoryOp<'_>) -> HypercallResult;
    /// `HYPERVISOR_hvm_op` [P]
    fn hvm_op(&mut self, op: &mut HvmOp) -> HypercallResult;
    /// `HYPERVISOR_vcpu_op` [P]
    fn vcpu_op(&mut self, vcpu: u32, op: &mut VcpuOp) -> HypercallResult;
    /// `HYPERVISOR_sched_op` [P]: block, yield and shutdown are said by returning a [`Block`] instead.
    fn sched_op(&mut self, op: &mut SchedOp) -> HypercallResult;
    /// `HYPERVISOR_xen_version` [P]
    fn xen_version(&mut self, op: &mut VersionOp) -> HypercallResult;
    /// The CPUID instruction: eax, ebx, ecx, edx.
    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> [u32; 4];

    /// An aligned load with acquire ordering [P]. `at` must be a multiple of the width.
    fn load(&mut self, at: Gpa, width: Width) -> u64;
    /// An aligned store with release ordering [P].
    fn store(&mut self, at: Gpa, width: Width, value: u64);
    /// An atomic read-modify-write and a full barrier [P]. Returns the old value.
    fn rmw(&mut self, at: Gpa, width: Width, op: Rmw) -> u64;
    /// `xen_mb()`
    fn fence(&mut self);
    /// Copies from memory that another domain may see: not atomic, may tear between 64-byte chunks [P each].
    fn read(&mut self, at: Gpa, to: &mut [u8]);
    /// Copies to memory that another domain may see: not atomic, may tear between 64-byte chunks [P each].
    fn write(&mut self, at: Gpa, from: &[u8]);
    /// A frame that nobody else can see now (no live grant: asserted), in place: to build a packet before granting
    /// it, or to parse one after ending the grant.
    fn with_frame(&mut self, frame: Gfn, f: &mut dyn FnMut(&mut [u8; PAGE_SIZE]));

    /// `n` consecutive frames of the domain's own RAM. They hold whatever was there.
    fn alloc_frames(&mut self, n: u32) -> Option<Gfn>;
    /// Gives `n` frames back.
    fn free_frames(&mut self, first: Gfn, n: u32);
    /// `n` consecutive holes in the guest-physical map, for `add_to_physmap` and `map_grant_ref`.
    fn reserve_gfns(&mut self, n: u32) -> Option<Gfn>;

    /// The pvclock; advances within a run [P].
    fn now(&mut self) -> Instant;
    /// Random bytes: of the world's seed here, of RDRAND on hardware.
    fn entropy(&mut self, to: &mut [u8]);
    /// The domain's fuel, for loops that make no calls.
    fn fuel(&self) -> Fuel;
}

/// Why a guest's [`run`](Guest::run) is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// First run, exactly once.
    Boot {
        /// Where the `hvm_start_info` lies.
        start_info: Gpa,
    },
    /// An event is pending, or a yield is over.
    Running,
    /// After a suspend.
    Resumed {
        /// The suspend was cancelled: shared pages, ports and grants are as before.
        cancelled: bool,
    },
}

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Sleep until `evtchn_upcall_pending` is set. Carries no time: a deadline is the guest's own single-shot timer.
    Halt,
    /// Run again after the others.
    Yield,
    /// `SHUTDOWN_suspend`
    Suspend,
    /// `SCHEDOP_shutdown`
    Shutdown(ShutdownReason),
}

/// A kernel. The machine calls [`run`](Guest::run) with [`Wake::Boot`] first, exactly once.
pub trait Guest {
    /// Runs until the guest has nothing to do.
    fn run(&mut self, xen: &mut dyn Hypercalls, wake: Wake) -> Block;
}

/// What a domain may still burn in this run: cost and bound in one.
///
/// Every loop over input burns a unit a turn. When the tank is empty the burner panics, once; the machine catches
/// it, sees the tank empty, and marks the domain *stuck*. Later burns do nothing, so that a `Drop` cannot panic a
/// second time.
#[derive(Clone, Debug)]
pub struct Fuel(Rc<Cell<u64>>);

/// The panic message of an empty tank.
pub const OUT_OF_FUEL: &str = "out of fuel: the guest spins";

impl Fuel {
    /// A tank with `units` in it.
    pub fn new(units: u64) -> Fuel {
        Fuel(Rc::new(Cell::new(units)))
    }
    /// A tank that never empties, as on hardware.
    pub fn unlimited() -> Fuel {
        Fuel::new(u64::MAX)
    }
    /// Burns `units`. Panics when this empties the tank.
    #[inline]
    pub fn burn(&self, units: u64) {
        let left = self.0.get();
        if left == u64::MAX || left == 0 {
            return;
        }
        let left = left.saturating_sub(units);
        self.0.set(left);
        if left == 0 {
            panic!("{OUT_OF_FUEL}");
        }
    }
    /// Units left.
    pub fn left(&self) -> u64 {
        self.0.get()
    }
    /// Fills the tank. The machine does this before each run.
    pub fn refill(&self, units: u64) {
        self.0.set(units);
    }
}

/// Where a room reports its typed events, encoded by itself.
///
/// The machine stamps time and sequence; the simulation, which knows both rooms, decodes. Handed over when a guest
/// is created. On hardware it drains over the console.
pub trait Sink {
    /// Appends one encoded event.
    fn emit(&self, event: &[u8]);
}

/// A sink that forgets.
pub struct NoSink;

impl Sink for NoSink {
    fn emit(&self, _event: &[u8]) {}
}
