//! Reassembly of fragments: RFC 791, section 3.2, and RFC 8200, section 4.5, with a list of pieces instead of RFC 815's
//! holes.
//!
//! A fragment that overlaps another with anything but the very same extent kills its whole packet, as RFC 5722 rules
//! for version 6: no honest sender makes one. Contexts, bytes and pieces are bounded, those of both versions together;
//! the oldest packet gives way.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use xen_abi::{Fuel, Instant};

use crate::addr::IpAddress;
use crate::net::profile::NetProfile;
use crate::wire::ipv4::{HEADER, MAX_PACKET, Packet, Protocol};
use crate::wire::ipv6::MAX_PAYLOAD;

/// What the fragments of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    src: IpAddress,
    dst: IpAddress,
    /// Version 4 only: in version 6 every fragment may name another, and the first one's counts.
    protocol: Option<Protocol>,
    ident: u32,
}

/// A part of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    pub src: IpAddress,
    pub dst: IpAddress,
    pub protocol: Protocol,
    pub ident: u32,
    pub ttl: u8,
    pub ecn: u8,
    /// Where the payload belongs, in bytes.
    pub offset: usize,
    pub more: bool,
    pub payload: &'a [u8],
    /// What an error about the packet would quote of this fragment, if it is the first.
    pub quote: &'a [u8],
    /// Where in the quotation the payload begins.
    pub payload_at: usize,
}

impl<'a> Fragment<'a> {
    /// A part of a packet of version 4.
    pub fn of(packet: &Packet<'a>) -> Fragment<'a> {
        let payload_at = packet.header().len();
        let quoted = (payload_at + 8).min(packet.bytes().len());
        Fragment {
            src: packet.src().into(),
            dst: packet.dst().into(),
            protocol: packet.protocol(),
            ident: packet.ident().into(),
            ttl: packet.ttl(),
            ecn: packet.ecn(),
            offset: packet.offset(),
            more: packet.more_fragments(),
            payload: packet.payload(),
            quote: &packet.bytes()[..quoted],
            payload_at,
        }
    }

    /// The most bytes that fragments can make.
    fn longest(&self) -> usize {
        match self.src {
            IpAddress::V4(_) => MAX_PACKET - HEADER,
            IpAddress::V6(_) => MAX_PAYLOAD,
        }
    }
}

/// A packet of which not all is here yet.
#[derive(Debug)]
struct Context {
    deadline: Instant,
    /// Beginnings and ends of what is here, in order, apart from each other.
    pieces: Vec<(usize, usize)>,
    payload: Vec<u8>,
    /// Known once the last fragment is here.
    total: Option<usize>,
    /// The beginning of the first fragment, for the ICMP error.
    quote: Vec<u8>,
    payload_at: usize,
    /// The first fragment's.
    protocol: Protocol,
    ttl: u8,
    /// The explicit congestion marks of all fragments: RFC 3168, section 5.3.
    ecn: u8,
}

/// A packet made whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Whole {
    pub src: IpAddress,
    pub dst: IpAddress,
    pub protocol: Protocol,
    pub ttl: u8,
    pub ecn: u8,
    /// The first fragment's beginning, and where in it the payload begins.
    pub quote: Vec<u8>,
    pub payload_at: usize,
    pub payload: Vec<u8>,
}

/// A packet whose time is up.
#[derive(Debug, PartialEq, Eq)]
pub struct Expired {
    pub src: IpAddress,
    pub dst: IpAddress,
    /// Empty if the first fragment never came: then no error is sent (RFC 792; RFC 8200, section 4.5).
    pub quote: Vec<u8>,
}

/// All packets that are being reassembled.
#[derive(Debug)]
pub struct Reassembly {
    profile: NetProfile,
    contexts: BTreeMap<Key, Context>,
    bytes: usize,
}

impl Reassembly {
    /// Nothing is here yet.
    pub fn new(profile: &NetProfile) -> Reassembly {
        Reassembly {
            profile: profile.clone(),
            contexts: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Takes a fragment; gives the packet when this made it whole. `Err` says why the fragment was refused.
    pub fn receive(
        &mut self,
        now: Instant,
        fragment: &Fragment<'_>,
        fuel: &Fuel,
    ) -> Result<Option<Whole>, &'static str> {
        let key = Key {
            src: fragment.src,
            dst: fragment.dst,
            protocol: fragment.src.is_ipv4().then_some(fragment.protocol),
            ident: fragment.ident,
        };
        let (start, len) = (fragment.offset, fragment.payload.len());
        let end = start + len;
        if fragment.more && (len == 0 || !len.is_multiple_of(8)) {
            return Err("a fragment's length is no multiple of eight");
        }
        if end > fragment.longest() {
            return Err("the fragments make too long a packet");
        }
        if !self.contexts.contains_key(&key) {
            self.open(now, key);
        }
        let Some(context) = self.contexts.get_mut(&key) else {
            unreachable!("the context was just opened");
        };
        let held = context.payload.len();
        fuel.burn(1 + context.pieces.len() as u64);
        let outcome = context.add(fragment, start, end, self.profile.reassembly_pieces);
        self.bytes = self.bytes - held + context.payload.len();
        match outcome {
            Err(why) => {
                self.close(key);
                Err(why)
            }
            Ok(()) if context.is_whole() => Ok(self.close(key).map(|c| Whole {
                src: key.src,
                dst: key.dst,
                protocol: c.protocol,
                ttl: c.ttl,
                ecn: c.ecn,
                quote: c.quote,
                payload_at: c.payload_at,
                payload: c.payload,
            })),
            Ok(()) => {
                while self.bytes > self.profile.reassembly_bytes {
                    self.evict();
                }
                Ok(None)
            }
        }
    }

    /// The next packet whose time is up.
    #[inline]
    pub fn next_expired(&mut self, now: Instant) -> Option<Expired> {
        if self.contexts.is_empty() {
            return None;
        }
        let (&key, _) = self.oldest().filter(|(_, c)| c.deadline <= now)?;
        self.close(key).map(|c| Expired {
            src: key.src,
            dst: key.dst,
            quote: c.quote,
        })
    }
    /// When the first packet's time is up.
    #[inline]
    pub fn poll_at(&self) -> Option<Instant> {
        if self.contexts.is_empty() {
            return None;
        }
        self.oldest().map(|(_, c)| c.deadline)
    }

    /// There are few contexts (`reassembly_contexts`): a look at each is cheaper than a second index.
    fn oldest(&self) -> Option<(&Key, &Context)> {
        self.contexts.iter().min_by_key(|(_, c)| c.deadline)
    }

    fn open(&mut self, now: Instant, key: Key) {
        while self.contexts.len() >= self.profile.reassembly_contexts {
            self.evict();
        }
        let context = Context {
            deadline: now.plus(self.profile.reassembly_timeout),
            pieces: Vec::new(),
            payload: Vec::new(),
            total: None,
            quote: Vec::new(),
            payload_at: 0,
            protocol: Protocol(0),
            ttl: 0,
            ecn: 0,
        };
        self.contexts.insert(key, context);
    }

    fn close(&mut self, key: Key) -> Option<Context> {
        let context = self.contexts.remove(&key)?;
        self.bytes -= context.payload.len();
        assert!(!self.contexts.is_empty() || self.bytes == 0);
        Some(context)
    }

    fn evict(&mut self) {
        let oldest = self.oldest().map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.close(key);
        }
    }
}

impl Context {
    fn add(
        &mut self,
        fragment: &Fragment<'_>,
        start: usize,
        end: usize,
        most: usize,
    ) -> Result<(), &'static str> {
        let at = self.pieces.partition_point(|&(s, _)| s < start);
        if self.pieces.get(at) == Some(&(start, end)) {
            return Ok(());
        }
        let before = at.checked_sub(1).map(|i| self.pieces[i]);
        if before.is_some_and(|(_, e)| e > start)
            || self.pieces.get(at).is_some_and(|&(s, _)| s < end)
        {
            return Err("fragments overlap");
        }
        let last = self.pieces.last().map_or(0, |&(_, e)| e);
        if !fragment.more {
            if self.total.is_some() || last > end {
                return Err("fragments disagree about the end");
            }
            self.total = Some(end);
        } else if self.total.is_some_and(|total| end > total) {
            return Err("fragments disagree about the end");
        }
        if self.pieces.len() >= most {
            return Err("too many fragments");
        }
        self.pieces.insert(at, (start, end));
        if self.payload.len() < end {
            self.payload.resize(end, 0);
        }
        self.payload[start..end].copy_from_slice(fragment.payload);
        if start == 0 {
            self.protocol = fragment.protocol;
            self.ttl = fragment.ttl;
            self.quote = fragment.quote.to_vec();
            self.payload_at = fragment.payload_at;
        }
        self.ecn |= fragment.ecn;
        Ok(())
    }

    fn is_whole(&self) -> bool {
        let mut end = 0;
        for &(start, next) in &self.pieces {
            if start != end {
                return false;
            }
            end = next;
        }
        self.total == Some(end)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use core::net::Ipv4Addr;

    use super::*;
    use crate::wire::ipv4::Repr;
    use proptest::prelude::*;

    fn fragment(ident: u16, offset: usize, payload: &[u8], more: bool) -> Vec<u8> {
        let repr = Repr {
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 0, 0, 2),
            protocol: Protocol::UDP,
            ttl: 64,
            dscp: 0,
            ecn: 0,
            ident,
            dont_fragment: false,
            more_fragments: more,
            offset,
            payload_len: payload.len(),
        };
        let mut bytes = vec![0; HEADER + payload.len()];
        repr.emit(&mut bytes).copy_from_slice(payload);
        bytes
    }

    fn take(
        r: &mut Reassembly,
        ident: u16,
        offset: usize,
        payload: &[u8],
        more: bool,
    ) -> Result<Option<Vec<u8>>, &'static str> {
        let bytes = fragment(ident, offset, payload, more);
        let packet = Packet::parse(&bytes).unwrap();
        let whole = r.receive(Instant(5), &Fragment::of(&packet), &Fuel::unlimited())?;
        Ok(whole.map(|w| w.payload))
    }

    fn reassembly() -> Reassembly {
        Reassembly::new(&NetProfile::default())
    }

    proptest! {
        #[test]
        fn fragments_in_any_order_and_number_make_the_packet(
            payload in proptest::collection::vec(any::<u8>(), 1..400),
            order in Just((0..50usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let pieces: Vec<&[u8]> = payload.chunks(8).collect();
            let mut r = reassembly();
            let order: Vec<usize> = order.into_iter().filter(|i| *i < pieces.len()).collect();
            for (nth, &i) in order.iter().enumerate() {
                let more = i + 1 < pieces.len();
                let whole = take(&mut r, 7, i * 8, pieces[i], more).unwrap();
                if nth + 1 == order.len() {
                    prop_assert_eq!(whole.as_ref(), Some(&payload));
                } else {
                    prop_assert_eq!(whole, None);
                    prop_assert_eq!(take(&mut r, 7, i * 8, pieces[i], more), Ok(None), "a duplicate");
                }
            }
            prop_assert_eq!((r.bytes, r.poll_at()), (0, None));
        }
    }

    #[test]
    fn fragments_that_overlap_kill_their_packet() {
        let mut r = reassembly();
        assert_eq!(take(&mut r, 1, 0, &[1; 16], true), Ok(None));
        assert_eq!(take(&mut r, 1, 8, &[2; 16], true), Err("fragments overlap"));
        assert_eq!(take(&mut r, 1, 16, &[3; 8], false), Ok(None));
        assert!(r.contexts.len() == 1 && r.bytes == 24, "it begins anew");
    }

    #[test]
    fn the_end_cannot_be_moved() {
        let why = Err("fragments disagree about the end");
        let mut r = reassembly();
        assert_eq!(take(&mut r, 1, 16, &[0; 8], false), Ok(None));
        assert_eq!(take(&mut r, 1, 24, &[0; 8], true), why);
        assert_eq!(take(&mut r, 2, 16, &[0; 8], true), Ok(None));
        assert_eq!(take(&mut r, 2, 8, &[0; 8], false), why);
    }

    #[test]
    fn a_packet_of_death_is_refused() {
        let mut r = reassembly();
        let why = Err("the fragments make too long a packet");
        assert_eq!(take(&mut r, 1, 65_528, &[0; 64], false), why);
        let why = Err("a fragment's length is no multiple of eight");
        assert_eq!(take(&mut r, 1, 0, &[0; 7], true), why);
        assert_eq!(r.poll_at(), None);
    }

    #[test]
    fn the_oldest_packet_gives_way() {
        let mut r = reassembly();
        for ident in 0..1000 {
            assert_eq!(take(&mut r, ident, 32_000, &[0; 8], true), Ok(None));
            assert!(r.bytes <= r.profile.reassembly_bytes);
            assert!(r.contexts.len() <= r.profile.reassembly_contexts);
        }
    }

    #[test]
    fn a_packet_that_stays_in_pieces_expires_with_its_first_fragment() {
        let mut r = reassembly();
        assert_eq!(take(&mut r, 1, 0, &[9; 16], true), Ok(None));
        let at = r.poll_at().unwrap();
        assert_eq!(at, Instant(5).plus(r.profile.reassembly_timeout));
        assert_eq!(r.next_expired(Instant(at.0 - 1)), None);
        assert_eq!(r.next_expired(at).unwrap().quote.len(), HEADER + 8);
        assert_eq!(r.poll_at(), None);
    }
}
