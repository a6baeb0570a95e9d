//! [`Hypercalls`] by real hypercalls: each of the contract's operations put into the structure of Xen's public header,
//! and its OUT fields taken back.

use alloc::string::String;
use alloc::vec::Vec;

use xen_abi::event_channel::{EvtchnOp, EvtchnStatus};
use xen_abi::grant_table::GnttabOp;
use xen_abi::hvm::HvmOp;
use xen_abi::memory::{MapSpace, MemmapEntry, MemoryOp};
use xen_abi::sched::SchedOp;
use xen_abi::shared_info::{
    VCPU_EVTCHN_UPCALL_PENDING, VCPU_TIME_SYSTEM_TIME, VCPU_TIME_TSC_SHIFT,
    VCPU_TIME_TSC_TIMESTAMP, VCPU_TIME_TSC_TO_SYSTEM_MUL, VCPU_TIME_VERSION,
};
use xen_abi::vcpu::VcpuOp;
use xen_abi::version::VersionOp;
use xen_abi::{
    DomId, Errno, Fuel, Gfn, Gpa, HypercallResult, Hypercalls, Instant, PAGE_SIZE, Port, Rmw, Width,
};
use zerocopy::{FromBytes, IntoBytes};

use crate::frames::Frames;
use crate::hardware::{self, Hypercall};
use crate::structures::{
    AddToPhysmap, Copy, E820, HvmParam, MapGrantRef, MemoryMap, Reservation, SetupTable,
    SingleshotTimer, Transfer, UnmapGrantRef,
};

/// This domain, as its kernel sees it.
pub struct Domain {
    frames: Frames,
    /// Where the kernel had `shared_info` mapped: there are the clock and the pending flag.
    shared_info: Option<Gpa>,
}

impl Domain {
    /// A domain with that memory.
    pub fn new(frames: Frames) -> Domain {
        Domain {
            frames,
            shared_info: None,
        }
    }

    /// Sleeps until an event is pending.
    pub fn sleep(&self) {
        let flag = self
            .shared_info
            .map(|base| base.add(VCPU_EVTCHN_UPCALL_PENDING).0);
        let is_pending = || flag.is_some_and(|at| hardware::load(at, Width::B1) != 0);
        while !is_pending() {
            hardware::sleep_unless(is_pending);
        }
    }
}

/// What a register says.
fn answer(value: i64) -> HypercallResult {
    match u64::try_from(value) {
        Ok(value) => Ok(value),
        // A number that the contract does not know is an error all the same.
        Err(_) => Err(Errno::from_code(value).unwrap_or(Errno::EIO)),
    }
}

/// A call of one structure of 32-bit words; the structure as Xen leaves it.
fn words<const N: usize>(
    number: Hypercall,
    command: u32,
    mut fields: [u32; N],
) -> Result<[u32; N], Errno> {
    let value = hardware::ask(number, command, core::slice::from_mut(&mut fields));
    answer(value).map(|_| fields)
}

/// `__HYPERVISOR_event_channel_op`: all of its structures are 32-bit words, a `domid_t` taking a whole one.
fn event_channel<const N: usize>(command: u32, fields: [u32; N]) -> Result<[u32; N], Errno> {
    words(Hypercall::EventChannelOp, command, fields)
}

impl Hypercalls for Domain {
    fn event_channel_op(&mut self, op: &mut EvtchnOp) -> HypercallResult {
        let id = |dom: DomId| u32::from(dom.0);
        match op {
            EvtchnOp::BindInterdomain {
                remote_dom,
                remote_port,
                local_port,
            } => {
                let [_, _, port] = event_channel(0, [id(*remote_dom), remote_port.0, 0])?;
                *local_port = Port(port);
            }
            EvtchnOp::BindVirq { virq, vcpu, port } => {
                let [_, _, bound] = event_channel(1, [*virq, *vcpu, 0])?;
                *port = Port(bound);
            }
            EvtchnOp::Close { port } => return event_channel(3, [port.0]).map(|_| 0),
            EvtchnOp::Send { port } => return event_channel(4, [port.0]).map(|_| 0),
            EvtchnOp::Status {
                dom,
                port,
                status,
                vcpu,
            } => {
                let fields = event_channel(5, [id(*dom), port.0, 0, 0, 0, 0])?;
                (*status, *vcpu) = (bound_to(fields), fields[3]);
            }
            EvtchnOp::AllocUnbound {
                dom,
                remote_dom,
                port,
            } => {
                let [_, new] = event_channel(6, [id(*dom) | id(*remote_dom) << 16, 0])?;
                *port = Port(new);
            }
            EvtchnOp::BindIpi { vcpu, port } => {
                let [_, bound] = event_channel(7, [*vcpu, 0])?;
                *port = Port(bound);
            }
            EvtchnOp::BindVcpu { port, vcpu } => {
                return event_channel(8, [port.0, *vcpu]).map(|_| 0);
            }
            EvtchnOp::Unmask { port } => return event_channel(9, [port.0]).map(|_| 0),
            EvtchnOp::Reset { dom } => return event_channel(10, [id(*dom)]).map(|_| 0),
            EvtchnOp::Unknown { cmd } => return event_channel(*cmd, [0; 8]).map(|_| 0),
        }
        Ok(0)
    }

    fn grant_table_op(&mut self, op: GnttabOp<'_>) -> HypercallResult {
        match op {
            GnttabOp::MapGrantRef(elements) => batch(0, elements, |e, done: &MapGrantRef| {
                (e.status, e.handle, e.dev_bus_addr) =
                    (done.status, done.handle, done.dev_bus_addr);
            }),
            GnttabOp::UnmapGrantRef(elements) => batch(1, elements, |e, done: &UnmapGrantRef| {
                e.status = done.status
            }),
            GnttabOp::SetupTable(table) => {
                let mut list = alloc::vec![0u64; table.nr_frames as usize];
                let mut argument = SetupTable {
                    dom: table.dom.0,
                    pad: 0,
                    nr_frames: table.nr_frames,
                    status: 0,
                    pad2: [0; 3],
                    frame_list: 0,
                };
                let at = core::mem::offset_of!(SetupTable, frame_list);
                let done = hardware::ask_with_list(
                    Hypercall::GrantTableOp,
                    2,
                    &mut argument,
                    at,
                    &mut list,
                );
                table.status = argument.status;
                answer(done)
            }
            GnttabOp::Transfer {
                gref,
                domid,
                status,
            } => {
                let mut argument = [Transfer {
                    mfn: 0,
                    domid: domid.0,
                    pad: 0,
                    gref: gref.0,
                    status: 0,
                    pad2: [0; 3],
                }];
                let done = hardware::ask(Hypercall::GrantTableOp, 4, &mut argument);
                *status = argument[0].status;
                answer(done)
            }
            GnttabOp::Copy(elements) => batch(5, elements, |e, done: &Copy| e.status = done.status),
            GnttabOp::QuerySize(size) => {
                let fields = [u32::from(size.dom.0), 0, 0, 0];
                let [_, frames, most, status] = words(Hypercall::GrantTableOp, 6, fields)?;
                (size.nr_frames, size.max_nr_frames, size.status) = (frames, most, status as i16);
                Ok(0)
            }
            GnttabOp::SetVersion(version) => {
                [*version] = words(Hypercall::GrantTableOp, 8, [*version])?;
                Ok(0)
            }
            GnttabOp::Unknown { cmd } => words(Hypercall::GrantTableOp, cmd, [0; 8]).map(|_| 0),
        }
    }

    fn memory_op(&mut self, op: &mut MemoryOp<'_>) -> HypercallResult {
        match op {
            MemoryOp::DecreaseReservation { domid, extents } => reservation(1, *domid, extents),
            MemoryOp::CurrentReservation { domid } => memory(3, u64::from(domid.0)),
            MemoryOp::MaximumReservation { domid } => memory(4, u64::from(domid.0)),
            MemoryOp::PopulatePhysmap { domid, extents } => reservation(6, *domid, extents),
            MemoryOp::AddToPhysmap {
                domid,
                space,
                idx,
                gpfn,
            } => {
                let argument = AddToPhysmap {
                    domid: domid.0,
                    size: 0,
                    space: space_number(*space),
                    idx: *idx,
                    gpfn: gpfn.0,
                };
                let done = memory(7, argument)?;
                if *space == MapSpace::SharedInfo {
                    self.shared_info = Some(gpfn.gpa());
                }
                Ok(done)
            }
            MemoryOp::MemoryMap { entries } => memory_map(entries),
            MemoryOp::RemoveFromPhysmap { domid, gpfn } => memory(15, [u64::from(domid.0), gpfn.0]),
            MemoryOp::Unknown { cmd } => memory(*cmd, [0u64; 4]),
        }
    }

    fn hvm_op(&mut self, op: &mut HvmOp) -> HypercallResult {
        let param = |command, domid: DomId, index, value| {
            let mut argument = [HvmParam {
                domid: domid.0,
                pad: 0,
                index,
                value,
            }];
            let done = hardware::ask(Hypercall::HvmOp, command, &mut argument);
            answer(done).map(|done| (done, argument[0].value))
        };
        match op {
            HvmOp::SetParam {
                domid,
                index,
                value,
            } => param(0, *domid, *index, *value).map(|(done, _)| done),
            HvmOp::GetParam {
                domid,
                index,
                value,
            } => {
                let (done, is) = param(1, *domid, *index, 0)?;
                *value = is;
                Ok(done)
            }
            HvmOp::Unknown { cmd } => param(*cmd, DomId::SELF, 0, 0).map(|(done, _)| done),
        }
    }

    fn vcpu_op(&mut self, vcpu: u32, op: &mut VcpuOp) -> HypercallResult {
        let mut argument = SingleshotTimer {
            timeout_abs_ns: 0,
            flags: 0,
            pad: 0,
        };
        let command = match op {
            VcpuOp::IsUp => 3,
            VcpuOp::StopPeriodicTimer => 7,
            VcpuOp::SetSingleshotTimer {
                timeout_abs,
                future,
            } => {
                argument.timeout_abs_ns = timeout_abs.0;
                argument.flags = u32::from(*future);
                8
            }
            VcpuOp::StopSingleshotTimer => 9,
            VcpuOp::Unknown { cmd } => *cmd,
        };
        answer(hardware::ask_vcpu(command, vcpu, &mut argument))
    }

    fn sched_op(&mut self, op: &mut SchedOp) -> HypercallResult {
        let (command, fields) = match op {
            SchedOp::Watchdog { id, timeout } => (6, [*id, *timeout]),
            SchedOp::Unknown { cmd } => (*cmd, [0, 0]),
        };
        let mut fields = [fields];
        answer(hardware::ask(Hypercall::SchedOp, command, &mut fields))
    }

    fn xen_version(&mut self, op: &mut VersionOp) -> HypercallResult {
        match op {
            VersionOp::Version => answer(hardware::ask::<u32>(Hypercall::XenVersion, 0, &mut [])),
            VersionOp::ExtraVersion { text } => {
                let mut bytes = [[0u8; 16]];
                let done = answer(hardware::ask(Hypercall::XenVersion, 1, &mut bytes))?;
                let end = bytes[0].iter().position(|byte| *byte == 0).unwrap_or(16);
                *text = String::from_utf8_lossy(&bytes[0][..end]).into_owned();
                Ok(done)
            }
            VersionOp::GetFeatures { submap_idx, submap } => {
                [_, *submap] = words(Hypercall::XenVersion, 6, [*submap_idx, 0])?;
                Ok(0)
            }
            VersionOp::Unknown { cmd } => words(Hypercall::XenVersion, *cmd, [0; 8]).map(|_| 0),
        }
    }

    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> [u32; 4] {
        hardware::cpuid(leaf, subleaf)
    }

    fn load(&mut self, at: Gpa, width: Width) -> u64 {
        hardware::load(at.0, width)
    }

    fn store(&mut self, at: Gpa, width: Width, value: u64) {
        hardware::store(at.0, width, value);
    }

    fn rmw(&mut self, at: Gpa, width: Width, op: Rmw) -> u64 {
        hardware::rmw(at.0, width, op)
    }

    fn fence(&mut self) {
        hardware::fence();
    }

    fn read(&mut self, at: Gpa, to: &mut [u8]) {
        hardware::read(at.0, to);
    }

    fn write(&mut self, at: Gpa, from: &[u8]) {
        hardware::write(at.0, from);
    }

    fn with_frame(&mut self, frame: Gfn, f: &mut dyn FnMut(&mut [u8; PAGE_SIZE])) {
        hardware::with_frame(frame.gpa().0, f);
    }

    fn alloc_frames(&mut self, n: u32) -> Option<Gfn> {
        self.frames.take(n)
    }

    fn free_frames(&mut self, first: Gfn, n: u32) {
        self.frames.put(first, n);
    }

    fn reserve_gfns(&mut self, n: u32) -> Option<Gfn> {
        self.frames.holes(n)
    }

    /// `vcpu_time_info` (`xen/xen.h`); before `shared_info` is mapped there is no clock.
    fn now(&mut self) -> Instant {
        let Some(base) = self.shared_info else {
            return Instant(0);
        };
        let field = |offset, width| hardware::load(base.add(offset).0, width);
        loop {
            let version = field(VCPU_TIME_VERSION, Width::B4);
            let stamp = field(VCPU_TIME_TSC_TIMESTAMP, Width::B8);
            let system = field(VCPU_TIME_SYSTEM_TIME, Width::B8);
            let multiplier = field(VCPU_TIME_TSC_TO_SYSTEM_MUL, Width::B4);
            let shift = field(VCPU_TIME_TSC_SHIFT, Width::B1) as i8;
            let ticks = hardware::tsc().saturating_sub(stamp);
            // Odd: Xen is writing. Another number: it wrote meanwhile.
            if version & 1 == 0 && field(VCPU_TIME_VERSION, Width::B4) == version {
                let ticks = match shift {
                    0.. => ticks << shift,
                    _ => ticks >> shift.unsigned_abs(),
                };
                let since = (u128::from(ticks) * u128::from(multiplier)) >> 32;
                return Instant(system.saturating_add(since as u64));
            }
        }
    }

    /// RDRAND. It may have nothing for a moment; a processor without it cannot run a kernel that keeps secrets.
    fn entropy(&mut self, to: &mut [u8]) {
        const TRIES: u32 = 1000;
        for piece in to.chunks_mut(8) {
            let value = (0..TRIES).find_map(|_| hardware::rdrand());
            let bytes = value
                .expect("the processor has random numbers")
                .to_le_bytes();
            piece.copy_from_slice(&bytes[..piece.len()]);
        }
    }

    fn fuel(&self) -> Fuel {
        Fuel::unlimited()
    }
}

/// What a port is bound to, of `evtchn_status`: `dom`, `port`, `status`, `vcpu`, and a union of two words.
fn bound_to([_, _, status, _, first, second]: [u32; 6]) -> EvtchnStatus {
    let dom = DomId(first as u16);
    match status {
        1 => EvtchnStatus::Unbound { dom },
        2 => EvtchnStatus::Interdomain {
            dom,
            port: Port(second),
        },
        3 => EvtchnStatus::Pirq { pirq: first },
        4 => EvtchnStatus::Virq { virq: first },
        5 => EvtchnStatus::Ipi,
        _ => EvtchnStatus::Closed,
    }
}

/// A batch of grant table operations, each element put into its structure and taken back.
fn batch<E, S>(command: u32, elements: &mut [E], take: impl Fn(&mut E, &S)) -> HypercallResult
where
    S: FromBytes + IntoBytes + for<'a> From<&'a E>,
{
    let mut structures: Vec<S> = elements.iter().map(S::from).collect();
    let done = hardware::ask(Hypercall::GrantTableOp, command, &mut structures);
    for (element, structure) in elements.iter_mut().zip(&structures) {
        take(element, structure);
    }
    answer(done)
}

/// `__HYPERVISOR_memory_op` on one structure.
fn memory<A: FromBytes + IntoBytes>(command: u32, argument: A) -> HypercallResult {
    answer(hardware::ask(Hypercall::MemoryOp, command, &mut [argument]))
}

fn reservation(command: u32, domid: DomId, extents: &[Gfn]) -> HypercallResult {
    let mut list: Vec<u64> = extents.iter().map(|gfn| gfn.0).collect();
    let mut argument = Reservation {
        extent_start: 0,
        nr_extents: list.len() as u64,
        extent_order: 0,
        mem_flags: 0,
        domid: domid.0,
        pad: [0; 3],
    };
    let at = core::mem::offset_of!(Reservation, extent_start);
    answer(hardware::ask_with_list(
        Hypercall::MemoryOp,
        command,
        &mut argument,
        at,
        &mut list,
    ))
}

fn memory_map(entries: &mut Vec<MemmapEntry>) -> HypercallResult {
    /// `E820MAX`
    const MOST: usize = 128;
    let nothing = E820 {
        addr: 0,
        size: 0,
        kind: 0,
    };
    let mut list = [nothing; MOST];
    let mut argument = MemoryMap {
        nr_entries: MOST as u32,
        pad: 0,
        buffer: 0,
    };
    let at = core::mem::offset_of!(MemoryMap, buffer);
    let done = hardware::ask_with_list(Hypercall::MemoryOp, 9, &mut argument, at, &mut list);
    let done = answer(done)?;
    let told = list.iter().take(argument.nr_entries as usize);
    *entries = told
        .map(|&E820 { addr, size, kind }| MemmapEntry { addr, size, kind })
        .collect();
    Ok(done)
}

/// `XENMAPSPACE_*`
fn space_number(space: MapSpace) -> u32 {
    match space {
        MapSpace::SharedInfo => 0,
        MapSpace::GrantTable => 1,
        MapSpace::Other(number) => number,
    }
}
