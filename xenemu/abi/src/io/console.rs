//! `xen/io/console.h`: a domain's console ring.

/// `XENCONS_RING_SIZE` of input, to the domain.
pub const IN_SIZE: u64 = 1024;
/// Bytes of output, from the domain.
pub const OUT_SIZE: u64 = 2048;
/// `xencons_interface.in`
pub const IN: u64 = 0;
/// `xencons_interface.out`
pub const OUT: u64 = 1024;
/// `xencons_interface.in_cons`, u32
pub const IN_CONS: u64 = 3072;
/// `xencons_interface.in_prod`, u32
pub const IN_PROD: u64 = 3076;
/// `xencons_interface.out_cons`, u32
pub const OUT_CONS: u64 = 3080;
/// `xencons_interface.out_prod`, u32
pub const OUT_PROD: u64 = 3084;
