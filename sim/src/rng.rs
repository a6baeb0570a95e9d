//! Where chance comes from: one ChaCha8 stream a name, the same function that machines use.
//!
//! A path such as `link/laptop-ec2/ab/loss` and the world's seed select a stream. Names do it, not the order of use, so
//! that removing one fault never moves another: shrinking depends on it.

pub use xenemu::rng::stream;

/// Maps a 64-bit draw to `0..=most` by multiplication: no loop, so a draw is always one draw.
pub fn scale(draw: u64, most: u64) -> u64 {
    ((u128::from(draw) * (u128::from(most) + 1)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scaled_draw_reaches_both_ends_and_nothing_beyond() {
        assert_eq!(scale(0, 9), 0);
        assert_eq!(scale(u64::MAX, 9), 9);
        assert_eq!(scale(u64::MAX, u64::MAX), u64::MAX);
        assert_eq!(scale(u64::MAX, 0), 0);
    }
}
