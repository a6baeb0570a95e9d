#![no_std]
//! Inside the guest.
extern crate alloc;
pub mod addr;
pub mod api;
pub mod app;
pub mod event;
