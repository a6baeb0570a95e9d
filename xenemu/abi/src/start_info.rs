//! `hvm_start_info` (`xen/arch-x86/hvm/start_info.h`): what a PVH guest finds at boot.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `XEN_HVM_START_MAGIC_VALUE`
pub const START_MAGIC: u32 = 0x336e_c578;

/// `XEN_HVM_MEMMAP_TYPE_RAM`
pub const MEMMAP_TYPE_RAM: u32 = 1;
/// `XEN_HVM_MEMMAP_TYPE_RESERVED`
pub const MEMMAP_TYPE_RESERVED: u32 = 2;

/// `hvm_start_info`
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmStartInfo {
    /// [`START_MAGIC`]
    pub magic: u32,
    /// 1
    pub version: u32,
    /// `SIF_*`
    pub flags: u32,
    /// Modules at `modlist_paddr`.
    pub nr_modules: u32,
    /// An array of [`HvmModlistEntry`].
    pub modlist_paddr: u64,
    /// A NUL-terminated string.
    pub cmdline_paddr: u64,
    /// ACPI's root.
    pub rsdp_paddr: u64,
    /// An array of `hvm_memmap_table_entry`.
    pub memmap_paddr: u64,
    /// Its length.
    pub memmap_entries: u32,
    /// 0
    pub reserved: u32,
}

/// `hvm_modlist_entry`
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmModlistEntry {
    /// First byte of the module.
    pub paddr: u64,
    /// Its length in bytes.
    pub size: u64,
    /// A NUL-terminated string.
    pub cmdline_paddr: u64,
    /// 0
    pub reserved: u64,
}

/// `hvm_memmap_table_entry`
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct HvmMemmapTableEntry {
    /// First byte.
    pub addr: u64,
    /// Bytes.
    pub size: u64,
    /// `XEN_HVM_MEMMAP_TYPE_*`: 1 RAM, 2 reserved.
    pub kind: u32,
    /// 0
    pub reserved: u32,
}

const _: () = {
    assert!(size_of::<HvmStartInfo>() == 56);
    assert!(size_of::<HvmModlistEntry>() == 32);
    assert!(size_of::<HvmMemmapTableEntry>() == 24);
};
