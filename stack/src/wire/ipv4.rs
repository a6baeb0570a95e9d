//! IPv4: RFC 791, with the words of RFC 6864 on the identification.

use core::net::Ipv4Addr;

use xen_abi::Fuel;
use zerocopy::byteorder::{BE, U16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::checksum::{Sum, checksum};
use crate::wire::{Malformed, header_mut};

/// Bytes of a header without options.
pub const HEADER: usize = size_of::<Header>();
/// The largest packet.
pub const MAX_PACKET: usize = 65_535;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1FFF;

/// What a packet carries: the numbers of <https://www.iana.org/assignments/protocol-numbers>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP.
    pub const ICMP: Protocol = Protocol(1);
    /// TCP.
    pub const TCP: Protocol = Protocol(6);
    /// UDP.
    pub const UDP: Protocol = Protocol(17);
}

/// The header as it lies in a frame, without options.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    version_ihl: u8,
    dscp_ecn: u8,
    total_len: U16<BE>,
    ident: U16<BE>,
    flags_offset: U16<BE>,
    ttl: u8,
    protocol: u8,
    checksum: U16<BE>,
    src: [u8; 4],
    dst: [u8; 4],
}

/// A packet, checked: version, both lengths, header checksum.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    header: &'a Header,
    bytes: &'a [u8],
    header_len: usize,
}

impl<'a> Packet<'a> {
    /// Checks the header. What follows the total length is padding of the frame and left out.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let packet = Packet::parse_quoted(bytes)?;
        let total = usize::from(packet.header.total_len.get());
        let bytes = bytes.get(..total).ok_or(Malformed::Length)?;
        let sum = match bytes.first_chunk::<HEADER>() {
            // Almost always: a length that the compiler knows.
            Some(header) if packet.header_len == HEADER => checksum(header),
            _ => checksum(&bytes[..packet.header_len]),
        };
        if sum != 0 {
            return Err(Malformed::Checksum);
        }
        Ok(Packet { bytes, ..packet })
    }
    /// As [`Packet::parse`], for the beginning of a packet that an ICMP error quotes: the payload may be cut, and
    /// routers on the way may have left the checksum wrong.
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        if header.version_ihl >> 4 != 4 {
            return Err(Malformed::Version);
        }
        let header_len = usize::from(header.version_ihl & 0xF) * 4;
        if header_len < HEADER || header_len > bytes.len() {
            return Err(Malformed::HeaderLength);
        }
        if usize::from(header.total_len.get()) < header_len {
            return Err(Malformed::Length);
        }
        Ok(Packet {
            header,
            bytes,
            header_len,
        })
    }
    /// Whose it is.
    pub fn src(&self) -> Ipv4Addr {
        self.header.src.into()
    }
    /// Whom it is for.
    pub fn dst(&self) -> Ipv4Addr {
        self.header.dst.into()
    }
    /// What it carries.
    pub fn protocol(&self) -> Protocol {
        Protocol(self.header.protocol)
    }
    /// Hops that it may still go.
    pub fn ttl(&self) -> u8 {
        self.header.ttl
    }
    /// The six bits of RFC 2474.
    pub fn dscp(&self) -> u8 {
        self.header.dscp_ecn >> 2
    }
    /// The two bits of RFC 3168.
    pub fn ecn(&self) -> u8 {
        self.header.dscp_ecn & 3
    }
    /// What names the fragments of one packet.
    pub fn ident(&self) -> u16 {
        self.header.ident.get()
    }
    /// Whether routers may not cut it.
    pub fn dont_fragment(&self) -> bool {
        self.header.flags_offset.get() & DONT_FRAGMENT != 0
    }
    /// Whether other fragments follow this one.
    pub fn more_fragments(&self) -> bool {
        self.header.flags_offset.get() & MORE_FRAGMENTS != 0
    }
    /// Where this fragment's payload belongs, in bytes.
    pub fn offset(&self) -> usize {
        usize::from(self.header.flags_offset.get() & OFFSET) * 8
    }
    /// Whether it is only a part of a packet.
    pub fn is_fragment(&self) -> bool {
        self.header.flags_offset.get() & (MORE_FRAGMENTS | OFFSET) != 0
    }
    /// The header with its options.
    pub fn header(&self) -> &'a [u8] {
        &self.bytes[..self.header_len]
    }
    /// Whether it has options, as nearly none has.
    #[inline]
    pub fn has_options(&self) -> bool {
        self.header_len > HEADER
    }
    /// The options.
    pub fn options(&self) -> Options<'a> {
        Options {
            rest: &self.bytes[HEADER..self.header_len],
        }
    }
    /// What the packet carries.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header_len..]
    }
    /// The whole packet, without the frame's padding.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// An option's kind: RFC 791, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionKind(pub u8);

impl OptionKind {
    /// Loose source and record route.
    pub const LSRR: OptionKind = OptionKind(131);
    /// Strict source and record route.
    pub const SSRR: OptionKind = OptionKind(137);
    /// Whether the sender chooses the way (RFC 7126: dropped).
    pub fn is_source_route(self) -> bool {
        self == OptionKind::LSRR || self == OptionKind::SSRR
    }
}

/// A cursor over the options of a header: at most 40 bytes, and each step goes on by at least one.
pub struct Options<'a> {
    rest: &'a [u8],
}

impl Options<'_> {
    /// The next option's kind; burns a unit of fuel.
    pub fn next(&mut self, fuel: &Fuel) -> Result<Option<OptionKind>, Malformed> {
        fuel.burn(1);
        let (kind, len) = match *self.rest {
            [] | [0, ..] => return Ok(None),
            [1, ..] => (1, 1),
            [_] => return Err(Malformed::Option),
            [kind, len, ..] => (kind, usize::from(len)),
        };
        if kind != 1 && len < 2 {
            return Err(Malformed::Option);
        }
        self.rest = self.rest.get(len..).ok_or(Malformed::Option)?;
        Ok(Some(OptionKind(kind)))
    }
}

/// What a header says; without options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    pub src: Ipv4Addr,
    pub dst: Ipv4Addr,
    pub protocol: Protocol,
    pub ttl: u8,
    /// Six bits (RFC 2474).
    pub dscp: u8,
    /// Two bits (RFC 3168).
    pub ecn: u8,
    pub ident: u16,
    pub dont_fragment: bool,
    pub more_fragments: bool,
    /// In bytes; a multiple of 8.
    pub offset: usize,
    pub payload_len: usize,
}

impl Repr {
    /// What a packet says.
    pub fn of(packet: &Packet<'_>) -> Repr {
        Repr {
            src: packet.src(),
            dst: packet.dst(),
            protocol: packet.protocol(),
            ttl: packet.ttl(),
            dscp: packet.dscp(),
            ecn: packet.ecn(),
            ident: packet.ident(),
            dont_fragment: packet.dont_fragment(),
            more_fragments: packet.more_fragments(),
            offset: packet.offset(),
            payload_len: packet.payload().len(),
        }
    }
    /// Writes the header, checksum and all, at the front of `to`, and returns the rest for the payload.
    #[inline]
    pub fn emit<'b>(&self, to: &'b mut [u8]) -> &'b mut [u8] {
        let total = HEADER + self.payload_len;
        assert!(total <= MAX_PACKET, "a packet's length has 16 bits");
        assert!(
            self.offset.is_multiple_of(8) && self.offset / 8 <= usize::from(OFFSET),
            "an offset counts in units of 8 bytes"
        );
        let mut flags_offset = (self.offset / 8) as u16;
        if self.dont_fragment {
            flags_offset |= DONT_FRAGMENT;
        }
        if self.more_fragments {
            flags_offset |= MORE_FRAGMENTS;
        }
        let (header, payload) = header_mut::<Header>(to);
        let dscp_ecn = self.dscp << 2 | self.ecn & 3;
        header.version_ihl = 0x45;
        header.dscp_ecn = dscp_ecn;
        header.total_len.set(total as u16);
        header.ident.set(self.ident);
        header.flags_offset.set(flags_offset);
        header.ttl = self.ttl;
        header.protocol = self.protocol.0;
        header.src = self.src.octets();
        header.dst = self.dst.octets();
        let mut sum = Sum::new();
        sum.add_u16(u16::from_be_bytes([0x45, dscp_ecn]));
        sum.add_u16(total as u16);
        sum.add_u16(self.ident);
        sum.add_u16(flags_offset);
        sum.add_u16(u16::from_be_bytes([self.ttl, self.protocol.0]));
        sum.add_u32(self.src.into());
        sum.add_u32(self.dst.into());
        header.checksum.set(sum.finish());
        payload
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use proptest::prelude::*;

    fn repr() -> Repr {
        Repr {
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: Ipv4Addr::new(10, 0, 0, 2),
            protocol: Protocol::UDP,
            ttl: 64,
            dscp: 8,
            ecn: 1,
            ident: 0x1234,
            dont_fragment: false,
            more_fragments: true,
            offset: 1480,
            payload_len: 8,
        }
    }

    fn emitted() -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 8];
        repr().emit(&mut bytes).copy_from_slice(b"payload!");
        bytes
    }

    /// A header with options, made right by hand.
    fn with_options(options: &[u8]) -> Vec<u8> {
        let mut bytes = emitted();
        bytes.splice(HEADER..HEADER, options.iter().copied());
        bytes[0] = 0x45 + (options.len() / 4) as u8;
        let total = bytes.len() as u16;
        bytes[2..4].copy_from_slice(&total.to_be_bytes());
        bytes[10..12].fill(0);
        let sum = checksum(&bytes[..HEADER + options.len()]);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    #[test]
    fn a_header_survives_the_wire() {
        let bytes = emitted();
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(Repr::of(&packet), repr());
        assert_eq!(packet.payload(), b"payload!");
    }

    #[test]
    fn padding_behind_the_packet_is_left_out() {
        let mut bytes = emitted();
        bytes.extend_from_slice(&[0; 18]);
        assert_eq!(Packet::parse(&bytes).unwrap().payload(), b"payload!");
    }

    #[test]
    fn every_flipped_bit_of_the_header_is_noticed() {
        for bit in 0..HEADER * 8 {
            let mut bytes = emitted();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Packet::parse(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let bytes = emitted();
        let why = |bytes: &[u8]| Packet::parse(bytes).err();
        assert_eq!(why(&bytes[..19]), Some(Malformed::Truncated));
        assert_eq!(why(&bytes[..27]), Some(Malformed::Length));
        let mut bad = bytes.clone();
        bad[0] = 0x44;
        assert_eq!(why(&bad), Some(Malformed::HeaderLength));
        bad[0] = 0x4F;
        assert_eq!(why(&bad), Some(Malformed::HeaderLength));
        bad[0] = 0x65;
        assert_eq!(why(&bad), Some(Malformed::Version));
        bad = bytes;
        bad[2..4].copy_from_slice(&19u16.to_be_bytes());
        assert_eq!(why(&bad), Some(Malformed::Length));
    }

    #[test]
    fn unknown_options_are_skipped_and_source_routes_are_seen() {
        let bytes = with_options(&[1, 148, 4, 0, 0, 131, 3, 4]);
        let mut options = Packet::parse(&bytes).unwrap().options();
        let fuel = Fuel::unlimited();
        let mut seen = Vec::new();
        while let Some(kind) = options.next(&fuel).unwrap() {
            seen.push(kind);
        }
        assert_eq!(seen, [OptionKind(1), OptionKind(148), OptionKind::LSRR]);
    }

    #[test]
    fn an_option_of_no_length_is_refused() {
        for bad in [[7, 0, 0, 0], [7, 1, 0, 0], [1, 7, 4, 0], [1, 1, 1, 7]] {
            let bytes = with_options(&bad);
            let mut options = Packet::parse(&bytes).unwrap().options();
            let fuel = Fuel::unlimited();
            let end = loop {
                match options.next(&fuel) {
                    Ok(Some(_)) => {}
                    end => break end,
                }
            };
            assert_eq!(end, Err(Malformed::Option), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_cursor_over_options_ends(options in proptest::collection::vec(any::<u8>(), 0..=40)) {
            let fuel = Fuel::new(100);
            let mut cursor = Options { rest: &options };
            while let Ok(Some(_)) = cursor.next(&fuel) {}
            prop_assert!(fuel.left() >= 100 - 41);
        }
    }
}
