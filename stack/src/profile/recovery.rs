//! How losses are found and repaired.

/// What a sender and a receiver do about losses.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// Report segments that arrive twice (RFC 2883).
    pub dsack: bool,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery { dsack: true }
    }
}
