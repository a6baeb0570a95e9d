//! A cookie proves that its holder has received something at its address: a message authentication code over the two
//! addresses (RFC 7413, 4.1.2). Made as Linux makes it (`net/ipv4/tcp_fastopen.c`), so that servers behind one address
//! can be replaced by each other.

use crate::addr::IpAddress;
use crate::tcp::siphash::Key;
use crate::tcp::tuple::Tuple;

/// Most octets of a cookie; the least are four, and their number is even (RFC 7413, 4.1.1).
pub const LONGEST: usize = 16;

/// A cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    len: u8,
    octets: [u8; LONGEST],
}

impl Cookie {
    /// The cookie of these octets, if their number is one that a cookie can have.
    pub fn new(octets: &[u8]) -> Option<Cookie> {
        let legal = (4..=LONGEST).contains(&octets.len()) && octets.len().is_multiple_of(2);
        legal.then(|| {
            let mut cookie = Cookie {
                len: octets.len() as u8,
                octets: [0; LONGEST],
            };
            cookie.octets[..octets.len()].copy_from_slice(octets);
            cookie
        })
    }

    /// Its octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }

    /// The cookie of a client: SipHash of its address and ours, as they stand in its SYN.
    pub fn of(key: Key, tuple: &Tuple) -> Cookie {
        let hash = match (tuple.remote, tuple.local) {
            (IpAddress::V4(client), IpAddress::V4(server)) => {
                let [a, b, c, d] = client.octets();
                let [e, f, g, h] = server.octets();
                key.hash(&[u64::from_le_bytes([a, b, c, d, e, f, g, h])])
            }
            (client, server) => {
                let [a, b] = words(client);
                let [c, d] = words(server);
                key.hash(&[a, b, c, d])
            }
        };
        let mut octets = [0; LONGEST];
        octets[..8].copy_from_slice(&hash.to_le_bytes());
        Cookie { len: 8, octets }
    }
}

/// The SipHash key of sixteen octets, as `TCP_FASTOPEN_KEY` takes them.
pub fn key(octets: &[u8; 16]) -> Key {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *octets;
    Key(
        u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        u64::from_le_bytes([i, j, k, l, m, n, o, p]),
    )
}

fn words(address: IpAddress) -> [u64; 2] {
    let octets = match address {
        IpAddress::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddress::V6(a) => a.octets(),
    };
    let bits = u128::from_le_bytes(octets);
    [bits as u64, (bits >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(key_words: [u32; 4], client: &str, server: &str) -> [u8; 8] {
        let mut octets = [0; 16];
        for (to, word) in octets.chunks_exact_mut(4).zip(key_words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        let tuple = Tuple {
            local: server.parse().expect("an address"),
            remote: client.parse().expect("an address"),
            local_port: 80,
            remote_port: 4000,
        };
        let cookie = Cookie::of(key(&octets), &tuple);
        cookie.as_bytes().try_into().expect("eight octets")
    }

    #[test]
    fn the_cookies_are_those_that_linux_makes() {
        let words = [0xA0BF_63F7, 0xED80_3D81, 0xCD64_1D30, 0xCEBC_4A90];
        assert_eq!(
            cookie(words, "10.248.0.2", "192.168.0.2"),
            0x00AB_AAAB_E8E9_54C2_u64.to_be_bytes()
        );
        assert_eq!(
            cookie(words, "10.248.0.3", "192.168.0.2"),
            0x1313_A2DA_994A_0951_u64.to_be_bytes()
        );
        let words = [0xA1A1_A1A1, 0xB2B2_B2B2, 0xC3C3_C3C3, 0xD4D4_D4D4];
        assert_eq!(
            cookie(words, "fd3d:fa7b:d17d::1", "fd3d:a0b:17d6::1"),
            0xC1D1_E974_2A47_A9BC_u64.to_be_bytes()
        );
    }

    #[test]
    fn a_cookie_has_an_even_number_of_octets_from_four_to_sixteen() {
        let legal = |&n: &usize| Cookie::new(&[7; 20][..n]).is_some();
        let lengths: alloc::vec::Vec<usize> = (0..20).filter(legal).collect();
        assert_eq!(lengths, [4, 6, 8, 10, 12, 14, 16]);
    }
}
