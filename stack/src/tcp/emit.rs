//! Writing segments: header, options and text straight into the packet, the checksum taken on the way.

use xen_abi::Instant;

use crate::api::DeviceFull;
use crate::checksum::Sum;
use crate::event::TcpState;
use crate::seq::SeqNumber;
use crate::tcp::connection::Connection;
use crate::tcp::output::{IpOutput, IpPacket};
use crate::tcp::reset::Reset;
use crate::tcp::shared::Shared;
use crate::tcp::transmit::Plan;
use crate::tcp::tuple::Tuple;
use crate::wire::tcp::{Flags, HEADER_LEN, Header, PROTOCOL};
use crate::wire::tcp_options::{MAX_SACK_BLOCKS, OptionWriter, SackBlock};
use zerocopy::IntoBytes;

/// All of a segment but its checksum.
struct Outgoing<'a> {
    tuple: Tuple,
    seq: SeqNumber,
    ack: SeqNumber,
    flags: Flags,
    window: u16,
    options: OptionWriter,
    text: (&'a [u8], &'a [u8]),
}

impl Connection {
    /// Writes the planned segment into a packet and moves on.
    pub fn emit(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        out: &mut dyn IpOutput,
        plan: &Plan,
    ) -> Result<(), DeviceFull> {
        let syn = plan.flags.contains(Flags::SYN);
        let window = self.window_to_offer(shared.tcp());
        // RFC 7323, 2.2: the window of a SYN is not scaled.
        let shift = if syn { 0 } else { self.agreed.recv_shift };
        let field = window_field(window, shift, shared.tcp().buffers.round_up);
        let offset = plan.seq.after(self.snd.buffer_start());
        let segment = Outgoing {
            tuple: self.tuple,
            seq: plan.seq,
            ack: if plan.flags.contains(Flags::ACK) {
                self.rcv.nxt
            } else {
                SeqNumber(0)
            },
            flags: plan.flags,
            window: field,
            options: if syn {
                self.syn_options(now, shared.tcp())
            } else {
                self.options(now)
            },
            text: if plan.len == 0 {
                (&[], &[])
            } else {
                self.outbox.slices(offset, plan.len)
            },
        };
        segment.send(now, out, self.options.hop_limit(shared.tcp()))?;
        self.sent(shared, now, plan, u32::from(field) << shift);
        Ok(())
    }

    fn options(&self, now: Instant) -> OptionWriter {
        let mut options = OptionWriter::default();
        if self.agreed.timestamps {
            options.timestamps(self.stamps.clock(now), self.echo());
        }
        if self.agreed.sack && self.inbox.has_gaps() {
            let nothing = SackBlock {
                start: SeqNumber(0),
                end: SeqNumber(0),
            };
            let mut blocks = [nothing; MAX_SACK_BLOCKS];
            let n = self.inbox.sack_blocks(&mut blocks);
            options.sack(&blocks[..n]);
        }
        options
    }

    /// RFC 7323, 3.2: TSecr is zero where no ACK is.
    pub fn echo(&self) -> u32 {
        if self.state() == TcpState::SynSent {
            0
        } else {
            self.stamps.recent
        }
    }
}

/// What the window field says of `window` octets, `round_up` if that takes more than it can say exactly.
fn window_field(window: u32, shift: u8, round_up: bool) -> u16 {
    let rest = if round_up { (1 << shift) - 1 } else { 0 };
    u16::try_from(window.saturating_add(rest) >> shift).unwrap_or(u16::MAX)
}

impl Reset {
    /// Sends it.
    pub fn send(&self, now: Instant, out: &mut dyn IpOutput, ttl: u8) -> Result<(), DeviceFull> {
        Outgoing {
            tuple: self.tuple,
            seq: self.seq,
            ack: self.ack.unwrap_or_default(),
            flags: if self.ack.is_some() {
                Flags::RST | Flags::ACK
            } else {
                Flags::RST
            },
            window: 0,
            options: OptionWriter::default(),
            text: (&[], &[]),
        }
        .send(now, out, ttl)
    }
}

impl Outgoing<'_> {
    fn send(&self, now: Instant, out: &mut dyn IpOutput, ttl: u8) -> Result<(), DeviceFull> {
        let len = HEADER_LEN + self.options.len() + self.text.0.len() + self.text.1.len();
        let packet = IpPacket {
            src: self.tuple.local,
            dst: self.tuple.remote,
            protocol: PROTOCOL,
            ecn: 0,
            ttl,
        };
        let partial = out.tx_checksum();
        out.send(now, &packet, len, &mut |buffer| self.write(buffer, partial))
    }

    fn write(&self, buffer: &mut [u8], partial: bool) {
        let mut header = Header {
            src_port: self.tuple.local_port.into(),
            dst_port: self.tuple.remote_port.into(),
            seq: self.seq.0.into(),
            ack: self.ack.0.into(),
            offset: (((HEADER_LEN + self.options.len()) / 4) as u8) << 4,
            flags: self.flags.bits(),
            window: self.window.into(),
            checksum: 0.into(),
            urgent: 0.into(),
        };
        let mut sum = Sum::pseudo(self.tuple.local, self.tuple.remote, PROTOCOL, buffer.len());
        let (head, text) = buffer.split_at_mut(HEADER_LEN + self.options.len());
        let (first, second) = text.split_at_mut(self.text.0.len());
        let checksum = if partial {
            first.copy_from_slice(self.text.0);
            second.copy_from_slice(self.text.1);
            sum.partial()
        } else {
            sum.add(header.as_bytes());
            sum.add(self.options.as_bytes());
            sum.add_copy(first, self.text.0);
            if !second.is_empty() {
                sum.add_copy(second, self.text.1);
            }
            sum.finish()
        };
        header.checksum = checksum.into();
        let (fixed, options) = head.split_at_mut(HEADER_LEN);
        fixed.copy_from_slice(header.as_bytes());
        if !options.is_empty() {
            options.copy_from_slice(self.options.as_bytes());
        }
    }
}
