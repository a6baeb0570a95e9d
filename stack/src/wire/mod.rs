//! The protocols' headers as views over bytes, checked once and never copied.

pub mod tcp;
pub mod tcp_options;
