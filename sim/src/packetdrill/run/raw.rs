//! The shortest way: the stack on a device that is a queue of frames. The far end of the cable is the gateway, which
//! the stack knows by name, so that it asks for nobody.

use std::rc::Rc;

use stack::addr::{Cidr, Mac};
use stack::api::{DeviceCaps, NetStack};
use stack::dev::raw::RawDevice;
use stack::posix::{Answer, Call, Outcome, Personality, Process};
use stack::profile::Profile;
use stack::stack::{Stack, StackConfig};
use stack::wire::ethernet::{self, EtherType, Frame};
use xenemu::abi::{Fuel, Instant, Sink};

use super::config::Config;
use super::subject::Subject;
use crate::packetdrill::environment::Host;

const OURS: Mac = Mac([0x02, 0, 0, 0, 0, 0x01]);
const GATEWAY: Mac = Mac([0x02, 0, 0, 0, 0, 0x02]);
/// Frames that may wait on the cable; what a stack sends at one instant is far less.
const CABLE: usize = 4096;

/// What the stack reports is not looked at: the script judges packets and answers.
struct Nowhere;

impl Sink for Nowhere {
    fn emit(&self, _event: &[u8]) {}
}

/// A stack, a process on it, and a cable to the gateway.
pub struct Raw {
    pub(super) stack: Stack,
    device: RawDevice,
    process: Process,
}

impl Raw {
    /// A stack whose interface is up.
    pub fn new(
        config: &Config,
        profile: Rc<Profile>,
        personality: Personality,
        seed: [u8; 32],
    ) -> Raw {
        let mut stack = Stack::new(StackConfig {
            mac: OURS,
            addresses: vec![Cidr {
                address: config.local,
                prefix: config.prefix,
            }],
            gateways: vec![config.gateway],
            mtu: config.mtu,
            profile,
            seed,
            fuel: Fuel::unlimited(),
            sink: Rc::new(Nowhere),
        });
        stack.set_neighbour(config.gateway, GATEWAY);
        let caps = DeviceCaps {
            mac: OURS,
            mtu: config.mtu,
            tx_checksum: false,
        };
        Raw {
            stack,
            device: RawDevice::new(caps, CABLE),
            process: Process::new(personality),
        }
    }
}

impl Subject for Raw {
    fn receive(&mut self, now: Instant, packet: &[u8]) {
        let header = ethernet::Repr {
            dst: OURS,
            src: GATEWAY,
            ethertype: match packet.first().map(|first| first >> 4) {
                Some(6) => EtherType::IPV6,
                _ => EtherType::IPV4,
            },
        };
        let mut frame = vec![0; ethernet::HEADER + packet.len()];
        header.emit(&mut frame).copy_from_slice(packet);
        self.stack.receive(now, &frame, false);
    }

    fn run(&mut self, now: Instant, sent: &mut dyn FnMut(Vec<u8>)) {
        self.stack.transmit(now, &mut self.device);
        while let Some(frame) = self.device.take(|frame, _| frame.to_vec()) {
            let Ok(frame) = Frame::parse(&frame) else {
                unreachable!("the stack sends frames");
            };
            // Whom it asks for neighbours, and how it speaks with routers, is nothing that scripts are about.
            if matches!(frame.ethertype(), EtherType::IPV4 | EtherType::IPV6) {
                sent(frame.payload().to_vec());
            }
        }
    }

    fn poll_at(&self, now: Instant) -> Option<Instant> {
        [self.stack.poll_at(now), self.process.poll_at()]
            .into_iter()
            .flatten()
            .min()
    }

    fn call(&mut self, now: Instant, call: &Call) -> Outcome {
        self.process.call(&mut self.stack, now, call)
    }

    fn resume(&mut self, now: Instant) -> Option<Answer> {
        self.process.resume(&mut self.stack, now)
    }

    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn host(&mut self) -> &mut dyn Host {
        self
    }
}
