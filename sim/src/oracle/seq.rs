//! Sequence numbers, compared around the circle (RFC 9293, section 3.4).

/// A sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// The number `n` further.
    pub const fn plus(self, n: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_add(n))
    }
    /// The number `n` before.
    pub const fn minus(self, n: u32) -> SeqNumber {
        SeqNumber(self.0.wrapping_sub(n))
    }
    /// How far it is from `earlier` to here, around the circle.
    pub const fn since(self, earlier: SeqNumber) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }
    /// Whether it lies before `other`: less than half the circle away.
    pub const fn before(self, other: SeqNumber) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }
    /// Whether it lies behind `other`.
    pub const fn after(self, other: SeqNumber) -> bool {
        other.before(self)
    }
    /// The later of two.
    pub const fn max(self, other: SeqNumber) -> SeqNumber {
        if self.before(other) { other } else { self }
    }
    /// The earlier of two.
    pub const fn min(self, other: SeqNumber) -> SeqNumber {
        if self.before(other) { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_goes_around_the_circle() {
        let high = SeqNumber(u32::MAX);
        assert!(high.before(high.plus(1)));
        assert_eq!(high.plus(2).since(high), 2);
        assert_eq!(high.max(SeqNumber(3)), SeqNumber(3));
        assert_eq!(high.min(SeqNumber(3)), high);
    }
}
