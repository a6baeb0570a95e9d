//! The urgent mechanism (RFC 9293, 3.8.5; RFC 6093): a mark in the stream, of which the other side's application is
//! told before it gets there. The pointer names the octet behind the urgent data. Kept because old applications need it.

use crate::api::SocketError;
use crate::seq::SeqNumber;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::incoming::Incoming;
use crate::tcp::shared::Shared;
use crate::wire::tcp::Flags;

/// Urgent data on their way, in either direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Urgent {
    /// SND.UP
    send: Option<SeqNumber>,
    /// RCV.UP
    receive: Option<SeqNumber>,
    /// The last urgent octet was taken out of the line by `MSG_OOB`.
    taken: bool,
}

impl Urgent {
    /// There never were any.
    pub const NONE: Urgent = Urgent {
        send: None,
        receive: None,
        taken: false,
    };
}

impl Connection {
    /// What was queued last is urgent (MUST-30, MUST-31: however much it is).
    pub fn mark_urgent(&mut self) {
        let end = self.data_end();
        self.seldom_mut().urgent.send = Some(end);
    }

    /// The URG bit and the urgent pointer of a segment that begins at `seq` (MUST-62). Data that end farther away than
    /// the field can say are announced by the farthest number.
    pub fn urgent_of(&self, seq: SeqNumber) -> (Flags, u16) {
        let up = self.seldom().urgent.send;
        match up.filter(|up| up.gt(seq)) {
            Some(up) => {
                let distance = u16::try_from(up.since(seq)).unwrap_or(u16::MAX);
                (Flags::URG, distance)
            }
            None => (Flags::empty(), 0),
        }
    }

    /// Sixth: the URG bit (RFC 9293, 3.10.7.4): "RCV.UP <- max(RCV.UP,SEG.UP), and signal the user".
    pub fn check_urgent(&mut self, segment: &Incoming<'_>) {
        let Some(up) = segment.urgent else {
            return;
        };
        if !crate::tcp::state::may_receive(self.state()) || up.le(self.read_from()) {
            return;
        }
        let urgent = &mut self.seldom_mut().urgent;
        if urgent.receive.is_none_or(|known| up.gt(known)) {
            urgent.receive = Some(up);
            urgent.taken = false;
            // MUST-32: the application is told.
            self.marks |= Marks::NEWS_OF_ALL;
        }
    }

    /// Octets that the application has to read to be past the urgent data (MUST-33); none if it is.
    #[inline]
    pub fn urgent_ahead(&self) -> Option<u32> {
        if self.has_nothing_seldom() {
            return None;
        }
        let up = self.seldom().urgent.receive?;
        let ahead = up.after(self.read_from());
        (ahead > 0).then_some(ahead)
    }

    /// How many octets one read may give, of `wanted`: it stops before the last urgent octet, so that the application
    /// sees the mark. An octet that is not in the line is dropped when the reader comes to it.
    pub fn until_mark(&mut self, shared: &mut Shared, wanted: usize) -> usize {
        let Some(ahead) = self.urgent_ahead() else {
            return wanted;
        };
        if ahead > 1 {
            return wanted.min(ahead as usize - 1);
        }
        let in_line = self.options.urgent_in_line(shared.tcp());
        let taken = self.seldom().urgent.taken;
        if (taken || !in_line) && !self.inbox.is_empty() {
            self.inbox.skip(&mut shared.pool, 1);
        }
        wanted
    }

    /// `MSG_OOB`: the last urgent octet, out of the line.
    pub fn recv_urgent(&mut self, shared: &Shared, to: &mut [u8]) -> Result<usize, SocketError> {
        let in_line = self.options.urgent_in_line(shared.tcp());
        let ahead = self.urgent_ahead().filter(|_| !in_line);
        let Some(ahead) = ahead.filter(|_| !self.seldom().urgent.taken) else {
            return Err(SocketError::EINVAL);
        };
        if self.inbox.len() < ahead as usize {
            // It was announced and is still on its way.
            return Err(SocketError::EAGAIN);
        }
        let Some(octet) = to.first_mut() else {
            return Ok(0);
        };
        *octet = self.inbox.octet(ahead as usize - 1);
        self.seldom_mut().urgent.taken = true;
        Ok(1)
    }

    /// The number of the octet that the application reads next.
    fn read_from(&self) -> SeqNumber {
        let fin = u32::from(self.fin_received());
        self.rcv.nxt.minus(self.inbox.len() as u32 + fin)
    }
}
