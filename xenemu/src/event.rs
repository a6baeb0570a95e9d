//! The typed events that a machine reports, and their canonical encoding.
//!
//! A record in a machine's buffer is stamped with time and sequence by the machine, and says who speaks: the machine
//! itself (an [`Event`] of this file) or one of its guests (bytes that this room does not understand).

use xen_abi::DomId;

use crate::frame::{FrameId, UplinkId};
use crate::time::Time;

/// One stamped entry of a machine's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The machine's clock when it happened.
    pub at: Time,
    /// The place in this machine's buffer, counting from 0 since the world began (a power failure does not restart it).
    pub seq: u64,
    /// Who speaks.
    pub source: Source,
    /// The encoded event.
    pub payload: Vec<u8>,
}

/// Who reports an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Xen or dom0: the payload is an [`Event`].
    Machine,
    /// A guest: the payload is the guest's own encoding.
    Guest(DomId),
}

/// A place on a machine where frames are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tap {
    /// What a domain sends, as netback takes it from the ring.
    VifOut(DomId, u8),
    /// What a domain receives, as netback puts it into a posted buffer.
    VifIn(DomId, u8),
    /// What leaves the machine.
    UplinkOut(UplinkId),
    /// What reaches the machine.
    UplinkIn(UplinkId),
}

/// Why a machine dropped a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// The vif's queue towards the guest is full.
    VifQueueFull = 0,
    /// The guest is gone or its vif is not connected.
    VifDown = 1,
    /// Longer than the receiver can take.
    TooLong = 2,
    /// Shorter than an Ethernet header.
    Runt = 3,
    /// The granted page could not be copied to.
    BadGrant = 4,
}

/// What happens to a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// Built, paused.
    Created { name: String },
    /// May run.
    Unpaused,
    /// May not run.
    Paused,
    /// The guest asked for it: a `SHUTDOWN_*` number.
    Shutdown { reason: u8 },
    /// The guest panicked. Message, place and backtrace are for people and not in the trace.
    Crashed { krate: String },
    /// The guest ran out of fuel, or span without progress; `frame` is the last that it was given.
    Stuck { frame: Option<FrameId> },
    /// Being destroyed, its resources are being reclaimed.
    Dying,
    /// Destroyed, but foreign maps, grants or ports still hold it.
    Zombie,
    /// Gone, with everything given back.
    Destroyed,
    /// The toolstack builds it again, as the domain with this number.
    Rebooted { as_domid: u16 },
}

/// What a machine reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A domain's life.
    Life { domid: DomId, life: Life },
    /// From here on something other than guests' timers is pending in the machine.
    Busy,
    /// Nothing but guests' timers is pending in the machine.
    Idle,
    /// A frame is first seen; its bytes are recorded here and nowhere else.
    FrameBorn {
        frame: FrameId,
        forged: bool,
        bytes: Vec<u8>,
    },
    /// A frame passes a tap.
    FrameAt { frame: FrameId, tap: Tap },
    /// A frame ends here.
    FrameDropped {
        frame: FrameId,
        tap: Tap,
        reason: DropReason,
    },
    /// A line (without its LF) came out of a domain's console; invalid UTF-8 is replaced.
    Console { domid: DomId, line: String },
    /// Console bytes were dropped.
    ConsoleDropped { domid: DomId, bytes: u32 },
    /// A hypercall and its answer (`-errno` or a value); `op` names the command as the public header does,
    /// `args` are the command's numbers in the header's order, or the batch's length.
    Hypercall {
        domid: DomId,
        op: Op,
        args: [u64; 2],
        result: i64,
    },
    /// An event channel of `domid` became pending.
    EventPending { domid: DomId, port: u32 },
    /// Bytes crossed a grant: by copy (`mapped` false) or through a mapping.
    GrantBytes {
        granter: DomId,
        gref: u32,
        by: DomId,
        bytes: u32,
        to_granter: bool,
        mapped: bool,
    },
    /// A xenstore request was answered.
    Xenstore {
        domid: DomId,
        kind: u32,
        path: String,
        value: Vec<u8>,
        error: Option<String>,
    },
    /// Bytes crossed a xenstore ring.
    XenstoreRing {
        domid: DomId,
        requested: u32,
        answered: u32,
    },
    /// A vif's backend changed its xenbus state.
    Backend { domid: DomId, handle: u8, state: u8 },
    /// A backend or dom0's daemons gave up on a domain's ring: it wrote nonsense.
    Disconnected {
        domid: DomId,
        what: Channel,
        why: String,
    },
    /// A forced switch of the schedule was taken.
    Switch {
        domid: DomId,
        call: u64,
        actor: u8,
        steps: u32,
    },
    /// A guest ran.
    Run { domid: DomId, wake: u8, block: u8 },
}

/// A ring that can be disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Channel {
    /// A vif's rings.
    Vif = 0,
    /// The xenstore ring.
    Xenstore = 1,
    /// The console ring.
    Console = 2,
}

macro_rules! ops {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        /// The hypercall commands that are reported.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Op { $(#[doc = $text] $name = $value,)* }
        impl Op {
            /// The header's name.
            pub const fn name(self) -> &'static str { match self { $(Op::$name => $text,)* } }
            /// The command with that number.
            pub const fn from_u8(v: u8) -> Option<Op> { match v { $($value => Some(Op::$name),)* _ => None } }
        }
    };
}

ops! {
    EvtchnAllocUnbound = 0, "EVTCHNOP_alloc_unbound";
    EvtchnBindInterdomain = 1, "EVTCHNOP_bind_interdomain";
    EvtchnBindVirq = 2, "EVTCHNOP_bind_virq";
    EvtchnBindIpi = 3, "EVTCHNOP_bind_ipi";
    EvtchnClose = 4, "EVTCHNOP_close";
    EvtchnSend = 5, "EVTCHNOP_send";
    EvtchnStatus = 6, "EVTCHNOP_status";
    EvtchnBindVcpu = 7, "EVTCHNOP_bind_vcpu";
    EvtchnUnmask = 8, "EVTCHNOP_unmask";
    EvtchnReset = 9, "EVTCHNOP_reset";
    EvtchnUnknown = 10, "EVTCHNOP_?";
    GnttabMapGrantRef = 20, "GNTTABOP_map_grant_ref";
    GnttabUnmapGrantRef = 21, "GNTTABOP_unmap_grant_ref";
    GnttabSetupTable = 22, "GNTTABOP_setup_table";
    GnttabCopy = 23, "GNTTABOP_copy";
    GnttabQuerySize = 24, "GNTTABOP_query_size";
    GnttabTransfer = 25, "GNTTABOP_transfer";
    GnttabSetVersion = 26, "GNTTABOP_set_version";
    GnttabUnknown = 27, "GNTTABOP_?";
    MemoryAddToPhysmap = 40, "XENMEM_add_to_physmap";
    MemoryRemoveFromPhysmap = 41, "XENMEM_remove_from_physmap";
    MemoryMap = 42, "XENMEM_memory_map";
    MemoryDecreaseReservation = 43, "XENMEM_decrease_reservation";
    MemoryPopulatePhysmap = 44, "XENMEM_populate_physmap";
    MemoryReservation = 45, "XENMEM_current_reservation";
    MemoryUnknown = 46, "XENMEM_?";
    HvmSetParam = 60, "HVMOP_set_param";
    HvmGetParam = 61, "HVMOP_get_param";
    HvmUnknown = 62, "HVMOP_?";
    VcpuSetSingleshotTimer = 70, "VCPUOP_set_singleshot_timer";
    VcpuStopSingleshotTimer = 71, "VCPUOP_stop_singleshot_timer";
    VcpuOther = 72, "VCPUOP_?";
    SchedWatchdog = 80, "SCHEDOP_watchdog";
    SchedUnknown = 81, "SCHEDOP_?";
    Version = 90, "XENVER_version";
}
