//! `xen/io/netif.h`: the network ring's slots.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Slots in a ring of one page, transmit and receive alike.
pub const RING_SLOTS: u32 = 256;
/// Bytes from one transmit slot to the next.
pub const TX_STRIDE: u64 = 12;
/// Bytes from one receive slot to the next.
pub const RX_STRIDE: u64 = 8;

/// `netif_tx_request`. The first request's size is the whole packet's; later ones carry their own part's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct NetifTxRequest {
    /// The granted page.
    pub gref: u32,
    /// Where in the page the bytes begin.
    pub offset: u16,
    /// `NETTXF_*`
    pub flags: u16,
    /// Echoed in the response.
    pub id: u16,
    /// Bytes.
    pub size: u16,
}

/// `netif_tx_response`
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct NetifTxResponse {
    /// The request's.
    pub id: u16,
    /// `NETIF_RSP_*`
    pub status: i16,
}

/// `netif_rx_request`
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct NetifRxRequest {
    /// Echoed in the response.
    pub id: u16,
    /// 0
    pub pad: u16,
    /// The granted page.
    pub gref: u32,
}

/// `netif_rx_response`; stands in its request's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct NetifRxResponse {
    /// The request's.
    pub id: u16,
    /// Where in the page the bytes begin.
    pub offset: u16,
    /// `NETRXF_*`
    pub flags: u16,
    /// Bytes, or `NETIF_RSP_*` below 0.
    pub status: i16,
}

const _: () = {
    assert!(size_of::<NetifTxRequest>() == 12);
    assert!(size_of::<NetifTxResponse>() == 4);
    assert!(size_of::<NetifRxRequest>() == 8);
    assert!(size_of::<NetifRxResponse>() == 8);
};

/// `NETTXF_csum_blank`
pub const NETTXF_CSUM_BLANK: u16 = 1;
/// `NETTXF_data_validated`
pub const NETTXF_DATA_VALIDATED: u16 = 2;
/// `NETTXF_more_data`: the packet goes on in the next slot.
pub const NETTXF_MORE_DATA: u16 = 4;
/// `NETTXF_extra_info`: the next slot is an extra.
pub const NETTXF_EXTRA_INFO: u16 = 8;
/// `NETRXF_data_validated`
pub const NETRXF_DATA_VALIDATED: u16 = 1;
/// `NETRXF_csum_blank`
pub const NETRXF_CSUM_BLANK: u16 = 2;
/// `NETRXF_more_data`
pub const NETRXF_MORE_DATA: u16 = 4;
/// `NETRXF_extra_info`
pub const NETRXF_EXTRA_INFO: u16 = 8;
/// `NETIF_RSP_OKAY`
pub const NETIF_RSP_OKAY: i16 = 0;
/// `NETIF_RSP_ERROR`
pub const NETIF_RSP_ERROR: i16 = -1;
/// `NETIF_RSP_DROPPED`
pub const NETIF_RSP_DROPPED: i16 = -2;
/// `NETIF_RSP_NULL`: answers an extra slot.
pub const NETIF_RSP_NULL: i16 = 1;
/// `XEN_NETIF_NR_SLOTS_MIN`: slots that a packet may always take.
pub const NR_SLOTS_MIN: u32 = 18;
