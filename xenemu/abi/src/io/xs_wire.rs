//! `xen/io/xs_wire.h`: xenstore's messages and ring.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `XENSTORE_RING_SIZE`, bytes each way
pub const RING_SIZE: u64 = 1024;
/// `XENSTORE_PAYLOAD_MAX`
pub const PAYLOAD_MAX: usize = 4096;
/// `XENSTORE_ABS_PATH_MAX`
pub const ABS_PATH_MAX: usize = 3072;
/// `XENSTORE_REL_PATH_MAX`
pub const REL_PATH_MAX: usize = 2048;
/// `xenstore_domain_interface.req`
pub const REQ: u64 = 0;
/// `xenstore_domain_interface.rsp`
pub const RSP: u64 = 1024;
/// `xenstore_domain_interface.req_cons`, u32
pub const REQ_CONS: u64 = 2048;
/// `xenstore_domain_interface.req_prod`, u32
pub const REQ_PROD: u64 = 2052;
/// `xenstore_domain_interface.rsp_cons`, u32
pub const RSP_CONS: u64 = 2056;
/// `xenstore_domain_interface.rsp_prod`, u32
pub const RSP_PROD: u64 = 2060;

/// `xsd_sockmsg`: precedes each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct XsdSockmsg {
    /// `XS_*`
    pub kind: u32,
    /// Echoed in the answer.
    pub req_id: u32,
    /// 0: none.
    pub tx_id: u32,
    /// Bytes of payload.
    pub len: u32,
}

const _: () = assert!(size_of::<XsdSockmsg>() == 16);

macro_rules! xs_types {
    ($($name:ident = $value:literal;)*) => { $(#[doc = concat!("`XS_", stringify!($name), "`")] pub const $name: u32 = $value;)* };
}
/// `enum xsd_sockmsg_type`
pub mod xs {
    xs_types! {
        CONTROL = 0; DIRECTORY = 1; READ = 2; GET_PERMS = 3; WATCH = 4; UNWATCH = 5; TRANSACTION_START = 6; TRANSACTION_END = 7;
        INTRODUCE = 8; RELEASE = 9; GET_DOMAIN_PATH = 10; WRITE = 11; MKDIR = 12; RM = 13; SET_PERMS = 14; WATCH_EVENT = 15;
        ERROR = 16; IS_DOMAIN_INTRODUCED = 17; RESUME = 18; SET_TARGET = 19; RESET_WATCHES = 21; DIRECTORY_PART = 22;
    }
}
