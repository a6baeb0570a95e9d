//! A running guest's view of Xen.
//!
//! The guest is out of its slot while it runs, so its calls own the whole machine. Each call marked [P] in the contract
//! is numbered and is a preemption point: what the schedule forces there happens first, and with `cpu="counted"` so
//! does what dom0's actors have due. Nothing else acts inside a run.
//!
//! A flag is up inside every call: a panic meanwhile is a bug of the machine, not of the guest. It is down again
//! before a fault of the guest is raised, before fuel is burnt, and while the guest works on a frame in place.

use rand_chacha::rand_core::RngCore;
use xen_abi::event_channel::EvtchnOp;
use xen_abi::grant_table::GnttabOp;
use xen_abi::hvm::HvmOp;
use xen_abi::memory::MemoryOp;
use xen_abi::sched::SchedOp;
use xen_abi::vcpu::VcpuOp;
use xen_abi::version::VersionOp;
use xen_abi::{DomId, Fuel, Gfn, Gpa, HypercallResult, Hypercalls, Instant, PAGE_SIZE, Rmw, Width};

use crate::guard;
use crate::guests::Running;
use crate::hypervisor::{Fault, Hypervisor};
use crate::machine::Machine;
use crate::time::Time;

/// Bytes that a bulk access moves between two preemption points.
const CHUNK: usize = 64;
/// What a call burns: a memory access, and a hypercall.
const ACCESS_FUEL: u64 = 1;
const HYPERCALL_FUEL: u64 = 16;

/// The running domain's calls.
pub(crate) struct Calls<'a> {
    machine: &'a mut Machine,
    running: &'a mut Running,
    domid: DomId,
    started: Time,
    full: u64,
    /// How often the clock was read: each reading shows a later instant.
    readings: u64,
}

impl<'a> Calls<'a> {
    pub(crate) fn new(machine: &'a mut Machine, running: &'a mut Running, domid: DomId) -> Self {
        let started = machine.host.hv.now();
        let full = running.fuel.left();
        Calls {
            machine,
            running,
            domid,
            started,
            full,
            readings: 0,
        }
    }

    fn hv(&mut self) -> &mut Hypervisor {
        &mut self.machine.host.hv
    }

    /// Burns fuel, numbers the call, lets others act, and raises the flag.
    fn enter(&mut self, fuel: u64) {
        self.running.fuel.burn(fuel);
        self.machine.inside_call = true;
        self.running.calls += 1;
        if self.running.counted {
            let burnt = self.full.saturating_sub(self.running.fuel.left());
            let clock = self.started.plus(burnt).max(self.hv().now());
            self.hv().log.set_clock(clock);
            self.machine.step_actors_due(clock);
        }
        while let Some(switch) = self.running.switch_due() {
            self.machine
                .force(self.domid, self.running.calls, switch.actor, switch.steps);
        }
    }

    fn leave(&mut self) {
        self.machine.inside_call = false;
    }

    fn hypercall<T>(&mut self, f: impl FnOnce(&mut Hypervisor, DomId) -> T) -> T {
        self.batch(0, f)
    }

    /// A hypercall that burns fuel for each element of its batch.
    fn batch<T>(&mut self, elements: usize, f: impl FnOnce(&mut Hypervisor, DomId) -> T) -> T {
        self.enter(HYPERCALL_FUEL.saturating_add(elements as u64));
        let domid = self.domid;
        let result = f(self.hv(), domid);
        self.leave();
        result
    }

    fn access<T>(&mut self, f: impl FnOnce(&mut Hypervisor, DomId) -> Result<T, Fault>) -> T {
        self.enter(ACCESS_FUEL);
        let domid = self.domid;
        let result = f(self.hv(), domid);
        self.leave();
        result.unwrap_or_else(|fault| guard::fault(fault))
    }

    /// The guest's clock, in the world's time.
    ///
    /// Without counting, the machine's clock stands still during a run; readings advance by a nanosecond each, within
    /// what the run will cost.
    fn clock(&mut self) -> Time {
        let clock = self.hv().now();
        if self.running.counted {
            clock
        } else {
            let room = self.machine.config.costs.run_ns.saturating_sub(1);
            clock.plus(self.readings.min(room))
        }
    }
}

impl Hypercalls for Calls<'_> {
    fn event_channel_op(&mut self, op: &mut EvtchnOp) -> HypercallResult {
        self.hypercall(|hv, domid| hv.event_channel_op(domid, op))
    }

    fn grant_table_op(&mut self, op: GnttabOp<'_>) -> HypercallResult {
        let elements = match &op {
            GnttabOp::MapGrantRef(batch) => batch.len(),
            GnttabOp::UnmapGrantRef(batch) => batch.len(),
            GnttabOp::Copy(batch) => batch.len(),
            _ => 0,
        };
        self.batch(elements, |hv, domid| hv.grant_table_op(domid, op))
    }

    fn memory_op(&mut self, op: &mut MemoryOp<'_>) -> HypercallResult {
        let elements = match &op {
            MemoryOp::DecreaseReservation { extents, .. }
            | MemoryOp::PopulatePhysmap { extents, .. } => extents.len(),
            _ => 0,
        };
        self.batch(elements, |hv, domid| hv.memory_op(domid, op))
    }

    fn hvm_op(&mut self, op: &mut HvmOp) -> HypercallResult {
        self.hypercall(|hv, domid| hv.hvm_op(domid, op))
    }

    fn vcpu_op(&mut self, vcpu: u32, op: &mut VcpuOp) -> HypercallResult {
        let now = self.clock();
        self.hypercall(|hv, domid| hv.vcpu_op(domid, vcpu, op, now))
    }

    fn sched_op(&mut self, op: &mut SchedOp) -> HypercallResult {
        self.hypercall(|hv, domid| hv.sched_op(domid, op))
    }

    fn xen_version(&mut self, op: &mut VersionOp) -> HypercallResult {
        self.hypercall(|hv, domid| hv.xen_version(domid, op))
    }

    fn cpuid(&mut self, leaf: u32, _subleaf: u32) -> [u32; 4] {
        let domid = self.domid;
        self.hv().cpuid(domid, leaf)
    }

    fn load(&mut self, at: Gpa, width: Width) -> u64 {
        self.access(|hv, domid| hv.load(domid, at, width))
    }

    fn store(&mut self, at: Gpa, width: Width, value: u64) {
        self.access(|hv, domid| hv.store(domid, at, width, value));
    }

    fn rmw(&mut self, at: Gpa, width: Width, op: Rmw) -> u64 {
        self.access(|hv, domid| hv.rmw(domid, at, width, op))
    }

    fn fence(&mut self) {
        // Every access drains at once: there is nothing to order.
    }

    fn read(&mut self, at: Gpa, to: &mut [u8]) {
        let mut at = at;
        for chunk in to.chunks_mut(CHUNK) {
            self.access(|hv, domid| hv.read(domid, at, chunk));
            at = at.add(chunk.len() as u64);
        }
    }

    fn write(&mut self, at: Gpa, from: &[u8]) {
        let mut at = at;
        for chunk in from.chunks(CHUNK) {
            self.access(|hv, domid| hv.write(domid, at, chunk));
            at = at.add(chunk.len() as u64);
        }
    }

    fn with_frame(&mut self, frame: Gfn, f: &mut dyn FnMut(&mut [u8; PAGE_SIZE])) {
        self.running.fuel.burn(ACCESS_FUEL);
        let domid = self.domid;
        match self.hv().private_frame(domid, frame) {
            Ok(page) => f(page),
            Err(fault) => guard::fault(fault),
        }
    }

    fn alloc_frames(&mut self, n: u32) -> Option<Gfn> {
        let domid = self.domid;
        let domain = self.hv().domains.get_mut(domid)?;
        domain.physmap.allocate(n)
    }

    fn free_frames(&mut self, first: Gfn, n: u32) {
        let domid = self.domid;
        let freed = self
            .hv()
            .domain_mut(domid)
            .is_ok_and(|domain| domain.physmap.free(first, n));
        if !freed {
            guard::fault(Fault::NotAllocated(first));
        }
    }

    fn reserve_gfns(&mut self, n: u32) -> Option<Gfn> {
        let domid = self.domid;
        let domain = self.hv().domains.get_mut(domid)?;
        domain.physmap.reserve(n)
    }

    fn now(&mut self) -> Instant {
        self.enter(ACCESS_FUEL);
        self.readings += 1;
        let clock = self.clock();
        let now = self.hv().system_time(clock);
        self.leave();
        now
    }

    fn entropy(&mut self, to: &mut [u8]) {
        self.running.entropy.fill_bytes(to);
    }

    fn fuel(&self) -> Fuel {
        self.running.fuel.clone()
    }
}
