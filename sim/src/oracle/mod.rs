//! The judges: what a scenario expects, what every run owes the specifications.
//!
//! All read the one merged trace from the front and change nothing. In reading order: [`context`] learns what went by
//! ([`names`], frames, and TCP through [`tracker`] and [`flow`], which make a [`reading`] of each segment from both
//! directions' numbers, `side`, `held` and [`seq`], and their `breach`es); [`matcher`] finds what a scenario speaks of
//! ([`packet_matcher`], [`event_matcher`]); [`trigger`] says when a `when` fires; [`expect`] judges expectations
//! with [`evidence`]; [`invariants`] are the passive checks against the RFCs, with TCP's diagram in [`states`];
//! [`stuck`] names the packet over which a guest spins.
//! [`deeds`] says what the experimenter
//! meant to do and did not. [`observer`] is all of them, and the views, behind one door.

mod breach;
pub mod context;
pub mod deeds;
pub mod event_matcher;
pub mod evidence;
pub mod expect;
pub mod flow;
mod held;
pub mod invariants;
pub mod matcher;
pub mod names;
pub mod observer;
pub mod packet_matcher;
pub mod reading;
pub mod seq;
mod side;
pub mod states;
pub mod stuck;
pub mod tracker;
pub mod trigger;

pub use context::{Context, Sighting};
pub use expect::{Failure, Judge, Leaks};
pub use invariants::Invariants;
pub use matcher::{MatcherState, Verdict};
pub use observer::{Findings, Watch};
pub use trigger::Triggers;
