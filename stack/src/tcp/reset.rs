//! Resets: which one answers a segment that belongs to nobody (RFC 9293, 3.10.7.1), and how many challenge ACKs a
//! connection may send (RFC 5961, section 7), so that no flood is answered by a flood.

use xen_abi::Instant;

use crate::api::SignatureKey;
use crate::profile::TcpProfile;
use crate::seq::SeqNumber;
use crate::tcp::incoming::Incoming;
use crate::tcp::options::IpChoice;
use crate::tcp::tuple::Tuple;
use crate::wire::tcp::Flags;

/// A reset to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    pub tuple: Tuple,
    pub seq: SeqNumber,
    /// With it the ACK bit is set.
    pub ack: Option<SeqNumber>,
    /// Where our clock of timestamps began, and what to echo, if it holds the option.
    pub stamp: Option<(u32, u32)>,
    /// What it is signed with.
    pub key: Option<SignatureKey>,
    /// The peer's UDP port, if it goes in a datagram.
    pub udp_port: u16,
    /// As the socket's application wants it.
    pub ip: IpChoice,
}

impl Reset {
    /// The answer to a segment for which there is no connection, or that does not fit it; none to a reset.
    pub fn answer(tuple: Tuple, segment: &Incoming<'_>, ip: IpChoice) -> Option<Reset> {
        if segment.has(Flags::RST) {
            return None;
        }
        let (stamp, udp_port) = (None, segment.udp_port);
        Some(if segment.has(Flags::ACK) {
            // <SEQ=SEG.ACK><CTL=RST>
            Reset {
                tuple,
                seq: segment.ack,
                ack: None,
                stamp,
                key: None,
                udp_port,
                ip,
            }
        } else {
            // <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
            Reset {
                tuple,
                seq: SeqNumber(0),
                ack: Some(segment.seq.plus(segment.len())),
                stamp,
                key: None,
                udp_port,
                ip,
            }
        })
    }
}

/// Challenge ACKs sent in the interval at hand. It counts for one connection: a common counter would tell strangers
/// about it (CVE-2016-5696).
#[derive(Clone, Copy, Debug, Default)]
pub struct ChallengeLimit {
    interval: u32,
    sent: u8,
}

impl ChallengeLimit {
    /// Whether one more may be sent; counts it.
    pub fn allow(&mut self, now: Instant, profile: &TcpProfile) -> bool {
        let interval = (now.0 / profile.challenge_interval.max(1)) as u32;
        if interval != self.interval {
            *self = ChallengeLimit { interval, sent: 0 };
        }
        let allowed = self.sent < profile.challenge_acks;
        self.sent += u8::from(allowed);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::SEC;

    #[test]
    fn ten_challenges_in_five_seconds_and_then_again() {
        let profile = TcpProfile::default();
        let mut limit = ChallengeLimit::default();
        let sent = |limit: &mut ChallengeLimit, at| {
            (0..100)
                .filter(|_| limit.allow(Instant(at), &profile))
                .count()
        };
        assert_eq!(sent(&mut limit, 5 * SEC), 10);
        assert_eq!(sent(&mut limit, 9 * SEC), 0);
        assert_eq!(sent(&mut limit, 10 * SEC), 10);
    }
}
