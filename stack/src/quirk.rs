//! The bug zoo's switches: historical bugs that a profile or a kernel can bring back, so that the testbed's judges have
//! something to find. Without the feature `zoo` nobody can hold one, and every question below is the constant `false`.

/// A historical bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// The TCP option parser of 2014 takes an option's length on trust: at length 0 it does not move on
    /// (mirage-tcpip's issues 56 and 57).
    OptionLengthZero2014,
    /// The kernel takes no notice of its last look at the network's rings (`RING_FINAL_CHECK_FOR_RESPONSES`): what came
    /// after the look before, and raised no event, is never seen. It makes the calls that the whole kernel makes, so
    /// that one schedule means the same to both.
    NoFinalCheck,
}

/// A set of bugs. Without the feature `zoo` it is empty and takes no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    #[cfg(feature = "zoo")]
    bits: u32,
}

impl Quirks {
    /// This set and one more.
    #[cfg(feature = "zoo")]
    pub const fn with(self, quirk: Quirk) -> Quirks {
        Quirks {
            bits: self.bits | 1 << quirk as u32,
        }
    }

    /// Whether the bug is in the set.
    #[inline]
    pub const fn has(self, quirk: Quirk) -> bool {
        #[cfg(feature = "zoo")]
        return self.bits & 1 << quirk as u32 != 0;
        #[cfg(not(feature = "zoo"))]
        {
            let _ = quirk;
            false
        }
    }
}

#[cfg(all(test, feature = "zoo"))]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        assert!(!Quirks::default().has(Quirk::NoFinalCheck));
        let one = Quirks::default().with(Quirk::NoFinalCheck);
        assert!(one.has(Quirk::NoFinalCheck) && !one.has(Quirk::OptionLengthZero2014));
    }
}
