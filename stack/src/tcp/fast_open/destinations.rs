//! What a client remembers of the servers that it has spoken to (RFC 7413, 4.1.3): the cookie, the segment size that
//! goes with it, and where Fast Open does not work. Bounded: the destination that came first is forgotten first.

use alloc::collections::{BTreeMap, VecDeque};

use xen_abi::Instant;

use crate::addr::IpAddress;
use crate::profile::FastOpen;
use crate::tcp::fast_open::cookie::Cookie;
use crate::tcp::tuple::Tuple;

/// Doublings of [`FastOpen::blackhole`] at most.
const MOST_DOUBLINGS: u8 = 6;

/// Our address and theirs: a cookie is good for one client address (RFC 7413, 4.1.2).
type Path = (IpAddress, IpAddress);

/// What is known of one destination.
#[derive(Clone, Copy, Debug, Default)]
pub struct Destination {
    pub cookie: Option<Cookie>,
    /// The option goes, or went, as the experimental one.
    pub experimental: bool,
    /// The segment size that the server announced; 0: unknown.
    pub mss: u16,
    /// No Fast Open until then.
    disabled_until: Instant,
}

/// What a SYN-ACK said about Fast Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The segment size in it.
    pub mss: Option<u16>,
    /// The option's octets, and whether it was the experimental one.
    pub option: Option<(&'a [u8], bool)>,
    /// The SYN held data.
    pub sent_data: bool,
    /// All of it, some of it, is acknowledged.
    pub took_data: bool,
    /// The SYN that asked was sent again without the option, so silence says nothing.
    pub was_lost: bool,
}

/// All destinations.
#[derive(Default)]
pub struct Destinations {
    known: BTreeMap<Path, Destination>,
    /// The paths, the oldest in front.
    order: VecDeque<Path>,
    /// Nobody gets Fast Open until then.
    disabled_until: Instant,
    disabled_times: u8,
}

impl Destinations {
    /// What is known of the other end; none if Fast Open is not to be tried there now.
    pub fn look_up(&self, tuple: &Tuple, now: Instant) -> Option<Destination> {
        let known = self.known.get(&path(tuple)).copied().unwrap_or_default();
        (self.disabled_until <= now && known.disabled_until <= now).then_some(known)
    }

    /// Takes note of a SYN-ACK to a SYN that asked for a cookie or had one.
    pub fn answered(
        &mut self,
        tuple: &Tuple,
        now: Instant,
        answer: &Answer<'_>,
        profile: &FastOpen,
    ) {
        let cookie = answer.option.and_then(|(octets, _)| Cookie::new(octets));
        let entry = self.entry(tuple, profile.destinations);
        // RFC 7413, 4.1.3.1: negative responses are remembered too. A SYN with data that got neither an acknowledgment of
        // them nor a cookie is one, and so is an option that holds no cookie.
        let refused = if answer.sent_data {
            !answer.took_data
        } else {
            answer.option.is_some()
        };
        if let Some(mss) = answer.mss {
            entry.mss = mss;
        }
        if let Some(cookie) = cookie {
            entry.cookie = Some(cookie);
            entry.experimental = answer.option.is_some_and(|(_, experimental)| experimental);
            entry.disabled_until = Instant(0);
        } else if refused && profile.path_disable > 0 {
            entry.disabled_until = now.plus(profile.path_disable);
        } else if profile.tries_experimental
            && entry.cookie.is_none()
            && !answer.was_lost
            && !answer.sent_data
        {
            // Perhaps it knows the option only in its other form.
            entry.experimental = !entry.experimental;
        }
    }

    /// It looks as if something on the way swallows what follows a SYN with data.
    pub fn blackhole(&mut self, now: Instant, profile: &FastOpen) {
        if profile.blackhole > 0 {
            let wait = profile.blackhole << self.disabled_times.min(MOST_DOUBLINGS);
            self.disabled_until = now.plus(wait);
            self.disabled_times = self.disabled_times.saturating_add(1);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Destinations::default();
    }

    fn entry(&mut self, tuple: &Tuple, most: usize) -> &mut Destination {
        let path = path(tuple);
        if !self.known.contains_key(&path) {
            if self.order.len() >= most.max(1)
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
            self.order.push_back(path);
        }
        self.known.entry(path).or_default()
    }
}

fn path(tuple: &Tuple) -> Path {
    (tuple.local, tuple.remote)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::SEC;

    const COOKIE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    fn to(host: u8) -> Tuple {
        Tuple {
            local: "10.0.0.1".parse().expect("an address"),
            remote: [10, 0, 1, host].into(),
            local_port: 1,
            remote_port: 80,
        }
    }

    fn answer(option: &[u8]) -> Answer<'_> {
        Answer {
            mss: Some(1000),
            option: Some((option, false)),
            sent_data: false,
            took_data: false,
            was_lost: false,
        }
    }

    #[test]
    fn a_cookie_and_its_segment_size_are_remembered() {
        let (mut known, profile) = (Destinations::default(), FastOpen::default());
        known.answered(&to(1), Instant(0), &answer(&COOKIE), &profile);
        let entry = known.look_up(&to(1), Instant(1)).expect("not disabled");
        assert_eq!((entry.cookie, entry.mss), (Cookie::new(&COOKIE), 1000));
        let other = known.look_up(&to(2), Instant(1)).expect("not disabled");
        assert_eq!(other.cookie, None);
    }

    #[test]
    fn an_option_that_is_no_cookie_disables_the_path_for_a_while() {
        let (mut known, profile) = (Destinations::default(), FastOpen::default());
        known.answered(&to(1), Instant(0), &answer(&COOKIE[..3]), &profile);
        assert!(known.look_up(&to(1), Instant(899 * SEC)).is_none());
        assert!(known.look_up(&to(1), Instant(900 * SEC)).is_some());
    }

    #[test]
    fn data_that_nobody_took_disables_the_path_unless_a_new_cookie_comes_with_the_refusal() {
        let (mut known, profile) = (Destinations::default(), FastOpen::default());
        let refused = Answer {
            sent_data: true,
            ..answer(&[])
        };
        known.answered(&to(1), Instant(0), &refused, &profile);
        assert!(known.look_up(&to(1), Instant(1)).is_none());
        let replaced = Answer {
            sent_data: true,
            ..answer(&COOKIE)
        };
        known.answered(&to(1), Instant(2), &replaced, &profile);
        assert!(known.look_up(&to(1), Instant(3)).is_some());
    }

    #[test]
    fn an_update_that_is_no_cookie_leaves_the_old_one() {
        let (mut known, profile) = (Destinations::default(), FastOpen::default());
        known.answered(&to(1), Instant(0), &answer(&COOKIE), &profile);
        let update = Answer {
            sent_data: true,
            took_data: true,
            ..answer(&[1; 17])
        };
        known.answered(&to(1), Instant(0), &update, &profile);
        let entry = known.look_up(&to(1), Instant(1)).expect("not disabled");
        assert_eq!(entry.cookie, Cookie::new(&COOKIE));
    }

    #[test]
    fn the_destination_that_came_first_is_forgotten_first() {
        let mut known = Destinations::default();
        let profile = FastOpen {
            destinations: 2,
            ..FastOpen::default()
        };
        for host in 1..=3 {
            known.answered(&to(host), Instant(0), &answer(&COOKIE), &profile);
        }
        let has = |host| {
            known
                .look_up(&to(host), Instant(1))
                .is_some_and(|d| d.cookie.is_some())
        };
        assert!(!has(1) && has(2) && has(3));
        assert_eq!((known.known.len(), known.order.len()), (2, 2));
    }

    #[test]
    fn each_black_hole_closes_fast_open_for_twice_as_long() {
        let mut known = Destinations::default();
        let profile = FastOpen {
            blackhole: SEC,
            ..FastOpen::default()
        };
        known.blackhole(Instant(0), &profile);
        assert!(known.look_up(&to(1), Instant(SEC - 1)).is_none());
        assert!(known.look_up(&to(1), Instant(SEC)).is_some());
        known.blackhole(Instant(SEC), &profile);
        assert!(known.look_up(&to(1), Instant(3 * SEC - 1)).is_none());
    }
}
