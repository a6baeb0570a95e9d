//! `HYPERVISOR_hvm_op` and `HYPERVISOR_xen_version`: a domain's parameters, and what Xen says of itself.

use xen_abi::hvm::{
    HVM_NR_PARAMS, HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN,
    HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_PFN, HvmOp,
};
use xen_abi::version::VersionOp;
use xen_abi::{DomId, Errno, HypercallResult};

use crate::event::Op;
use crate::hypervisor::Hypervisor;

/// Xen 4.17.
const VERSION: u64 = 4 << 16 | 17;
/// The leaf at which Xen's CPUID begins, and how many leaves follow.
const CPUID_BASE: u32 = 0x4000_0000;
/// `XENFEAT_auto_translated_physmap`, `_hvm_callback_vector`, `_hvm_safe_pvclock`, `_memory_op_vnode_supported`
const FEATURES: u32 = 1 << 2 | 1 << 8 | 1 << 9 | 1 << 13;

impl Hypervisor {
    /// `HYPERVISOR_hvm_op` on behalf of `caller`.
    pub fn hvm_op(&mut self, caller: DomId, op: &mut HvmOp) -> HypercallResult {
        let (name, args) = match *op {
            HvmOp::SetParam { index, value, .. } => (Op::HvmSetParam, [index.into(), value]),
            HvmOp::GetParam { domid, index, .. } => {
                (Op::HvmGetParam, [domid.0.into(), index.into()])
            }
            HvmOp::Unknown { cmd } => (Op::HvmUnknown, [cmd.into(), 0]),
        };
        let result = self.do_hvm_op(caller, op).map(|()| 0);
        self.report(caller, name, args, result)
    }

    fn do_hvm_op(&mut self, caller: DomId, op: &mut HvmOp) -> Result<(), Errno> {
        match op {
            HvmOp::SetParam {
                domid,
                index,
                value,
            } => {
                let dom = self.param_owner(caller, *domid, *index)?;
                let own = matches!(
                    *index,
                    HVM_PARAM_CALLBACK_IRQ | HVM_PARAM_STORE_EVTCHN | HVM_PARAM_CONSOLE_EVTCHN
                );
                if caller != DomId(0) && !own {
                    return Err(Errno::EPERM);
                }
                self.domain_mut(dom)?.params[*index as usize] = *value;
            }
            HvmOp::GetParam {
                domid,
                index,
                value,
            } => {
                let dom = self.param_owner(caller, *domid, *index)?;
                let own = matches!(
                    *index,
                    HVM_PARAM_CALLBACK_IRQ
                        | HVM_PARAM_STORE_PFN
                        | HVM_PARAM_STORE_EVTCHN
                        | HVM_PARAM_CONSOLE_PFN
                        | HVM_PARAM_CONSOLE_EVTCHN
                );
                if caller != DomId(0) && !own {
                    return Err(Errno::EPERM);
                }
                *value = self.domain(dom)?.params[*index as usize];
            }
            HvmOp::Unknown { .. } => return Err(Errno::ENOSYS),
        }
        Ok(())
    }

    fn param_owner(&self, caller: DomId, dom: DomId, index: u32) -> Result<DomId, Errno> {
        if index >= HVM_NR_PARAMS {
            return Err(Errno::EINVAL);
        }
        self.privileged_over(caller, dom)
    }

    /// `HYPERVISOR_xen_version` on behalf of `caller`.
    pub fn xen_version(&mut self, caller: DomId, op: &mut VersionOp) -> HypercallResult {
        let result = match op {
            VersionOp::Version => Ok(VERSION),
            VersionOp::ExtraVersion { text } => {
                *text = ".7".into();
                Ok(0)
            }
            VersionOp::GetFeatures {
                submap_idx: 0,
                submap,
            } => {
                *submap = FEATURES;
                Ok(0)
            }
            VersionOp::GetFeatures { .. } => Err(Errno::EINVAL),
            VersionOp::Unknown { .. } => Err(Errno::ENOSYS),
        };
        self.report(caller, Op::Version, [0, 0], result)
    }

    /// Xen's CPUID leaves: eax, ebx, ecx, edx.
    pub fn cpuid(&self, caller: DomId, leaf: u32) -> [u32; 4] {
        let word = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        match leaf.wrapping_sub(CPUID_BASE) {
            0 => [CPUID_BASE + 5, word(b"XenV"), word(b"MMXe"), word(b"nVMM")],
            1 => [VERSION as u32, 0, 0, 0],
            // One hypercall page, behind the MSR that has the base's number.
            2 => [1, CPUID_BASE, 0, 0],
            // XEN_HVM_CPUID_VCPU_ID_PRESENT | XEN_HVM_CPUID_DOMID_PRESENT
            4 => [1 << 3 | 1 << 4, 0, caller.0.into(), 0],
            _ => [0; 4],
        }
    }
}
