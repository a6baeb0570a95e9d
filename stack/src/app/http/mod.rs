//! The static web server.
//!
//! - [`server`]: the application: connections, limits, answers.
//! - [`request`]: from bytes to a request, or to the status that refuses it.
//! - [`response`], [`date`]: from a status and a page to a response's head.
//! - [`site`]: the pages, decoded from the boot module.

pub mod date;
pub mod request;
pub mod response;
pub mod server;
pub mod site;
