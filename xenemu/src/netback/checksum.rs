//! Checksums that the guest left blank, completed before the frame is born.
//!
//! With `NETTXF_csum_blank` a guest leaves the TCP or UDP checksum to whoever puts the packet on a wire. Netback does
//! it in software, so that every frame on a bridge carries its checksum.

use crate::bridge::ETH_HLEN;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86DD;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// That a packet with a blank checksum is nothing that has one: a fragment, another protocol, or cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing that carries a checksum")]
pub struct NoChecksum;

/// Fills in the transport checksum of a frame.
pub fn complete(frame: &mut [u8]) -> Result<(), NoChecksum> {
    let (header, packet) = frame.split_at_mut_checked(ETH_HLEN).ok_or(NoChecksum)?;
    let (pseudo_header, protocol, transport) = match u16::from_be_bytes([header[12], header[13]]) {
        ETHERTYPE_IPV4 => ipv4(packet)?,
        ETHERTYPE_IPV6 => ipv6(packet)?,
        _ => return Err(NoChecksum),
    };
    let place = match protocol {
        TCP => 16,
        UDP => 6,
        _ => return Err(NoChecksum),
    };
    let field = transport.get_mut(place..place + 2).ok_or(NoChecksum)?;
    field.fill(0);
    let sum = fold(add(pseudo_header, transport));
    // RFC 768: a UDP checksum that comes out as zero is sent as all ones.
    let sum = if protocol == UDP && sum == 0 {
        0xFFFF
    } else {
        sum
    };
    transport[place..place + 2].copy_from_slice(&sum.to_be_bytes());
    Ok(())
}

/// The pseudo header's sum (RFC 9293 section 3.1), the protocol and the bytes of the transport.
fn ipv4(packet: &mut [u8]) -> Result<(u32, u8, &mut [u8]), NoChecksum> {
    let header = packet.first_chunk::<20>().ok_or(NoChecksum)?;
    let header_len = usize::from(header[0] & 0xF) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF != 0;
    if header[0] >> 4 != 4 || header_len < 20 || fragment {
        return Err(NoChecksum);
    }
    let protocol = header[9];
    let addresses = add(0, &header[12..20]);
    let transport = packet.get_mut(header_len..total).ok_or(NoChecksum)?;
    let sum = addresses + u32::from(protocol) + transport.len() as u32;
    Ok((sum, protocol, transport))
}

/// The same for IPv6 (RFC 8200 section 8.1), without extension headers.
fn ipv6(packet: &mut [u8]) -> Result<(u32, u8, &mut [u8]), NoChecksum> {
    let header = packet.first_chunk::<40>().ok_or(NoChecksum)?;
    let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let protocol = header[6];
    let addresses = add(0, &header[8..40]);
    let transport = packet.get_mut(40..40 + payload).ok_or(NoChecksum)?;
    let sum = addresses + u32::from(protocol) + transport.len() as u32;
    Ok((sum, protocol, transport))
}

/// The ones' complement sum (RFC 1071) of big-endian words; 64 KiB of them fit.
fn add(mut sum: u32, bytes: &[u8]) -> u32 {
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
    }
    sum
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&ETHERTYPE_IPV4.to_be_bytes());
        let total = 28 + payload.len() as u8;
        frame.extend_from_slice(&[0x45, 0, 0, total, 0, 0, 0, 0, 64, UDP, 0, 0]);
        frame.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend_from_slice(&[0, 7, 0, 7, 0, total - 20, 0xAA, 0xAA]);
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn the_sum_over_a_completed_packet_is_all_ones_whatever_stood_in_the_field() {
        for payload in [&b"evil bit"[..], b"odd"] {
            let mut frame = udp(payload);
            frame.extend_from_slice(b"padding is no part of the packet");
            complete(&mut frame).unwrap();
            let (pseudo, _, transport) = ipv4(&mut frame[ETH_HLEN..]).unwrap();
            assert_eq!(fold(add(pseudo, transport)), 0);
        }
    }

    #[test]
    fn a_udp_checksum_never_comes_out_as_none() {
        let mut frame = udp(&[0, 0]);
        let (pseudo, _, transport) = ipv4(&mut frame[ETH_HLEN..]).unwrap();
        transport[6..8].fill(0);
        let rest = fold(add(pseudo, transport));
        transport[8..10].copy_from_slice(&rest.to_be_bytes());
        complete(&mut frame).unwrap();
        assert_eq!(frame[ETH_HLEN + 26..ETH_HLEN + 28], [0xFF, 0xFF]);
    }

    #[test]
    fn what_carries_no_checksum_is_refused() {
        let good = udp(b"x");
        let change = |at: usize, to: u8| {
            let mut frame = good.clone();
            frame[at] = to;
            frame
        };
        for mut bad in [
            good[..ETH_HLEN + 19].to_vec(),
            change(12, 0x12),
            change(ETH_HLEN, 0x44),
            change(ETH_HLEN, 0x65),
            change(ETH_HLEN + 3, 27),
            change(ETH_HLEN + 3, 200),
            change(ETH_HLEN + 6, 0x20),
            change(ETH_HLEN + 9, 1),
        ] {
            assert_eq!(complete(&mut bad), Err(NoChecksum));
        }
    }
}
