//! The server's side of Fast Open (RFC 7413, 4.2.2): a listener judges the cookie of a SYN, and a good one makes a
//! connection that is accepted, read and written before its handshake is over. How many such connections there may be
//! is bounded (5.1), and one that was reset holds its place for a while.

use alloc::collections::{BTreeSet, VecDeque};

use xen_abi::Instant;

use crate::profile::FastOpen;
use crate::tcp::connection::{Connection, Marks};
use crate::tcp::fast_open::Settings;
use crate::tcp::fast_open::client::{Offer, Opening};
use crate::tcp::fast_open::cookie::{self, Cookie};
use crate::tcp::incoming::Incoming;
use crate::tcp::shared::Shared;
use crate::tcp::siphash::Key;
use crate::tcp::tuple::Tuple;

/// What a listener does with a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The ordinary handshake.
    Plain,
    /// The ordinary handshake, with a cookie in the SYN-ACK.
    Grant { cookie: Cookie, experimental: bool },
    /// The data are taken at once; a cookie replaces one of the old key.
    Open { replaced: Option<(Cookie, bool)> },
}

/// Connections of a listener whose handshake is not over although they have taken data.
#[derive(Default)]
pub struct Pending {
    connections: BTreeSet<u32>,
    /// When each place that a reset connection holds is free again, the earliest in front.
    held: VecDeque<Instant>,
}

impl Pending {
    /// Whether one more may begin, of at most `most`.
    fn has_room(&mut self, now: Instant, most: usize) -> bool {
        if self.connections.len() + self.held.len() < most {
            return true;
        }
        // RFC 7413, 5.1. One place is given back at a time, as it is needed.
        let free = self.held.front().is_some_and(|&until| until <= now);
        if free {
            self.held.pop_front();
        }
        free && self.connections.len() + self.held.len() < most
    }

    /// The SYN of the connection was taken with its data.
    pub fn begun(&mut self, connection: u32) {
        self.connections.insert(connection);
    }

    /// Its handshake is over, or it is gone. `hold`: it was reset; its place is free only then.
    pub fn over(&mut self, connection: u32, hold: Option<Instant>) {
        if self.connections.remove(&connection)
            && let Some(until) = hold
        {
            self.held.push_back(until);
        }
    }
}

/// Judges a SYN (`net/ipv4/tcp_fastopen.c`, `tcp_try_fastopen`). `backlog`: the listener's.
pub fn judge(
    settings: &Settings,
    backlog: usize,
    pending: &mut Pending,
    (profile, own_key): (&FastOpen, Key),
    now: Instant,
    tuple: &Tuple,
    syn: &Incoming<'_>,
) -> Verdict {
    let most = match settings.queue {
        0 if profile.every_listener => backlog,
        queue => queue as usize,
    };
    // RFC 7413, 4.1.1: an option of an illegal length counts as none.
    let option = syn
        .fast_open
        .filter(|&(octets, _)| octets.is_empty() || Cookie::new(octets).is_some());
    let asks = option.is_some() || !syn.payload.is_empty();
    if !profile.server || !asks || !pending.has_room(now, most) {
        return Verdict::Plain;
    }
    if profile.server_without_cookie || settings.no_cookie {
        return Verdict::Open { replaced: None };
    }
    let Some((octets, experimental)) = option else {
        return Verdict::Plain;
    };
    let [first, second] = match settings.keys {
        [None, _] => profile.keys,
        keys => keys,
    };
    let cookie = Cookie::of(first.map_or(own_key, |k| cookie::key(&k)), tuple);
    let is_old = || second.is_some_and(|k| Cookie::of(cookie::key(&k), tuple).as_bytes() == octets);
    if octets == cookie.as_bytes() {
        Verdict::Open { replaced: None }
    } else if !octets.is_empty() && is_old() {
        Verdict::Open {
            replaced: Some((cookie, experimental)),
        }
    } else {
        Verdict::Grant {
            cookie,
            experimental,
        }
    }
}

impl Connection {
    /// The SYN-ACK will bring a cookie.
    pub fn grant_cookie(&mut self, cookie: Cookie, experimental: bool) {
        let listener = self.seldom().opening.and_then(|o| o.listener);
        self.seldom_mut().opening = Some(Opening {
            offer: Offer::Cookie {
                cookie,
                experimental,
            },
            octets: 0,
            waits_for_data: false,
            plain: false,
            listener,
        });
    }

    /// Takes the text of the SYN that made this connection, and lets the application have it now (RFC 7413, 4.2.2). A
    /// FIN in the SYN is not taken: it comes again.
    pub fn open_at_once(
        &mut self,
        shared: &mut Shared,
        now: Instant,
        listener: u32,
        syn: &Incoming<'_>,
    ) {
        self.seldom_mut().opening = Some(Opening {
            offer: Offer::Nothing,
            octets: 0,
            waits_for_data: false,
            plain: false,
            listener: Some(listener),
        });
        self.marks |= Marks::FAST_OPENING;
        self.marks.set(Marks::SYN_DATA, !syn.payload.is_empty());
        self.congestion
            .established(self.agreed.smss(), false, shared.tcp());
        let window = self.window_to_offer(shared.tcp()).min(u32::from(u16::MAX));
        self.rcv.offered(window);
        let text = &syn.payload[..syn.payload.len().min(window as usize)];
        if !text.is_empty() {
            self.receive_text(shared, now, syn.seq.plus(1), text);
        }
        // The SYN-ACK says what there is to say.
        self.ack.sent();
    }

    /// Whether data may be sent although the handshake is not over: behind a SYN-ACK that nobody has missed yet.
    pub fn may_send_early(&self) -> bool {
        self.marks.contains(Marks::FAST_OPENING) && self.snd.nxt == self.snd.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::SEC;
    use crate::seq::SeqNumber;
    use crate::wire::tcp::Flags;

    const OWN: Key = Key(1, 2);

    fn tuple() -> Tuple {
        Tuple {
            local: [10, 0, 0, 1].into(),
            remote: [10, 0, 0, 2].into(),
            local_port: 80,
            remote_port: 4000,
        }
    }

    fn on() -> FastOpen {
        FastOpen {
            server: true,
            ..FastOpen::default()
        }
    }

    fn verdict(profile: &FastOpen, queue: u32, option: Option<&[u8]>, text: &[u8]) -> Verdict {
        let settings = Settings {
            queue,
            ..Settings::default()
        };
        let syn = Incoming {
            seq: SeqNumber(0),
            ack: SeqNumber(0),
            flags: Flags::SYN,
            window: 1000,
            payload: text,
            mss: None,
            window_scale: None,
            sack_permitted: false,
            stamp: None,
            sack: &[],
            fast_open: option.map(|octets| (octets, false)),
            signature: None,
            urgent: None,
            ce: false,
            udp_port: 0,
        };
        let mut pending = Pending::default();
        judge(
            &settings,
            7,
            &mut pending,
            (profile, OWN),
            Instant(0),
            &tuple(),
            &syn,
        )
    }

    #[test]
    fn nothing_happens_unless_both_the_stack_and_the_listener_want_it() {
        assert_eq!(
            verdict(&FastOpen::default(), 5, Some(&[]), b""),
            Verdict::Plain
        );
        assert_eq!(verdict(&on(), 0, Some(&[]), b""), Verdict::Plain);
        assert_ne!(verdict(&on(), 5, Some(&[]), b""), Verdict::Plain);
        assert_eq!(verdict(&on(), 5, None, b"x"), Verdict::Plain);
    }

    #[test]
    fn a_request_is_granted_and_the_cookie_opens() {
        let Verdict::Grant { cookie, .. } = verdict(&on(), 5, Some(&[]), b"") else {
            panic!("no cookie");
        };
        let opened = Verdict::Open { replaced: None };
        assert_eq!(verdict(&on(), 5, Some(cookie.as_bytes()), b"x"), opened);
        assert_eq!(verdict(&on(), 5, Some(cookie.as_bytes()), b""), opened);
    }

    #[test]
    fn a_wrong_cookie_gets_the_right_one_and_an_illegal_one_gets_none() {
        let wrong = verdict(&on(), 5, Some(&[9; 8]), b"x");
        assert!(matches!(wrong, Verdict::Grant { .. }));
        assert_eq!(verdict(&on(), 5, Some(&[9; 7]), b"x"), Verdict::Plain);
    }

    #[test]
    fn a_cookie_of_the_old_key_opens_and_is_replaced() {
        let with = |keys| FastOpen { keys, ..on() };
        let granted = verdict(&with([Some([1; 16]), None]), 5, Some(&[]), b"");
        let Verdict::Grant { cookie: old, .. } = granted else {
            panic!("no cookie");
        };
        let rolled = with([Some([2; 16]), Some([1; 16])]);
        let Verdict::Open { replaced } = verdict(&rolled, 5, Some(old.as_bytes()), b"x") else {
            panic!("refused");
        };
        assert_ne!(replaced.expect("a new one").0, old);
    }

    #[test]
    fn without_cookies_data_suffices() {
        let profile = FastOpen {
            server_without_cookie: true,
            ..on()
        };
        let opened = Verdict::Open { replaced: None };
        assert_eq!(verdict(&profile, 5, None, b"x"), opened);
        assert_eq!(verdict(&profile, 5, None, b""), Verdict::Plain);
    }

    #[test]
    fn a_reset_connection_holds_its_place_for_a_while() {
        let mut pending = Pending::default();
        assert!(pending.has_room(Instant(0), 1));
        pending.begun(3);
        assert!(!pending.has_room(Instant(0), 1));
        pending.over(3, Some(Instant(60 * SEC)));
        assert!(!pending.has_room(Instant(59 * SEC), 1));
        assert!(pending.has_room(Instant(60 * SEC), 1));
        pending.begun(4);
        pending.over(4, None);
        assert!(pending.has_room(Instant(60 * SEC), 1));
    }
}
