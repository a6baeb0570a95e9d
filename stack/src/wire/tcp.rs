//! The TCP header (RFC 9293, section 3.1) as a view over a segment's bytes.
//!
//! | octets | field |
//! |---|---|
//! | 0..4 | source port, destination port |
//! | 4..12 | sequence number, acknowledgment number |
//! | 12..14 | data offset in words (4 bits), reserved (4 bits), control bits |
//! | 14..20 | window, checksum, urgent pointer |
//! | 20..4·offset | options |

use thiserror::Error;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::IpAddress;
use crate::checksum::Sum;
use crate::seq::SeqNumber;

/// TCP's protocol number.
pub const PROTOCOL: u8 = 6;
/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;
/// Most octets of options: the data offset has four bits.
pub const MAX_OPTIONS_LEN: usize = 40;

bitflags::bitflags! {
    /// The control bits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Flags: u8 {
        const FIN = 0x01;
        const SYN = 0x02;
        const RST = 0x04;
        const PSH = 0x08;
        const ACK = 0x10;
        const URG = 0x20;
        const ECE = 0x40;
        const CWR = 0x80;
    }
}

/// The fixed part of the header.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    pub src_port: U16,
    pub dst_port: U16,
    pub seq: U32,
    pub ack: U32,
    /// Data offset in the high four bits.
    pub offset: u8,
    pub flags: u8,
    pub window: U16,
    pub checksum: U16,
    pub urgent: U16,
}

/// Why bytes are not a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SegmentError {
    /// Shorter than a header.
    #[error("shorter than a TCP header")]
    Truncated,
    /// The data offset points into the header or past the end.
    #[error("data offset out of range")]
    Offset,
    /// The checksum does not match.
    #[error("bad checksum")]
    Checksum,
}

/// A segment whose header lies within its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    header: &'a Header,
    /// The options' bytes.
    pub options: &'a [u8],
    /// The text.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Checks lengths, not the checksum.
    pub fn parse(bytes: &'a [u8]) -> Result<Segment<'a>, SegmentError> {
        let (header, rest) = Header::ref_from_prefix(bytes).map_err(|_| SegmentError::Truncated)?;
        let options_len = usize::from(header.offset >> 4)
            .checked_mul(4)
            .and_then(|n| n.checked_sub(HEADER_LEN))
            .ok_or(SegmentError::Offset)?;
        let (options, payload) = rest
            .split_at_checked(options_len)
            .ok_or(SegmentError::Offset)?;
        Ok(Segment {
            header,
            options,
            payload,
        })
    }
    /// Whether the checksum over pseudo-header and bytes holds.
    pub fn verify(bytes: &[u8], src: IpAddress, dst: IpAddress) -> Result<(), SegmentError> {
        let mut sum = Sum::pseudo(src, dst, PROTOCOL, bytes.len());
        sum.add(bytes);
        if sum.finish() == 0 {
            Ok(())
        } else {
            Err(SegmentError::Checksum)
        }
    }
    /// The sender's port.
    pub fn src_port(&self) -> u16 {
        self.header.src_port.get()
    }
    /// The receiver's port.
    pub fn dst_port(&self) -> u16 {
        self.header.dst_port.get()
    }
    /// SEG.SEQ
    pub fn seq(&self) -> SeqNumber {
        SeqNumber(self.header.seq.get())
    }
    /// SEG.ACK
    pub fn ack(&self) -> SeqNumber {
        SeqNumber(self.header.ack.get())
    }
    /// The control bits.
    pub fn flags(&self) -> Flags {
        Flags::from_bits_truncate(self.header.flags)
    }
    /// SEG.WND as it is written, not scaled.
    pub fn window(&self) -> u16 {
        self.header.window.get()
    }
    /// The urgent pointer, relative to SEG.SEQ.
    pub fn urgent(&self) -> u16 {
        self.header.urgent.get()
    }
    /// SEG.LEN: octets of sequence space, SYN and FIN counted.
    pub fn seq_len(&self) -> u32 {
        let control = u32::from(self.flags().contains(Flags::SYN))
            + u32::from(self.flags().contains(Flags::FIN));
        self.payload.len() as u32 + control
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_is_twenty_octets() {
        assert_eq!(size_of::<Header>(), HEADER_LEN);
    }

    #[test]
    fn the_fields_lie_where_rfc_9293_puts_them() {
        let bytes = [
            0, 80, 0x30, 0x39, 0, 0, 0, 7, 0, 0, 0, 9, 0x60, 0x13, 1, 2, 0xAA, 0xBB, 0, 0, 1, 1, 1,
            0, b'x',
        ];
        let segment = Segment::parse(&bytes).expect("well formed");
        assert_eq!((segment.src_port(), segment.dst_port()), (80, 12345));
        assert_eq!((segment.seq(), segment.ack()), (SeqNumber(7), SeqNumber(9)));
        assert_eq!(segment.flags(), Flags::SYN | Flags::FIN | Flags::ACK);
        assert_eq!(segment.window(), 0x102);
        assert_eq!(segment.options, [1, 1, 1, 0]);
        assert_eq!(segment.payload, b"x");
        assert_eq!(segment.seq_len(), 3);
    }

    #[test]
    fn an_offset_into_the_header_or_past_the_end_is_refused() {
        let mut bytes = [0u8; 24];
        bytes[12] = 0x40;
        assert_eq!(Segment::parse(&bytes).err(), Some(SegmentError::Offset));
        bytes[12] = 0x70;
        assert_eq!(Segment::parse(&bytes).err(), Some(SegmentError::Offset));
        assert_eq!(
            Segment::parse(&bytes[..19]).err(),
            Some(SegmentError::Truncated)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(segment) = Segment::parse(&bytes) {
                prop_assert!(segment.seq_len() <= bytes.len() as u32 + 2);
            }
        }
    }
}
