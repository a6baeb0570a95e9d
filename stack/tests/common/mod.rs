//! What the integration tests share: stacks, a sink that remembers, and a smoltcp on the other end of the cable.

#![allow(dead_code, reason = "each test crate uses its part")]

pub mod peer;

use std::cell::RefCell;
use std::rc::Rc;

use stack::addr::{Cidr, Mac};
use stack::api::DeviceCaps;
use stack::dev::raw::RawDevice;
use stack::event::Event;
use stack::profile::Profile;
use stack::stack::{Stack, StackConfig};
use xen_abi::{Fuel, Sink};

/// Remembers all events.
#[derive(Default)]
pub struct Events(RefCell<Vec<Event>>);

impl Sink for Events {
    fn emit(&self, event: &[u8]) {
        let event = Event::decode(event).expect("the stack's own encoding");
        self.0.borrow_mut().push(event);
    }
}

impl Events {
    /// What became of addresses and routers since the last call.
    pub fn addresses(&self) -> Vec<String> {
        let events = self.0.take().into_iter();
        events
            .filter_map(|event| match event {
                Event::Address { address, state } => Some(format!("{address} {}", state.name())),
                Event::Router { address, lifetime } => Some(format!("{address} {lifetime} s")),
                _ => None,
            })
            .collect()
    }
    /// Why packets were refused since the last call.
    pub fn refusals(&self) -> Vec<String> {
        let events = self.0.take().into_iter();
        events
            .filter_map(|event| match event {
                Event::Refused { layer, why } => Some(format!("{layer:?}: {why}")),
                _ => None,
            })
            .collect()
    }
}

pub fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

pub fn caps(last: u8) -> DeviceCaps {
    DeviceCaps {
        mac: mac(last),
        mtu: 1500,
        tx_checksum: false,
    }
}

/// The stack at 10.0.0.`last`/24, and its device.
pub fn stack_at(last: u8, fuel: Fuel) -> (Stack, RawDevice, Rc<Events>) {
    stack_with(last, fuel, Profile::default())
}

pub fn stack_with(last: u8, fuel: Fuel, profile: Profile) -> (Stack, RawDevice, Rc<Events>) {
    stack_on(&[&format!("10.0.0.{last}/24")], &[], last, fuel, profile)
}

/// A stack with these addresses and default routers, and its device.
pub fn stack_on(
    addresses: &[&str],
    gateways: &[&str],
    last: u8,
    fuel: Fuel,
    profile: Profile,
) -> (Stack, RawDevice, Rc<Events>) {
    let events = Rc::new(Events::default());
    let cidr = |text: &&str| Cidr::parse(text).expect("an address");
    let gateway = |text: &&str| text.parse().expect("an address");
    let stack = Stack::new(StackConfig {
        mac: mac(last),
        addresses: addresses.iter().map(cidr).collect(),
        gateways: gateways.iter().map(gateway).collect(),
        mtu: 1500,
        profile: Rc::new(profile),
        seed: [last; 32],
        fuel,
        sink: events.clone(),
    });
    (stack, RawDevice::new(caps(last), 256), events)
}
