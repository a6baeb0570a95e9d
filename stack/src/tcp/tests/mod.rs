//! Behaviour of the whole engine, as specifications: two of them, or one and a scripted peer, on a fake network and
//! clock.
//!
//! - `util`: the harness
//! - `opening`, `closing`: the state machine
//! - `hostile`: what a peer must not be able to do
//! - `loss`: retransmission and recovery
//! - `recovery`: losses found by time, probes, windows that come down gently, and mistakes taken back
//! - `flow`: windows, ACK policy, Nagle, keep-alive
//! - `fast_open`: data before the handshake is over
//! - `ecn`: marks instead of losses
//! - `errors`: what ICMP says
//! - `signature`: segments that are signed
//! - `syn_cookie`: connections that are not kept while they are half open
//! - `urgent`: a mark in the stream
//! - `udp_tunnel`: segments in datagrams
//! - `mtu_probe`: what a path takes, without ICMP
//! - `requirements`: the table of RFC 9293 names tests that exist
//! - `chaos`: any calls in any order
//! - `stream`: whatever the network does, the stream arrives

mod chaos;
mod closing;
mod device_queue;
mod ecn;
mod errors;
mod fast_open;
mod flow;
mod hostile;
mod loss;
mod mtu_probe;
mod opening;
mod profiles;
mod recovery;
mod requirements;
mod send_room;
mod signature;
mod stream;
mod syn_cookie;
mod udp_tunnel;
mod urgent;
mod util;
