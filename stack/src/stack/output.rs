//! The way down: everything that waits is sent in a fixed order, until nothing is left or the device is full.

use xen_abi::Instant;

use super::Stack;
use crate::addr::IpAddress;
use crate::api::{Device, DeviceFull};
use crate::net::icmp::IcmpKind;
use crate::net::output::{Outgoing, TcpOutput};
use crate::wire::ipv4::{self, Protocol};
use crate::wire::{icmpv4, icmpv6, udp};

/// Rounds of packets to ourselves in one `transmit`: more wait for the next.
const LOOPBACK_ROUNDS: u32 = 64;

impl Stack {
    pub(super) fn send_all(
        &mut self,
        now: Instant,
        device: &mut dyn Device,
    ) -> Result<(), DeviceFull> {
        for _ in 0..LOOPBACK_ROUNDS {
            self.output.flush(now, device)?;
            self.send_icmp(now, device)?;
            self.send_udp(now, device)?;
            let mut output = TcpOutput::new(&mut self.output, device);
            self.tcp.transmit(now, &mut output);
            // What was sent just now may have asked for a neighbour.
            self.output.flush(now, device)?;
            if !self.receive_loopback(now) {
                break;
            }
        }
        Ok(())
    }

    fn send_icmp(&mut self, now: Instant, device: &mut dyn Device) -> Result<(), DeviceFull> {
        while let Some(posted) = self.icmp.next() {
            self.fuel.burn(1);
            let payload = &posted.payload;
            let mut packet = Outgoing {
                src: posted.src,
                dst: posted.dst,
                protocol: Protocol::ICMP,
                ttl: self.profile.net.ttl,
                dscp: 0,
                ecn: 0,
                ports: None,
                dont_fragment: false,
                len: 0,
                needs_csum: false,
            };
            match (posted.kind, posted.src, posted.dst) {
                (IcmpKind::V6(kind), IpAddress::V6(src), IpAddress::V6(dst)) => {
                    let repr = icmpv6::Repr { kind, payload };
                    packet.protocol = Protocol::ICMPV6;
                    packet.len = repr.size();
                    let pseudo = icmpv6::Pseudo { src, dst };
                    self.output.send(now, device, &packet, |to: &mut [u8]| {
                        repr.emit(to, pseudo);
                    })?;
                }
                (IcmpKind::V4(kind), ..) => {
                    let repr = icmpv4::Repr { kind, payload };
                    packet.len = repr.size();
                    self.output.send(now, device, &packet, |to: &mut [u8]| {
                        repr.emit(to);
                    })?;
                }
                _ => unreachable!("a message has one version"),
            }
            self.icmp.sent();
        }
        Ok(())
    }

    fn send_udp(&mut self, now: Instant, device: &mut dyn Device) -> Result<(), DeviceFull> {
        while let Some(posted) = self.udp.next() {
            self.fuel.burn(1);
            let (src, dst) = (posted.src.ip(), posted.dst.ip());
            let repr = udp::Repr {
                src_port: posted.src.port(),
                dst_port: posted.dst.port(),
                payload: &posted.payload,
            };
            // Nobody asks the device to sum over several packets, nor over IPv6.
            let fits = ipv4::HEADER + repr.size() <= self.output.interface.mtu;
            let offload = fits && dst.is_ipv4();
            let packet = Outgoing {
                src,
                dst,
                protocol: Protocol::UDP,
                ttl: self.profile.net.ttl,
                dscp: 0,
                ecn: 0,
                ports: Some((repr.src_port, repr.dst_port)),
                dont_fragment: false,
                len: repr.size(),
                needs_csum: offload && device.caps().tx_checksum,
            };
            let pseudo = udp::Pseudo { src, dst };
            self.output.send(now, device, &packet, |to: &mut [u8]| {
                repr.emit(to, pseudo, packet.needs_csum);
            })?;
            self.udp.sent();
        }
        Ok(())
    }
}
