//! The way down: everything that waits is sent in a fixed order, until nothing is left or the device is full.

use xen_abi::Instant;

use super::Stack;
use crate::addr::IpAddress;
use crate::api::{Device, DeviceFull};
use crate::net::output::{Outgoing, TcpOutput};
use crate::wire::ipv4::{self, Protocol};
use crate::wire::{icmpv4, udp};

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
            let mut output = TcpOutput {
                output: &mut self.output,
                device,
            };
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
            let repr = icmpv4::Repr {
                kind: posted.kind,
                payload: &posted.payload,
            };
            let packet = Outgoing {
                src: posted.src,
                dst: posted.dst,
                protocol: Protocol::ICMP,
                ttl: self.profile.net.ttl,
                ecn: 0,
                dont_fragment: false,
                len: repr.size(),
                needs_csum: false,
            };
            self.output.send(now, device, &packet, &mut |to| {
                repr.emit(to);
            })?;
            self.icmp.sent();
        }
        Ok(())
    }

    fn send_udp(&mut self, now: Instant, device: &mut dyn Device) -> Result<(), DeviceFull> {
        while let Some(posted) = self.udp.next() {
            self.fuel.burn(1);
            let (IpAddress::V4(src), IpAddress::V4(dst)) = (posted.src.ip(), posted.dst.ip())
            else {
                unreachable!("no socket is bound or connected to an address of version 6");
            };
            let repr = udp::Repr {
                src_port: posted.src.port(),
                dst_port: posted.dst.port(),
                payload: &posted.payload,
            };
            let fits = ipv4::HEADER + repr.size() <= self.output.interface.mtu;
            let packet = Outgoing {
                src,
                dst,
                protocol: Protocol::UDP,
                ttl: self.profile.net.ttl,
                ecn: 0,
                dont_fragment: false,
                len: repr.size(),
                needs_csum: fits && device.caps().tx_checksum,
            };
            let pseudo = udp::Pseudo { src, dst };
            self.output.send(now, device, &packet, &mut |to| {
                repr.emit(to, pseudo, packet.needs_csum);
            })?;
            self.udp.sent();
        }
        Ok(())
    }
}
