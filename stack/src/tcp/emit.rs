//! Writing segments: header, options and text straight into the packet, the checksum taken on the way.

use xen_abi::Instant;

use crate::api::{DeviceFull, SignatureKey};
use crate::checksum::Sum;
use crate::event::TcpState;
use crate::profile::TcpProfile;
use crate::seq::SeqNumber;
use crate::tcp::connection::Connection;
use crate::tcp::options::IpChoice;
use crate::tcp::output::{IpOutput, IpPacket};
use crate::tcp::reset::Reset;
use crate::tcp::shared::Shared;
use crate::tcp::signature::sign;
use crate::tcp::timestamps::Stamps;
use crate::tcp::transmit::Plan;
use crate::tcp::tuple::Tuple;
use crate::wire::ipv4::Protocol;
use crate::wire::tcp::{Flags, HEADER_LEN, Header, PROTOCOL};
use crate::wire::tcp_options::{MAX_SACK_BLOCKS, OptionWriter, SackBlock};
use crate::wire::udp;
use zerocopy::{FromBytes, IntoBytes};

/// Where the checksum stands in the header.
const CHECKSUM_AT: usize = 16;

/// All of a segment but its checksum.
struct Outgoing<'a> {
    tuple: Tuple,
    seq: SeqNumber,
    ack: SeqNumber,
    flags: Flags,
    /// The packet's codepoint (RFC 3168, 5).
    ecn: u8,
    ip: IpChoice,
    window: u16,
    urgent: u16,
    options: OptionWriter,
    text: (&'a [u8], &'a [u8]),
    /// What it is signed with; its options begin with the place.
    key: Option<&'a SignatureKey>,
    /// Our UDP port and the peer's, if it goes in a datagram.
    tunnel: Option<(u16, u16)>,
}

impl Connection {
    /// Writes the planned segment into a packet and moves on.
    pub fn emit(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        out: &mut impl IpOutput,
        plan: &Plan,
    ) -> Result<(), DeviceFull> {
        let syn = plan.flags.contains(Flags::SYN);
        let window = self.window_to_offer(shared.tcp());
        // RFC 7323, 2.2: the window of a SYN is not scaled.
        let shift = if syn { 0 } else { self.agreed.recv_shift };
        let field = window_field(window, shift, shared.tcp().buffers.round_up);
        let offset = plan.seq.after(self.snd.buffer_start());
        let (ecn_bits, ecn) = self.ecn_of(plan);
        let (urg, urgent) = match self.has_nothing_seldom() {
            true => (Flags::empty(), 0),
            false => self.urgent_of(plan.seq),
        };
        let segment = Outgoing {
            tuple: self.tuple,
            seq: plan.seq,
            ack: if plan.flags.contains(Flags::ACK) {
                self.rcv.nxt
            } else {
                SeqNumber(0)
            },
            flags: plan.flags | ecn_bits | urg,
            urgent,
            ecn,
            ip: self.options.rare().ip,
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
            key: self.seldom().signature.as_ref(),
            tunnel: tunnel(shared.tcp(), self.options.udp_port),
        };
        segment.send(now, out, shared.tcp())?;
        let window = u32::from(field) << shift;
        if !self.is_new_text_sent(shared, now, plan, window) {
            self.sent(shared, now, plan, window);
        }
        Ok(())
    }

    #[inline]
    fn options(&self, now: Instant) -> OptionWriter {
        let mut options = OptionWriter::default();
        if self.agreed.signed {
            options.signature();
        }
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
    pub fn send(
        &self,
        now: Instant,
        out: &mut impl IpOutput,
        profile: &TcpProfile,
    ) -> Result<(), DeviceFull> {
        let mut options = OptionWriter::default();
        if self.key.is_some() {
            options.signature();
        }
        if let Some((offset, echo)) = self.stamp {
            options.timestamps(Stamps::new(offset).clock(now), echo);
        }
        Outgoing {
            tuple: self.tuple,
            seq: self.seq,
            ack: self.ack.unwrap_or_default(),
            flags: if self.ack.is_some() {
                Flags::RST | Flags::ACK
            } else {
                Flags::RST
            },
            ecn: 0,
            ip: self.ip,
            window: 0,
            urgent: 0,
            options,
            text: (&[], &[]),
            key: self.key.as_ref(),
            tunnel: tunnel(profile, self.udp_port),
        }
        .send(now, out, profile)
    }
}

/// Both UDP ports of what goes to the peer's `port`; 0: it does not go in a datagram.
fn tunnel(profile: &TcpProfile, port: u16) -> Option<(u16, u16)> {
    (port != 0).then_some((profile.udp_tunnel.port, port))
}

impl Outgoing<'_> {
    fn send(
        &self,
        now: Instant,
        out: &mut impl IpOutput,
        profile: &TcpProfile,
    ) -> Result<(), DeviceFull> {
        let len = HEADER_LEN + self.options.len() + self.text.0.len() + self.text.1.len();
        let (protocol, outer) = match self.tunnel {
            None => (PROTOCOL, 0),
            Some(_) => (Protocol::UDP.0, udp::HEADER),
        };
        let packet = IpPacket {
            src: self.tuple.local,
            dst: self.tuple.remote,
            protocol,
            dscp: self.ip.dscp(),
            ecn: self.ecn,
            ttl: self.ip.hops(profile),
            ports: (self.tuple.local_port, self.tuple.remote_port),
        };
        let partial = out.tx_checksum(self.tuple.remote);
        out.send(now, &packet, outer + len, |buffer| match self.tunnel {
            None => self.write(buffer, partial),
            Some(ports) => self.write_in_datagram(buffer, ports, partial),
        })
    }

    /// The datagram's checksum covers the segment, whose own is not looked at: it is zero.
    fn write_in_datagram(&self, buffer: &mut [u8], ports: (u16, u16), partial: bool) {
        self.write(&mut buffer[udp::HEADER..], true);
        buffer[udp::HEADER + CHECKSUM_AT..][..2].fill(0);
        let (from, to) = (self.tuple.local, self.tuple.remote);
        let sum = Sum::pseudo(from, to, Protocol::UDP.0, buffer.len());
        udp::write_header(buffer, ports, sum, partial);
    }

    /// Header, options and text. Fields are written where they belong, and summed by value.
    fn write(&self, buffer: &mut [u8], partial: bool) {
        let len = buffer.len();
        let offset = (((HEADER_LEN + self.options.len()) / 4) as u8) << 4;
        let Ok((header, rest)) = Header::mut_from_prefix(buffer) else {
            unreachable!("the packet has room for the segment");
        };
        header.src_port = self.tuple.local_port.into();
        header.dst_port = self.tuple.remote_port.into();
        header.seq = self.seq.0.into();
        header.ack = self.ack.0.into();
        header.offset = offset;
        header.flags = self.flags.bits();
        header.window = self.window.into();
        header.urgent = self.urgent.into();
        let mut signed;
        let options = match self.key {
            None => self.options.as_bytes(),
            Some(key) => {
                let ends = (self.tuple.local, self.tuple.remote);
                let text = [self.text.0, self.text.1];
                // It covers a header whose checksum is zero.
                header.checksum = 0.into();
                signed = self.options;
                signed.sign(&sign(key, ends, header.as_bytes(), text, len));
                signed.as_bytes()
            }
        };
        let mut sum = Sum::pseudo(self.tuple.local, self.tuple.remote, PROTOCOL, len);
        let (head, text) = rest.split_at_mut(options.len());
        let (first, second) = text.split_at_mut(self.text.0.len());
        let checksum = if partial {
            first.copy_from_slice(self.text.0);
            second.copy_from_slice(self.text.1);
            sum.partial()
        } else {
            sum.add_u16(self.tuple.local_port);
            sum.add_u16(self.tuple.remote_port);
            sum.add_u32(self.seq.0);
            sum.add_u32(self.ack.0);
            sum.add_u16(u16::from_be_bytes([offset, self.flags.bits()]));
            sum.add_u16(self.window);
            sum.add_u16(self.urgent);
            if !options.is_empty() {
                sum.add(options);
            }
            sum.add_copy(first, self.text.0);
            if !second.is_empty() {
                sum.add_copy(second, self.text.1);
            }
            sum.finish()
        };
        header.checksum = checksum.into();
        if !options.is_empty() {
            head.copy_from_slice(options);
        }
    }
}
