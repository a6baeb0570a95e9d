//! Messages as bytes in pieces: what arrives over a 1 KiB ring is put together, what leaves is cut up.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use xen_abi::Errno;
use xen_abi::io::xs_wire::{PAYLOAD_MAX, XsdSockmsg, xs};
use zerocopy::{FromBytes, IntoBytes};

use super::quota;

const HEADER: usize = size_of::<XsdSockmsg>();

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its header.
    pub header: XsdSockmsg,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// The peer announced a payload longer than any may be: what follows cannot be trusted to be a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payload of {0} bytes is announced")]
pub struct TooLong(pub u32);

/// Puts requests together.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Takes bytes from the front of `input` up to the end of one message; the message, if it is complete.
    pub fn feed(&mut self, input: &mut &[u8]) -> Result<Option<Message>, TooLong> {
        self.fill(HEADER, input);
        let Ok((header, _)) = XsdSockmsg::read_from_prefix(&self.buffer) else {
            return Ok(None);
        };
        if header.len as usize > PAYLOAD_MAX {
            return Err(TooLong(header.len));
        }
        let whole = HEADER + header.len as usize;
        self.fill(whole, input);
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let payload = self.buffer.split_off(HEADER);
        self.buffer.clear();
        Ok(Some(Message { header, payload }))
    }

    fn fill(&mut self, up_to: usize, input: &mut &[u8]) {
        let wanted = up_to.saturating_sub(self.buffer.len()).min(input.len());
        let (now, later) = input.split_at(wanted);
        self.buffer.extend_from_slice(now);
        *input = later;
    }
}

/// Answers and events on their way to one domain.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<Outgoing>,
    /// Bytes of the first message that are gone already.
    sent: usize,
    bytes: usize,
    answers: usize,
    /// The events in the queue none of whose bytes is gone.
    waiting_events: BTreeSet<Rc<[u8]>>,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Rc<[u8]>,
    is_event: bool,
}

impl Outbox {
    /// Queues the answer to `request`.
    pub fn answer(&mut self, request: &XsdSockmsg, result: &Result<Vec<u8>, Errno>) {
        let (kind, payload) = match result {
            Ok(payload) => (request.kind, payload.clone()),
            Err(e) => (xs::ERROR, format!("{}\0", e.name()).into_bytes()),
        };
        assert!(payload.len() <= PAYLOAD_MAX, "an answer fits a message");
        let header = XsdSockmsg {
            kind,
            len: payload.len() as u32,
            ..*request
        };
        self.answers += 1;
        self.push(header, &payload, false);
    }

    /// Queues a watch event; one that waits already with the same words is enough, and one that would be too long,
    /// or one too many for a domain that doesn't read, is lost.
    pub fn event(&mut self, path: &str, token: &[u8]) {
        let payload = [path.as_bytes(), b"\0", token, b"\0"].concat();
        if payload.len() > PAYLOAD_MAX || self.bytes + payload.len() > quota::OUTBOX_BYTES {
            return;
        }
        let header = XsdSockmsg {
            kind: xs::WATCH_EVENT,
            req_id: 0,
            tx_id: 0,
            len: payload.len() as u32,
        };
        self.push(header, &payload, true);
    }

    /// Whether so many answers wait that no further request shall be read.
    pub fn is_crowded(&self) -> bool {
        self.answers >= quota::OUTSTANDING
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Moves as much as fits into `to`; how much that was.
    pub fn transmit(&mut self, to: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < to.len() {
            let Some(first) = self.queue.front() else {
                break;
            };
            if self.sent == 0 && first.is_event {
                self.waiting_events.remove(&first.bytes);
            }
            let n = (first.bytes.len() - self.sent).min(to.len() - filled);
            to[filled..filled + n].copy_from_slice(&first.bytes[self.sent..self.sent + n]);
            filled += n;
            self.sent += n;
            if self.sent == first.bytes.len() {
                self.sent = 0;
                self.bytes -= first.bytes.len();
                self.answers -= usize::from(!first.is_event);
                self.queue.pop_front();
            }
        }
        filled
    }

    fn push(&mut self, header: XsdSockmsg, payload: &[u8], is_event: bool) {
        let bytes: Rc<[u8]> = [header.as_bytes(), payload].concat().into();
        if is_event && !self.waiting_events.insert(bytes.clone()) {
            return;
        }
        self.bytes += bytes.len();
        self.queue.push_back(Outgoing { bytes, is_event });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &mut Outbox, piece: usize) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = vec![0; piece];
        while !outbox.is_empty() {
            let n = outbox.transmit(&mut buffer);
            all.extend_from_slice(&buffer[..n]);
        }
        all
    }

    #[test]
    fn an_event_that_waits_already_is_not_queued_again_but_one_being_sent_is() {
        let mut outbox = Outbox::default();
        outbox.event("a", b"t");
        outbox.event("a", b"t");
        let one = HEADER + 4;
        let mut first = [0; 1];
        assert_eq!(outbox.transmit(&mut first), 1);
        outbox.event("a", b"t");
        assert_eq!(drain(&mut outbox, 7).len(), one - 1 + one);
        assert!(outbox.waiting_events.is_empty());
        assert_eq!(outbox.bytes, 0);
    }

    #[test]
    fn a_domain_that_does_not_read_makes_nothing_grow_without_end() {
        let mut outbox = Outbox::default();
        for n in 0..3000 {
            outbox.event(&"x".repeat(1000), format!("{n}").as_bytes());
        }
        assert!(outbox.bytes <= quota::OUTBOX_BYTES + HEADER);
    }
}
