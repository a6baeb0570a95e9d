//! `xen/hvm/hvm_op.h` and `xen/hvm/params.h`: a domain's parameters.

use crate::contract::DomId;

/// `HVM_PARAM_CALLBACK_IRQ`
pub const HVM_PARAM_CALLBACK_IRQ: u32 = 0;
/// `HVM_PARAM_STORE_PFN`
pub const HVM_PARAM_STORE_PFN: u32 = 1;
/// `HVM_PARAM_STORE_EVTCHN`
pub const HVM_PARAM_STORE_EVTCHN: u32 = 2;
/// `HVM_PARAM_CONSOLE_PFN`
pub const HVM_PARAM_CONSOLE_PFN: u32 = 17;
/// `HVM_PARAM_CONSOLE_EVTCHN`
pub const HVM_PARAM_CONSOLE_EVTCHN: u32 = 18;
/// `HVM_NR_PARAMS`
pub const HVM_NR_PARAMS: u32 = 39;

/// `HVMOP_*`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HvmOp {
    /// `HVMOP_set_param`
    SetParam {
        domid: DomId,
        index: u32,
        value: u64,
    },
    /// `HVMOP_get_param`
    GetParam {
        domid: DomId,
        index: u32,
        /** OUT */
        value: u64,
    },
    /// A command number that no header knows.
    Unknown {
        /** The number. */
        cmd: u32,
    },
}
