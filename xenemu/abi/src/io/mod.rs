//! The split drivers' shared rings and states: `xen/io/`.

pub mod console;
pub mod netif;
pub mod ring;
pub mod xenbus;
pub mod xs_wire;
