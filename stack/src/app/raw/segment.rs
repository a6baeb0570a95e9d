//! From a notation to a segment's bytes, and whether a segment received is the one that a notation asks for.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::notation::{Number, OptionSpec, SegmentSpec, flags_text};
use crate::addr::IpAddress;
use crate::checksum::Sum;
use crate::seq::SeqNumber;
use crate::wire::tcp::{Flags, HEADER_LEN, MAX_OPTIONS_LEN, PROTOCOL, Segment};

/// A payload that was not written out: byte `i` of the stream, from the first after the SYN.
const PATTERN: u32 = 251;

/// What relative numbers are relative to, and who speaks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    pub local: (IpAddress, u16),
    pub remote: (IpAddress, u16),
    /// Our first sequence number.
    pub iss: SeqNumber,
    /// The peer's first sequence number, once its SYN was seen.
    pub irs: Option<SeqNumber>,
}

fn absolute(number: Number, base: SeqNumber) -> SeqNumber {
    match number {
        Number::Relative(n) => base.plus(n),
        Number::Absolute(n) => SeqNumber(n),
    }
}

/// A segment as its sender took it off the wire, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub flags: Flags,
    pub seq: SeqNumber,
    pub ack: SeqNumber,
    pub window: u16,
    pub urgent: u16,
    pub options: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Received {
    /// What a segment says.
    pub fn of(segment: &Segment<'_>, urgent: u16) -> Received {
        Received {
            flags: segment.flags(),
            seq: segment.seq(),
            ack: segment.ack(),
            window: segment.window(),
            urgent,
            options: segment.options.to_vec(),
            payload: segment.payload.to_vec(),
        }
    }

    /// The segment in the notation, for messages.
    pub fn text(&self, flow: &Flow) -> String {
        let irs = flow.irs.unwrap_or(self.seq);
        let (seq, len) = (self.seq.since(irs), self.payload.len() as u32);
        let mut text = format!(
            "{} {seq}:{}({len})",
            flags_text(self.flags.bits()),
            seq.wrapping_add(len)
        );
        if self.flags.contains(Flags::ACK) {
            text += &format!(" ack {}", self.ack.since(flow.iss));
        }
        text + &format!(" win {}", self.window)
    }
}

/// The TCP header and payload that a notation asks to send.
pub fn build(spec: &SegmentSpec, flow: &Flow) -> Result<Vec<u8>, String> {
    let (seq, len) = spec.seq.unwrap_or((Number::Relative(0), 0));
    let seq = absolute(seq, flow.iss);
    let ack = match spec.ack {
        None => SeqNumber(0),
        Some(number @ Number::Absolute(_)) => absolute(number, SeqNumber(0)),
        Some(number) => absolute(
            number,
            flow.irs
                .ok_or("`ack` is relative to a SYN that was not seen")?,
        ),
    };
    let mut options = Vec::new();
    for option in spec.options.iter().flatten() {
        put_option(option, flow, &mut options);
    }
    // A list that ends inside a word is filled up with zeros (RFC 9293, section 3.1).
    options.resize(options.len().next_multiple_of(4), 0);
    if options.len() > MAX_OPTIONS_LEN {
        return Err(format!(
            "{} bytes of options: at most {MAX_OPTIONS_LEN} fit",
            options.len()
        ));
    }
    let mut bytes = Vec::with_capacity(HEADER_LEN + options.len() + len as usize);
    bytes.extend_from_slice(&flow.local.1.to_be_bytes());
    bytes.extend_from_slice(&flow.remote.1.to_be_bytes());
    bytes.extend_from_slice(&seq.0.to_be_bytes());
    bytes.extend_from_slice(&ack.0.to_be_bytes());
    bytes.push((((HEADER_LEN + options.len()) / 4) as u8) << 4);
    bytes.push(spec.flags);
    bytes.extend_from_slice(&spec.win.unwrap_or(65_535).to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(&spec.urg.unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(&options);
    match &spec.payload {
        Some(payload) => bytes.extend_from_slice(payload),
        None => {
            let first = seq.since(flow.iss.plus(1));
            bytes.extend((0..len).map(|i| (first.wrapping_add(i) % PATTERN) as u8));
        }
    }
    let mut sum = Sum::pseudo(flow.local.0, flow.remote.0, PROTOCOL, bytes.len());
    sum.add(&bytes);
    let sum = sum.finish();
    bytes[16..18].copy_from_slice(&sum.to_be_bytes());
    Ok(bytes)
}

fn put_option(option: &OptionSpec, flow: &Flow, to: &mut Vec<u8>) {
    match option {
        OptionSpec::Mss(mss) => {
            to.extend_from_slice(&[2, 4]);
            to.extend_from_slice(&mss.to_be_bytes());
        }
        OptionSpec::WindowScale(shift) => to.extend_from_slice(&[3, 3, *shift]),
        OptionSpec::SackPermitted => to.extend_from_slice(&[4, 2]),
        OptionSpec::Sack(blocks) => {
            let base = flow.irs.unwrap_or_default();
            to.extend_from_slice(&[5, 2 + 8 * blocks.len() as u8]);
            for (left, right) in blocks {
                to.extend_from_slice(&base.plus(*left).0.to_be_bytes());
                to.extend_from_slice(&base.plus(*right).0.to_be_bytes());
            }
        }
        OptionSpec::Timestamps { val, ecr } => {
            to.extend_from_slice(&[8, 10]);
            to.extend_from_slice(&val.to_be_bytes());
            to.extend_from_slice(&ecr.to_be_bytes());
        }
        OptionSpec::Nop => to.push(1),
        OptionSpec::Eol => to.push(0),
        OptionSpec::Hex(bytes) => to.extend_from_slice(bytes),
    }
}

/// Whether a segment is the one that a notation asks for; what was left out matches anything.
pub fn matches(spec: &SegmentSpec, flow: &Flow, got: &Received) -> bool {
    let irs = flow.irs.unwrap_or(got.seq);
    let seq = spec.seq.is_none_or(|(seq, len)| {
        absolute(seq, irs) == got.seq && len as usize == got.payload.len()
    });
    let ack = spec
        .ack
        .is_none_or(|ack| absolute(ack, flow.iss) == got.ack);
    let payload = spec.payload.as_ref().is_none_or(|p| *p == got.payload);
    let options = spec
        .options
        .iter()
        .flatten()
        .all(|o| has_option(o, flow, &got.options));
    spec.flags == got.flags.bits()
        && seq
        && ack
        && payload
        && options
        && spec.win.is_none_or(|w| w == got.window)
        && spec.urg.is_none_or(|u| u == got.urgent)
}

/// Whether an option is among those received. Timestamps match by being there: their values are the peer's clock.
fn has_option(wanted: &OptionSpec, flow: &Flow, options: &[u8]) -> bool {
    let mut bytes = Vec::new();
    // SACK blocks received are about our own bytes.
    put_option(
        wanted,
        &Flow {
            irs: Some(flow.iss),
            ..*flow
        },
        &mut bytes,
    );
    let by_kind = matches!(wanted, OptionSpec::Timestamps { .. });
    let mut rest = options;
    loop {
        let len = match rest {
            [] => return false,
            [0, ..] => return bytes == [0],
            [1, ..] => 1,
            [_, len, ..] if usize::from(*len) >= 2 && usize::from(*len) <= rest.len() => {
                usize::from(*len)
            }
            _ => return false,
        };
        let (option, after) = rest.split_at(len);
        if option == bytes || (by_kind && option[0] == bytes[0]) {
            return true;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::super::notation::parse;
    use super::*;

    fn flow() -> Flow {
        let ip = |n| IpAddress::V4(Ipv4Addr::new(10, 0, 0, n));
        Flow {
            local: (ip(9), 4000),
            remote: (ip(2), 80),
            iss: SeqNumber(u32::MAX),
            irs: Some(SeqNumber(7)),
        }
    }

    /// The flow as the other side sees it.
    fn mirrored() -> Flow {
        let f = flow();
        Flow {
            local: f.remote,
            remote: f.local,
            iss: f.irs.unwrap(),
            irs: Some(f.iss),
        }
    }

    fn sent(text: &str) -> Received {
        let bytes = build(&parse(text).unwrap(), &flow()).unwrap();
        Segment::verify(&bytes, flow().local.0, flow().remote.0).unwrap();
        Received::of(&Segment::parse(&bytes).unwrap(), 0)
    }

    #[test]
    fn a_segment_matches_the_notation_that_it_was_built_from() {
        for text in [
            "S 0:0(0) win 65535 <mss 1460,sackOK,nop,wscale 7>",
            "P. 1:5(4) ack 1 win 512 \"ping\"",
            ". 1:1001(1000) ack 1",
            ". ack 1 <nop,nop,sack 1:5 9:11>",
            "R 1:1(0) win 0",
        ] {
            assert!(
                matches(&parse(text).unwrap(), &mirrored(), &sent(text)),
                "{text}"
            );
        }
    }

    #[test]
    fn another_segment_does_not_match() {
        let got = sent("P. 1:5(4) ack 1 win 512 \"ping\"");
        for text in [
            ". 1:5(4)",
            "P. 2:6(4)",
            "P. 1:4(3)",
            "P. ack 2",
            "P. win 511",
            "P. 1:5(4) \"pong\"",
            "P. <sackOK>",
        ] {
            assert!(!matches(&parse(text).unwrap(), &mirrored(), &got), "{text}");
        }
        assert!(matches(&parse("P.").unwrap(), &mirrored(), &got));
    }

    #[test]
    fn malformed_options_are_sent_as_they_are() {
        assert_eq!(sent("S 0:0(0) <hex 01020000>").options, [1, 2, 0, 0]);
        let long = parse(
            "S 0:0(0) <hex 0101010101010101010101010101010101010101,hex 0101010101010101010101010101010101010101,nop>",
        );
        assert!(build(&long.unwrap(), &flow()).is_err());
    }

    #[test]
    fn numbers_are_relative_to_the_first_syn_on_a_circle() {
        assert_eq!(sent("S 0:0(0)").seq, SeqNumber(u32::MAX));
        assert_eq!(sent(". 1:1(0) ack 1").seq, SeqNumber(0));
        assert_eq!(sent(". 1:1(0) ack 1").ack, SeqNumber(8));
        assert_eq!(sent(". 1:1(0) ack !1").ack, SeqNumber(1));
    }
}
