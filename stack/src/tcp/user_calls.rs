//! SEND, RECEIVE and CLOSE of one connection (RFC 9293, 3.10.2 to 3.10.4).

use xen_abi::Instant;

use crate::api::{How, OptionName, Queued, RecvFlags, SendFlags, SocketError, SocketOption};
use crate::event::TcpState;
use crate::profile::TcpProfile;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::shared::Shared;
use crate::tcp::state;
use crate::tcp::written::Says;

impl Connection {
    /// SEND (RFC 9293, 3.10.2).
    pub fn send(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        data: &[u8],
        flags: SendFlags,
    ) -> Result<usize, SocketError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match self.state() {
            TcpState::SynSent if self.syn_waits_for_data() && self.fin.is_none() => {
                return self.send_with_syn(shared, now, data);
            }
            TcpState::SynReceived
                if self.marks.contains(Marks::FAST_OPENING) && self.fin.is_none() => {}
            TcpState::SynSent | TcpState::SynReceived if self.fin.is_none() => {
                return Err(SocketError::EAGAIN);
            }
            state if !state::may_send(state) || self.fin.is_some() => {
                return Err(SocketError::EPIPE);
            }
            _ => {}
        }
        self.restart_if_idle(shared, now);
        if self.snd.nxt == self.data_end() {
            self.snd.chunk = self.snd.nxt;
        }
        let room = self.room_to_write(shared.tcp(), data.len());
        let limit = self.outbox.len() as usize + room;
        let taken = self.outbox.queue(&mut shared.pool, data, limit);
        self.marks.set(Marks::MORE, flags.contains(SendFlags::MORE));
        if taken > 0 && (!flags.is_empty() || self.told.is_some()) {
            self.note_flags(flags, taken == data.len());
        }
        if taken < data.len() {
            self.marks |= Marks::SEND_BLOCKED;
        }
        if flags.contains(SendFlags::OOB) && taken > 0 {
            self.mark_urgent();
        }
        self.note_limit(now);
        if taken == 0 && !data.is_empty() {
            return Err(SocketError::EAGAIN);
        }
        Ok(taken)
    }

    /// What was said about the octets that were just queued; `whole`: all of them were.
    pub fn note_flags(&mut self, flags: SendFlags, whole: bool) {
        let says = Says {
            record_ends: flags.contains(SendFlags::EOR) && whole,
            lent: flags.contains(SendFlags::ZEROCOPY) && self.options.rare().zero_copy,
        };
        self.note_write(self.snd.buffer_start().plus(self.outbox.len()), says);
    }

    /// RECEIVE (RFC 9293, 3.10.3). What the window grows by is told when it is worth a segment.
    pub fn recv(
        &mut self,
        shared: &mut Shared,
        to: &mut [u8],
        flags: RecvFlags,
    ) -> Result<usize, SocketError> {
        if flags.contains(RecvFlags::OOB) {
            return self.recv_urgent(shared, to);
        }
        let most = self.until_mark(shared, to.len());
        let to = &mut to[..most];
        if !self.inbox.is_empty() {
            let n = if flags.is_empty() {
                self.inbox.read(&mut shared.pool, to)
            } else if flags.contains(RecvFlags::PEEK) {
                return Ok(self.inbox.peek(to));
            } else {
                let n = to.len().min(self.inbox.len());
                self.inbox.skip(&mut shared.pool, n);
                n
            };
            if state::may_receive(self.state()) && self.is_window_worth_telling(shared.tcp()) {
                self.ack.now();
            }
            return Ok(n);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let over = self.state() == TcpState::Closed || self.fin_received();
        if over || self.marks.contains(Marks::READ_SHUT) {
            return Ok(0);
        }
        Err(SocketError::EAGAIN)
    }

    /// Our segments hold no more than `mss` octets and options from now on, once the handshake is over; whether that is
    /// less than before.
    pub fn lower_mss(&mut self, mss: u16) -> bool {
        if !state::is_synchronized(self.state()) {
            return true;
        }
        if mss > self.agreed.send_mss.min(self.agreed.link_mss) {
            return false;
        }
        self.agreed.send_mss = mss;
        self.congestion.set_smss(self.agreed.smss());
        true
    }

    /// An option as it is in force.
    pub fn option(
        &self,
        name: OptionName,
        profile: &TcpProfile,
    ) -> Result<SocketOption, SocketError> {
        match name {
            // Once the peer's SYN is here, it is the size of our segments.
            OptionName::MaxSeg if state::is_synchronized(self.state()) => {
                Ok(SocketOption::MaxSeg(self.agreed.smss() as u16))
            }
            name => self.options.get(name, profile),
        }
    }

    /// What is queued in both directions.
    pub fn queued(&self, profile: &TcpProfile) -> Queued {
        Queued {
            unread: self.inbox.len() as u64,
            unacknowledged: u64::from(self.outbox.len()),
            unsent: u64::from(self.queued_unsent()),
            room: self.room_to_write(profile, usize::MAX) as u64,
            ended: self.fin_received(),
        }
    }

    /// Octets that wait to be sent for the first time, or again after a timeout.
    pub fn queued_unsent(&self) -> u32 {
        let end = self.snd.buffer_start().plus(self.outbox.len());
        end.after(self.snd.nxt).min(self.outbox.len())
    }

    /// CLOSE by direction, as `shutdown(2)` has it.
    pub fn shutdown(&mut self, shared: &mut Shared, how: How) -> Result<(), SocketError> {
        if !state::is_synchronized(self.state()) {
            return Err(SocketError::ENOTCONN);
        }
        if how != How::Write {
            self.marks |= Marks::READ_SHUT | Marks::NEWS_OF_ALL;
            self.inbox.discard(&mut shared.pool);
        }
        if how != How::Read {
            self.close_sending(shared);
        }
        Ok(())
    }

    /// CLOSE of our direction: "I have no more data to send" (RFC 9293, 3.6, 3.10.4).
    fn close_sending(&mut self, shared: &mut Shared) {
        if self.fin.is_some() {
            return;
        }
        self.queue_fin();
        if let Some(next) = state::after_close(self.state()) {
            self.enter(shared, next);
        }
    }

    /// The application lets go of the connection.
    pub fn close(&mut self, shared: &mut Shared, now: Instant) {
        let unread = !self.inbox.is_empty();
        match self.state() {
            TcpState::Closed => {}
            TcpState::SynSent => self.die(shared, None),
            // RFC 9293, SHLD-3 (RFC 2525, 2.17): what was not read is lost, and the peer shall know.
            _ if unread || self.options.rare().linger == Some(0) => self.abort(shared, None),
            TcpState::FinWait2 => self.linger_in_fin_wait_2(shared, now),
            _ => self.close_sending(shared),
        }
    }
}
