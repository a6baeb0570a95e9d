//! A peer without a stack.

pub mod notation;
