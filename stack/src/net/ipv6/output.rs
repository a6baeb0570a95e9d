//! The way out for packets of version 6. As for version 4 there are four doors: a frame, a neighbour's queue, pieces,
//! or back to ourselves. Only the source makes pieces (RFC 8200, section 4.5), so a packet is cut if it is longer than
//! the link takes, or, unless its sender wants to hear of that, longer than the path does.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use xen_abi::Instant;

use crate::addr::Mac;
use crate::api::{Device, DeviceFull};
use crate::net::ipv6::host::Host;
use crate::net::ipv6::scope::group_mac;
use crate::net::neighbour_cache::Parked;
use crate::net::output::{Outgoing, Output};
use crate::wire::ethernet::{self, EtherType};
use crate::wire::ipv4::Protocol;
use crate::wire::ipv6::{self, MAX_PAYLOAD};
use crate::wire::ipv6_extension::{FRAGMENT_HEADER, Fragment};

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// To one neighbour.
    Neighbour(Ipv6Addr),
    /// To a group.
    Multicast(Ipv6Addr),
    /// To ourselves.
    Local,
}

/// A packet on its way in pieces.
#[derive(Debug)]
pub struct Pieces {
    hop: NextHop,
    header: ipv6::Repr,
    fragment: Fragment,
    payload: Vec<u8>,
    /// The longest packet that the way takes.
    mtu: usize,
    sent: usize,
}

impl Output {
    /// Sends one packet from `src` to `dst`.
    pub(in crate::net) fn send_v6(
        &mut self,
        now: Instant,
        device: &mut dyn Device,
        packet: &Outgoing,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        assert!(!packet.needs_csum, "no device is asked to sum over IPv6");
        let loopback_room = self.has_loopback_room();
        let Some(host) = &mut self.six else {
            return Ok(());
        };
        let Some(hop) = host.hop(dst) else {
            return Ok(());
        };
        let header = ipv6::Repr {
            src,
            dst,
            next_header: packet.protocol,
            hop_limit: packet.ttl,
            traffic_class: packet.dscp << 2 | packet.ecn & 3,
            flow_label: host.flow_label(src, dst, packet),
            payload_len: packet.len,
        };
        if hop != NextHop::Local {
            let path = match packet.dont_fragment {
                true => None,
                false => self.paths.get(dst.into()),
            };
            let mtu = path.map_or(host.mtu, |path| path.min(host.mtu));
            if ipv6::HEADER + packet.len > mtu {
                return host.cut(now, device, (hop, header, mtu), fill);
            }
        }
        match host.ethernet(now, hop, src) {
            Some(dst) => {
                let ethernet = ethernet::Repr {
                    dst,
                    src: self.interface.mac,
                    ethertype: EtherType::IPV6,
                };
                let len = ethernet::HEADER + ipv6::HEADER + packet.len;
                device.transmit(len, false, &mut |frame| {
                    fill(header.emit(ethernet.emit(frame)));
                })
            }
            None => {
                if hop == NextHop::Local && !loopback_room {
                    return Err(DeviceFull);
                }
                let mut bytes = vec![0; ipv6::HEADER + packet.len];
                fill(header.emit(&mut bytes));
                match hop {
                    NextHop::Local => self.push_loopback(bytes),
                    hop => host.put_aside(hop, bytes),
                }
                Ok(())
            }
        }
    }
}

impl Host {
    /// RFC 6437, section 3: the same for all packets of a flow, unguessable, and spread over flows; nothing about the
    /// flow changes it.
    fn flow_label(&self, src: Ipv6Addr, dst: Ipv6Addr, packet: &Outgoing) -> u32 {
        let Some((local, remote)) = packet.ports else {
            return 0;
        };
        let halves = |ip: Ipv6Addr| [(u128::from(ip) >> 64) as u64, u128::from(ip) as u64];
        let ([a, b], [c, d]) = (halves(src), halves(dst));
        let ports = u64::from(local) << 16 | u64::from(remote);
        let protocol = u64::from(packet.protocol.0) << 32;
        let label = self.secret.hash(&[a, b, c, d, protocol | ports]) as u32 & 0xF_FFFF;
        // Zero would say that there is no flow.
        label.max(1)
    }

    /// Sends what waits from before: discovery messages, packets whose neighbour has answered, pieces.
    pub fn flush(
        &mut self,
        now: Instant,
        mac: Mac,
        device: &mut dyn Device,
    ) -> Result<(), DeviceFull> {
        self.outbox.transmit(mac, device)?;
        self.neighbours.transmit(mac, device)?;
        self.send_pieces(now, mac, device)
    }

    /// The Ethernet address of the next hop; `None` if the packet has to be put aside.
    fn ethernet(&mut self, now: Instant, hop: NextHop, source: Ipv6Addr) -> Option<Mac> {
        match hop {
            NextHop::Neighbour(ip) => self.resolve(now, source, ip),
            NextHop::Multicast(group) => Some(group_mac(group)),
            NextHop::Local => None,
        }
    }

    fn put_aside(&mut self, hop: NextHop, packet: Vec<u8>) {
        let NextHop::Neighbour(ip) = hop else {
            unreachable!("a group's Ethernet address is always known");
        };
        let needs_csum = false;
        self.neighbours.park(ip, Parked { packet, needs_csum });
    }

    /// Takes a packet that is too long, to send it in pieces.
    fn cut(
        &mut self,
        now: Instant,
        device: &mut dyn Device,
        (hop, header, mtu): (NextHop, ipv6::Repr, usize),
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        if self.pieces.is_some() {
            return Err(DeviceFull);
        }
        assert!(header.payload_len <= MAX_PAYLOAD, "a packet has a length");
        let mut payload = vec![0; header.payload_len];
        fill(&mut payload);
        self.ident = self.ident.wrapping_add(1);
        self.pieces = Some(Pieces {
            hop,
            header: ipv6::Repr {
                next_header: Protocol::FRAGMENT,
                ..header
            },
            fragment: Fragment {
                next_header: header.next_header,
                offset: 0,
                more: true,
                ident: self.ident,
            },
            payload,
            mtu,
            sent: 0,
        });
        let mac = device.caps().mac;
        // The packet is ours now: if the device fills up half-way, the rest goes with the next flush.
        let _ = self.send_pieces(now, mac, device);
        Ok(())
    }

    fn send_pieces(
        &mut self,
        now: Instant,
        mac: Mac,
        device: &mut dyn Device,
    ) -> Result<(), DeviceFull> {
        while let Some(mut pieces) = self.pieces.take() {
            let room = (pieces.mtu - ipv6::HEADER - FRAGMENT_HEADER) / 8 * 8;
            let end = pieces.payload.len().min(pieces.sent + room);
            let piece = &pieces.payload[pieces.sent..end];
            let header = ipv6::Repr {
                payload_len: FRAGMENT_HEADER + piece.len(),
                ..pieces.header
            };
            let fragment = Fragment {
                offset: pieces.sent,
                more: end < pieces.payload.len(),
                ..pieces.fragment
            };
            let mut packet = vec![0; ipv6::HEADER + header.payload_len];
            fragment
                .emit(header.emit(&mut packet))
                .copy_from_slice(piece);
            let outcome = match self.ethernet(now, pieces.hop, header.src) {
                Some(dst) => {
                    let needs_csum = false;
                    let parked = Parked { packet, needs_csum };
                    parked.send(device, mac, dst, EtherType::IPV6)
                }
                None => {
                    self.put_aside(pieces.hop, packet);
                    Ok(())
                }
            };
            if outcome.is_ok() {
                pieces.sent = end;
            }
            if pieces.sent < pieces.payload.len() {
                self.pieces = Some(pieces);
            }
            outcome?;
        }
        Ok(())
    }
}
