//! `xen/version.h`: what kind of Xen this is.

use alloc::string::String;

/// `XENFEAT_auto_translated_physmap`
pub const XENFEAT_AUTO_TRANSLATED_PHYSMAP: u32 = 2;
/// `XENFEAT_hvm_callback_vector`
pub const XENFEAT_HVM_CALLBACK_VECTOR: u32 = 8;
/// `XENFEAT_hvm_safe_pvclock`
pub const XENFEAT_HVM_SAFE_PVCLOCK: u32 = 9;
/// `XENFEAT_memory_op_vnode_supported`
pub const XENFEAT_MEMORY_OP_VNODE_SUPPORTED: u32 = 13;

/// `XEN_CPUID_FIRST_LEAF`
pub const CPUID_FIRST_LEAF: u32 = 0x4000_0000;
/// `XEN_CPUID_SIGNATURE_EBX`, `_ECX`, `_EDX`: "XenVMMXenVMM"
pub const CPUID_SIGNATURE: [u32; 3] = [0x566e_6558, 0x6558_4d4d, 0x4d4d_566e];
/// `XEN_HVM_CPUID_VCPU_ID_PRESENT`
pub const CPUID_VCPU_ID_PRESENT: u32 = 1 << 3;
/// `XEN_HVM_CPUID_DOMID_PRESENT`
pub const CPUID_DOMID_PRESENT: u32 = 1 << 4;

/// `XENVER_*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionOp {
    /// `XENVER_version`: answers `major << 16 | minor`.
    Version,
    /// `XENVER_extraversion`
    ExtraVersion {
        /// OUT
        text: String,
    },
    /// `XENVER_get_features`
    GetFeatures {
        /// Which 32 features.
        submap_idx: u32,
        /// OUT
        submap: u32,
    },
    /// A command number that no header knows.
    Unknown {
        /// The number.
        cmd: u32,
    },
}
