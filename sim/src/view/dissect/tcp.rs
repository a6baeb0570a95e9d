//! TCP (RFC 9293), with the options of RFC 9293, 7323 and 2018; unknown and malformed ones are shown as bytes.

use core::fmt::{self, Write as _};
use core::ops::Range;

use super::bytes::{u8_at, u16_at, u32_at};
use super::ipv4;
use crate::view::packet::Around;

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;

/// The control bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Flags(pub u8);

impl Flags {
    pub const FIN: Flags = Flags(0x01);
    pub const SYN: Flags = Flags(0x02);
    pub const RST: Flags = Flags(0x04);
    pub const PSH: Flags = Flags(0x08);
    pub const ACK: Flags = Flags(0x10);

    /// tcpdump's letters, in its order; the dot is ACK.
    const LETTERS: [(u8, char); 8] = [
        (0x01, 'F'),
        (0x02, 'S'),
        (0x04, 'R'),
        (0x08, 'P'),
        (0x10, '.'),
        (0x20, 'U'),
        (0x40, 'E'),
        (0x80, 'W'),
    ];

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags that these letters say, in any order.
    pub fn parse(letters: &str) -> Option<Flags> {
        let mut flags = 0;
        for letter in letters.chars() {
            flags |= Flags::LETTERS.iter().find(|(_, l)| *l == letter)?.0;
        }
        Some(Flags(flags))
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        for (bit, letter) in Flags::LETTERS {
            if self.0 & bit != 0 {
                f.write_char(letter)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An option, in the order of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    EndOfList,
    Nop,
    MaxSegmentSize(u16),
    WindowScale(u8),
    SackPermitted,
    /// Blocks of left and right edges.
    Sack(Vec<(u32, u32)>),
    Timestamps {
        value: u32,
        echo: u32,
    },
    /// A kind that is not one of these, with its bytes.
    Unknown {
        kind: u8,
        data: Vec<u8>,
    },
    /// A length that this kind cannot have.
    Malformed {
        kind: u8,
    },
}

/// The header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    pub source_port: u16,
    pub destination_port: u16,
    pub seq: u32,
    pub ack: u32,
    pub flags: Flags,
    /// As the header says it, not scaled.
    pub window: u16,
    pub urgent: u16,
    pub options: Vec<TcpOption>,
    pub checksum_ok: bool,
    /// The data offset points outside the segment.
    pub bad_offset: bool,
    /// In the bytes that were decoded.
    pub payload: Range<usize>,
}

impl Tcp {
    /// Bytes of data.
    pub fn data_len(&self) -> u32 {
        u32::try_from(self.payload.len()).unwrap_or(u32::MAX)
    }
    /// SEG.LEN: data and the octets of SYN and FIN (RFC 9293, section 3.4).
    pub fn segment_len(&self) -> u32 {
        self.data_len()
            .saturating_add(u32::from(self.flags.has(Flags::SYN)))
            .saturating_add(u32::from(self.flags.has(Flags::FIN)))
    }
    /// The timestamps option, if there.
    pub fn timestamps(&self) -> Option<(u32, u32)> {
        self.options.iter().find_map(|option| match option {
            TcpOption::Timestamps { value, echo } => Some((*value, *echo)),
            _ => None,
        })
    }
    /// The window scale option, if there; more than 14 is 14 (RFC 7323, section 2.3).
    pub fn window_scale(&self) -> Option<u8> {
        self.options.iter().find_map(|option| match option {
            TcpOption::WindowScale(shift) => Some((*shift).min(14)),
            _ => None,
        })
    }
}

/// The header, if its fixed part is there.
pub fn decode(ip: &Around, segment: &[u8]) -> Option<Tcp> {
    let offset = usize::from(u8_at(segment, 12)? >> 4) * 4;
    let options = segment.get(HEADER_LEN..offset);
    let bad_offset = options.is_none();
    Some(Tcp {
        source_port: u16_at(segment, 0)?,
        destination_port: u16_at(segment, 2)?,
        seq: u32_at(segment, 4)?,
        ack: u32_at(segment, 8)?,
        flags: Flags(u8_at(segment, 13)?),
        window: u16_at(segment, 14)?,
        urgent: u16_at(segment, 18)?,
        options: options.map(decode_options).unwrap_or_default(),
        checksum_ok: ip.partial || ip.checksum_holds(ipv4::TCP, segment),
        bad_offset,
        payload: if bad_offset {
            segment.len()..segment.len()
        } else {
            offset..segment.len()
        },
    })
}

/// Reads options until their end, or until one has an impossible length. Each turn takes at least one byte.
fn decode_options(mut bytes: &[u8]) -> Vec<TcpOption> {
    let mut options = Vec::new();
    while let Some((&kind, rest)) = bytes.split_first() {
        match kind {
            0 => {
                options.push(TcpOption::EndOfList);
                break;
            }
            1 => {
                options.push(TcpOption::Nop);
                bytes = rest;
            }
            _ => {
                let len = rest.first().map_or(0, |&len| usize::from(len));
                let Some(data) = bytes.get(2..len) else {
                    options.push(TcpOption::Malformed { kind });
                    break;
                };
                options.push(decode_option(kind, data));
                bytes = &bytes[len..];
            }
        }
    }
    options
}

fn decode_option(kind: u8, data: &[u8]) -> TcpOption {
    let known = match (kind, data.len()) {
        (2, 2) => u16_at(data, 0).map(TcpOption::MaxSegmentSize),
        (3, 1) => u8_at(data, 0).map(TcpOption::WindowScale),
        (4, 0) => Some(TcpOption::SackPermitted),
        (5, len) if len > 0 && len % 8 == 0 => Some(TcpOption::Sack(
            data.chunks_exact(8)
                .filter_map(|block| Some((u32_at(block, 0)?, u32_at(block, 4)?)))
                .collect(),
        )),
        (8, 8) => u32_at(data, 0)
            .zip(u32_at(data, 4))
            .map(|(value, echo)| TcpOption::Timestamps { value, echo }),
        (2..=5 | 8, _) => Some(TcpOption::Malformed { kind }),
        _ => None,
    };
    known.unwrap_or_else(|| TcpOption::Unknown {
        kind,
        data: data.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_length_option_ends_the_list_as_malformed() {
        assert_eq!(
            decode_options(&[1, 2, 0, 0]),
            [TcpOption::Nop, TcpOption::Malformed { kind: 2 }]
        );
        assert_eq!(
            decode_options(&[254, 40, 0, 0]),
            [TcpOption::Malformed { kind: 254 }]
        );
        assert_eq!(
            decode_options(&[254, 1]),
            [TcpOption::Malformed { kind: 254 }]
        );
        assert_eq!(decode_options(&[254]), [TcpOption::Malformed { kind: 254 }]);
    }

    #[test]
    fn flags_are_written_and_read_as_tcpdump_does() {
        assert_eq!(Flags(0x12).to_string(), "S.");
        assert_eq!(Flags(0x18).to_string(), "P.");
        assert_eq!(Flags(0).to_string(), "none");
        assert_eq!(Flags::parse("F."), Some(Flags(0x11)));
        assert_eq!(Flags::parse(".F"), Some(Flags(0x11)));
        assert_eq!(Flags::parse("X"), None);
    }
}
