//! A connection's timers: a deadline each, or never.

use xen_abi::Instant;

use crate::event::TimerKinds;

const NEVER: Instant = Instant(u64::MAX);

/// What a connection may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// What may come before the retransmission timer: a tail loss probe, or the end of RACK's reordering window.
    Early,
    /// Retransmission (RFC 6298).
    Retransmit,
    /// Zero-window probe, or the override timeout of silly-window avoidance.
    Persist,
    /// The device's queue lets more segments go.
    Pace,
    /// Delayed ACK.
    DelayedAck,
    /// Keep-alive.
    KeepAlive,
    /// The end of TIME-WAIT, or of FIN-WAIT-2 when nobody owns the connection.
    Linger,
}

const ALL: [Timer; 7] = [
    Timer::Early,
    Timer::Retransmit,
    Timer::Persist,
    Timer::Pace,
    Timer::DelayedAck,
    Timer::KeepAlive,
    Timer::Linger,
];

/// Those that bring what is under way to its end.
const FINISH: u8 = bit(Timer::Early)
    | bit(Timer::Retransmit)
    | bit(Timer::Persist)
    | bit(Timer::Pace)
    | bit(Timer::DelayedAck);

const fn bit(timer: Timer) -> u8 {
    1 << timer as u8
}

/// Deadlines by timer.
pub struct Deadlines {
    at: [Instant; ALL.len()],
    /// Those that are set, a bit each.
    armed: u8,
    /// Something changed since [`Deadlines::take_changed`] was asked.
    changed: bool,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            at: [NEVER; ALL.len()],
            armed: 0,
            changed: true,
        }
    }
}

impl Deadlines {
    /// Sets a timer; one that would never expire is not set.
    pub fn arm(&mut self, timer: Timer, at: Instant) {
        let slot = &mut self.at[timer as usize];
        self.changed |= *slot != at;
        *slot = at;
        self.armed = self.armed & !bit(timer) | u8::from(at != NEVER) << timer as u8;
    }
    /// Stops a timer.
    pub fn disarm(&mut self, timer: Timer) {
        if self.is_armed(timer) {
            self.at[timer as usize] = NEVER;
            self.armed &= !bit(timer);
            self.changed = true;
        }
    }
    /// Stops all.
    pub fn disarm_all(&mut self) {
        *self = Deadlines::default();
    }
    /// Whether a timer is set.
    pub fn is_armed(&self, timer: Timer) -> bool {
        self.armed & bit(timer) != 0
    }
    /// When a timer expires; never, if it is not set.
    pub fn at(&self, timer: Timer) -> Instant {
        self.at[timer as usize]
    }
    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        let mut earliest = NEVER;
        let mut rest = self.armed;
        while rest != 0 {
            earliest = earliest.min(self.at[rest.trailing_zeros() as usize]);
            rest &= rest - 1;
        }
        (self.armed != 0).then_some(earliest)
    }
    /// A timer that is due, stopped now.
    pub fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = ALL
            .into_iter()
            .find(|&t| self.is_armed(t) && self.at[t as usize] <= now)?;
        self.disarm(due);
        Some(due)
    }
    /// Whether anything changed that was not taken note of.
    pub fn has_changed(&self) -> bool {
        self.changed
    }
    /// The same, and it is taken note of.
    pub fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }
    /// Which kinds are set.
    pub fn kinds(&self) -> TimerKinds {
        let of = |timers: u8, kinds: TimerKinds| {
            let any = u8::from(self.armed & timers != 0);
            TimerKinds::from_bits_retain(kinds.bits() * any)
        };
        of(FINISH, TimerKinds::FINISH)
            | of(bit(Timer::KeepAlive), TimerKinds::KEEP_ALIVE)
            | of(bit(Timer::Linger), TimerKinds::TIME_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_timer_is_taken_once() {
        let mut deadlines = Deadlines::default();
        deadlines.arm(Timer::KeepAlive, Instant(9));
        deadlines.arm(Timer::Retransmit, Instant(5));
        assert_eq!(deadlines.next(), Some(Instant(5)));
        assert_eq!(
            deadlines.kinds(),
            TimerKinds::FINISH | TimerKinds::KEEP_ALIVE
        );
        assert_eq!(deadlines.take_due(Instant(7)), Some(Timer::Retransmit));
        assert_eq!(deadlines.take_due(Instant(7)), None);
        assert_eq!(deadlines.next(), Some(Instant(9)));
    }
}
