//! The one trace: every view, oracle and hash is derived from it.
//!
//! In reading order: [`entry`] what an entry says · [`encode`] its canonical bytes · [`merge`] how the authors' buffers
//! become one stream · [`hash`] the stream's identity · [`retention`] what of it is kept · [`store`] where it is kept,
//! and frames looked up by name · [`frames`] the bytes of frames on their way, for those who read along.
//!
//! The way of an entry: an author appends encoded bytes to its own buffer; after each round `merge` takes what is
//! stamped before the round's end, in order of (time, author, sequence); the hash eats the bytes; only if somebody looks
//! is it decoded, shown to triggers and observers, and kept.

pub mod encode;
pub mod entry;
pub mod frames;
pub mod hash;
pub mod merge;
pub mod retention;
pub mod store;

pub use encode::{Raw, TRACE_VERSION};
pub use entry::{Author, Entry, Event, LinkEvent, WorldEvent};
pub use hash::TraceHash;
pub use merge::{Buffer, Merge};
pub use retention::Retention;
pub use store::Trace;
