//! The network frontend: a transmit and a receive ring, their grants, and one event channel.
//!
//! The backend is not trusted: whatever it writes into a ring is copied once, checked, and answered by a typed error
//! after which the device is closed.
//!
//! - [`tx`]: frames out. [`rx`]: frames in. [`NetPort`]: the [`Device`] that a stack sees during one run.

mod rx;
mod tx;

use alloc::vec::Vec;

use thiserror::Error;
use xen_abi::{DomId, Errno, Gfn, GrantRef, Hypercalls, Port};

use self::rx::Rx;
use self::tx::Tx;
use super::evtchn::{EventChannels, notify};
use super::gnttab::{Access, GrantError, GrantTable};
use super::ring::RingOverrun;
use crate::addr::Mac;
use crate::api::{Device, DeviceCaps, DeviceFull};

/// What both ends can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Features {
    /// A packet may take several slots.
    pub scatter_gather: bool,
    /// The backend completes checksums.
    pub checksum: bool,
}

/// What the backend must know to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The transmit ring's grant.
    pub tx_ring: GrantRef,
    /// The receive ring's grant.
    pub rx_ring: GrantRef,
    /// The port that it may bind.
    pub port: Port,
}

/// Why the device is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NetfrontError {
    /// No frames for the rings.
    #[error("out of memory")]
    OutOfMemory,
    /// A grant is not to be had, or is not given back.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A producer index is beyond its bounds.
    #[error(transparent)]
    Overrun(#[from] RingOverrun),
    /// A response names a request that is not outstanding.
    #[error("the backend answers request {0}, which is not outstanding")]
    BadId(u16),
    /// A response describes bytes outside of its page.
    #[error("the backend filled {len} bytes at offset {offset} of a page")]
    BadExtent { offset: u16, len: u16 },
    /// A packet has more slots than were agreed on.
    #[error(
        "the backend spreads a packet over more than {} slots",
        xen_abi::io::netif::NR_SLOTS_MIN
    )]
    TooManySlots,
    /// An extra that was never negotiated.
    #[error("the backend sends extra info that was not negotiated")]
    UnexpectedExtra,
    /// The event channel is gone.
    #[error("event channel: {0}")]
    Port(#[from] Errno),
}

/// A frame and the grant that lets the backend use it.
#[derive(Clone, Copy, Debug)]
struct Granted {
    frame: Gfn,
    gref: GrantRef,
}

/// Frames kept for the next packets rather than given back.
const SPARE_FRAMES: usize = 32;

/// A few free frames at hand.
#[derive(Debug, Default)]
struct FramePool(Vec<Gfn>);

impl FramePool {
    /// A frame; only one whose number fits into a grant.
    fn take(&mut self, xen: &mut dyn Hypercalls) -> Option<Gfn> {
        let frame = self.0.pop().or_else(|| xen.alloc_frames(1))?;
        if u32::try_from(frame.0).is_err() {
            xen.free_frames(frame, 1);
            return None;
        }
        Some(frame)
    }

    fn put(&mut self, xen: &mut dyn Hypercalls, frame: Gfn) {
        match self.0.len() < SPARE_FRAMES {
            true => self.0.push(frame),
            false => xen.free_frames(frame, 1),
        }
    }

    fn clear(&mut self, xen: &mut dyn Hypercalls) {
        for frame in self.0.drain(..) {
            xen.free_frames(frame, 1);
        }
    }
}

/// A network device.
#[derive(Debug)]
pub struct Netfront {
    backend: DomId,
    port: Port,
    features: Features,
    tx: Tx,
    rx: Rx,
    /// What the device is, once the backend is connected.
    caps: Option<DeviceCaps>,
    /// The stack was refused a frame in this run.
    full: bool,
}

impl Netfront {
    /// Makes and grants both rings, posts receive buffers and opens a port.
    pub fn open(
        xen: &mut dyn Hypercalls,
        events: &EventChannels,
        grants: &mut GrantTable,
        backend: DomId,
        features: Features,
    ) -> Result<(Netfront, Opened), NetfrontError> {
        let tx_ring = open_ring(xen, grants, backend)?;
        let rx_ring =
            open_ring(xen, grants, backend).inspect_err(|_| release(xen, grants, tx_ring))?;
        let port = match events.alloc_unbound(xen, backend) {
            Ok(port) => port,
            Err(error) => {
                release(xen, grants, tx_ring);
                release(xen, grants, rx_ring);
                return Err(error.into());
            }
        };
        let mut device = Netfront {
            backend,
            port,
            features,
            tx: Tx::new(xen, tx_ring),
            rx: Rx::new(xen, rx_ring),
            caps: None,
            full: false,
        };
        device.rx.refill(xen, grants, backend);
        // The backend is not there yet: it needs no event to look at the ring when it comes.
        device.rx.publish(xen);
        let opened = Opened {
            tx_ring: tx_ring.gref,
            rx_ring: rx_ring.gref,
            port,
        };
        Ok((device, opened))
    }

    /// The backend is connected: frames may flow, and what was posted before is shown again.
    pub fn start(
        &mut self,
        xen: &mut dyn Hypercalls,
        mac: Mac,
        mtu: usize,
    ) -> Result<(), NetfrontError> {
        self.caps = Some(DeviceCaps {
            mac,
            mtu: mtu.min(tx::largest_frame(self.features.scatter_gather) - tx::ETHERNET_HEADER),
            tx_checksum: self.features.checksum,
        });
        notify(xen, self.port)?;
        Ok(())
    }

    /// Takes what the backend has done: ends grants, hands each frame to `deliver` (with whether its checksum holds),
    /// and posts new buffers.
    pub fn receive(
        &mut self,
        xen: &mut dyn Hypercalls,
        grants: &mut GrantTable,
        deliver: &mut dyn FnMut(&[u8], bool),
    ) -> Result<(), NetfrontError> {
        self.full = false;
        self.tx.reap(xen, grants)?;
        self.rx.receive(xen, grants, deliver)?;
        self.rx.refill(xen, grants, self.backend);
        if self.rx.publish(xen) {
            notify(xen, self.port)?;
        }
        Ok(())
    }

    /// The device as the stack sees it in one run; there is none before the backend is connected.
    pub fn port<'a>(
        &'a mut self,
        xen: &'a mut dyn Hypercalls,
        grants: &'a mut GrantTable,
    ) -> Option<NetPort<'a>> {
        let caps = self.caps?;
        Some(NetPort {
            device: self,
            caps,
            xen,
            grants,
        })
    }

    /// Shows the backend what was transmitted.
    pub fn flush(&mut self, xen: &mut dyn Hypercalls) -> Result<(), NetfrontError> {
        if self.tx.publish(xen) {
            notify(xen, self.port)?;
        }
        Ok(())
    }

    /// Asks for events again and looks a last time at both rings: whether there is more to do now.
    pub fn final_check(&mut self, xen: &mut dyn Hypercalls) -> Result<bool, NetfrontError> {
        let sent = self.tx.final_check(xen)?;
        let received = self.rx.final_check(xen)?;
        Ok(sent || received)
    }

    /// How many requests wait in the transmit ring.
    pub fn sending(&self) -> u32 {
        self.tx.outstanding()
    }

    /// Whether a frame was refused in this run although nothing of ours is with the backend: no event will tell when
    /// it is worth to try again.
    pub fn starved(&self) -> bool {
        self.full && self.tx.outstanding() == 0
    }

    /// Whether the backend is connected.
    pub fn is_started(&self) -> bool {
        self.caps.is_some()
    }

    /// Whether a frame was refused in this run.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Gives everything back. Answers how many frames the backend still uses: these are never touched again.
    pub fn close(
        self,
        xen: &mut dyn Hypercalls,
        events: &EventChannels,
        grants: &mut GrantTable,
    ) -> u32 {
        // A port that is closed already is as good.
        let _ = events.close(xen, self.port);
        let mut pool = FramePool::default();
        let mut kept = 0;
        let sent = self.tx.into_granted(&mut pool);
        for granted in sent.into_iter().chain(self.rx.into_granted(&mut pool)) {
            match grants.end(xen, granted.gref) {
                Ok(()) => pool.put(xen, granted.frame),
                Err(_) => kept += 1,
            }
        }
        pool.clear(xen);
        kept
    }

    /// A suspend voided every grant and port: only the frames are given back.
    pub fn lose(self, xen: &mut dyn Hypercalls) {
        let mut pool = FramePool::default();
        let sent = self.tx.into_granted(&mut pool);
        for granted in sent.into_iter().chain(self.rx.into_granted(&mut pool)) {
            pool.put(xen, granted.frame);
        }
        pool.clear(xen);
    }
}

fn open_ring(
    xen: &mut dyn Hypercalls,
    grants: &mut GrantTable,
    backend: DomId,
) -> Result<Granted, NetfrontError> {
    let frame = xen.alloc_frames(1).ok_or(NetfrontError::OutOfMemory)?;
    match grants.grant(xen, backend, frame, Access::ReadWrite) {
        Ok(gref) => Ok(Granted { frame, gref }),
        Err(error) => {
            xen.free_frames(frame, 1);
            Err(error.into())
        }
    }
}

/// Takes back a ring that the backend was never told of.
fn release(xen: &mut dyn Hypercalls, grants: &mut GrantTable, ring: Granted) {
    if grants.end(xen, ring.gref).is_ok() {
        xen.free_frames(ring.frame, 1);
    }
}

/// The device during one run.
pub struct NetPort<'a> {
    device: &'a mut Netfront,
    caps: DeviceCaps,
    xen: &'a mut dyn Hypercalls,
    grants: &'a mut GrantTable,
}

impl Device for NetPort<'_> {
    fn caps(&self) -> DeviceCaps {
        self.caps
    }

    fn transmit(
        &mut self,
        len: usize,
        needs_csum: bool,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), DeviceFull> {
        assert!(
            len <= self.caps.mtu + tx::ETHERNET_HEADER && (!needs_csum || self.caps.tx_checksum),
            "the stack keeps to what the device can do"
        );
        let backend = self.device.backend;
        let sent = self
            .device
            .tx
            .send(self.xen, self.grants, backend, len, needs_csum, fill);
        self.device.full |= sent.is_err();
        sent
    }
}

#[cfg(test)]
mod tests;
