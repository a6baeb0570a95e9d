//! The static web server.
//!
//! - [`site`]: the pages, decoded from the boot module.
//! - [`request`]: from bytes to a request, or to the status that refuses it.
//! - [`response`], [`date`]: from a status and a page to a response's head.

pub mod date;
pub mod request;
pub mod response;
pub mod site;
