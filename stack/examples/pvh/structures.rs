//! The structures of Xen's public headers that hypercalls take, as they lie in memory: padding is written out, because
//! every byte is shown to Xen.

use xen_abi::grant_table::{CopyPtr, GntCopy, GnttabCopy, GnttabMapGrantRef, GnttabUnmapGrantRef};
use zerocopy::{FromBytes, IntoBytes};

/// `gnttab_map_grant_ref`
#[derive(Clone, Copy, FromBytes, IntoBytes)]
#[repr(C)]
pub struct MapGrantRef {
    pub host_addr: u64,
    pub flags: u32,
    pub gref: u32,
    pub dom: u16,
    pub status: i16,
    pub handle: u32,
    pub dev_bus_addr: u64,
}

/// `gnttab_unmap_grant_ref`
#[derive(Clone, Copy, FromBytes, IntoBytes)]
#[repr(C)]
pub struct UnmapGrantRef {
    pub host_addr: u64,
    pub dev_bus_addr: u64,
    pub handle: u32,
    pub status: i16,
    pub pad: u16,
}

/// `gnttab_setup_table`
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct SetupTable {
    pub dom: u16,
    pub pad: u16,
    pub nr_frames: u32,
    pub status: i16,
    pub pad2: [u16; 3],
    pub frame_list: u64,
}

/// `gnttab_copy_ptr` of `gnttab_copy`
#[derive(Clone, Copy, FromBytes, IntoBytes)]
#[repr(C)]
pub struct CopyEnd {
    /// A reference or a frame.
    pub what: u64,
    pub domid: u16,
    pub offset: u16,
    pub pad: u32,
}

/// `gnttab_copy`
#[derive(Clone, Copy, FromBytes, IntoBytes)]
#[repr(C)]
pub struct Copy {
    pub source: CopyEnd,
    pub dest: CopyEnd,
    pub len: u16,
    pub flags: u16,
    pub status: i16,
    pub pad: u16,
}

/// `gnttab_transfer`
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct Transfer {
    pub mfn: u64,
    pub domid: u16,
    pub pad: u16,
    pub gref: u32,
    pub status: i16,
    pub pad2: [u16; 3],
}

/// `xen_add_to_physmap`
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct AddToPhysmap {
    pub domid: u16,
    pub size: u16,
    pub space: u32,
    pub idx: u64,
    pub gpfn: u64,
}

/// `xen_memory_reservation`
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct Reservation {
    pub extent_start: u64,
    pub nr_extents: u64,
    pub extent_order: u32,
    pub mem_flags: u32,
    pub domid: u16,
    pub pad: [u16; 3],
}

/// `xen_memory_map`
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct MemoryMap {
    pub nr_entries: u32,
    pub pad: u32,
    pub buffer: u64,
}

/// `e820entry`: 20 bytes, not aligned.
#[derive(Clone, Copy, FromBytes, IntoBytes)]
#[repr(C, packed)]
pub struct E820 {
    pub addr: u64,
    pub size: u64,
    pub kind: u32,
}

/// `xen_hvm_param`
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct HvmParam {
    pub domid: u16,
    pub pad: u16,
    pub index: u32,
    pub value: u64,
}

/// `vcpu_set_singleshot_timer`
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct SingleshotTimer {
    pub timeout_abs_ns: u64,
    pub flags: u32,
    pub pad: u32,
}

const _: () = {
    assert!(size_of::<MapGrantRef>() == 32 && size_of::<UnmapGrantRef>() == 24);
    assert!(size_of::<SetupTable>() == 24 && size_of::<Copy>() == 40);
    assert!(size_of::<Transfer>() == 24 && size_of::<AddToPhysmap>() == 24);
    assert!(size_of::<Reservation>() == 32 && size_of::<MemoryMap>() == 16);
    assert!(size_of::<E820>() == 20 && size_of::<HvmParam>() == 16);
    assert!(size_of::<SingleshotTimer>() == 16);
};

impl From<&GnttabMapGrantRef> for MapGrantRef {
    fn from(element: &GnttabMapGrantRef) -> MapGrantRef {
        MapGrantRef {
            host_addr: element.host_addr.0,
            flags: element.flags.bits(),
            gref: element.gref.0,
            dom: element.dom,
            status: 0,
            handle: 0,
            dev_bus_addr: 0,
        }
    }
}

impl From<&GnttabUnmapGrantRef> for UnmapGrantRef {
    fn from(element: &GnttabUnmapGrantRef) -> UnmapGrantRef {
        UnmapGrantRef {
            host_addr: element.host_addr.0,
            dev_bus_addr: 0,
            handle: element.handle,
            status: 0,
            pad: 0,
        }
    }
}

impl From<&GnttabCopy> for Copy {
    fn from(element: &GnttabCopy) -> Copy {
        let end = |end: &CopyPtr| {
            let (what, domid, offset) = match *end {
                CopyPtr::Ref {
                    gref,
                    domid,
                    offset,
                } => (u64::from(gref.0), domid, offset),
                CopyPtr::Frame { gfn, domid, offset } => (gfn.0, domid, offset),
            };
            CopyEnd {
                what,
                domid: domid.0,
                offset,
                pad: 0,
            }
        };
        let mut flags = GntCopy::empty();
        let is_ref = |end: &CopyPtr| matches!(end, CopyPtr::Ref { .. });
        flags.set(GntCopy::SOURCE_GREF, is_ref(&element.source));
        flags.set(GntCopy::DEST_GREF, is_ref(&element.dest));
        Copy {
            source: end(&element.source),
            dest: end(&element.dest),
            len: element.len,
            flags: flags.bits(),
            status: 0,
            pad: 0,
        }
    }
}
