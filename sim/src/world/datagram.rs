//! A round's frames from one host to another, as turmoil carries them: whole, stamps and bytes, in datagrams.
//!
//! turmoil rescans a link's messages at each send, so a round's frames are batched; and it cuts a datagram that is longer
//! than the receiver's buffer without saying so, so the receiver asserts that it never fills.

use xenemu::abi::codec::{DecodeError, Get, Put};
use xenemu::{Frame, FrameId, Time};

use super::link::Serialised;

/// The longest datagram that holds more than one frame.
pub const MOST: usize = 32 << 10;
/// Bytes in front of a frame's own.
const HEADER: usize = 35;
/// The longest frame that netback makes: its length is a `u16` in netif.h.
const LONGEST_FRAME: usize = u16::MAX as usize;
/// The size of a receive buffer that no datagram fills.
pub const BUFFER: usize = HEADER + LONGEST_FRAME + 1;
const _: () = assert!(BUFFER > MOST);

/// A frame and the direction that carries it.
#[derive(Clone, Debug)]
pub struct Passage {
    /// The link's place.
    pub link: u16,
    /// The direction: 0 from the link's first end.
    pub side: u8,
    pub serialised: Serialised,
}

/// The datagrams of one host's round.
#[derive(Debug, Default)]
pub struct Outbox {
    /// The receiver's place, and the bytes.
    pub datagrams: Vec<(usize, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
}

impl Outbox {
    /// Adds a frame for node `to`.
    pub fn put(&mut self, to: usize, passage: &Passage) {
        let Serialised {
            arrival,
            seq,
            frame,
        } = &passage.serialised;
        let len = frame.bytes.len();
        assert!(len <= LONGEST_FRAME, "a frame of {len} bytes");
        let datagram = self.datagram(to, HEADER + len);
        datagram.put_u16(passage.link);
        datagram.put_u8(passage.side);
        datagram.put_u64(arrival.0);
        datagram.put_u64(*seq);
        datagram.put_u32(frame.id.origin);
        datagram.put_u64(frame.id.n);
        datagram.put_bytes(&frame.bytes);
    }

    /// Empties it and keeps the allocations.
    pub fn clear(&mut self) {
        for (_, mut datagram) in self.datagrams.drain(..) {
            datagram.clear();
            self.spare.push(datagram);
        }
    }

    /// The last datagram for `to` if `len` bytes fit, else a new one.
    fn datagram(&mut self, to: usize, len: usize) -> &mut Vec<u8> {
        let last = self.datagrams.iter().rposition(|(peer, _)| *peer == to);
        let place = match last {
            Some(place) if self.datagrams[place].1.len() + len <= MOST => place,
            _ => {
                let empty = self.spare.pop().unwrap_or_default();
                self.datagrams.push((to, empty));
                self.datagrams.len() - 1
            }
        };
        &mut self.datagrams[place].1
    }
}

/// The next frame of a datagram.
pub fn take(from: &mut Get<'_>) -> Result<Passage, DecodeError> {
    let (link, side) = (from.u16()?, from.u8()?);
    let (arrival, seq) = (Time(from.u64()?), from.u64()?);
    let id = FrameId {
        origin: from.u32()?,
        n: from.u64()?,
    };
    let bytes = from.bytes()?.into();
    Ok(Passage {
        link,
        side,
        serialised: Serialised {
            arrival,
            seq,
            frame: Frame { id, bytes },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(n: u64, len: usize) -> Passage {
        Passage {
            link: 3,
            side: 1,
            serialised: Serialised {
                arrival: Time(99),
                seq: n,
                frame: Frame {
                    id: FrameId { origin: 7, n },
                    bytes: vec![n as u8; len].into(),
                },
            },
        }
    }

    #[test]
    fn a_rounds_frames_travel_whole_in_datagrams_of_at_most_32_kib() {
        let mut outbox = Outbox::default();
        for n in 0..100 {
            outbox.put((n % 2) as usize, &passage(n, 1514));
        }
        assert_eq!(outbox.datagrams.len(), 6);
        let mut seen = Vec::new();
        for (to, datagram) in &outbox.datagrams {
            assert!(datagram.len() <= MOST);
            let mut from = Get(datagram);
            while !from.0.is_empty() {
                let Passage { serialised, .. } = take(&mut from).unwrap();
                assert_eq!(serialised.seq % 2, *to as u64);
                assert_eq!(serialised.frame.bytes[..], [serialised.seq as u8; 1514]);
                seen.push(serialised.seq);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_longest_frame_has_a_datagram_of_its_own_that_does_not_fill_the_buffer() {
        let mut outbox = Outbox::default();
        outbox.put(0, &passage(0, 60));
        outbox.put(0, &passage(1, LONGEST_FRAME));
        assert_eq!(outbox.datagrams.len(), 2);
        assert!(outbox.datagrams[1].1.len() < BUFFER);
    }
}
