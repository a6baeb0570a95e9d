//! The emulated Xen machine.

pub mod event;
pub mod frame;
pub mod time;
pub mod xenstore;

pub use event::{Event, Record, Source, Tap};
pub use frame::{Frame, FrameId, UplinkId};
pub use time::Time;
