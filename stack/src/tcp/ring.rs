//! A queue of bytes that grows with what it holds and holds no memory when empty: the ground of both the send buffer
//! and the receive buffer. Bytes may be written beyond the end, for data that arrived out of order.

use alloc::boxed::Box;

use crate::tcp::pool::Pool;

/// A ring over memory of a power of two.
#[derive(Default)]
pub struct Ring {
    memory: Box<[u8]>,
    head: u32,
    len: u32,
    /// The most that was queued at once since the memory was taken.
    peak: u32,
    /// What the next memory is to hold at least: a stream that filled its buffer will do so again, and growing step by
    /// step would copy every byte once more.
    hint: u32,
}

impl Ring {
    /// Bytes queued.
    pub fn len(&self) -> usize {
        self.len as usize
    }
    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Bytes of memory held now.
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Appends bytes.
    pub fn push(&mut self, pool: &mut Pool, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let len = self.len() + bytes.len();
        self.reserve(pool, len);
        self.write(self.index(self.len()), bytes);
        self.len = len as u32;
        self.peak = self.peak.max(self.len);
    }

    /// Writes bytes so many after the front, at the end or beyond it; they are not queued until [`Ring::extend`].
    pub fn write_at(&mut self, pool: &mut Pool, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        assert!(offset >= self.len(), "queued bytes never change");
        self.reserve(pool, offset + bytes.len());
        self.write(self.index(offset), bytes);
    }

    /// Writes bytes from a place in the memory on, which goes around.
    #[inline]
    fn write(&mut self, at: usize, bytes: &[u8]) {
        if let Some(to) = self.memory.get_mut(at..at + bytes.len()) {
            to.copy_from_slice(bytes);
            return;
        }
        let (first, second) = bytes.split_at(self.capacity() - at);
        self.memory[at..].copy_from_slice(first);
        self.memory[..second.len()].copy_from_slice(second);
    }

    /// Queues the next `n` bytes, which were written before.
    pub fn extend(&mut self, n: usize) {
        assert!(
            self.len() + n <= self.capacity(),
            "only written bytes are queued"
        );
        self.len += n as u32;
        self.peak = self.peak.max(self.len);
    }

    /// The `len` bytes at `offset`, in the two pieces in which they lie.
    pub fn slices(&self, offset: usize, len: usize) -> (&[u8], &[u8]) {
        assert!(offset + len <= self.len(), "only queued bytes are read");
        if len == 0 {
            return (&[], &[]);
        }
        let at = self.index(offset);
        let first = len.min(self.capacity() - at);
        (&self.memory[at..at + first], &self.memory[..len - first])
    }

    /// Takes bytes from the front; how many.
    pub fn read(&mut self, to: &mut [u8]) -> usize {
        let n = self.peek(to);
        self.consume(n);
        n
    }
    /// Copies bytes from the front, which stay; how many.
    pub fn peek(&self, to: &mut [u8]) -> usize {
        let n = to.len().min(self.len());
        if let Some(from) = self.memory.get(self.head as usize..self.head as usize + n) {
            to[..n].copy_from_slice(from);
            return n;
        }
        let (a, b) = self.slices(0, n);
        to[..a.len()].copy_from_slice(a);
        if !b.is_empty() {
            to[a.len()..n].copy_from_slice(b);
        }
        n
    }

    /// Drops `n` bytes at the front.
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "only queued bytes are consumed");
        if n > 0 {
            self.head = self.index(n) as u32;
            self.len -= n as u32;
        }
    }

    /// Drops everything and gives the memory back.
    pub fn release(&mut self, pool: &mut Pool) {
        if self.capacity() > 0 {
            self.hint = self.peak;
            self.peak = 0;
            pool.give(core::mem::take(&mut self.memory));
        }
        self.head = 0;
        self.len = 0;
    }

    /// Makes room for `need` bytes. What lies beyond the end moves along.
    #[inline]
    fn reserve(&mut self, pool: &mut Pool, need: usize) {
        if need <= self.capacity() {
            return;
        }
        let memory = pool.take(need.max(self.hint as usize));
        if self.capacity() == 0 {
            self.memory = memory;
        } else {
            self.move_to(pool, memory);
        }
    }

    #[cold]
    fn move_to(&mut self, pool: &mut Pool, mut memory: Box<[u8]>) {
        let old = self.capacity();
        let head = self.head as usize;
        memory[..old - head].copy_from_slice(&self.memory[head..]);
        memory[old - head..old].copy_from_slice(&self.memory[..head]);
        let old = core::mem::replace(&mut self.memory, memory);
        pool.give(old);
        self.head = 0;
    }

    fn index(&self, offset: usize) -> usize {
        (self.head as usize + offset) & (self.capacity() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn bytes_written_beyond_the_end_survive_growth() {
        let (mut ring, mut pool) = (Ring::default(), Pool::default());
        ring.push(&mut pool, b"ab");
        ring.write_at(&mut pool, 4, b"ef");
        ring.write_at(&mut pool, 5000, b"z");
        ring.write_at(&mut pool, 2, b"cd");
        ring.extend(4);
        assert_eq!(ring.slices(0, 6).0, b"abcdef");
    }

    #[test]
    fn an_empty_ring_holds_no_memory() {
        let (mut ring, mut pool) = (Ring::default(), Pool::default());
        assert_eq!(ring.capacity(), 0);
        ring.push(&mut pool, b"ab");
        ring.release(&mut pool);
        assert_eq!((ring.capacity(), ring.len()), (0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_ring_is_a_queue(steps in proptest::collection::vec((0usize..3000, 0usize..3000), 1..20)) {
            let (mut ring, mut pool, mut model) = (Ring::default(), Pool::default(), VecDeque::new());
            let mut next = 0u8;
            for (put, get) in steps {
                let bytes: Vec<u8> = (0..put).map(|_| { next = next.wrapping_add(1); next }).collect();
                ring.push(&mut pool, &bytes);
                model.extend(bytes);
                let mut to = alloc::vec![0; get];
                let n = ring.read(&mut to);
                prop_assert_eq!(n, get.min(model.len()));
                prop_assert_eq!(&to[..n], &model.drain(..n).collect::<Vec<_>>()[..]);
                prop_assert_eq!(ring.len(), model.len());
            }
        }
    }
}
