//! Headers as they lie in a frame.
//!
//! In reading order, from the outside in: [`ethernet`], [`arp`], [`ipv4`], [`icmpv4`], [`udp`], and [`checksum`]
//! under the last four. Each file has the same three parts, so knowing one is knowing them all:
//!
//! - a **view** (`Frame`, `Packet`, `Message`, `Datagram`) over borrowed bytes, made by `parse`, which checks whatever
//!   the accessors rely on: after it, no accessor can fail;
//! - a **`Repr`**, what a header says as plain values, made from a view by `of`;
//! - **`emit`**, which writes a `Repr` in place and hands back the rest of the buffer for the payload.
//!
//! Nothing here allocates, and no input makes anything here panic.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod icmpv4;
pub mod ipv4;
pub mod udp;

use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is wrong with a header. The texts are stable: they are in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// It ends before its header does.
    #[error("truncated")]
    Truncated,
    /// The version is not the protocol's.
    #[error("bad version")]
    Version,
    /// The header's length is less than a header, or more than there is.
    #[error("bad header length")]
    HeaderLength,
    /// The length says more than there is, or less than a header.
    #[error("bad length")]
    Length,
    /// The checksum is wrong.
    #[error("bad checksum")]
    Checksum,
    /// A kind that this stack does not speak.
    #[error("unknown kind")]
    Kind,
    /// An option's length leads out of the header.
    #[error("bad option")]
    Option,
}

/// The front of a buffer as a header, and the rest.
///
/// Buffers are sized by whoever builds a packet, never by the wire: a short one is a bug of the stack's own.
fn header_mut<H: FromBytes + IntoBytes + KnownLayout + Immutable>(
    to: &mut [u8],
) -> (&mut H, &mut [u8]) {
    match H::mut_from_prefix(to) {
        Ok(both) => both,
        Err(_) => panic!("a packet's buffer is shorter than its header"),
    }
}
