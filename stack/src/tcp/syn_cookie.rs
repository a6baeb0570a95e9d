//! SYN cookies (RFC 4987, 3.6): a listener that is flooded with SYN segments keeps nothing of them. What it would have to
//! remember is in the initial sequence number of its answer, and in the low bits of its timestamp; only whoever
//! receives that answer can send the ACK that makes a connection.
//!
//! The number is 27 bits of a keyed hash, 2 of the minute and 3 of the segment size. Without timestamps there is no
//! place for window scale and SACK, so those who flood without them lose nothing, and others little.

use alloc::boxed::Box;

use xen_abi::Instant;

use crate::api::DeviceFull;
use crate::profile::SEC;
use crate::seq::SeqNumber;
use crate::tcp::Tcp;
use crate::tcp::connection::{Connection, Owner};
use crate::tcp::incoming::Incoming;
use crate::tcp::output::IpOutput;
use crate::tcp::shared::Shared;
use crate::tcp::siphash::Key;
use crate::tcp::transmit::{Plan, Why};
use crate::tcp::tuple::Tuple;
use crate::wire::tcp::Flags;

/// How long a cookie's clock stands still; a cookie is good for one to two of these.
const TICK: u64 = 64 * SEC;
/// Segment sizes that a cookie can say: the next lower one is taken (FreeBSD, `tcp_sc_msstab`).
const SIZES: [u16; 8] = [216, 536, 1_200, 1_360, 1_400, 1_440, 1_452, 1_460];
/// Low bits of our timestamp that hold options: four of the window scale, SACK, ECN (Linux, `TSBITS`).
const STAMP_BITS: u32 = 6;
/// A window scale of fifteen, which cannot be (RFC 7323, 2.3), says that there is none.
const NO_SCALE: u32 = 15;
const SACK: u32 = 1 << 4;
const ECN: u32 = 1 << 5;

/// The number that answers a SYN.
fn cookie(key: Key, tuple: &Tuple, irs: SeqNumber, tick: u32, size: u32) -> SeqNumber {
    let said = u64::from(irs.0) << 32 | u64::from(tick) << 3 | u64::from(size);
    let hash = key.hash(&[key.hash_tuple(tuple), said]) as u32;
    SeqNumber(hash & !31 | (tick & 3) << 3 | size)
}

/// The segment size that a cookie of ours holds; none if it is none, or too old.
fn read(key: Key, tuple: &Tuple, irs: SeqNumber, now: Instant, iss: SeqNumber) -> Option<u16> {
    let (size, age) = (iss.0 & 7, (tick(now).wrapping_sub(iss.0 >> 3)) & 3);
    let made = tick(now).wrapping_sub(age);
    let good = age <= 1 && cookie(key, tuple, irs, made, size) == iss;
    good.then(|| SIZES[size as usize])
}

fn tick(now: Instant) -> u32 {
    (now.0 / TICK) as u32
}

/// The largest size that is not larger than the peer's.
fn size_for(mss: u16) -> u32 {
    SIZES.iter().rposition(|&size| size <= mss).unwrap_or(0) as u32
}

/// What the low bits of the timestamp say of a SYN.
fn bits_of(connection: &Connection) -> u32 {
    let agreed = &connection.agreed;
    let scale = match agreed.window_scaling {
        true => u32::from(agreed.send_shift),
        false => NO_SCALE,
    };
    let sack = if agreed.sack { SACK } else { 0 };
    let ecn = if agreed.ecn { ECN } else { 0 };
    scale | sack | ecn
}

/// The SYN that the peer must have sent, from the ACK of our answer.
fn syn_of<'a>(ack: &Incoming<'a>, irs: SeqNumber, mss: u16) -> Incoming<'a> {
    let bits = ack.stamp.map_or(NO_SCALE, |(_, echo)| echo);
    let scale = bits & NO_SCALE;
    let with = |bit| ack.stamp.is_some() && bits & bit != 0;
    let mut syn = Incoming {
        seq: irs,
        flags: Flags::SYN,
        payload: &[],
        mss: Some(mss),
        window_scale: (scale != NO_SCALE).then_some(scale as u8),
        sack_permitted: with(SACK),
        sack: &[],
        fast_open: None,
        ..*ack
    };
    syn.flags.set(Flags::ECE | Flags::CWR, with(ECN));
    syn
}

impl Tcp {
    /// Answers a SYN without keeping it.
    pub(super) fn answer_with_cookie(
        &mut self,
        mut connection: Connection,
        now: Instant,
        syn: &Incoming<'_>,
    ) {
        if self.cookies.len() >= self.shared.tcp().reset_queue {
            return;
        }
        let mut syn = *syn;
        if syn.stamp.is_none() {
            (syn.window_scale, syn.sack_permitted) = (None, false);
            syn.flags -= Flags::ECE | Flags::CWR;
        }
        connection.take_syn(&mut self.shared, now, &syn);
        self.cookies.push_back(Box::new(connection));
    }

    /// Sends the answers that wait for the device.
    pub(super) fn send_cookies(
        &mut self,
        now: Instant,
        out: &mut impl IpOutput,
    ) -> Result<(), DeviceFull> {
        while let Some(connection) = self.cookies.front_mut() {
            self.shared.fuel.burn(1);
            connection.send_cookie(&mut self.shared, now, out)?;
            self.cookies.pop_front();
        }
        Ok(())
    }

    /// The connection that the ACK of a cookie makes; it is in SYN-RECEIVED, and its SYN-ACK is out. `fresh` makes one
    /// with the initial sequence number.
    pub(super) fn revive(
        &mut self,
        now: Instant,
        tuple: &Tuple,
        ack: &Incoming<'_>,
        fresh: impl FnOnce(&Shared, SeqNumber) -> Connection,
    ) -> Option<Connection> {
        let (irs, iss) = (ack.seq.minus(1), ack.ack.minus(1));
        let mss = read(self.shared.keys.syn_cookies, tuple, irs, now, iss)?;
        let mut connection = fresh(&self.shared, iss);
        connection.take_first_syn(&mut self.shared, now, &syn_of(ack, irs, mss));
        connection.snd.nxt = iss.plus(1);
        connection.snd.max = iss.plus(1);
        let offered = connection.window_to_offer(self.shared.tcp());
        connection.rcv.offered(offered.min(u32::from(u16::MAX)));
        Some(connection)
    }
}

impl Connection {
    fn send_cookie(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        out: &mut impl IpOutput,
    ) -> Result<(), DeviceFull> {
        assert!(matches!(self.owner, Owner::Listener(_)));
        let Ok(route) = out.route(self.tuple.remote) else {
            return Ok(());
        };
        self.set_route(&route, shared.tcp());
        let size = size_for(self.agreed.send_mss);
        let key = shared.keys.syn_cookies;
        let iss = cookie(key, &self.tuple, self.rcv.irs, tick(now), size);
        (self.snd.iss, self.snd.una) = (iss, iss);
        (self.snd.nxt, self.snd.max) = (iss, iss);
        // Our clock is set back by less than 64 milliseconds, so that its low bits are the options.
        let clock = self.stamps.clock(now);
        let back = clock.wrapping_sub(bits_of(self)) & ((1 << STAMP_BITS) - 1);
        self.stamps.offset = self.stamps.offset.wrapping_sub(back);
        let plan = Plan {
            why: Why::Syn,
            seq: iss,
            len: 0,
            flags: Flags::SYN | Flags::ACK | self.ecn_grant(),
            unit: 0,
        };
        let sent = self.emit(shared, now, out, &plan);
        self.stamps.offset = self.stamps.offset.wrapping_add(back);
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key(5, 6);

    fn tuple(port: u16) -> Tuple {
        Tuple {
            local: [10, 0, 0, 1].into(),
            remote: [10, 0, 0, 2].into(),
            local_port: 80,
            remote_port: port,
        }
    }

    #[test]
    fn a_cookie_is_good_for_its_connection_and_for_a_while() {
        let irs = SeqNumber(77);
        let now = Instant(10 * TICK);
        for size in 0..8 {
            let made = cookie(KEY, &tuple(1), irs, tick(now), size);
            let read = |port, irs, now| read(KEY, &tuple(port), irs, now, made);
            assert_eq!(read(1, irs, now), Some(SIZES[size as usize]));
            assert!(read(1, irs, now.plus(2 * TICK - 1)).is_some());
            assert!(read(1, irs, now.plus(2 * TICK)).is_none());
            assert!(read(1, irs, now.plus(4 * TICK)).is_none());
            assert!(read(2, irs, now).is_none());
            assert!(read(1, irs.plus(1), now).is_none());
        }
    }

    #[test]
    fn the_next_lower_size_is_said() {
        assert_eq!(SIZES[size_for(1_460) as usize], 1_460);
        assert_eq!(SIZES[size_for(1_459) as usize], 1_452);
        assert_eq!(SIZES[size_for(9_000) as usize], 1_460);
        assert_eq!(SIZES[size_for(1) as usize], 216);
    }
}
