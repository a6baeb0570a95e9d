//! Options of a socket, by what `setsockopt(2)` knows them by. A value outside an option's type is the caller's mistake
//! and never gets here; a value that a stack does not accept is its `EINVAL`, an option that it does not have its
//! `ENOPROTOOPT`.

/// Declares the options once: with values, and as names to ask for.
macro_rules! options {
    ($($(#[$about:meta])* $name:ident($value:ty),)*) => {
        /// An option with its value. Setting and getting use the same names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SocketOption {
            $($(#[$about])* $name($value),)*
        }

        /// An option that is asked for: the names of [`SocketOption`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum OptionName {
            $($(#[$about])* $name,)*
        }

        impl SocketOption {
            /// Its name.
            pub fn name(&self) -> OptionName {
                match self {
                    $(SocketOption::$name(_) => OptionName::$name,)*
                }
            }
        }
    };
}

options! {
    /// `TCP_NODELAY`
    NoDelay(bool),
    /// `SO_KEEPALIVE`
    KeepAlive(bool),
    /// `SO_RCVBUF`, bytes
    RecvBuffer(usize),
    /// `SO_SNDBUF`, bytes
    SendBuffer(usize),
    /// `SO_REUSEADDR`
    ReuseAddr(bool),
    /// `SO_LINGER`: `Some(0)` makes close send a RST.
    Linger(Option<u32>),
    /// `TCP_MAXSEG`, bytes
    MaxSeg(u16),
}
