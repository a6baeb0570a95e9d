//! `HYPERVISOR_hvm_op` and `HYPERVISOR_xen_version`: a domain's parameters, and what Xen says of itself.

use xen_abi::hvm::{
    HVM_NR_PARAMS, HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN,
    HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_PFN, HvmOp,
};
use xen_abi::version::{
    CPUID_DOMID_PRESENT, CPUID_FIRST_LEAF, CPUID_SIGNATURE, CPUID_VCPU_ID_PRESENT, VersionOp,
    XENFEAT_AUTO_TRANSLATED_PHYSMAP, XENFEAT_HVM_CALLBACK_VECTOR, XENFEAT_HVM_SAFE_PVCLOCK,
    XENFEAT_MEMORY_OP_VNODE_SUPPORTED,
};
use xen_abi::{DomId, Errno, HypercallResult};

use crate::event::Op;
use crate::hypervisor::Hypervisor;

/// Xen 4.17.
const VERSION: u64 = 4 << 16 | 17;
/// Leaves that follow the first.
const CPUID_LEAVES: u32 = 5;
const FEATURES: u32 = 1 << XENFEAT_AUTO_TRANSLATED_PHYSMAP
    | 1 << XENFEAT_HVM_CALLBACK_VECTOR
    | 1 << XENFEAT_HVM_SAFE_PVCLOCK
    | 1 << XENFEAT_MEMORY_OP_VNODE_SUPPORTED;

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
        let [ebx, ecx, edx] = CPUID_SIGNATURE;
        match leaf.wrapping_sub(CPUID_FIRST_LEAF) {
            0 => [CPUID_FIRST_LEAF + CPUID_LEAVES, ebx, ecx, edx],
            1 => [VERSION as u32, 0, 0, 0],
            // One hypercall page, behind the MSR that has the first leaf's number.
            2 => [1, CPUID_FIRST_LEAF, 0, 0],
            4 => {
                let present = CPUID_VCPU_ID_PRESENT | CPUID_DOMID_PRESENT;
                [present, 0, caller.0.into(), 0]
            }
            _ => [0; 4],
        }
    }
}
