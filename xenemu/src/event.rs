//! The typed events that a machine reports, and their canonical encoding.
//!
//! A record in a machine's buffer is stamped with time and sequence by the machine, and says who speaks: the machine
//! itself (an [`Event`] of this file) or one of its guests (bytes that this room does not understand).

use xen_abi::DomId;
use xen_abi::codec::{Bytes, DecodeError, Field, Get, decode};

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

impl Event {
    /// Appends the canonical encoding.
    pub fn encode(&self, to: &mut Vec<u8>) {
        self.put(to);
    }
    /// The event that these bytes encode.
    pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
        decode(bytes)
    }
}

// The tags below are the trace's format.
xen_abi::fields!(enum DropReason {
    0 => VifQueueFull {},
    1 => VifDown {},
    2 => TooLong {},
    3 => Runt {},
    4 => BadGrant {},
});

xen_abi::fields!(enum Life {
    0 => Created { name },
    1 => Unpaused {},
    2 => Paused {},
    3 => Shutdown { reason },
    4 => Crashed { krate },
    5 => Stuck { frame },
    6 => Dying {},
    7 => Zombie {},
    8 => Destroyed {},
    9 => Rebooted { as_domid },
});

xen_abi::fields!(enum Channel {
    0 => Vif {},
    1 => Xenstore {},
    2 => Console {},
});

xen_abi::fields!(enum Event {
    0 => Life { domid, life },
    1 => Busy {},
    2 => Idle {},
    3 => FrameBorn { frame, forged, bytes },
    4 => FrameAt { frame, tap },
    5 => FrameDropped { frame, tap, reason },
    6 => Console { domid, line },
    7 => ConsoleDropped { domid, bytes },
    8 => Hypercall { domid, op, args, result },
    9 => EventPending { domid, port },
    10 => GrantBytes { granter, gref, by, bytes, to_granter, mapped },
    11 => Xenstore { domid, kind, path, value, error },
    12 => XenstoreRing { domid, requested, answered },
    13 => Backend { domid, handle, state },
    14 => Disconnected { domid, what, why },
    15 => Switch { domid, call, actor, steps },
    16 => Run { domid, wake, block },
});
xen_abi::fields!(struct FrameId { origin, n });
xen_abi::fields!(struct UplinkId { 0 });

impl Field for Tap {
    fn put(&self, to: &mut Bytes) {
        match *self {
            Tap::VifOut(domid, handle) => (0u8, (domid, handle)).put(to),
            Tap::VifIn(domid, handle) => (1u8, (domid, handle)).put(to),
            Tap::UplinkOut(uplink) => (2u8, uplink).put(to),
            Tap::UplinkIn(uplink) => (3u8, uplink).put(to),
        }
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        Ok(match from.u8()? {
            0 => Tap::VifOut(Field::get(from)?, Field::get(from)?),
            1 => Tap::VifIn(Field::get(from)?, Field::get(from)?),
            2 => Tap::UplinkOut(Field::get(from)?),
            3 => Tap::UplinkIn(Field::get(from)?),
            tag => return Err(DecodeError::Tag(tag)),
        })
    }
}

impl Field for Op {
    fn put(&self, to: &mut Bytes) {
        (*self as u8).put(to);
    }
    fn get(from: &mut Get<'_>) -> Result<Self, DecodeError> {
        Op::from_u8(from.u8()?).ok_or(DecodeError::Range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_encoding() {
        let frame = FrameId { origin: 3, n: 9 };
        let domid = DomId(7);
        for event in [
            Event::Busy,
            Event::Life {
                domid,
                life: Life::Stuck { frame: Some(frame) },
            },
            Event::FrameBorn {
                frame,
                forged: true,
                bytes: vec![1, 2, 3],
            },
            Event::FrameAt {
                frame,
                tap: Tap::VifIn(domid, 1),
            },
            Event::Hypercall {
                domid,
                op: Op::GnttabCopy,
                args: [4, 0],
                result: -22,
            },
            Event::Xenstore {
                domid,
                kind: 2,
                path: "a/b".into(),
                value: vec![],
                error: Some("ENOENT".into()),
            },
        ] {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            assert_eq!(Event::decode(&bytes), Ok(event));
            assert_eq!(
                Event::decode(&bytes[..bytes.len() - 1]),
                Err(DecodeError::Truncated)
            );
        }
    }
}
