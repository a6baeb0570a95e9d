//! Raw devices: a ring of reusable frames instead of a network card, for benches, tests and conformance scripts.
//!
//! A [`RawDevice`] keeps what a stack transmits until somebody takes it; a [`Cable`] is two of them, cross-wired.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use xen_abi::Instant;

use crate::api::{Device, DeviceCaps, DeviceFull, NetStack};
use crate::wire::ethernet;

/// A frame in its buffer.
#[derive(Debug)]
struct Filled {
    buffer: Box<[u8]>,
    len: usize,
    needs_csum: bool,
}

/// A device that holds up to `capacity` frames.
#[derive(Debug)]
pub struct RawDevice {
    caps: DeviceCaps,
    capacity: usize,
    sent: VecDeque<Filled>,
    spare: Vec<Box<[u8]>>,
}

impl RawDevice {
    /// An empty device.
    pub fn new(caps: DeviceCaps, capacity: usize) -> RawDevice {
        RawDevice {
            caps,
            capacity,
            sent: VecDeque::with_capacity(capacity),
            spare: Vec::new(),
        }
    }
    /// Takes the oldest frame that was sent: `f` sees its bytes, and whether its transport checksum was left to the
    /// device (then the receiver may be told that it is right). The buffer is used again.
    pub fn take<R>(&mut self, f: impl FnOnce(&[u8], bool) -> R) -> Option<R> {
        let filled = self.sent.pop_front()?;
        let result = f(&filled.buffer[..filled.len], filled.needs_csum);
        self.spare.push(filled.buffer);
        Some(result)
    }
    /// Whether it takes another frame.
    pub fn has_room(&self) -> bool {
        self.sent.len() < self.capacity
    }
    /// Frames that wait to be taken.
    pub fn len(&self) -> usize {
        self.sent.len()
    }
    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }
}

impl Device for RawDevice {
    fn caps(&self) -> DeviceCaps {
        self.caps
    }
    fn transmit(
        &mut self,
        len: usize,
        needs_csum: bool,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        let longest = ethernet::HEADER + self.caps.mtu;
        assert!(len <= longest, "a frame is no longer than the MTU allows");
        if !self.has_room() {
            return Err(DeviceFull);
        }
        let mut buffer = self
            .spare
            .pop()
            .unwrap_or_else(|| vec![0; longest].into_boxed_slice());
        fill(&mut buffer[..len]);
        self.sent.push_back(Filled {
            buffer,
            len,
            needs_csum,
        });
        Ok(())
    }
}

/// Two devices, each of which receives what the other sends.
#[derive(Debug)]
pub struct Cable {
    pub a: RawDevice,
    pub b: RawDevice,
}

impl Cable {
    /// Lets both stacks send, and hands each what the other sent. Returns how many frames went over.
    pub fn exchange(
        &mut self,
        now: Instant,
        a: &mut impl NetStack,
        b: &mut impl NetStack,
    ) -> usize {
        a.transmit(now, &mut self.a);
        b.transmit(now, &mut self.b);
        deliver(now, &mut self.a, b) + deliver(now, &mut self.b, a)
    }
}

/// Hands a stack all frames of a device; returns how many.
#[inline]
pub fn deliver(now: Instant, from: &mut RawDevice, to: &mut impl NetStack) -> usize {
    if from.is_empty() {
        return 0;
    }
    deliver_all(now, from, to)
}

fn deliver_all(now: Instant, from: &mut RawDevice, to: &mut impl NetStack) -> usize {
    let mut frames = 0;
    // Only what is there now: a stack that answers at once does not keep this going for ever.
    for _ in 0..from.len() {
        let taken = from.take(|frame, csum_ok| to.receive(now, frame, csum_ok));
        frames += usize::from(taken.is_some());
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Mac;

    #[test]
    fn a_full_device_takes_no_frame_and_buffers_are_used_again() {
        let caps = DeviceCaps {
            mac: Mac::default(),
            mtu: 100,
            tx_checksum: false,
        };
        let mut device = RawDevice::new(caps, 2);
        for round in 0..3u8 {
            assert_eq!(device.transmit(20, false, &mut |f| f.fill(round)), Ok(()));
            assert_eq!(device.transmit(114, true, &mut |f| f.fill(9)), Ok(()));
            let full = device.transmit(20, false, &mut |_| panic!("filled though full"));
            assert_eq!(full, Err(DeviceFull));
            let first = device.take(|f, csum| (f.len(), f[0], csum));
            assert_eq!(first, Some((20, round, false)));
            let second = device.take(|f, csum| (f.len(), f[0], csum));
            assert_eq!(second, Some((114, 9, true)));
            assert_eq!((device.take(|_, _| ()), device.spare.len()), (None, 2));
        }
    }
}
