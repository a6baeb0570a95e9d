//! A received segment with its options read, once, in the one pass over them.

use xen_abi::Fuel;

use crate::profile::Profile;
use crate::seq::SeqNumber;
use crate::wire::tcp::{Flags, Segment};
use crate::wire::tcp_options::{Options, TcpOption};

/// What a segment says: RFC 9293's SEG variables, and its options.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    pub seq: SeqNumber,
    pub ack: SeqNumber,
    pub flags: Flags,
    /// As written; [`Incoming::scale_window`] makes it SEG.WND.
    pub window: u32,
    pub payload: &'a [u8],
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack_permitted: bool,
    /// TSval and TSecr.
    pub stamp: Option<(u32, u32)>,
    /// The bytes of the SACK blocks.
    pub sack: &'a [u8],
    /// A Fast Open cookie or request, and whether it came as the experimental option.
    pub fast_open: Option<(&'a [u8], bool)>,
    /// Its MD5 signature.
    pub signature: Option<&'a [u8]>,
    /// SEG.UP, if the URG bit is on: where the octet behind the urgent data stands.
    pub urgent: Option<SeqNumber>,
    /// Its packet was marked: congestion experienced (RFC 3168).
    pub ce: bool,
    /// The peer's UDP port, if it came in a datagram; 0: it did not.
    pub udp_port: u16,
}

impl<'a> Incoming<'a> {
    /// Reads the options. Of an option that is there twice the last one counts.
    pub fn read(segment: &Segment<'a>, fuel: &Fuel, profile: &Profile) -> Incoming<'a> {
        let mut incoming = Incoming::without_options(segment);
        for option in Options::new(segment.options, fuel, profile) {
            match option {
                TcpOption::Mss(mss) => incoming.mss = Some(mss),
                TcpOption::WindowScale(shift) => incoming.window_scale = Some(shift),
                TcpOption::SackPermitted => incoming.sack_permitted = true,
                TcpOption::Sack(blocks) => incoming.sack = blocks,
                TcpOption::Timestamps { value, echo } => incoming.stamp = Some((value, echo)),
                TcpOption::Signature(digest) => incoming.signature = Some(digest),
                TcpOption::FastOpen {
                    cookie,
                    experimental,
                } => incoming.fast_open = Some((cookie, experimental)),
                // RFC 9293, MUST-6: an option that is not known is ignored.
                TcpOption::Unknown(_) => {}
            }
        }
        incoming
    }

    /// The segment, as if it had no options.
    pub fn without_options(segment: &Segment<'a>) -> Incoming<'a> {
        Incoming {
            seq: segment.seq(),
            ack: segment.ack(),
            flags: segment.flags(),
            window: u32::from(segment.window()),
            payload: segment.payload,
            mss: None,
            window_scale: None,
            sack_permitted: false,
            stamp: None,
            sack: &[],
            fast_open: None,
            signature: None,
            urgent: segment
                .flags()
                .contains(Flags::URG)
                .then(|| segment.seq().plus(u32::from(segment.urgent()))),
            ce: false,
            udp_port: 0,
        }
    }

    /// RFC 7323, 2.3: the window field of all but SYN segments is shifted.
    pub fn scale_window(&mut self, shift: u8) {
        self.window <<= shift;
    }
    /// Whether a control bit is on.
    pub fn has(&self, flag: Flags) -> bool {
        self.flags.contains(flag)
    }
    /// SEG.LEN
    pub fn len(&self) -> u32 {
        self.payload.len() as u32
            + u32::from(self.has(Flags::SYN))
            + u32::from(self.has(Flags::FIN))
    }
    /// Whether it holds nothing but an acknowledgment.
    pub fn is_pure_ack(&self) -> bool {
        self.len() == 0 && !self.has(Flags::RST)
    }
    /// Where its FIN stands.
    pub fn fin_seq(&self) -> SeqNumber {
        self.seq.plus(self.payload.len() as u32)
    }
}
