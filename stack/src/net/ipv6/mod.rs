//! IPv6 below the transports: what RFC 8200, 4861, 4862 and 6724 ask of a host with one interface.
//!
//! In reading order: [`profile`] (all constants), [`scope`] (whom an address means), [`identifier`] (the lower half of
//! an address), [`addresses`] (ours, from tentative to gone), [`source`] (which of them a packet is sent from),
//! [`routers`] (default routers and prefixes on the link), [`neighbours`] (who has which Ethernet address, and whether
//! it is still there), [`outbox`] (discovery messages that wait for the device), [`host`] (all of that together, and
//! what each discovery message does to it), [`icmp`], [`input`] and [`output`] (packets both ways).
//!
//! Nothing of this is there before an interface has an address of version 6: [`crate::net::output::Output`] holds a
//! [`Host`] or none.

pub mod addresses;
pub mod host;
pub mod icmp;
pub mod identifier;
pub mod input;
pub mod neighbours;
pub mod outbox;
pub mod output;
pub mod profile;
pub mod routers;
pub mod scope;
pub mod source;

pub use host::Host;
