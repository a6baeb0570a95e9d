//! Headers as they lie in a frame.
//!
//! In reading order, from the outside in: [`ethernet`], [`arp`], [`ipv4`], [`icmpv4`], [`ipv6`] with
//! [`ipv6_extension`], [`icmpv6`] with [`ndp`], [`udp`], [`tcp`] and [`tcp_options`]; the sum under most of them is [`crate::checksum`]. Up to UDP each file has the same three parts,
//! so knowing one is knowing them all:
//!
//! - a **view** (`Frame`, `Packet`, `Message`, `Datagram`) over borrowed bytes, made by `parse`, which checks whatever
//!   the accessors rely on: after it, no accessor can fail;
//! - a **`Repr`**, what a header says as plain values, made from a view by `of`;
//! - **`emit`**, which writes a `Repr` in place and hands back the rest of the buffer for the payload.
//!
//! Nothing here allocates, and no input makes anything here panic.

pub mod arp;
pub mod ethernet;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod ipv6_extension;
pub mod ndp;
pub mod tcp;
pub mod tcp_options;
pub mod udp;

use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What is wrong with a header. The texts are stable: they are in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.why())]
pub enum Malformed {
    /// It ends before its header does.
    Truncated,
    /// The version is not the protocol's.
    Version,
    /// The header's length is less than a header, or more than there is.
    HeaderLength,
    /// The length says more than there is, or less than a header.
    Length,
    /// The checksum is wrong.
    Checksum,
    /// A kind that this stack does not speak.
    Kind,
    /// An option's length leads out of the header.
    Option,
}

impl Malformed {
    /// The stable text.
    pub const fn why(self) -> &'static str {
        match self {
            Malformed::Truncated => "truncated",
            Malformed::Version => "bad version",
            Malformed::HeaderLength => "bad header length",
            Malformed::Length => "bad length",
            Malformed::Checksum => "bad checksum",
            Malformed::Kind => "unknown kind",
            Malformed::Option => "bad option",
        }
    }
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
