//! Messages over the xenstore ring: 1,024 bytes each way, longer messages in pieces, indices that wrap.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use thiserror::Error;
use xen_abi::io::xs_wire::{
    PAYLOAD_MAX, REQ, REQ_CONS, REQ_PROD, RING_SIZE, RSP, RSP_CONS, RSP_PROD, XsdSockmsg,
};
use xen_abi::{Errno, Gpa, Hypercalls, Port, Width};
use zerocopy::{FromBytes, IntoBytes};

use super::evtchn::notify;

const HEADER: usize = size_of::<XsdSockmsg>();

/// One message: a request, its answer, or a watch's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `XS_*`
    pub kind: u32,
    /// Names the request; its answer carries it.
    pub request: u32,
    /// The transaction; 0: none.
    pub transaction: u32,
    /// At most [`PAYLOAD_MAX`] bytes.
    pub payload: Vec<u8>,
}

/// The other end does not keep to the ring's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum XenbusError {
    /// Producer and consumer are further apart than the ring is long.
    #[error("the xenstore ring holds {0} bytes")]
    Indices(u32),
    /// A payload is longer than the protocol allows.
    #[error("a xenstore payload of {0} bytes")]
    Length(u32),
    /// The other end cannot be told.
    #[error("the xenstore port is dead: {0}")]
    Port(#[from] Errno),
}

/// The guest's end of the xenstore ring.
#[derive(Debug)]
pub struct Xenbus {
    page: Gpa,
    port: Port,
    outgoing: VecDeque<u8>,
    incoming: Vec<u8>,
    req_prod: u32,
    rsp_cons: u32,
}

impl Xenbus {
    /// Takes over the ring in `page` where its indices stand.
    pub fn new(xen: &mut dyn Hypercalls, page: Gpa, port: Port) -> Xenbus {
        Xenbus {
            page,
            port,
            outgoing: VecDeque::new(),
            incoming: Vec::new(),
            req_prod: xen.load(page.add(REQ_PROD), Width::B4) as u32,
            rsp_cons: xen.load(page.add(RSP_CONS), Width::B4) as u32,
        }
    }

    /// Queues a message.
    pub fn send(&mut self, message: &Message) {
        assert!(message.payload.len() <= PAYLOAD_MAX);
        let header = XsdSockmsg {
            kind: message.kind,
            req_id: message.request,
            tx_id: message.transaction,
            len: message.payload.len() as u32,
        };
        self.outgoing.extend(header.as_bytes());
        self.outgoing.extend(&message.payload);
    }

    /// Moves bytes both ways as far as the ring allows, and hands every complete message to `each`.
    pub fn pump(
        &mut self,
        xen: &mut dyn Hypercalls,
        mut each: impl FnMut(Message),
    ) -> Result<(), XenbusError> {
        let received = self.receive(xen)?;
        let sent = self.transmit(xen)?;
        if received || sent {
            notify(xen, self.port)?;
        }
        while let Some(message) = self.next_message()? {
            each(message);
        }
        Ok(())
    }

    fn transmit(&mut self, xen: &mut dyn Hypercalls) -> Result<bool, XenbusError> {
        if self.outgoing.is_empty() {
            return Ok(false);
        }
        let cons = xen.load(self.page.add(REQ_CONS), Width::B4) as u32;
        let used = used(self.req_prod, cons)?;
        let room = RING_SIZE as usize - used as usize;
        let count = room.min(self.outgoing.len());
        let mut bytes: Vec<u8> = self.outgoing.drain(..count).collect();
        for (at, piece) in pieces(self.req_prod, &mut bytes) {
            xen.write(self.page.add(REQ + at), piece);
        }
        self.req_prod = self.req_prod.wrapping_add(count as u32);
        let at = self.page.add(REQ_PROD);
        xen.store(at, Width::B4, u64::from(self.req_prod));
        Ok(count > 0)
    }

    fn receive(&mut self, xen: &mut dyn Hypercalls) -> Result<bool, XenbusError> {
        let prod = xen.load(self.page.add(RSP_PROD), Width::B4) as u32;
        let count = used(prod, self.rsp_cons)? as usize;
        let mut bytes = [0; RING_SIZE as usize];
        for (at, piece) in pieces(self.rsp_cons, &mut bytes[..count]) {
            xen.read(self.page.add(RSP + at), piece);
        }
        self.incoming.extend_from_slice(&bytes[..count]);
        self.rsp_cons = prod;
        if count > 0 {
            xen.store(self.page.add(RSP_CONS), Width::B4, u64::from(prod));
        }
        Ok(count > 0)
    }

    fn next_message(&mut self) -> Result<Option<Message>, XenbusError> {
        let Ok((header, rest)) = XsdSockmsg::read_from_prefix(&self.incoming) else {
            return Ok(None);
        };
        let len = header.len as usize;
        if len > PAYLOAD_MAX {
            return Err(XenbusError::Length(header.len));
        }
        let Some(payload) = rest.get(..len) else {
            return Ok(None);
        };
        let message = Message {
            kind: header.kind,
            request: header.req_id,
            transaction: header.tx_id,
            payload: payload.to_vec(),
        };
        self.incoming.drain(..HEADER + len);
        Ok(Some(message))
    }
}

/// Bytes between the indices of a ring.
fn used(prod: u32, cons: u32) -> Result<u32, XenbusError> {
    let used = prod.wrapping_sub(cons);
    match u64::from(used) <= RING_SIZE {
        true => Ok(used),
        false => Err(XenbusError::Indices(used)),
    }
}

/// The at most two pieces that `bytes` takes in a ring from index `from` on, with their offsets.
fn pieces(from: u32, bytes: &mut [u8]) -> impl Iterator<Item = (u64, &mut [u8])> {
    let start = u64::from(from) % RING_SIZE;
    let first = bytes.len().min((RING_SIZE - start) as usize);
    let (head, tail) = bytes.split_at_mut(first);
    [(start, head), (0, tail)]
        .into_iter()
        .filter(|(_, piece)| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::fake::FakeXen;

    const PAGE: Gpa = Gpa(0x50_0000);

    /// A ring whose indices stand at `start`.
    fn ring(start: u32) -> (FakeXen, Xenbus) {
        let mut xen = FakeXen::new();
        for index in [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD] {
            xen.store(PAGE.add(index), Width::B4, u64::from(start));
        }
        let xenbus = Xenbus::new(&mut xen, PAGE, Port(1));
        (xen, xenbus)
    }

    /// Plays a daemon that sends back every byte that it gets.
    fn echo(xen: &mut FakeXen) {
        let prod = xen.load(PAGE.add(REQ_PROD), Width::B4) as u32;
        let mut cons = xen.load(PAGE.add(REQ_CONS), Width::B4) as u32;
        while cons != prod {
            let at = u64::from(cons) % RING_SIZE;
            let byte = xen.load(PAGE.add(REQ + at), Width::B1);
            xen.store(PAGE.add(RSP + at), Width::B1, byte);
            cons = cons.wrapping_add(1);
        }
        xen.store(PAGE.add(REQ_CONS), Width::B4, u64::from(cons));
        xen.store(PAGE.add(RSP_PROD), Width::B4, u64::from(cons));
    }

    #[test]
    fn a_message_longer_than_the_ring_goes_in_pieces_past_the_wrap_of_the_indices() {
        let (mut xen, mut xenbus) = ring(u32::MAX - 700);
        let message = Message {
            kind: 11,
            request: 7,
            transaction: 3,
            payload: (0..PAYLOAD_MAX).map(|n| n as u8).collect(),
        };
        xenbus.send(&message);
        let mut received = Vec::new();
        for _ in 0..6 {
            xenbus
                .pump(&mut xen, |message| received.push(message))
                .unwrap();
            echo(&mut xen);
        }
        assert_eq!(received, [message]);
        assert_eq!(xen.sent.len(), 6, "each move of bytes is told once");
    }

    #[test]
    fn indices_further_apart_than_the_ring_are_refused() {
        let (mut xen, mut xenbus) = ring(5);
        xen.store(PAGE.add(RSP_PROD), Width::B4, 5 + 1025);
        let pumped = xenbus.pump(&mut xen, |_| {});
        assert_eq!(pumped, Err(XenbusError::Indices(1025)));
    }

    #[test]
    fn a_payload_longer_than_the_protocol_allows_is_refused() {
        let (mut xen, mut xenbus) = ring(0);
        let header = XsdSockmsg {
            kind: 2,
            req_id: 1,
            tx_id: 0,
            len: 4097,
        };
        xen.write(PAGE.add(RSP), header.as_bytes());
        xen.store(PAGE.add(RSP_PROD), Width::B4, 16);
        let pumped = xenbus.pump(&mut xen, |_| {});
        assert_eq!(pumped, Err(XenbusError::Length(4097)));
    }
}
