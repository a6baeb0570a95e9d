//! The bridge to a real Linux interface: a scenario's network served in real time.
//!
//! The machine that holds the scripted clients is replaced by the outside, and its link leads to a tap: whoever talks
//! to the tap stands where the clients stood. [`iface`] is the tap, [`place`] says which machine gives way, [`clock`]
//! drives the world as the wall clock goes.

pub mod clock;
pub mod iface;
pub mod place;

pub use iface::{ConfigureError, Tap, TapError};
pub use place::{Place, PlaceError};
