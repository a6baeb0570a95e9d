#![no_std]
#![forbid(unsafe_code)]
//! Inside the guest: a TCP/IP stack, the frontends and the kernel around it, and small applications.
//!
//! The rooms' contents, in reading order:
//!
//! - [`addr`], [`api`], [`event`], [`profile`]: the words. [`api::NetStack`] is a stack as the wire sees it,
//!   [`api::Sockets`] as applications see it, [`api::Device`] is where frames go.
//! - [`wire`], [`checksum`], [`seq`]: headers over bytes.
//! - [`net`]: interface, neighbours, routing, IP both ways, ICMP, UDP. [`tcp`]: TCP, one file an idea.
//! - [`stack`]: all of that put together; sans-IO, so it also runs alone on [`dev::raw`] (`examples/loopback.rs`).
//! - [`dev`]: frontends for Xen's rings. [`os`], [`kernel`]: boot, the phases of a run, tasks.
//! - [`app`]: what runs on top. [`posix`]: a process with file descriptors, for programs in POSIX's shape. [`quirk`]: the bug zoo's switches.
//!
//! How a segment travels up, from the wire to the application:
//!
//! ```text
//! netfront   ends the grant of a posted frame that the backend filled, and shows its bytes in place
//! stack      NetStack::receive: Ethernet header, then net::input refuses what no honest host sends
//! net        a fragment waits in reassembly; ICMP and UDP end here, in a socket's queue
//! tcp        finds the connection by hash; what is expected next is taken by header prediction, the rest by
//!            RFC 9293's steps; text goes into the receive buffer, and the socket is listed as ready
//! os         Sockets::next_ready wakes the task, whose recv copies the bytes out
//! ```
//!
//! And down again:
//!
//! ```text
//! app        send copies the bytes into the send buffer
//! stack      NetStack::transmit, in the run's transmit phase: what waits from before, ICMP, UDP, then TCP
//! tcp        picks a connection that is due and what its windows allow
//! net        finds the next hop and its Ethernet address; if ARP has to ask first, the packet waits with the
//!            neighbour, and goes before anything newer
//! netfront   lends a frame, into which Ethernet, IP and TCP headers and the text are each written once, the checksum
//!            summed in the same pass; grants it and rings the backend
//! ```
//!
//! `receive` never transmits and `transmit` never runs an application: each of a run's phases does one thing. All
//! time, randomness and fuel come in as arguments; what happens is reported to a [`xen_abi::Sink`].
extern crate alloc;
#[cfg(test)]
extern crate std;
pub mod addr;
pub mod api;
pub mod app;
pub mod checksum;
pub mod dev;
pub mod event;
pub mod kernel;
pub mod net;
pub mod os;
pub mod posix;
pub mod profile;
pub mod quirk;
pub mod seq;
pub mod stack;
pub mod tcp;
pub mod wire;
