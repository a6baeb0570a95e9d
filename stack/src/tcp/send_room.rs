//! How much an application may write. The send buffer's limit may count octets, or memory as a kernel charges it:
//! octets are kept in chunks, each costs something beyond its octets, and one that was begun is filled (Linux,
//! `sk_wmem_queued`). Then a writer is woken when there is room worth its while.

use crate::profile::TcpProfile;
use crate::profile::sockets::{Charge, Writable};
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::state;

/// The largest chunk, octets (Linux, `GSO_MAX_SIZE`).
const CHUNK: u64 = 65_535;
/// A peer whose windows are smaller gets chunks as large as they are, others as half of them (Linux,
/// tcp_bound_to_half_wnd()).
const SMALL_WINDOW: u64 = 536;

/// What is in the send buffer, in octets.
#[derive(Clone, Copy)]
struct Fill {
    out: u64,
    unsent: u64,
}

/// How memory is charged at present.
struct Tariff {
    /// Octets in a chunk that was sent, and in one that was not.
    sent_chunk: u64,
    chunk: u64,
    overhead: u64,
    limit: u64,
}

impl Tariff {
    fn charged(&self, fill: Fill) -> u64 {
        let chunks = fill.out.div_ceil(self.sent_chunk) + fill.unsent.div_ceil(self.chunk);
        fill.out + fill.unsent + self.overhead * chunks
    }
}

impl Connection {
    /// Octets of a write of `len` that are taken now.
    #[inline]
    pub fn room_to_write(&self, profile: &TcpProfile, len: usize) -> usize {
        if !self.may_write() {
            return 0;
        }
        let fill = self.fill();
        let lowat = self.not_sent_lowat(profile);
        let Some(charge) = &profile.sockets.charge else {
            if lowat > 0 && fill.unsent >= lowat {
                return 0;
            }
            let limit = self.options.send_buffer as usize;
            return len.min(limit.saturating_sub(self.outbox.len() as usize));
        };
        let tariff = self.tariff(charge);
        let len = len as u64;
        // What goes at once is no chunk that waits.
        let sendable = self.sendable();
        let at_once = fill.unsent.min(sendable);
        let mut fill = Fill {
            out: fill.out + at_once,
            unsent: fill.unsent - at_once,
        };
        // A chunk that was begun is filled, whatever it costs.
        let mut taken = match fill.unsent % tariff.chunk {
            0 => 0,
            begun => len.min(tariff.chunk - begun),
        };
        fill.unsent += taken;
        let free = |fill: Fill| tariff.limit.saturating_sub(tariff.charged(fill));
        if fill.unsent == 0 && free(fill) > 0 {
            taken = len.min(sendable - at_once);
            fill.out += taken;
        }
        let mut chunks = free(fill).div_ceil(tariff.chunk + tariff.overhead);
        if lowat > 0 {
            chunks = chunks.min(lowat.saturating_sub(fill.unsent).div_ceil(tariff.chunk));
        }
        taken = len.min(taken + chunks * tariff.chunk);
        taken as usize
    }

    /// With so many octets unsent the application has written enough; 0: there is no such number.
    fn not_sent_lowat(&self, profile: &TcpProfile) -> u64 {
        u64::from(match self.options.rare().not_sent_lowat {
            0 => profile.sockets.not_sent_lowat,
            octets => octets,
        })
    }

    /// Whether a writer is worth being woken.
    pub fn is_writable(&self, profile: &TcpProfile) -> bool {
        if !self.may_write() {
            return false;
        }
        let fill = self.fill();
        let lowat = self.not_sent_lowat(profile);
        if lowat > 0 && 2 * fill.unsent >= lowat {
            return false;
        }
        let (limit, used) = match &profile.sockets.charge {
            Some(charge) => {
                let tariff = self.tariff(charge);
                (tariff.limit, tariff.charged(fill))
            }
            None => (u64::from(self.options.send_buffer), fill.out + fill.unsent),
        };
        let free = limit.saturating_sub(used);
        match profile.sockets.writable {
            Writable::AnyRoom => free > 0,
            Writable::HalfOfUsed => free >= used / 2 && free > 0,
            Writable::LowWater(octets) => free >= u64::from(octets).min(limit),
        }
    }

    fn may_write(&self) -> bool {
        let may = state::may_send(self.state())
            || self.marks.contains(Marks::FAST_OPENING)
            || self.syn_waits_for_data();
        may && self.fin.is_none()
    }

    fn fill(&self) -> Fill {
        let unsent = self.queued_unsent();
        Fill {
            out: u64::from(self.outbox.len().saturating_sub(unsent)),
            unsent: u64::from(unsent),
        }
    }

    /// Octets that could leave at once.
    fn sendable(&self) -> u64 {
        let out = self.snd.max.since(self.snd.una);
        let cwnd = self.congestion.cwnd().saturating_sub(out);
        u64::from(cwnd.min(self.snd.wnd.saturating_sub(out)))
    }

    /// Octets in a chunk.
    fn chunk(&self) -> u64 {
        let smss = u64::from(self.agreed.smss().max(1));
        let largest = match u64::from(self.snd.max_wnd) {
            0 => CHUNK,
            window if window > SMALL_WINDOW => CHUNK.min(window / 2),
            window => CHUNK.min(window),
        };
        (largest / smss).max(1) * smss
    }

    /// Octets from `seq` to the end of the chunk that it is in: what leaves together comes out of one.
    pub fn rest_of_chunk(&self, seq: SeqNumber) -> u32 {
        let chunk = self.chunk() as u32;
        chunk - seq.after(self.snd.chunk) % chunk
    }

    fn tariff(&self, charge: &Charge) -> Tariff {
        let smss = u64::from(self.agreed.smss().max(1));
        let chunk = self.chunk();
        let cwnd = u64::from(self.congestion.cwnd());
        // A millisecond's worth of what paces the sender: twice the window in a round trip.
        let paced = match self.rto.srtt() {
            Some(srtt) => 2 * cwnd * (1 << 20) / srtt.max(1),
            None => chunk,
        };
        let least = (u64::from(charge.least_segments) * smss).min(chunk);
        let mut limit = u64::from(self.options.send_buffer);
        if !self.options.send_buffer_set {
            // It grows with the window: room for twice the window in full-sized segments.
            let segments = cwnd.div_ceil(smss).max(10);
            let grown = 2 * segments * (smss + 1_024).next_power_of_two();
            limit = limit.max(grown.min(u64::from(charge.most)));
        }
        Tariff {
            sent_chunk: (paced.clamp(least, chunk) / smss).max(1) * smss,
            chunk,
            overhead: u64::from(charge.overhead),
            limit,
        }
    }
}
