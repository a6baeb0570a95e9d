//! Behaviour of the whole engine, as specifications: two of them, or one and a scripted peer, on a fake network and
//! clock.
//!
//! - [`util`]: the harness
//! - [`opening`], [`closing`]: the state machine
//! - [`hostile`]: what a peer must not be able to do
//! - [`loss`]: retransmission and recovery
//! - [`flow`]: windows, ACK policy, Nagle, keep-alive
//! - [`stream`]: whatever the network does, the stream arrives

mod closing;
mod flow;
mod hostile;
mod loss;
mod opening;
mod stream;
mod util;
