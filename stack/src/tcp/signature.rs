//! The MD5 signature option (RFC 2385), by which routers protect their sessions: every segment between two peers that
//! share a key is signed, and one that is not signed rightly is dropped without a word.

use alloc::vec::Vec;

use crate::addr::IpAddress;
use crate::api::{SignatureKey, SocketError};
use crate::profile::TcpProfile;
use crate::tcp::md5::Md5;
use crate::tcp::output::IpInfo;
use crate::wire::tcp::{HEADER_LEN, PROTOCOL};

/// Octets that the option takes in every segment, padding counted.
pub const SIGNATURE_LEN: u16 = 20;
/// Keys of one socket.
const MOST_KEYS: usize = 64;
/// Where the checksum stands in the header: it is signed as zero.
const CHECKSUM: core::ops::Range<usize> = 16..18;

/// A socket's keys by peer.
#[derive(Clone, Debug, Default)]
pub struct Signatures(Vec<SignatureKey>);

impl Signatures {
    /// A new socket's: those that an administrator has set, of two for one peer the later one.
    pub fn of(profile: &TcpProfile) -> Signatures {
        let mut all = Signatures::default();
        for key in &profile.signatures {
            // What has no place or no octets is no key.
            let _ = all.set(*key);
        }
        all
    }

    /// Sets the key of a peer; without octets it is forgotten (`TCP_MD5SIG`).
    pub fn set(&mut self, key: SignatureKey) -> Result<(), SocketError> {
        let known = self.0.iter().position(|k| k.peer == key.peer);
        match known {
            Some(at) if key.octets().is_empty() => drop(self.0.swap_remove(at)),
            Some(at) => self.0[at] = key,
            None if key.octets().is_empty() => return Err(SocketError::EINVAL),
            None if self.0.len() >= MOST_KEYS => return Err(SocketError::ENOBUFS),
            None => self.0.push(key),
        }
        Ok(())
    }

    /// The key that is shared with a peer.
    pub fn key(&self, peer: IpAddress) -> Option<&SignatureKey> {
        self.0.iter().find(|key| key.peer == peer)
    }
}

/// The signature of a segment (RFC 2385, 2.0): over pseudo-header, header without options, text and key. `head` is the
/// header, `len` the whole segment's.
pub fn sign(
    key: &SignatureKey,
    (src, dst): (IpAddress, IpAddress),
    head: &[u8],
    text: [&[u8]; 2],
    len: usize,
) -> [u8; 16] {
    let mut md5 = Md5::default();
    match (src, dst) {
        (IpAddress::V4(src), IpAddress::V4(dst)) => {
            md5.add(&src.octets());
            md5.add(&dst.octets());
            md5.add(&[0, PROTOCOL]);
            md5.add(&(len as u16).to_be_bytes());
        }
        (src, dst) => {
            // RFC 8200, 8.1
            for address in [src, dst] {
                match address {
                    IpAddress::V4(a) => md5.add(&a.to_ipv6_mapped().octets()),
                    IpAddress::V6(a) => md5.add(&a.octets()),
                }
            }
            md5.add(&(len as u32).to_be_bytes());
            md5.add(&[0, 0, 0, PROTOCOL]);
        }
    }
    md5.add(&head[..CHECKSUM.start]);
    md5.add(&[0, 0]);
    md5.add(&head[CHECKSUM.end..HEADER_LEN]);
    md5.add(text[0]);
    md5.add(text[1]);
    md5.add(key.octets());
    md5.finish()
}

/// Whether a received segment is signed with the key. `signature`: its option's octets.
pub fn is_signed(key: &SignatureKey, ip: &IpInfo, bytes: &[u8], signature: &[u8]) -> bool {
    let offset = bytes.get(12).map_or(0, |o| usize::from(o >> 4) * 4);
    let Some((head, text)) = bytes.split_at_checked(offset.max(HEADER_LEN)) else {
        return false;
    };
    let ends = (ip.src, ip.dst);
    sign(key, ends, head, [text, &[]], bytes.len()) == *signature
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(last: u8, octets: &[u8]) -> SignatureKey {
        SignatureKey::new([10, 0, 0, last].into(), octets).expect("short enough")
    }

    #[test]
    fn each_peer_has_one_key_until_it_is_taken_away() {
        let mut keys = Signatures::default();
        keys.set(key(1, b"one")).expect("room");
        keys.set(key(2, b"two")).expect("room");
        keys.set(key(1, b"three")).expect("known");
        let of = |keys: &Signatures, last: u8| {
            keys.key([10, 0, 0, last].into())
                .map(|k| k.octets().to_vec())
        };
        assert_eq!(of(&keys, 1).as_deref(), Some(&b"three"[..]));
        keys.set(key(1, b"")).expect("known");
        assert_eq!(of(&keys, 1), None);
        assert_eq!(keys.set(key(1, b"")), Err(SocketError::EINVAL));
        assert_eq!(of(&keys, 2).as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn keys_are_bounded() {
        let mut keys = Signatures::default();
        let set = |keys: &mut Signatures, n: u8| keys.set(key(n, b"k"));
        assert!((0..64).all(|n| set(&mut keys, n).is_ok()));
        assert_eq!(set(&mut keys, 64), Err(SocketError::ENOBUFS));
        assert_eq!(set(&mut keys, 0), Ok(()));
    }
}
