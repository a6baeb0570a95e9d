//! What is tested: a stack with a process on it, on some way to the network. The runner knows no more of it than this,
//! so any stack can be: one that has sockets in the shape of [`stack::api::WideSockets`] gets system calls, descriptors
//! and blocking from [`stack::posix::Process`], and [`run_on`](super::run_on) runs scripts against it.

use std::rc::Rc;

use stack::posix::{Answer, Call, Outcome, Personality};
use stack::profile::Profile;
use xenemu::abi::Instant;

use super::config::Config;
use crate::packetdrill::environment::Host;

/// How the options of a segment are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Octet by octet, as the tools do: scripts know how their system lays options out.
    #[default]
    Exact,
    /// In any order and with any padding, of which no RFC prescribes one (RFC 9293, 3.1): for a stack of another system.
    AnyOrder,
}

/// What a stack under test is made for.
pub struct Making<'a> {
    /// Its addresses and its MTU.
    pub config: &'a Config,
    /// How the system behaves that the script was written for.
    pub profile: Rc<Profile>,
    /// Whose habits the process has.
    pub personality: Personality,
    /// Where all that is random comes from.
    pub seed: [u8; 32],
    /// When it is made.
    pub now: Instant,
}

/// A stack under test. Time comes in, and never goes back.
pub trait Subject {
    /// Takes an IP packet from the network, at whatever length.
    fn receive(&mut self, now: Instant, packet: &[u8]);
    /// Does what is due now, and hands over the IP packets that it sends.
    fn run(&mut self, now: Instant, sent: &mut dyn FnMut(Vec<u8>));
    /// When it has something to do next.
    fn poll_at(&self, now: Instant) -> Option<Instant>;
    /// Makes a call.
    fn call(&mut self, now: Instant, call: &Call) -> Outcome;
    /// Asks again for the answer of the call that blocks.
    fn resume(&mut self, now: Instant) -> Option<Answer>;
    /// The script is over; `Err`: what is left that should not be.
    fn end(&mut self) -> Result<(), String>;
    /// The hash of what happened inside it that neither packets nor answers show, if it keeps a trace.
    fn trace(&self) -> Option<u128> {
        None
    }
    /// What commands see of it.
    fn host(&mut self) -> &mut dyn Host;
    /// Which liberties its segments have from what scripts say.
    fn layout(&self) -> Layout {
        Layout::Exact
    }
}
