//! What all connections of an engine share: the profile, fuel, memory for buffers, secrets, the way to the trace, and
//! resets that wait for the device.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use xen_abi::{Fuel, Sink};

use crate::event::{Event, TcpNote, TcpState};
use crate::profile::{Profile, TcpProfile};
use crate::seq::SeqNumber;
use crate::tcp::fast_open::destinations::Destinations;
use crate::tcp::pool::Pool;
use crate::tcp::recovery::Spare;
use crate::tcp::reset::Reset;
use crate::tcp::siphash::Key;
use crate::tcp::tuple::Tuple;

/// The engine's secrets: one key a purpose.
#[derive(Clone, Copy)]
pub struct Keys {
    pub isn: Key,
    pub demux: Key,
    pub ports: Key,
    pub stamps: Key,
    pub cookies: Key,
    pub syn_cookies: Key,
}

/// What a connection may use beside itself.
pub struct Shared {
    pub profile: Rc<Profile>,
    pub fuel: Fuel,
    pub pool: Pool,
    pub spare: Spare,
    pub keys: Keys,
    pub resets: VecDeque<Reset>,
    /// What Fast Open remembers of the servers that connections went to.
    pub destinations: Destinations,
    /// ICMP messages that quoted what was not under way.
    pub out_of_window_icmps: u64,
    /// The device's queue paces.
    pub paced: bool,
    /// No short way is taken: tests compare.
    #[cfg(test)]
    pub long_way: bool,
    sink: Rc<dyn Sink>,
    encoded: Vec<u8>,
}

impl Shared {
    pub fn new(profile: Rc<Profile>, seed: [u8; 32], fuel: Fuel, sink: Rc<dyn Sink>) -> Shared {
        let mut random = ChaCha8Rng::from_seed(seed);
        let mut key = || Key(random.next_u64(), random.next_u64());
        Shared {
            keys: Keys {
                isn: key(),
                demux: key(),
                ports: key(),
                stamps: key(),
                cookies: key(),
                syn_cookies: key(),
            },
            profile,
            fuel,
            pool: Pool::default(),
            spare: Spare::default(),
            resets: VecDeque::new(),
            destinations: Destinations::default(),
            out_of_window_icmps: 0,
            paced: false,
            #[cfg(test)]
            long_way: false,
            sink,
            encoded: Vec::new(),
        }
    }

    /// TCP's constants.
    pub fn tcp(&self) -> &TcpProfile {
        &self.profile.tcp
    }

    /// Whether a test wants no short way to be taken.
    #[inline]
    pub fn goes_the_long_way(&self) -> bool {
        #[cfg(test)]
        return self.long_way;
        #[cfg(not(test))]
        false
    }

    /// Queues a reset; beyond the bound it is dropped.
    pub fn reset(&mut self, reset: Reset) {
        if self.resets.len() < self.profile.tcp.reset_queue {
            self.resets.push_back(reset);
        }
    }

    /// Reports a change of state.
    pub fn report_state(&mut self, tuple: &Tuple, from: TcpState, to: TcpState) {
        self.emit(&Event::TcpState {
            local: tuple.local_addr(),
            remote: tuple.remote_addr(),
            from,
            to,
        });
    }

    /// Reports something worth knowing about the octet at `seq`.
    pub fn note(&mut self, tuple: &Tuple, note: TcpNote, seq: SeqNumber) {
        self.emit(&Event::TcpNote {
            local: tuple.local_addr(),
            remote: tuple.remote_addr(),
            note,
            seq: seq.0,
        });
    }

    /// Reports an event, encoded into a buffer that is used again.
    pub fn emit(&mut self, event: &Event) {
        self.encoded.clear();
        event.encode(&mut self.encoded);
        self.sink.emit(&self.encoded);
    }
}
