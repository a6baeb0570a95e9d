//! Sequence numbers live on a circle of 2³² (RFC 9293, section 3.4): ordinary comparison and subtraction are wrong on
//! them, so they have a type of their own that has neither.

use core::fmt;

/// A TCP sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// The number `n` octets later.
    #[inline]
    pub const fn plus(self, n: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_add(n))
    }
    /// The number `n` octets earlier.
    #[inline]
    pub const fn minus(self, n: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_sub(n))
    }
    /// Octets from `earlier` to here, going forward.
    #[inline]
    pub const fn since(self, earlier: SeqNumber) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
    /// Octets from `earlier` to here; 0 if this is not later.
    #[inline]
    pub const fn after(self, earlier: SeqNumber) -> u32 {
        if self.gt(earlier) {
            self.since(earlier)
        } else {
            0
        }
    }
    /// Strictly before `other`: less than half the circle away.
    #[inline]
    pub const fn lt(self, other: SeqNumber) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }
    /// Before `other`, or the same.
    #[inline]
    pub const fn le(self, other: SeqNumber) -> bool {
        !other.lt(self)
    }
    /// Strictly after `other`.
    #[inline]
    pub const fn gt(self, other: SeqNumber) -> bool {
        other.lt(self)
    }
    /// After `other`, or the same.
    #[inline]
    pub const fn ge(self, other: SeqNumber) -> bool {
        !self.lt(other)
    }
    /// The later of two.
    #[inline]
    pub const fn max(self, other: SeqNumber) -> SeqNumber {
        if self.lt(other) { other } else { self }
    }
    /// The earlier of two.
    #[inline]
    pub const fn min(self, other: SeqNumber) -> SeqNumber {
        if self.lt(other) { self } else { other }
    }
}

impl fmt::Debug for SeqNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_holds_across_the_wrap() {
        let before = SeqNumber(u32::MAX);
        let after = before.plus(2);
        assert_eq!(after, SeqNumber(1));
        assert!(before.lt(after) && after.gt(before) && before.le(before) && before.ge(before));
        assert_eq!(after.since(before), 2);
        assert_eq!(after.minus(2), before);
        assert_eq!((before.max(after), before.min(after)), (after, before));
    }

    #[test]
    fn what_is_not_later_is_zero_octets_after() {
        assert_eq!(SeqNumber(3).after(SeqNumber(5)), 0);
        assert_eq!(SeqNumber(5).after(SeqNumber(3)), 2);
    }
}
