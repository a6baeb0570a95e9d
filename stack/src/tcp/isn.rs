//! Initial sequence numbers (RFC 6528): a clock of four microseconds plus a keyed hash of the connection's name, so
//! that numbers of one connection's incarnations grow and nobody else can guess them.

use xen_abi::Instant;

use crate::seq::SeqNumber;
use crate::tcp::siphash::Key;
use crate::tcp::tuple::Tuple;

/// ISN = M + F(localip, localport, remoteip, remoteport, secretkey).
pub fn initial(key: Key, tuple: &Tuple, now: Instant) -> SeqNumber {
    let clock = (now.0 / 4_000) as u32;
    SeqNumber((key.hash_tuple(tuple) as u32).wrapping_add(clock))
}

/// The same, but behind all that the last incarnation used (RFC 9293, MAY-2).
pub fn initial_after(key: Key, tuple: &Tuple, now: Instant, used: SeqNumber) -> SeqNumber {
    initial(key, tuple, now).max(used.plus(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::{IpAddress, Ipv4Addr};

    fn tuple(port: u16) -> Tuple {
        Tuple {
            local: IpAddress::V4(Ipv4Addr::LOCALHOST),
            remote: IpAddress::V4(Ipv4Addr::LOCALHOST),
            local_port: port,
            remote_port: 80,
        }
    }

    #[test]
    fn the_clock_ticks_every_four_microseconds() {
        let key = Key(1, 2);
        let first = initial(key, &tuple(1), Instant(0));
        assert_eq!(initial(key, &tuple(1), Instant(8_000)).since(first), 2);
    }

    #[test]
    fn connections_and_keys_have_unrelated_numbers() {
        let at = Instant(0);
        assert_ne!(
            initial(Key(1, 2), &tuple(1), at),
            initial(Key(1, 2), &tuple(2), at)
        );
        assert_ne!(
            initial(Key(1, 2), &tuple(1), at),
            initial(Key(1, 3), &tuple(1), at)
        );
    }

    #[test]
    fn a_new_incarnation_begins_behind_the_last_one() {
        let used = initial(Key(1, 2), &tuple(1), Instant(0)).plus(1_000_000);
        assert!(initial_after(Key(1, 2), &tuple(1), Instant(0), used).gt(used));
    }
}
