//! Tolerant decoders, one protocol a file: hostile bytes in, typed headers out, never a panic.
//!
//! The stack's own parsers refuse what is malformed; these must show it. Each decoder takes the bytes of its layer and
//! says as much as they hold. In the order in which a frame is read: [`ethernet`], [`arp`], [`ipv4`] or [`ipv6`], then
//! [`icmp`] or [`icmpv6`], [`udp`] or [`tcp`]; [`bytes`] has the checked reads and the Internet checksum, [`text`] the look into payloads.

pub mod arp;
pub mod bytes;
pub mod ethernet;
pub mod icmp;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
pub mod tcp;
pub mod text;
pub mod udp;
