//! The bug zoo's switches: historical bugs that a profile can bring back, so that the testbed's judges have something
//! to find. Without the feature `zoo` no profile can hold one, and every question below is the constant `false`.

/// A historical bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// The TCP option parser of 2014 takes an option's length on trust: at length 0 it does not move on
    /// (mirage-tcpip's issues 56 and 57).
    OptionLengthZero2014,
}

/// The bugs that a profile has.
#[cfg(feature = "zoo")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks(u32);

#[cfg(feature = "zoo")]
impl Quirks {
    /// This set and one more.
    pub const fn with(self, quirk: Quirk) -> Quirks {
        Quirks(self.0 | 1 << quirk as u32)
    }
    /// Whether the bug is in the set.
    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 & 1 << quirk as u32 != 0
    }
}

#[cfg(all(test, feature = "zoo"))]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        assert!(!Quirks::default().has(Quirk::OptionLengthZero2014));
        assert!(
            Quirks::default()
                .with(Quirk::OptionLengthZero2014)
                .has(Quirk::OptionLengthZero2014)
        );
    }
}
