//! Error numbers: one name each, two numbers, since Linux and the BSDs count differently.

use crate::api::SocketError;

/// Declares each error once.
macro_rules! errors {
    ($($name:ident $linux:literal $bsd:literal $text:literal,)*) => {
        /// Why a call failed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(clippy::upper_case_acronyms, reason = "the field's names")]
        pub enum Errno {
            $(#[doc = $text] $name,)*
        }

        impl Errno {
            /// All of them.
            pub const ALL: &[Errno] = &[$(Errno::$name,)*];

            /// As `errno.h` spells it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Errno::$name => stringify!($name),)*
                }
            }

            /// As `strerror(3)` explains it.
            pub fn text(self) -> &'static str {
                match self {
                    $(Errno::$name => $text,)*
                }
            }

            /// Linux's number.
            pub fn linux(self) -> i32 {
                match self {
                    $(Errno::$name => $linux,)*
                }
            }

            /// FreeBSD's number.
            pub fn bsd(self) -> i32 {
                match self {
                    $(Errno::$name => $bsd,)*
                }
            }
        }
    };
}

errors! {
    EPERM 1 1 "Operation not permitted",
    ENOENT 2 2 "No such file or directory",
    EINTR 4 4 "Interrupted system call",
    EBADF 9 9 "Bad file descriptor",
    EAGAIN 11 35 "Resource temporarily unavailable",
    ENOMEM 12 12 "Cannot allocate memory",
    EACCES 13 13 "Permission denied",
    EFAULT 14 14 "Bad address",
    EEXIST 17 17 "File exists",
    EINVAL 22 22 "Invalid argument",
    EMFILE 24 24 "Too many open files",
    ENOTTY 25 25 "Inappropriate ioctl for device",
    ESPIPE 29 29 "Illegal seek",
    EPIPE 32 32 "Broken pipe",
    EDOM 33 33 "Numerical argument out of domain",
    ENOMSG 42 83 "No message of desired type",
    EPROTO 71 92 "Protocol error",
    ENOTSOCK 88 38 "Socket operation on non-socket",
    EDESTADDRREQ 89 39 "Destination address required",
    EMSGSIZE 90 40 "Message too long",
    EPROTOTYPE 91 41 "Protocol wrong type for socket",
    ENOPROTOOPT 92 42 "Protocol not available",
    EPROTONOSUPPORT 93 43 "Protocol not supported",
    EOPNOTSUPP 95 45 "Operation not supported",
    EAFNOSUPPORT 97 47 "Address family not supported by protocol",
    EADDRINUSE 98 48 "Address already in use",
    EADDRNOTAVAIL 99 49 "Cannot assign requested address",
    ENETDOWN 100 50 "Network is down",
    ENETUNREACH 101 51 "Network is unreachable",
    ECONNABORTED 103 53 "Software caused connection abort",
    ECONNRESET 104 54 "Connection reset by peer",
    ENOBUFS 105 55 "No buffer space available",
    EISCONN 106 56 "Transport endpoint is already connected",
    ENOTCONN 107 57 "Transport endpoint is not connected",
    ETIMEDOUT 110 60 "Connection timed out",
    ECONNREFUSED 111 61 "Connection refused",
    EHOSTDOWN 112 64 "Host is down",
    EHOSTUNREACH 113 65 "No route to host",
    EALREADY 114 37 "Operation already in progress",
    EINPROGRESS 115 36 "Operation now in progress",
}

impl Errno {
    /// The error of that name; `EWOULDBLOCK` is `EAGAIN`.
    pub fn named(name: &str) -> Option<Errno> {
        match name {
            "EWOULDBLOCK" => Some(Errno::EAGAIN),
            "ENOTSUP" => Some(Errno::EOPNOTSUPP),
            _ => Errno::ALL.iter().copied().find(|e| e.name() == name),
        }
    }
}

impl From<SocketError> for Errno {
    fn from(error: SocketError) -> Errno {
        match error {
            SocketError::EAGAIN => Errno::EAGAIN,
            SocketError::EBADF => Errno::EBADF,
            SocketError::EINVAL => Errno::EINVAL,
            SocketError::EPIPE => Errno::EPIPE,
            SocketError::EMSGSIZE => Errno::EMSGSIZE,
            SocketError::EDESTADDRREQ => Errno::EDESTADDRREQ,
            SocketError::EOPNOTSUPP => Errno::EOPNOTSUPP,
            SocketError::EAFNOSUPPORT => Errno::EAFNOSUPPORT,
            SocketError::EADDRINUSE => Errno::EADDRINUSE,
            SocketError::EADDRNOTAVAIL => Errno::EADDRNOTAVAIL,
            SocketError::ENETUNREACH => Errno::ENETUNREACH,
            SocketError::EHOSTUNREACH => Errno::EHOSTUNREACH,
            SocketError::ECONNABORTED => Errno::ECONNABORTED,
            SocketError::ECONNRESET => Errno::ECONNRESET,
            SocketError::ECONNREFUSED => Errno::ECONNREFUSED,
            SocketError::EISCONN => Errno::EISCONN,
            SocketError::ENOTCONN => Errno::ENOTCONN,
            SocketError::ETIMEDOUT => Errno::ETIMEDOUT,
            SocketError::EALREADY => Errno::EALREADY,
            SocketError::EINPROGRESS => Errno::EINPROGRESS,
            SocketError::ENOBUFS => Errno::ENOBUFS,
            SocketError::ENOPROTOOPT => Errno::ENOPROTOOPT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_by_its_name_and_no_two_share_a_number() {
        for (at, &one) in Errno::ALL.iter().enumerate() {
            assert_eq!(Errno::named(one.name()), Some(one));
            for &other in &Errno::ALL[at + 1..] {
                assert!(one.linux() != other.linux() && one.bsd() != other.bsd());
            }
        }
        assert_eq!(Errno::named("EWOULDBLOCK"), Some(Errno::EAGAIN));
        assert_eq!(Errno::named("EELEPHANT"), None);
    }
}
