#![no_std]
//! Inside the guest.
extern crate alloc;
pub mod addr;
pub mod api;
pub mod app;
pub mod dev;
pub mod event;
pub mod os;
