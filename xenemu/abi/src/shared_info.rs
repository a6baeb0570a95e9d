//! `shared_info` and what lies in it: offsets of `xen/xen.h` for a 64-bit guest.

/// `sizeof(struct shared_info)`
pub const SHARED_INFO_SIZE: usize = 3136;
/// `sizeof(struct vcpu_info)`
pub const VCPU_INFO_SIZE: usize = 64;
/// `vcpu_info.evtchn_upcall_pending`, u8
pub const VCPU_EVTCHN_UPCALL_PENDING: u64 = 0;
/// `vcpu_info.evtchn_upcall_mask`, u8: no effect on a PVH guest
pub const VCPU_EVTCHN_UPCALL_MASK: u64 = 1;
/// `vcpu_info.evtchn_pending_sel`, u64
pub const VCPU_EVTCHN_PENDING_SEL: u64 = 8;
/// `vcpu_info.time`, a `vcpu_time_info`
pub const VCPU_TIME: u64 = 32;
/// `vcpu_info.time.version`, u32: odd while Xen updates
pub const VCPU_TIME_VERSION: u64 = VCPU_TIME;
/// `vcpu_info.time.tsc_timestamp`, u64
pub const VCPU_TIME_TSC_TIMESTAMP: u64 = VCPU_TIME + 8;
/// `vcpu_info.time.system_time`, u64
pub const VCPU_TIME_SYSTEM_TIME: u64 = VCPU_TIME + 16;
/// `vcpu_info.time.tsc_to_system_mul`, u32
pub const VCPU_TIME_TSC_TO_SYSTEM_MUL: u64 = VCPU_TIME + 24;
/// `vcpu_info.time.tsc_shift`, i8
pub const VCPU_TIME_TSC_SHIFT: u64 = VCPU_TIME + 28;
/// `shared_info.evtchn_pending`, 64 words of 64 bits
pub const EVTCHN_PENDING: u64 = 2048;
/// `shared_info.evtchn_mask`, 64 words of 64 bits
pub const EVTCHN_MASK: u64 = 2560;
/// `shared_info.wc_version`, u32: odd while Xen updates
pub const WC_VERSION: u64 = 3072;
/// `shared_info.wc_sec`, u32
pub const WC_SEC: u64 = 3076;
/// `shared_info.wc_nsec`, u32
pub const WC_NSEC: u64 = 3080;
/// `shared_info.wc_sec_hi`, u32
pub const WC_SEC_HI: u64 = 3084;
