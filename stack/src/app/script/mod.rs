//! The scripted guest.

pub mod links;
pub mod response;
