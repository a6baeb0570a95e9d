//! Discovery messages that wait for the device: bounded, since most are answers to what anybody may ask.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use crate::addr::Mac;
use crate::api::{Device, DeviceFull};
use crate::wire::ethernet::{self, EtherType};
use crate::wire::icmpv6::Pseudo;
use crate::wire::ipv4::Protocol;
use crate::wire::{ipv6, ndp};

/// Messages that may wait; more are answers to a flood, and those may be lost.
const QUEUE: usize = 64;

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The Ethernet address to send to.
    pub mac: Mac,
    pub src: Ipv6Addr,
    pub dst: Ipv6Addr,
    pub message: ndp::Repr,
}

impl Discovery {
    fn len(&self) -> usize {
        ipv6::HEADER + self.message.size()
    }
    fn emit(&self, to: &mut [u8]) {
        let header = ipv6::Repr {
            src: self.src,
            dst: self.dst,
            next_header: Protocol::ICMPV6,
            hop_limit: ndp::HOP_LIMIT,
            traffic_class: 0,
            flow_label: 0,
            payload_len: self.message.size(),
        };
        let pseudo = Pseudo {
            src: self.src,
            dst: self.dst,
        };
        self.message.emit(header.emit(to), pseudo);
    }
    /// The packet, for a neighbour whose Ethernet address has to be asked for first.
    pub fn packet(&self) -> Vec<u8> {
        let mut packet = vec![0; self.len()];
        self.emit(&mut packet);
        packet
    }
}

/// The messages that wait.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: VecDeque<Discovery>,
}

impl Outbox {
    /// Queues a message, if there is room.
    pub fn post(&mut self, message: Discovery) {
        if self.queue.len() < QUEUE {
            self.queue.push_back(message);
        }
    }
    /// Whether a message waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
    /// Sends what waits.
    pub fn transmit(&mut self, mac: Mac, device: &mut dyn Device) -> Result<(), DeviceFull> {
        while let Some(message) = self.queue.front() {
            let header = ethernet::Repr {
                dst: message.mac,
                src: mac,
                ethertype: EtherType::IPV6,
            };
            let len = ethernet::HEADER + message.len();
            device.transmit(len, false, &mut |frame| message.emit(header.emit(frame)))?;
            self.queue.pop_front();
        }
        Ok(())
    }
}
