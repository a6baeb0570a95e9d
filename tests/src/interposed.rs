//! A guest with somebody between it and Xen, who sees what it asks, and may change it: the mistakes and the malice of a
//! kernel, on top of one that makes none.

use std::cell::RefCell;
use std::rc::Rc;

use xen_abi::event_channel::EvtchnOp;
use xen_abi::grant_table::GnttabOp;
use xen_abi::hvm::HvmOp;
use xen_abi::memory::MemoryOp;
use xen_abi::sched::SchedOp;
use xen_abi::vcpu::VcpuOp;
use xen_abi::version::VersionOp;
use xen_abi::{
    Block, Fuel, Gfn, Gpa, Guest, HypercallResult, Hypercalls, Instant, PAGE_SIZE, Rmw, Wake, Width,
};

/// Who stands between. By default everything passes.
pub trait Between {
    fn store(&mut self, xen: &mut dyn Hypercalls, at: Gpa, width: Width, value: u64) {
        xen.store(at, width, value);
    }
    fn write(&mut self, xen: &mut dyn Hypercalls, at: Gpa, from: &[u8]) {
        xen.write(at, from);
    }
}

/// A guest and who stands between it and Xen.
pub struct Interposed<B> {
    pub guest: Box<dyn Guest>,
    pub between: Rc<RefCell<B>>,
}

impl<B: Between> Guest for Interposed<B> {
    fn run(&mut self, xen: &mut dyn Hypercalls, wake: Wake) -> Block {
        let between = &mut *self.between.borrow_mut();
        self.guest.run(&mut Calls { xen, between }, wake)
    }
}

struct Calls<'a> {
    xen: &'a mut dyn Hypercalls,
    between: &'a mut dyn Between,
}

impl Hypercalls for Calls<'_> {
    fn event_channel_op(&mut self, op: &mut EvtchnOp) -> HypercallResult {
        self.xen.event_channel_op(op)
    }
    fn grant_table_op(&mut self, op: GnttabOp<'_>) -> HypercallResult {
        self.xen.grant_table_op(op)
    }
    fn memory_op(&mut self, op: &mut MemoryOp<'_>) -> HypercallResult {
        self.xen.memory_op(op)
    }
    fn hvm_op(&mut self, op: &mut HvmOp) -> HypercallResult {
        self.xen.hvm_op(op)
    }
    fn vcpu_op(&mut self, vcpu: u32, op: &mut VcpuOp) -> HypercallResult {
        self.xen.vcpu_op(vcpu, op)
    }
    fn sched_op(&mut self, op: &mut SchedOp) -> HypercallResult {
        self.xen.sched_op(op)
    }
    fn xen_version(&mut self, op: &mut VersionOp) -> HypercallResult {
        self.xen.xen_version(op)
    }
    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> [u32; 4] {
        self.xen.cpuid(leaf, subleaf)
    }
    fn load(&mut self, at: Gpa, width: Width) -> u64 {
        self.xen.load(at, width)
    }
    fn store(&mut self, at: Gpa, width: Width, value: u64) {
        self.between.store(self.xen, at, width, value);
    }
    fn rmw(&mut self, at: Gpa, width: Width, op: Rmw) -> u64 {
        self.xen.rmw(at, width, op)
    }
    fn fence(&mut self) {
        self.xen.fence();
    }
    fn read(&mut self, at: Gpa, to: &mut [u8]) {
        self.xen.read(at, to);
    }
    fn write(&mut self, at: Gpa, from: &[u8]) {
        self.between.write(self.xen, at, from);
    }
    fn with_frame(&mut self, frame: Gfn, f: &mut dyn FnMut(&mut [u8; PAGE_SIZE])) {
        self.xen.with_frame(frame, f);
    }
    fn alloc_frames(&mut self, n: u32) -> Option<Gfn> {
        self.xen.alloc_frames(n)
    }
    fn free_frames(&mut self, first: Gfn, n: u32) {
        self.xen.free_frames(first, n);
    }
    fn reserve_gfns(&mut self, n: u32) -> Option<Gfn> {
        self.xen.reserve_gfns(n)
    }
    fn now(&mut self) -> Instant {
        self.xen.now()
    }
    fn entropy(&mut self, to: &mut [u8]) {
        self.xen.entropy(to);
    }
    fn fuel(&self) -> Fuel {
        self.xen.fuel()
    }
}
