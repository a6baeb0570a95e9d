//! `xen/grant_table.h`: version 1 tables, and the operations on them.

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::contract::{DomId, Gfn, Gpa, GrantRef};

/// `grant_entry_v1`: 8 bytes, flags last to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct GrantEntryV1 {
    /// `GTF_*`
    pub flags: u16,
    /// Who may use it.
    pub domid: u16,
    /// The granted frame.
    pub frame: u32,
}

const _: () = assert!(size_of::<GrantEntryV1>() == 8);

/// `GTF_invalid`
pub const GTF_INVALID: u16 = 0;
/// `GTF_permit_access`
pub const GTF_PERMIT_ACCESS: u16 = 1;
/// `GTF_accept_transfer`
pub const GTF_ACCEPT_TRANSFER: u16 = 2;
/// `GTF_type_mask`
pub const GTF_TYPE_MASK: u16 = 3;
/// `GTF_readonly`
pub const GTF_READONLY: u16 = 1 << 2;
/// `GTF_reading`: set by Xen while the frame is mapped or copied from.
pub const GTF_READING: u16 = 1 << 3;
/// `GTF_writing`: set by Xen while the frame is mapped writable or copied to.
pub const GTF_WRITING: u16 = 1 << 4;

/// Entries in a frame of the table.
pub const GRANT_ENTRIES_PER_FRAME: u32 = 512;
/// `GNTTAB_NR_RESERVED_ENTRIES`: references that guests leave alone.
pub const GNTTAB_NR_RESERVED_ENTRIES: u32 = 8;
/// `GNTTAB_RESERVED_CONSOLE`
pub const GNTTAB_RESERVED_CONSOLE: GrantRef = GrantRef(0);
/// `GNTTAB_RESERVED_XENSTORE`
pub const GNTTAB_RESERVED_XENSTORE: GrantRef = GrantRef(1);

/// `GNTST_*`: the status of one element of a batch.
pub mod gntst {
    /// Normal return.
    pub const OKAY: i16 = 0;
    /// General undefined error.
    pub const GENERAL_ERROR: i16 = -1;
    /// Unrecognised domain id.
    pub const BAD_DOMAIN: i16 = -2;
    /// Unrecognised or inappropriate grant reference.
    pub const BAD_GNTREF: i16 = -3;
    /// Unrecognised or inappropriate handle.
    pub const BAD_HANDLE: i16 = -4;
    /// Inappropriate virtual address to map.
    pub const BAD_VIRT_ADDR: i16 = -5;
    /// Inappropriate device address to unmap.
    pub const BAD_DEV_ADDR: i16 = -6;
    /// Out of space in the I/O MMU.
    pub const NO_DEVICE_SPACE: i16 = -7;
    /// Not enough privilege for the operation.
    pub const PERMISSION_DENIED: i16 = -8;
    /// The specified page was invalid for the operation.
    pub const BAD_PAGE: i16 = -9;
    /// A copy crosses a page boundary.
    pub const BAD_COPY_ARG: i16 = -10;
    /// Transfer page address too large.
    pub const ADDRESS_TOO_BIG: i16 = -11;
    /// The operation was interrupted: try again.
    pub const EAGAIN: i16 = -12;
    /// Out of space.
    pub const NO_SPACE: i16 = -13;
}

bitflags! {
    /// `GNTMAP_*`
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct GntMap: u32 {
        /// `GNTMAP_device_map`
        const DEVICE_MAP = 1 << 0;
        /// `GNTMAP_host_map`
        const HOST_MAP = 1 << 1;
        /// `GNTMAP_readonly`
        const READONLY = 1 << 2;
    }
    /// `GNTCOPY_*`
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct GntCopy: u16 {
        /// `GNTCOPY_source_gref`
        const SOURCE_GREF = 1 << 0;
        /// `GNTCOPY_dest_gref`
        const DEST_GREF = 1 << 1;
    }
}

/// `gnttab_map_grant_ref`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GnttabMapGrantRef {
    /// Where to map it: a hole in the caller's guest-physical map.
    pub host_addr: Gpa,
    /// How.
    pub flags: GntMap,
    /// The reference in the granter's table.
    pub gref: GrantRef,
    /// The granter.
    pub dom: u16,
    /// OUT: `GNTST_*`
    pub status: i16,
    /// OUT: what unmap takes.
    pub handle: u32,
    /// OUT
    pub dev_bus_addr: u64,
}

/// `gnttab_unmap_grant_ref`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GnttabUnmapGrantRef {
    /// Where it was mapped.
    pub host_addr: Gpa,
    /// What map gave.
    pub handle: u32,
    /// OUT: `GNTST_*`
    pub status: i16,
}

/// One end of a [`GnttabCopy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyPtr {
    /// A reference in the table of `domid` (with the `*_GREF` flag).
    Ref {
        gref: GrantRef,
        domid: DomId,
        offset: u16,
    },
    /// A frame of the caller's own.
    Frame { gfn: Gfn, domid: DomId, offset: u16 },
}

/// `gnttab_copy`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GnttabCopy {
    /// From.
    pub source: CopyPtr,
    /// To.
    pub dest: CopyPtr,
    /// Bytes; neither end may cross a page.
    pub len: u16,
    /// OUT: `GNTST_*`
    pub status: i16,
}

/// `gnttab_query_size`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GnttabQuerySize {
    /// Whose.
    pub dom: DomId,
    /// OUT
    pub nr_frames: u32,
    /// OUT
    pub max_nr_frames: u32,
    /// OUT: `GNTST_*`
    pub status: i16,
}

/// `gnttab_setup_table`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GnttabSetupTable {
    /// Whose.
    pub dom: DomId,
    /// How many frames the table shall have.
    pub nr_frames: u32,
    /// OUT: `GNTST_*`
    pub status: i16,
}

/// `GNTTABOP_*`; a batch is a slice, each element has its own status.
#[derive(Debug)]
pub enum GnttabOp<'a> {
    /// `GNTTABOP_map_grant_ref`
    MapGrantRef(&'a mut [GnttabMapGrantRef]),
    /// `GNTTABOP_unmap_grant_ref`
    UnmapGrantRef(&'a mut [GnttabUnmapGrantRef]),
    /// `GNTTABOP_setup_table`
    SetupTable(&'a mut GnttabSetupTable),
    /// `GNTTABOP_copy`
    Copy(&'a mut [GnttabCopy]),
    /// `GNTTABOP_query_size`
    QuerySize(&'a mut GnttabQuerySize),
    /// `GNTTABOP_transfer`: for PV guests only; a PVH guest gets the refusal.
    Transfer {
        /// The reference that accepts.
        gref: GrantRef,
        /// The receiver.
        domid: DomId,
        /// OUT: `GNTST_*`
        status: &'a mut i16,
    },
    /// `GNTTABOP_set_version`; the element is IN the wanted, OUT the actual version.
    SetVersion(&'a mut u32),
    /// A command number that no header knows.
    Unknown {
        /// The number.
        cmd: u32,
    },
}
