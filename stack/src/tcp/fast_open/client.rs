//! The client's side of Fast Open (RFC 7413, 4.2.1): a SYN that asks for a cookie, or holds one and data. Whatever
//! goes wrong, the same connection goes on as if its SYN had been plain: a SYN that is sent again has neither option
//! nor data, and data that the SYN-ACK does not acknowledge follow behind the handshake.

use xen_abi::Instant;

use crate::api::SocketError;
use crate::event::TcpState;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::fast_open::Settings;
use crate::tcp::fast_open::cookie::Cookie;
use crate::tcp::fast_open::destinations::Answer;
use crate::tcp::incoming::Incoming;
use crate::tcp::shared::Shared;
use crate::wire::tcp_options::OptionWriter;

/// The option of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// None: data goes without, by the administrator's wish.
    Nothing,
    /// Give me a cookie.
    Request { experimental: bool },
    /// Here is yours.
    Cookie { cookie: Cookie, experimental: bool },
}

/// What a connection that opens with Fast Open needs to know until the handshake is over.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub offer: Offer,
    /// Octets of text in the first SYN.
    pub octets: u32,
    /// Nothing is sent before the application has given data (`TCP_FASTOPEN_CONNECT`).
    pub waits_for_data: bool,
    /// What is sent from now on is a plain SYN.
    pub plain: bool,
    /// The listener in whose queue a connection counts that a SYN with a cookie has opened.
    pub listener: Option<u32>,
}

impl Connection {
    /// Prepares the SYN of an active OPEN: with `data` as far as they may go in it; how many octets were taken.
    /// With `TCP_FASTOPEN_CONNECT` and no data the SYN waits for some.
    pub fn open_fast(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        data: &[u8],
        settings: &Settings,
    ) -> usize {
        let profile = shared.profile.tcp.fast_open.clone();
        let Some(known) = shared.destinations.look_up(&self.tuple, now) else {
            return 0;
        };
        let experimental = known.experimental;
        let offer = match known.cookie {
            _ if profile.client_without_cookie || settings.no_cookie => Offer::Nothing,
            Some(cookie) => Offer::Cookie {
                cookie,
                experimental,
            },
            None => Offer::Request { experimental },
        };
        let may_hold_data = !matches!(offer, Offer::Request { .. });
        if known.mss > 0 {
            self.agreed.send_mss = known.mss.max(shared.tcp().min_mss);
        }
        self.seldom_mut().opening = Some(Opening {
            offer,
            octets: 0,
            waits_for_data: settings.on_connect && data.is_empty() && may_hold_data,
            plain: false,
            listener: None,
        });
        if may_hold_data && !data.is_empty() {
            self.give_syn_data(shared, now, data)
        } else {
            0
        }
    }

    fn opening_mut(&mut self) -> Option<&mut Opening> {
        // No box is made for those who do not open fast.
        self.seldom().opening?;
        self.seldom_mut().opening.as_mut()
    }

    /// The SYN waits for data (`TCP_FASTOPEN_CONNECT`).
    pub fn syn_waits_for_data(&self) -> bool {
        self.seldom()
            .opening
            .as_ref()
            .is_some_and(|o| o.waits_for_data)
    }

    /// Puts data into the SYN that has not been sent; how many octets were taken.
    pub fn give_syn_data(&mut self, shared: &mut Shared, now: Instant, data: &[u8]) -> usize {
        let room = self.syn_room(shared, now) as usize;
        let taken = self.queue_behind_syn(shared, &data[..data.len().min(room)]);
        if let Some(opening) = self.opening_mut() {
            opening.waits_for_data = false;
            opening.octets = taken as u32;
        }
        taken
    }

    /// Data that go in the SYN or behind it; how many octets were taken.
    pub fn queue_behind_syn(&mut self, shared: &mut Shared, data: &[u8]) -> usize {
        let limit = self.options.send_buffer as usize;
        self.outbox.queue(&mut shared.pool, data, limit)
    }

    /// Octets of text that fit into a SYN: no more than the server's segment size of last time, the path and the
    /// application's limit allow, less the options (RFC 7413, 4.2.1).
    fn syn_room(&self, shared: &Shared, now: Instant) -> u32 {
        let options = match shared.tcp().fast_open.option_room {
            Some(room) => u32::from(room),
            None => self.syn_options(now, shared.tcp()).len() as u32,
        };
        let mss = self.agreed.send_mss.min(self.agreed.link_mss);
        u32::from(mss).saturating_sub(options)
    }

    /// Octets of text in the SYN that is sent now.
    pub fn syn_text(&self) -> u32 {
        match &self.seldom().opening {
            Some(opening) if !opening.plain => opening.octets.min(self.outbox.len()),
            _ => 0,
        }
    }

    /// The option of the SYN, or of the SYN-ACK, that is sent now.
    pub fn fast_open_option(&self, options: &mut OptionWriter, padding: u8) {
        let Some(opening) = self.seldom().opening.as_ref().filter(|o| !o.plain) else {
            return;
        };
        match &opening.offer {
            Offer::Nothing => {}
            Offer::Request { experimental } => drop(options.fast_open(&[], *experimental, padding)),
            Offer::Cookie {
                cookie,
                experimental,
            } => drop(options.fast_open(cookie.as_bytes(), *experimental, padding)),
        }
    }

    /// The SYN was lost, or was too large for the path: from now on it is a plain one (RFC 7413, 4.2.1).
    pub fn fall_back_to_plain_syn(&mut self) {
        if let Some(opening) = self.opening_mut() {
            opening.plain = true;
        }
    }

    /// Repeated timeouts of a SYN that held data, or of what followed it: perhaps something on the way drops it.
    pub fn suspect_blackhole(&self, shared: &mut Shared, now: Instant) {
        let had_data = self.seldom().opening.as_ref().is_some_and(|o| o.octets > 0)
            || self.marks.contains(Marks::SYN_DATA);
        if had_data && self.rto.timeouts == 2 {
            let Shared {
                destinations,
                profile,
                ..
            } = shared;
            destinations.blackhole(now, &profile.tcp.fast_open);
        }
    }

    /// The SYN-ACK has arrived and is acceptable; its acknowledgment is not yet taken.
    pub fn fast_open_answered(&mut self, shared: &mut Shared, now: Instant, syn: &Incoming<'_>) {
        let Some(opening) = self.take_opening() else {
            return;
        };
        let sent_data = opening.octets > 0;
        let acked = syn.ack.since(self.snd.iss).saturating_sub(1);
        let Shared {
            destinations,
            profile,
            ..
        } = shared;
        if opening.offer != Offer::Nothing {
            let answer = Answer {
                mss: syn.mss.filter(|&mss| mss > 0),
                option: syn.fast_open,
                sent_data,
                took_data: acked > 0,
                was_lost: opening.plain,
            };
            destinations.answered(&self.tuple, now, &answer, &profile.tcp.fast_open);
        }
        self.marks
            .set(Marks::SYN_DATA, sent_data && acked >= opening.octets);
    }

    /// Data of the SYN that are not acknowledged go at once, without anybody being blamed for a loss (RFC 7413, 4.2.1).
    pub fn resend_syn_data(&mut self) {
        if self.snd.nxt != self.snd.una {
            self.snd.nxt = self.snd.una;
            self.rto.stop_timing();
        }
    }

    /// SEND on a socket whose SYN waits for data.
    pub fn send_with_syn(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        data: &[u8],
    ) -> Result<usize, SocketError> {
        assert_eq!(self.state(), TcpState::SynSent);
        match self.give_syn_data(shared, now, data) {
            0 if !data.is_empty() => Err(SocketError::EINPROGRESS),
            taken => Ok(taken),
        }
    }
}
