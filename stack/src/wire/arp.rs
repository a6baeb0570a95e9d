//! ARP for IPv4 over Ethernet: RFC 826.

use core::net::Ipv4Addr;

use zerocopy::byteorder::{BE, U16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::addr::Mac;
use crate::wire::{Malformed, header_mut};

/// Bytes of a packet.
pub const PACKET: usize = size_of::<Header>();

const HARDWARE_ETHERNET: u16 = 1;
const PROTOCOL_IPV4: u16 = 0x0800;

/// What a packet wants: the numbers of RFC 826.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Request = 1,
    Reply = 2,
}

/// The packet as it lies in a frame.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Header {
    hardware: U16<BE>,
    protocol: U16<BE>,
    hardware_len: u8,
    protocol_len: u8,
    operation: U16<BE>,
    sender_mac: [u8; 6],
    sender_ip: [u8; 4],
    target_mac: [u8; 6],
    target_ip: [u8; 4],
}

/// A packet, checked: the address lengths are those of Ethernet and IPv4, the operation is known.
#[derive(Clone, Copy)]
pub struct Packet<'a> {
    header: &'a Header,
    operation: Operation,
}

impl<'a> Packet<'a> {
    /// Checks everything but the addresses.
    pub fn parse(bytes: &'a [u8]) -> Result<Packet<'a>, Malformed> {
        let (header, _padding) =
            Header::ref_from_prefix(bytes).map_err(|_| Malformed::Truncated)?;
        if header.hardware.get() != HARDWARE_ETHERNET
            || header.protocol.get() != PROTOCOL_IPV4
            || header.hardware_len != 6
            || header.protocol_len != 4
        {
            return Err(Malformed::Kind);
        }
        let operation = match header.operation.get() {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return Err(Malformed::Kind),
        };
        Ok(Packet { header, operation })
    }
    /// Request or reply.
    pub fn operation(&self) -> Operation {
        self.operation
    }
    /// The sender's Ethernet address.
    pub fn sender_mac(&self) -> Mac {
        Mac(self.header.sender_mac)
    }
    /// The sender's IPv4 address.
    pub fn sender_ip(&self) -> Ipv4Addr {
        self.header.sender_ip.into()
    }
    /// The target's Ethernet address: in a request not looked at.
    pub fn target_mac(&self) -> Mac {
        Mac(self.header.target_mac)
    }
    /// The target's IPv4 address.
    pub fn target_ip(&self) -> Ipv4Addr {
        self.header.target_ip.into()
    }
}

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repr {
    pub operation: Operation,
    pub sender_mac: Mac,
    pub sender_ip: Ipv4Addr,
    pub target_mac: Mac,
    pub target_ip: Ipv4Addr,
}

impl Repr {
    /// What a packet says.
    pub fn of(packet: &Packet<'_>) -> Repr {
        Repr {
            operation: packet.operation(),
            sender_mac: packet.sender_mac(),
            sender_ip: packet.sender_ip(),
            target_mac: packet.target_mac(),
            target_ip: packet.target_ip(),
        }
    }
    /// Writes the packet at the front of `to`, and returns the rest.
    pub fn emit<'b>(&self, to: &'b mut [u8]) -> &'b mut [u8] {
        let (header, rest) = header_mut::<Header>(to);
        header.hardware.set(HARDWARE_ETHERNET);
        header.protocol.set(PROTOCOL_IPV4);
        header.hardware_len = 6;
        header.protocol_len = 4;
        header.operation.set(self.operation as u16);
        header.sender_mac = self.sender_mac.0;
        header.sender_ip = self.sender_ip.octets();
        header.target_mac = self.target_mac.0;
        header.target_ip = self.target_ip.octets();
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repr() -> Repr {
        Repr {
            operation: Operation::Request,
            sender_mac: Mac([2, 0, 0, 0, 0, 1]),
            sender_ip: Ipv4Addr::new(10, 0, 0, 1),
            target_mac: Mac([0; 6]),
            target_ip: Ipv4Addr::new(10, 0, 0, 2),
        }
    }

    #[test]
    fn a_packet_survives_the_wire() {
        let mut bytes = [0; PACKET];
        repr().emit(&mut bytes);
        assert_eq!(Repr::of(&Packet::parse(&bytes).unwrap()), repr());
    }

    #[test]
    fn only_ipv4_over_ethernet_with_a_known_operation_is_taken() {
        let mut good = [0; PACKET];
        repr().emit(&mut good);
        for at in 0..8 {
            let mut bad = good;
            bad[at] ^= 0x40;
            assert_eq!(
                Packet::parse(&bad).err(),
                Some(Malformed::Kind),
                "byte {at}"
            );
        }
        assert_eq!(
            Packet::parse(&good[..PACKET - 1]).err(),
            Some(Malformed::Truncated)
        );
    }
}
