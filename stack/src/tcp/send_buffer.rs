//! The send buffer: octets that the application has sent and the peer has not acknowledged, the oldest in front.
//! Sequence numbers are the connection's business; here everything is an offset from the front.

use crate::tcp::pool::Pool;
use crate::tcp::ring::Ring;

/// Octets from SND.UNA on.
#[derive(Default)]
pub struct SendBuffer {
    ring: Ring,
}

impl SendBuffer {
    /// Octets that are not acknowledged: sent or not.
    pub fn len(&self) -> u32 {
        self.ring.len() as u32
    }
    /// Whether everything is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }
    /// Queues as much of `data` as `limit` allows; how much.
    pub fn queue(&mut self, pool: &mut Pool, data: &[u8], limit: usize) -> usize {
        let n = data.len().min(limit.saturating_sub(self.ring.len()));
        self.ring.push(pool, &data[..n]);
        n
    }
    /// Octets to put into a segment, in two pieces.
    pub fn slices(&self, offset: u32, len: u32) -> (&[u8], &[u8]) {
        self.ring.slices(offset as usize, len as usize)
    }
    /// The first `n` octets are acknowledged.
    pub fn acknowledge(&mut self, pool: &mut Pool, n: u32) {
        self.ring.consume(n as usize);
        if self.ring.is_empty() {
            self.ring.release(pool);
        }
    }
    /// Forgets everything.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.ring.release(pool);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_queued_than_the_limit_allows() {
        let (mut buffer, mut pool) = (SendBuffer::default(), Pool::default());
        assert_eq!(buffer.queue(&mut pool, b"abcdef", 4), 4);
        assert_eq!(buffer.queue(&mut pool, b"ef", 4), 0);
        buffer.acknowledge(&mut pool, 3);
        assert_eq!(buffer.queue(&mut pool, b"ef", 4), 2);
        assert_eq!(buffer.slices(0, 3).0, b"def");
    }
}
