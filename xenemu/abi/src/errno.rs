//! How Xen refuses: `xen/errno.h`.

use thiserror::Error;

/// What a hypercall answers: a non-negative value, or an error.
pub type HypercallResult = Result<u64, Errno>;

macro_rules! errnos {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        /// An error number of Xen's public `errno.h` (Linux's numbers, negated on return).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
        #[repr(i32)]
        #[allow(clippy::upper_case_acronyms, reason = "the field's names")]
        pub enum Errno {
            $(#[doc = $text] #[error($text)] $name = $value,)*
        }
        impl Errno {
            /// The name in the header.
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name),)* }
            }
            /// The error of a register's negative value.
            pub fn from_code(code: i64) -> Option<Errno> {
                match code { $(-$value => Some(Errno::$name),)* _ => None }
            }
            /// The error with that name, as xenstored sends it.
            pub fn from_name(name: &str) -> Option<Errno> {
                match name { $(stringify!($name) => Some(Errno::$name),)* _ => None }
            }
        }
    };
}

errnos! {
    EPERM = 1, "operation not permitted";
    ENOENT = 2, "no such entry";
    ESRCH = 3, "no such process or domain";
    EIO = 5, "input/output error";
    ENXIO = 6, "no such device or address";
    E2BIG = 7, "argument list too long";
    EBADF = 9, "bad file descriptor";
    EAGAIN = 11, "try again";
    ENOMEM = 12, "out of memory";
    EACCES = 13, "permission denied";
    EFAULT = 14, "bad address";
    EBUSY = 16, "device or resource busy";
    EEXIST = 17, "already exists";
    EXDEV = 18, "cross-device link";
    ENODEV = 19, "no such device";
    EISDIR = 21, "is a directory";
    EINVAL = 22, "invalid argument";
    EROFS = 30, "read-only";
    ENOSPC = 28, "no space left";
    ENOTEMPTY = 39, "directory not empty";
    ENOSYS = 38, "function not implemented";
    ENODATA = 61, "no data available";
    ETIME = 62, "timer expired";
    EOPNOTSUPP = 95, "operation not supported";
    EISCONN = 106, "already connected";
}

impl Errno {
    /// The value that the hypercall returns in a register.
    pub const fn code(self) -> i64 {
        -(self as i32 as i64)
    }
}
