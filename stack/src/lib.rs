#![no_std]
//! Inside the guest.
extern crate alloc;
#[cfg(test)]
extern crate std;
pub mod addr;
pub mod api;
pub mod app;
pub mod checksum;
pub mod dev;
pub mod event;
pub mod kernel;
pub mod net;
pub mod os;
pub mod profile;
pub mod quirk;
pub mod seq;
pub mod stack;
pub mod tcp;
pub mod wire;
