//! Addresses: both families everywhere, though version 6 is still refused by a typed error where it would be used.

use core::fmt;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff
    pub const BROADCAST: Mac = Mac([0xFF; 6]);
    /// Whether it names a group.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub use core::net::{IpAddr as IpAddress, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A network: an address and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address (of the interface, or of the network).
    pub address: IpAddress,
    /// Bits of the prefix: 0 to 32, or to 128.
    pub prefix: u8,
}

impl Cidr {
    /// Whether `other` lies in the network.
    pub fn contains(&self, other: IpAddress) -> bool {
        match (self.address, other) {
            (IpAddress::V4(a), IpAddress::V4(b)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                u32::from(a) & mask == u32::from(b) & mask
            }
            (IpAddress::V6(a), IpAddress::V6(b)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                u128::from(a) & mask == u128::from(b) & mask
            }
            _ => false,
        }
    }
    /// `"10.0.0.2/24"`; without a slash the whole address is prefix.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddress = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = if prefix.is_empty() && !text.contains('/') {
            most
        } else {
            prefix.parse().ok()?
        };
        (prefix <= most).then_some(Cidr { address, prefix })
    }
}
