//! TCP options (RFC 9293, section 3.2; RFC 7323; RFC 2018; RFC 7413): a cursor over the options of a segment received, and a
//! writer for those of a segment sent.
//!
//! The cursor ends on every input: each turn consumes an octet or two, or stops at the first length that cannot be
//! (RFC 9293, MUST-7), and burns fuel.

use xen_abi::Fuel;

use crate::profile::Profile;
use crate::quirk::Quirk;
use crate::seq::SeqNumber;
use crate::wire::tcp::MAX_OPTIONS_LEN;

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
const SIGNATURE: u8 = 19;
const FAST_OPEN: u8 = 34;
/// The kind for experiments (RFC 6994), of which the first two octets say which.
const EXPERIMENTAL: u8 = 254;
/// Fast Open's, before it had a kind of its own (RFC 7413, appendix A.1).
const FAST_OPEN_EXPERIMENT: [u8; 2] = [0xF9, 0x89];

/// Most SACK blocks that fit beside nothing else: (40 − 2) / 8.
pub const MAX_SACK_BLOCKS: usize = 4;

/// One block of a SACK option: `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SackBlock {
    pub start: SeqNumber,
    pub end: SeqNumber,
}

/// An option that this stack knows, or one that it skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// Maximum segment size.
    Mss(u16),
    /// The shift of the sender's window fields.
    WindowScale(u8),
    /// Selective acknowledgements may be sent.
    SackPermitted,
    /// The blocks' bytes, a multiple of 8: see [`sack_blocks`].
    Sack(&'a [u8]),
    /// TSval and TSecr.
    Timestamps { value: u32, echo: u32 },
    /// An MD5 signature (RFC 2385): sixteen octets.
    Signature(&'a [u8]),
    /// A Fast Open cookie, or, without octets, the request for one; of any length.
    FastOpen {
        cookie: &'a [u8],
        /// It came as the experimental option.
        experimental: bool,
    },
    /// Any other kind, and a known kind of a wrong length.
    Unknown(u8),
}

/// A cursor over a segment's options.
pub struct Options<'a, 'f> {
    rest: &'a [u8],
    fuel: &'f Fuel,
    trusts_length_zero: bool,
}

impl<'a, 'f> Options<'a, 'f> {
    /// A cursor at the first option.
    pub fn new(bytes: &'a [u8], fuel: &'f Fuel, profile: &Profile) -> Options<'a, 'f> {
        Options {
            rest: bytes,
            fuel,
            trusts_length_zero: profile.has(Quirk::OptionLengthZero2014),
        }
    }
}

impl<'a> Iterator for Options<'a, '_> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<TcpOption<'a>> {
        loop {
            self.fuel.burn(1);
            let (&kind, after_kind) = self.rest.split_first()?;
            match kind {
                END => {
                    self.rest = &[];
                    return None;
                }
                NOP => {
                    self.rest = after_kind;
                    continue;
                }
                _ => {}
            }
            let length = usize::from(*after_kind.first()?);
            if length == 0 && self.trusts_length_zero {
                return Some(TcpOption::Unknown(kind));
            }
            // RFC 9293, MUST-7: an illegal length is survived. What follows it has no beginning, so it is ignored.
            if length < 2 || length > self.rest.len() {
                self.rest = &[];
                return None;
            }
            let (option, rest) = self.rest.split_at(length);
            self.rest = rest;
            return Some(decode(kind, &option[2..]));
        }
    }
}

fn decode(kind: u8, value: &[u8]) -> TcpOption<'_> {
    match (kind, value) {
        (MSS, &[a, b]) => TcpOption::Mss(u16::from_be_bytes([a, b])),
        (WINDOW_SCALE, &[shift]) => TcpOption::WindowScale(shift),
        (SACK_PERMITTED, &[]) => TcpOption::SackPermitted,
        (SACK, blocks) if !blocks.is_empty() && blocks.len() % 8 == 0 => TcpOption::Sack(blocks),
        (TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => TcpOption::Timestamps {
            value: u32::from_be_bytes([a, b, c, d]),
            echo: u32::from_be_bytes([e, f, g, h]),
        },
        (SIGNATURE, digest) if digest.len() == 16 => TcpOption::Signature(digest),
        (FAST_OPEN, cookie) => TcpOption::FastOpen {
            cookie,
            experimental: false,
        },
        (EXPERIMENTAL, &[a, b, ref cookie @ ..]) if [a, b] == FAST_OPEN_EXPERIMENT => {
            TcpOption::FastOpen {
                cookie,
                experimental: true,
            }
        }
        _ => TcpOption::Unknown(kind),
    }
}

/// The blocks of a SACK option, as they are written: not checked against any window.
pub fn sack_blocks(bytes: &[u8]) -> impl Iterator<Item = SackBlock> + '_ {
    let (blocks, _) = bytes.as_chunks::<8>();
    blocks.iter().map(|&[a, b, c, d, e, f, g, h]| SackBlock {
        start: SeqNumber(u32::from_be_bytes([a, b, c, d])),
        end: SeqNumber(u32::from_be_bytes([e, f, g, h])),
    })
}

/// Options of a segment to be sent, in octets: a multiple of four at the end.
#[derive(Clone, Copy, Debug)]
pub struct OptionWriter {
    bytes: [u8; MAX_OPTIONS_LEN],
    len: usize,
}

impl Default for OptionWriter {
    fn default() -> OptionWriter {
        OptionWriter {
            bytes: [0; MAX_OPTIONS_LEN],
            len: 0,
        }
    }
}

impl OptionWriter {
    /// What is written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
    /// Octets written.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Maximum segment size.
    pub fn mss(&mut self, mss: u16) {
        self.put(&[MSS, 4]);
        self.put(&mss.to_be_bytes());
    }
    /// Window scale, padded in front.
    pub fn window_scale(&mut self, shift: u8) {
        self.put(&[NOP, WINDOW_SCALE, 3, shift]);
    }
    /// SACK permitted, padded in front.
    pub fn sack_permitted(&mut self) {
        self.put(&[NOP, NOP, SACK_PERMITTED, 2]);
    }
    /// SACK permitted, not padded: timestamps follow, or [`OptionWriter::fill`].
    pub fn sack_permitted_bare(&mut self) {
        self.put(&[SACK_PERMITTED, 2]);
    }
    /// Timestamps, padded in front up to the middle of a word (RFC 7323, appendix A).
    pub fn timestamps(&mut self, value: u32, echo: u32) {
        if self.len.is_multiple_of(4) {
            self.put(&[NOP, NOP]);
        }
        self.put(&[TIMESTAMPS, 10]);
        self.put(&value.to_be_bytes());
        self.put(&echo.to_be_bytes());
    }
    /// Room for an MD5 signature, padded in front, which must be the first option.
    pub fn signature(&mut self) {
        assert!(self.is_empty(), "the signature has a fixed place");
        self.put(&[NOP, NOP, SIGNATURE, 18]);
        self.put(&[0; 16]);
    }
    /// The signature, into its place.
    pub fn sign(&mut self, digest: &[u8; 16]) {
        self.bytes[4..20].copy_from_slice(digest);
    }
    /// A Fast Open cookie, or the request for one, padded behind with `padding` (NOPs, or the end of the list). Whether
    /// it fitted: if not, nothing is written.
    pub fn fast_open(&mut self, cookie: &[u8], experimental: bool, padding: u8) -> bool {
        let head = if experimental { 4 } else { 2 };
        let len = head + cookie.len();
        if self.len + len.next_multiple_of(4) > MAX_OPTIONS_LEN {
            return false;
        }
        if experimental {
            self.put(&[EXPERIMENTAL, len as u8]);
            self.put(&FAST_OPEN_EXPERIMENT);
        } else {
            self.put(&[FAST_OPEN, len as u8]);
        }
        self.put(cookie);
        while !self.len.is_multiple_of(4) {
            self.put(&[padding]);
        }
        true
    }
    /// As many SACK blocks as fit, padded in front.
    pub fn sack(&mut self, blocks: &[SackBlock]) {
        let fit = blocks
            .len()
            .min((MAX_OPTIONS_LEN - self.len).saturating_sub(4) / 8);
        if fit == 0 {
            return;
        }
        self.put(&[NOP, NOP, SACK, (2 + 8 * fit) as u8]);
        for block in &blocks[..fit] {
            self.put(&block.start.0.to_be_bytes());
            self.put(&block.end.0.to_be_bytes());
        }
    }

    /// End of the list, and zeros up to the end of the word (RFC 9293, 3.1).
    pub fn fill(&mut self) {
        self.len = self.len.next_multiple_of(4);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn parse(bytes: &[u8]) -> Vec<TcpOption<'_>> {
        let fuel = Fuel::new(1_000);
        let profile = Profile::default();
        Options::new(bytes, &fuel, &profile).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = OptionWriter::default();
        writer.mss(1460);
        writer.sack_permitted();
        writer.timestamps(7, 9);
        writer.window_scale(3);
        assert_eq!(writer.len() % 4, 0);
        assert_eq!(
            parse(writer.as_bytes()),
            [
                TcpOption::Mss(1460),
                TcpOption::SackPermitted,
                TcpOption::Timestamps { value: 7, echo: 9 },
                TcpOption::WindowScale(3)
            ]
        );
    }

    #[test]
    fn nothing_is_read_behind_the_end_of_the_list() {
        let mss = [2, 4, 5, 0xB4];
        for end in [[0, 2, 4, 2], [0, 3, 3, 7], [0, 1, 4, 2]] {
            assert_eq!(parse(&[mss, end].concat()), [TcpOption::Mss(1460)]);
        }
    }

    #[test]
    fn options_begin_anywhere() {
        assert_eq!(
            parse(&[1, 2, 4, 5, 0xB4, 3, 3, 7]),
            [TcpOption::Mss(1460), TcpOption::WindowScale(7)]
        );
    }

    #[test]
    fn behind_the_end_of_the_list_there_are_zeros_up_to_the_next_word() {
        let mut writer = OptionWriter::default();
        writer.mss(1460);
        writer.sack_permitted_bare();
        writer.fill();
        assert_eq!(writer.as_bytes(), [2, 4, 5, 0xB4, 4, 2, 0, 0]);
    }

    #[test]
    fn sack_blocks_stop_where_the_options_end() {
        let block = SackBlock {
            start: SeqNumber(1),
            end: SeqNumber(5),
        };
        let mut writer = OptionWriter::default();
        writer.timestamps(0, 0);
        writer.sack(&[block; 4]);
        assert_eq!(writer.len(), 12 + 4 + 3 * 8);
        let options = parse(writer.as_bytes());
        let [_, TcpOption::Sack(bytes)] = options[..] else {
            panic!("{options:?}")
        };
        assert_eq!(sack_blocks(bytes).collect::<Vec<_>>(), [block; 3]);
    }

    #[test]
    fn an_unknown_option_is_skipped() {
        assert_eq!(
            parse(&[254, 4, 1, 2, 2, 4, 2, 0]),
            [TcpOption::Unknown(254), TcpOption::Mss(512)]
        );
    }

    #[test]
    fn a_fast_open_cookie_comes_as_option_34_or_as_an_experiment() {
        let cookie = [7u8; 6];
        for experimental in [false, true] {
            let mut writer = OptionWriter::default();
            assert!(writer.fast_open(&cookie, experimental, NOP));
            assert_eq!(writer.len(), if experimental { 12 } else { 8 });
            assert_eq!(
                parse(writer.as_bytes()),
                [TcpOption::FastOpen {
                    cookie: &cookie,
                    experimental
                }]
            );
        }
        // RFC 7413, 4.1.1: without a cookie it is a request.
        let request = TcpOption::FastOpen {
            cookie: &[],
            experimental: false,
        };
        assert_eq!(parse(&[34, 2, 0, 0]), [request]);
    }

    #[test]
    fn a_cookie_that_does_not_fit_is_not_written() {
        let mut writer = OptionWriter::default();
        writer.mss(1460);
        writer.timestamps(1, 2);
        writer.window_scale(3);
        writer.sack_permitted();
        assert!(!writer.fast_open(&[7; 16], false, NOP));
        assert_eq!(writer.len(), 24);
    }

    #[test]
    fn an_illegal_length_ends_the_options() {
        for bytes in [[1, 2, 0, 0], [2, 1, 0, 0], [1, 1, 2, 255], [1, 1, 1, 3]] {
            assert_eq!(parse(&bytes), []);
        }
    }

    #[test]
    fn a_known_kind_of_a_wrong_length_is_skipped() {
        assert_eq!(
            parse(&[2, 3, 9, 1, 4, 2, 0, 0]),
            [TcpOption::Unknown(2), TcpOption::SackPermitted]
        );
    }

    #[cfg(feature = "zoo")]
    #[test]
    #[should_panic(expected = "out of fuel")]
    fn the_parser_of_2014_spins_at_length_zero_until_its_fuel_is_gone() {
        let mut profile = Profile::default();
        profile.quirks = profile.quirks.with(Quirk::OptionLengthZero2014);
        let fuel = Fuel::new(1_000);
        Options::new(&[1, 2, 0, 0], &fuel, &profile).for_each(drop);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_cursor_ends_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let fuel = Fuel::new(50);
            let profile = Profile::default();
            prop_assert!(Options::new(&bytes, &fuel, &profile).count() <= bytes.len() / 2);
        }
    }
}
