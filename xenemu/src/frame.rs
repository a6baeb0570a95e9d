//! Ethernet frames on their way between vifs, bridges and uplinks.

use std::rc::Rc;

/// A frame's name for life: given at birth by the machine (or the link) that first sees it, it travels with the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId {
    /// The number of the world's part that saw it born: a machine, or a direction of a link.
    pub origin: u32,
    /// Its number there.
    pub n: u64,
}

/// An Ethernet frame, without preamble and check sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its name.
    pub id: FrameId,
    /// Its bytes, shared by all who hold it. Checksums are filled in (a blank one is completed by netback).
    pub bytes: Rc<[u8]>,
}

/// One of a machine's uplinks, in order of their declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UplinkId(pub u32);
