//! TCP (RFC 9293). Sans-IO: segments and time in, segments and a deadline out.
//!
//! **The way of a segment in:** [`Tcp::receive`] (`demux`) checks it, `table` finds its connection by a hash, `fast_path`
//! takes what was expected, everything else goes step by step through `input` (3.10.7.4; `open` before the
//! handshake is over): `acceptance`, reset and SYN, `ack`, text into the `recv_buffer`, FIN. Nothing is sent;
//! `settle` notes that the connection may have something to send, when its next timer is due, and whether the
//! application should look.
//!
//! **The way out:** [`Tcp::transmit`] lets timers `expire`, then asks each connection that may have something
//! (`transmit`: what, as windows, Nagle, recovery allow), and `emit` writes it into the packet.
//!
//! In reading order:
//! - [`output`] the seam to IP; `sockets`, `user_calls`, `options` the application's calls; `written` what it says about
//!   its octets and is told of them; `info`, `meter`, `told` what it can ask about
//! - `connection` the control block; `state` the state machine; `send_window`, `recv_window` the sequence spaces;
//!   `agreed` what the SYNs settle
//! - `demux`, `incoming`, `acceptance`, `input`, `open`, `ack`, `fast_path`: segments in
//! - `transmit`, `emit`, `sent`, `syn_options`, `delayed_ack`, `expire`, `deadlines`: segments out, and timers
//! - `calm`: what both do when nothing is in doubt, as nearly always
//! - `flight`, `sack` what is out; `repair`, `recovery`, `rack`, `tail`, `prr`, `undo`: losses found and repaired, or
//!   not lost after all; `rto`, `timestamps`: time; `congestion`, `pacing`: pace
//! - `ring`, `pool`, `send_buffer`, `send_room`, `recv_buffer`, `assembler`: memory
//! - `local_drop`: a device's queue that has no room
//! - `mtu_probe`: what a path takes, without ICMP
//! - `ecn`: marks instead of losses
//! - `signature` over `md5`: segments that are signed
//! - `urgent`: a mark in the stream
//! - `fast_open`: data before the handshake is over
//! - `syn_cookie`: connections that are not kept while they are half open
//! - `listen`, `ports`, `isn`, `reset`, `icmp`, `siphash`, `tuple`: beginnings, ends, names
//! - `table`, `timers`, `engine`, `shared`: all connections together; `listing` what is seen from outside

mod acceptance;
mod ack;
mod agreed;
mod assembler;
mod calm;
mod congestion;
mod connection;
mod deadlines;
mod delayed_ack;
mod demux;
mod ecn;
mod emit;
mod engine;
mod expire;
pub mod fast_open;
mod fast_path;
mod flight;
mod icmp;
mod incoming;
mod info;
mod input;
mod isn;
mod listen;
mod listing;
mod local_drop;
mod md5;
mod meter;
mod mtu_probe;
mod open;
mod options;
pub mod output;
mod pacing;
mod pool;
mod ports;
mod prr;
mod rack;
mod recovery;
mod recv_buffer;
mod recv_window;
mod repair;
mod reset;
mod ring;
mod rto;
mod sack;
mod send_buffer;
mod send_room;
mod send_window;
mod sent;
mod shared;
mod signature;
mod siphash;
mod sockets;
mod state;
mod syn_cookie;
mod syn_options;
mod table;
mod tail;
mod timers;
mod timestamps;
mod told;
mod transmit;
mod tuple;
mod undo;
mod urgent;
mod user_calls;
mod written;

#[cfg(test)]
mod tests;

pub use engine::Tcp;
pub use listing::Listed;
pub use output::{IcmpError, IpInfo, IpOutput, IpPacket, Route};
pub use siphash::Key;
