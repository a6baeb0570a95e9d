//! What Xen keeps for one domain.

use xen_abi::hvm::HVM_NR_PARAMS;
use xen_abi::sched::ShutdownReason;
use xen_abi::{DomId, Errno};

use crate::evtchn::EventTable;
use crate::frame::FrameId;
use crate::gnttab::{GrantTable, Maptrack};
use crate::memory::Mfn;
use crate::physmap::{Physmap, SPECIAL_PAGES};
use crate::time::Time;

/// `NR_DOMAIN_WATCHDOG_TIMERS`
pub const NR_WATCHDOGS: usize = 2;

/// A domain, as Xen knows it: the toolstack knows its name and its configuration.
pub struct Domain {
    /// Its number.
    pub id: DomId,
    /// Its guest-physical map.
    pub physmap: Physmap,
    /// Its `shared_info`; dom0's daemons have none.
    pub shared_info: Option<Mfn>,
    /// Its event channels.
    pub events: EventTable,
    /// What it grants.
    pub grants: GrantTable,
    /// What it has mapped of others.
    pub maptrack: Maptrack,
    /// `HVM_PARAM_*`
    pub params: [u64; HVM_NR_PARAMS as usize],
    /// Its one virtual CPU.
    pub vcpu: Vcpu,
    /// Pages that it may have at most.
    pub max_pages: u64,
    /// Why it shut down.
    pub shutdown: Option<ShutdownReason>,
    /// It spins: it has the pCPU for ever, in a manner of speaking, and is never run again.
    pub stuck: bool,
    /// Frames and bytes that it was given or rid of: a domain whose runs do not move this may be spinning.
    pub progress: u64,
    /// The last frame that it was given.
    pub last_frame: Option<FrameId>,
    /// It is being destroyed: only what others hold of it is left.
    pub dying: bool,
}

/// A virtual CPU.
#[derive(Debug, Default)]
pub struct Vcpu {
    /// Not to be run now.
    pub paused: bool,
    /// When it became runnable; `None` while it is blocked.
    pub wake: Option<Time>,
    /// When its single-shot timer fires.
    pub timer: Option<Time>,
    /// When its watchdogs bite.
    pub watchdogs: [Option<Time>; NR_WATCHDOGS],
}

impl Domain {
    /// A domain with this much RAM and nothing else.
    pub fn new(id: DomId, ram_frames: u64, shared_info: Option<Mfn>) -> Domain {
        let events = match shared_info {
            Some(_) => EventTable::two_level(),
            None => EventTable::daemons(),
        };
        Domain {
            id,
            physmap: Physmap::new(ram_frames),
            shared_info,
            events,
            grants: GrantTable::default(),
            maptrack: Maptrack::default(),
            params: [0; HVM_NR_PARAMS as usize],
            vcpu: Vcpu::default(),
            // What Xen gives a PVH guest besides its RAM: the special pages.
            max_pages: ram_frames + SPECIAL_PAGES,
            shutdown: None,
            stuck: false,
            progress: 0,
            last_frame: None,
            dying: false,
        }
    }

    /// The virtual CPU with that number, of which there is one.
    pub fn vcpu(&self, n: u32) -> Result<&Vcpu, Errno> {
        if n == 0 {
            Ok(&self.vcpu)
        } else {
            Err(Errno::ENOENT)
        }
    }

    /// Whether it may run: it has a wake and nothing holds it back.
    pub fn runnable(&self) -> Option<Time> {
        let held = self.vcpu.paused || self.shutdown.is_some() || self.stuck || self.dying;
        self.vcpu.wake.filter(|_| !held)
    }
}
