//! What a stack does for the sockets' sake only.

/// Sockets.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// Connections count what `TCP_INFO` tells beyond their own needs (Linux and FreeBSD do).
    pub measure: bool,
}
