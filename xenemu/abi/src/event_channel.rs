//! `xen/event_channel.h`: the port operations.

use crate::contract::{DomId, Port};

/// `EVTCHNOP_*`, each with the header's struct. Fields marked OUT are written by Xen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvtchnOp {
    /// `EVTCHNOP_alloc_unbound`: a port in `dom` that `remote_dom` may bind.
    AllocUnbound {
        dom: DomId,
        remote_dom: DomId,
        /** OUT */
        port: Port,
    },
    /// `EVTCHNOP_bind_interdomain`: the local end of the peer's unbound port.
    BindInterdomain {
        remote_dom: DomId,
        remote_port: Port,
        /** OUT */
        local_port: Port,
    },
    /// `EVTCHNOP_bind_virq`
    BindVirq {
        virq: u32,
        vcpu: u32,
        /** OUT */
        port: Port,
    },
    /// `EVTCHNOP_bind_ipi`
    BindIpi {
        vcpu: u32,
        /** OUT */
        port: Port,
    },
    /// `EVTCHNOP_close`
    Close { port: Port },
    /// `EVTCHNOP_send`
    Send { port: Port },
    /// `EVTCHNOP_status`
    Status {
        dom: DomId,
        port: Port,
        /** OUT */
        status: EvtchnStatus,
        /** OUT */
        vcpu: u32,
    },
    /// `EVTCHNOP_bind_vcpu`
    BindVcpu { port: Port, vcpu: u32 },
    /// `EVTCHNOP_unmask`
    Unmask { port: Port },
    /// `EVTCHNOP_reset`
    Reset { dom: DomId },
    /// A command number that no header knows: answered as Xen does.
    Unknown { cmd: u32 },
}

/// What a port is bound to: `EVTCHNSTAT_*` with the header's union.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EvtchnStatus {
    /// `EVTCHNSTAT_closed` (0)
    #[default]
    Closed,
    /// `EVTCHNSTAT_unbound` (1)
    Unbound { dom: DomId },
    /// `EVTCHNSTAT_interdomain` (2)
    Interdomain { dom: DomId, port: Port },
    /// `EVTCHNSTAT_pirq` (3)
    Pirq { pirq: u32 },
    /// `EVTCHNSTAT_virq` (4)
    Virq { virq: u32 },
    /// `EVTCHNSTAT_ipi` (5)
    Ipi,
}

impl EvtchnStatus {
    /// The header's number.
    pub const fn code(&self) -> u32 {
        match self {
            EvtchnStatus::Closed => 0,
            EvtchnStatus::Unbound { .. } => 1,
            EvtchnStatus::Interdomain { .. } => 2,
            EvtchnStatus::Pirq { .. } => 3,
            EvtchnStatus::Virq { .. } => 4,
            EvtchnStatus::Ipi => 5,
        }
    }
}

/// `VIRQ_TIMER`: one per vCPU, raised by the single-shot timer.
pub const VIRQ_TIMER: u32 = 0;
/// `VIRQ_DEBUG`
pub const VIRQ_DEBUG: u32 = 1;
/// `VIRQ_CONSOLE`
pub const VIRQ_CONSOLE: u32 = 2;
/// `VIRQ_DOM_EXC`: a domain shut down or died (dom0 only).
pub const VIRQ_DOM_EXC: u32 = 3;
/// `NR_VIRQS`
pub const NR_VIRQS: u32 = 24;
/// `EVTCHN_2L_NR_CHANNELS` on a 64-bit guest.
pub const EVTCHN_2L_NR_CHANNELS: u32 = 4096;
