//! IP and what lives on it beside TCP.
//!
//! In reading order: [`profile`] (all constants), [`interface`] (our addresses, and whom an address means),
//! [`routing`] (the next hop), [`neighbours`] over [`neighbour_cache`] and [`neighbour_table`] (the next hop's Ethernet
//! address, by ARP), [`output`] (the way out, fragments too), [`path_mtu`] and [`metrics`] (what is known
//! and said about paths), [`input`] (what a received packet must be),
//! [`reassembly`], [`icmp`], [`ipv6`] (all of that for version 6), [`udp`], [`ports`] (who is bound to what),
//! and [`hash`] for tables.
//!
//! A datagram's way out: `udp` queues it → `output` finds the hop (`routing`) and its Ethernet address
//! (`neighbours`, where it waits if that is unknown) → headers and payload are written into the device's frame.
//! Its way in: `input` refuses what no honest host sends → `reassembly`, if it is a fragment → `udp` finds the socket
//! by hash, or `icmp` says that there is none.

pub mod hash;
pub mod icmp;
pub mod input;
pub mod interface;
pub mod ipv6;
pub mod metrics;
pub mod neighbour_cache;
pub mod neighbour_table;
pub mod neighbours;
pub mod output;
pub mod path_mtu;
pub mod ports;
pub mod profile;
pub mod reassembly;
pub mod routing;
pub mod udp;
