//! A domain's ports and what each is bound to.

use xen_abi::event_channel::{EVTCHN_2L_NR_CHANNELS, NR_VIRQS};
use xen_abi::{DomId, Errno, Port};

use crate::actor::ActorKind;

/// `EVTCHNS_PER_BUCKET`: a domain's ports become valid this many at a time.
const BUCKET: u32 = 64;
/// `EVTCHN_FIFO_NR_CHANNELS`: what dom0's daemons may have.
const FIFO_NR_CHANNELS: u32 = 1 << 17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Free,
    Reserved,
    Unbound { remote: DomId },
    Interdomain { dom: DomId, port: Port },
    Virq { virq: u32 },
    Ipi,
}

#[derive(Clone, Copy)]
pub(super) struct Channel {
    pub(super) state: State,
    /// Whose upcall it is, in dom0.
    pub(super) handler: Option<ActorKind>,
    /// Pending in a domain without a shared page.
    pub(super) pending: bool,
}

const FREE: Channel = Channel {
    state: State::Free,
    handler: None,
    pending: false,
};

/// A domain's ports.
pub struct EventTable {
    pub(super) channels: Vec<Channel>,
    limit: u32,
    pub(super) virqs: [u32; NR_VIRQS as usize],
    /// No port below is free.
    lowest_free: u32,
    open: u32,
}

impl EventTable {
    /// The table of a guest with the 2-level ABI.
    pub fn two_level() -> EventTable {
        EventTable::with_limit(EVTCHN_2L_NR_CHANNELS)
    }

    /// The table of dom0's daemons.
    pub fn daemons() -> EventTable {
        EventTable::with_limit(FIFO_NR_CHANNELS)
    }

    fn with_limit(limit: u32) -> EventTable {
        let mut channels = vec![FREE; BUCKET as usize];
        channels[0].state = State::Reserved;
        EventTable {
            channels,
            limit,
            virqs: [0; NR_VIRQS as usize],
            lowest_free: 1,
            open: 0,
        }
    }

    /// Ports that are bound to something.
    pub fn open(&self) -> u32 {
        self.open
    }

    pub(super) fn get(&self, port: Port) -> Option<&Channel> {
        self.channels.get(port.0 as usize)
    }

    /// `evtchn_get_port`: the lowest free one.
    pub(super) fn allocate(&mut self, state: State) -> Result<Port, Errno> {
        let mut port = self.lowest_free as usize;
        while self
            .channels
            .get(port)
            .is_some_and(|c| c.state != State::Free)
        {
            port += 1;
        }
        if port as u32 >= self.limit {
            return Err(Errno::ENOSPC);
        }
        if port == self.channels.len() {
            self.channels.resize(port + BUCKET as usize, FREE);
        }
        self.channels[port].state = state;
        self.lowest_free = port as u32 + 1;
        self.open += 1;
        Ok(Port(port as u32))
    }

    pub(super) fn set(&mut self, port: Port, state: State) {
        self.channels[port.0 as usize].state = state;
    }

    pub(super) fn free(&mut self, port: Port) {
        if let State::Virq { virq } = self.channels[port.0 as usize].state {
            self.virqs[virq as usize] = 0;
        }
        self.channels[port.0 as usize] = FREE;
        self.lowest_free = self.lowest_free.min(port.0);
        self.open -= 1;
    }
}
