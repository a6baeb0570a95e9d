//! A guest that turns on dom0: our own kernel, but what it writes into its rings becomes nonsense.

use std::cell::RefCell;
use std::rc::Rc;

use evilbit::plan::DomainPlan;
use evilbit::world::{Builtin, GuestRegistry};
use tests::interposed::{Between, Interposed};
use xen_abi::io::netif::NetifTxRequest;
use xen_abi::io::ring::REQ_PROD;
use xen_abi::{Gfn, Gpa, Guest, Hypercalls, Sink, Width};
use xenemu::{DomainConfig, GuestFactory};
use zerocopy::{FromBytes, IntoBytes};

/// Frames that it sends before it turns.
const HONEST: u32 = 5;

/// What becomes nonsense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// The producer index of its transmit ring: more requests than there are slots.
    Index,
    /// A request's length: beyond the page that it begins in.
    Length,
    /// A request's grant reference: of nothing that it ever granted.
    Reference,
    /// The transmit ring's own grant reference, in the store.
    RingReference,
}

/// Makes the domain `villain` turn, and leaves all others as they are.
pub struct Villains(pub Option<Attack>);

impl GuestRegistry for Villains {
    fn domain(&self, plan: &DomainPlan) -> Result<(DomainConfig, GuestFactory), String> {
        let (config, factory) = Builtin.domain(plan)?;
        let attack = self.0;
        if plan.name != "villain" {
            return Ok((config, factory));
        }
        let turns: GuestFactory = Rc::new(move |config: &DomainConfig, sink: Rc<dyn Sink>| {
            Box::new(Interposed {
                guest: factory(config, sink),
                between: Rc::new(RefCell::new(Villain::new(attack))),
            }) as Box<dyn Guest>
        });
        Ok((config, turns))
    }
}

/// Stands between the kernel and Xen.
struct Villain {
    attack: Option<Attack>,
    /// Where its transmit ring is: the first ring that it initialises.
    tx_ring: Option<Gfn>,
    requests: u32,
}

impl Villain {
    fn new(attack: Option<Attack>) -> Villain {
        Villain {
            attack,
            tx_ring: None,
            requests: 0,
        }
    }

    /// Whether this is what it does by now.
    fn does(&self, attack: Attack) -> bool {
        self.attack == Some(attack) && self.requests > HONEST
    }
}

impl Between for Villain {
    fn store(&mut self, xen: &mut dyn Hypercalls, at: Gpa, width: Width, value: u64) {
        let is_producer = at.offset() as u64 == REQ_PROD && width == Width::B4;
        if is_producer && value == 0 && self.tx_ring.is_none() {
            self.tx_ring = Some(at.frame());
        }
        let is_ours = is_producer && self.tx_ring == Some(at.frame());
        let value = match is_ours && self.does(Attack::Index) {
            true => value + 1000,
            false => value,
        };
        xen.store(at, width, value);
    }

    fn write(&mut self, xen: &mut dyn Hypercalls, at: Gpa, from: &[u8]) {
        if self.tx_ring == Some(at.frame()) {
            self.requests += 1;
            let mut request = NetifTxRequest::read_from_bytes(from).expect("a request");
            if self.does(Attack::Length) {
                (request.offset, request.size) = (4000, 200);
            }
            if self.does(Attack::Reference) {
                request.gref = u32::MAX;
            }
            return xen.write(at, request.as_bytes());
        }
        if self.attack == Some(Attack::RingReference) {
            return xen.write(at, &with_another_reference(from));
        }
        xen.write(at, from);
    }
}

/// What goes to the store, but with sevens for the digits of the ring's grant reference: guests hand out references from 8, and
/// this one needs few.
fn with_another_reference(bytes: &[u8]) -> Vec<u8> {
    let node = b"tx-ring-ref\0";
    let mut bytes = bytes.to_vec();
    if let Some(found) = bytes.windows(node.len()).position(|part| part == node) {
        let digits = bytes[found + node.len()..].iter_mut();
        digits
            .take_while(|byte| byte.is_ascii_digit())
            .for_each(|digit| *digit = b'7');
    }
    bytes
}
