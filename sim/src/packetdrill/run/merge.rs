//! Segments that a script of google's suite writes as one: its stacks hand the device more than a segment at a time,
//! and ours, whose device cuts nothing, sends the pieces. They are put together again before they are compared.
//!
//! A piece has to continue the one before it, with equal flags, acknowledgement and window, and all but the last have
//! one length. The first gives the sequence number and CWR, the last PSH, FIN, window and options.

use super::live::{Live, Transport};
use crate::packetdrill::flags::Flags;

/// Flags that all pieces have in common.
const COMMON: [Flags; 5] = [Flags::SYN, Flags::RST, Flags::ACK, Flags::URG, Flags::ECE];

/// Why a piece does not continue what came before it.
pub type Breach = &'static str;

/// Packets that are put together.
#[derive(Debug)]
pub struct Joined {
    first: Live,
    /// The last piece, if there are several.
    last: Option<Live>,
    /// The text of all pieces.
    text: Vec<u8>,
    /// Bytes of text of each piece but the last.
    piece: usize,
}

impl Joined {
    /// Begins with a packet.
    pub fn new(first: Live) -> Joined {
        let text = first.tcp().map_or(&[][..], |tcp| first.text(tcp)).to_vec();
        Joined {
            last: None,
            piece: text.len(),
            text,
            first,
        }
    }

    /// Bytes of text so far.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Adds the next packet, if it continues this one.
    pub fn push(&mut self, next: Live) -> Result<(), Breach> {
        let before = self.last.as_ref().unwrap_or(&self.first);
        let (Some(first), Some(before), Some(tcp)) = (self.first.tcp(), before.tcp(), next.tcp())
        else {
            return Err("it is no segment");
        };
        let common = |flag: &Flags| before.flags.contains(*flag) == tcp.flags.contains(*flag);
        let expected = first.seq.wrapping_add(self.text.len() as u32);
        match () {
            () if !COMMON.iter().all(common) => return Err("its flags are others"),
            () if tcp.seq != expected => return Err("it does not follow in sequence"),
            () if tcp.ack != before.ack => return Err("it acknowledges something else"),
            () if tcp.window != before.window => return Err("its window is another"),
            () if tcp.options.len() != before.options.len() => {
                return Err("its options are others");
            }
            () if before.text.len() != self.piece => return Err("the piece before it was shorter"),
            () if tcp.text.is_empty() => return Err("it carries nothing"),
            () if tcp.text.len() > self.piece => return Err("it is longer than the others"),
            () => {}
        }
        self.text.extend(next.text(tcp));
        self.last = Some(next);
        Ok(())
    }

    /// All pieces as one packet, which was sent when its last piece was.
    pub fn whole(self) -> Live {
        let (Some(last), Some(first)) = (self.last, self.first.tcp()) else {
            return self.first;
        };
        let Transport::Tcp(mut tcp) = last.transport else {
            unreachable!("a piece carries a segment");
        };
        tcp.seq = first.seq;
        tcp.flags = match first.flags.contains(Flags::CWR) {
            true => tcp.flags.with(Flags::CWR),
            false => tcp.flags.without(Flags::CWR),
        };
        let mut bytes = last.bytes;
        bytes.truncate(tcp.text.start);
        bytes.extend(self.text);
        tcp.text = tcp.text.start..bytes.len();
        Live {
            at: last.at,
            bytes,
            ip: self.first.ip,
            udp: None,
            transport: Transport::Tcp(tcp),
        }
    }
}
