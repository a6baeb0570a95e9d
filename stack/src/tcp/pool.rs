//! Memory for the buffers of connections that hold data now. A connection gives its memory back as soon as it is
//! empty, so ten thousand idle ones hold none, and takes it again without asking the allocator.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// The smallest buffer.
const LEAST: usize = 2048;
/// Size classes: 2 KiB, 4 KiB, … 64 MiB.
const CLASSES: usize = 16;
/// Bytes kept in each class for the next taker; what is given back beyond is freed.
const KEPT: usize = 512 * 1024;

/// Buffers of powers of two that nobody holds.
#[derive(Default)]
pub struct Pool {
    classes: [Vec<Box<[u8]>>; CLASSES],
}

impl Pool {
    /// A buffer of at least `bytes`, holding whatever was there.
    pub fn take(&mut self, bytes: usize) -> Box<[u8]> {
        let size = bytes.next_power_of_two().max(LEAST);
        self.class(size)
            .and_then(Vec::pop)
            .unwrap_or_else(|| vec![0; size].into_boxed_slice())
    }

    /// Gives a buffer back.
    pub fn give(&mut self, buffer: Box<[u8]>) {
        let size = buffer.len();
        if let Some(class) = self.class(size)
            && (class.len() + 1) * size <= KEPT
        {
            class.push(buffer);
        }
    }

    fn class(&mut self, size: usize) -> Option<&mut Vec<Box<[u8]>>> {
        if size < LEAST {
            return None;
        }
        self.classes
            .get_mut((size.trailing_zeros() - LEAST.trailing_zeros()) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_given_back_is_taken_again() {
        let mut pool = Pool::default();
        let mut buffer = pool.take(3000);
        assert_eq!(buffer.len(), 4096);
        buffer[0] = 7;
        pool.give(buffer);
        assert_eq!(pool.take(4096)[0], 7);
        assert_eq!(pool.take(4096)[0], 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut pool = Pool::default();
        (0..100).for_each(|_| pool.give(vec![0; 65_536].into_boxed_slice()));
        assert_eq!(pool.classes[5].len(), KEPT / 65_536);
    }
}
