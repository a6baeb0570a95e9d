//! `xen/version.h`: what kind of Xen this is.

use alloc::string::String;

/// `XENVER_*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionOp {
    /// `XENVER_version`: answers `major << 16 | minor`.
    Version,
    /// `XENVER_extraversion`
    ExtraVersion {
        /// OUT
        text: String,
    },
    /// `XENVER_get_features`
    GetFeatures {
        /// Which 32 features.
        submap_idx: u32,
        /// OUT
        submap: u32,
    },
    /// A command number that no header knows.
    Unknown {
        /// The number.
        cmd: u32,
    },
}
