//! Xen with a few domains, for the tests of its parts.

use xen_abi::event_channel::{EvtchnOp, EvtchnStatus};
use xen_abi::grant_table::{GTF_PERMIT_ACCESS, GnttabOp, GnttabSetupTable};
use xen_abi::memory::{MapSpace, MemoryOp};
use xen_abi::{DomId, Errno, Gfn, Gpa, GrantRef, Port, Width};

use crate::hypervisor::Hypervisor;
use crate::log::Log;
use crate::time::Time;

pub(crate) const DOM0: DomId = DomId(0);
pub(crate) const A: DomId = DomId(1);
pub(crate) const B: DomId = DomId(2);
/// Where A and B have their shared page and their grant table.
pub(crate) const SHARED: Gfn = Gfn(0x10_0000);
pub(crate) const TABLE: Gfn = Gfn(0x10_0001);
/// RAM of A and of B.
pub(crate) const RAM_FRAMES: u64 = 64;

/// Xen with the domains A and B, unpaused, each with its shared page and its grant table mapped.
pub(crate) fn two_domains() -> Hypervisor {
    let mut hv = Hypervisor::new(Log::new(Time::ZERO, 0), 5_000_000_000, 1_405_036_800);
    for domid in [A, B] {
        hv.create_domain(domid, RAM_FRAMES);
        hv.unpause(domid);
        for (space, gpfn) in [
            (MapSpace::SharedInfo, SHARED),
            (MapSpace::GrantTable, TABLE),
        ] {
            let mut op = MemoryOp::AddToPhysmap {
                domid: DomId::SELF,
                space,
                idx: 0,
                gpfn,
            };
            assert_eq!(hv.memory_op(domid, &mut op), Ok(0));
        }
        let mut setup = GnttabSetupTable {
            dom: DomId::SELF,
            nr_frames: 1,
            status: 0,
        };
        let result = hv.grant_table_op(domid, GnttabOp::SetupTable(&mut setup));
        assert_eq!((result, setup.status), (Ok(0), 0));
    }
    hv
}

impl Hypervisor {
    pub(crate) fn alloc(&mut self, who: DomId, remote_dom: DomId) -> Result<Port, Errno> {
        let mut op = EvtchnOp::AllocUnbound {
            dom: DomId::SELF,
            remote_dom,
            port: Port(0),
        };
        self.event_channel_op(who, &mut op)?;
        match op {
            EvtchnOp::AllocUnbound { port, .. } => Ok(port),
            _ => unreachable!("an operation keeps its kind"),
        }
    }

    pub(crate) fn bind(
        &mut self,
        who: DomId,
        remote_dom: DomId,
        remote_port: Port,
    ) -> Result<Port, Errno> {
        let mut op = EvtchnOp::BindInterdomain {
            remote_dom,
            remote_port,
            local_port: Port(0),
        };
        self.event_channel_op(who, &mut op)?;
        match op {
            EvtchnOp::BindInterdomain { local_port, .. } => Ok(local_port),
            _ => unreachable!("an operation keeps its kind"),
        }
    }

    pub(crate) fn status(&mut self, who: DomId, port: Port) -> Result<EvtchnStatus, Errno> {
        let mut op = EvtchnOp::Status {
            dom: DomId::SELF,
            port,
            status: EvtchnStatus::Closed,
            vcpu: 0,
        };
        self.event_channel_op(who, &mut op)?;
        match op {
            EvtchnOp::Status { status, .. } => Ok(status),
            _ => unreachable!("an operation keeps its kind"),
        }
    }

    pub(crate) fn send(&mut self, who: DomId, port: Port) -> Result<u64, Errno> {
        self.event_channel_op(who, &mut EvtchnOp::Send { port })
    }

    /// A word of a domain's shared page.
    pub(crate) fn shared(&mut self, who: DomId, at: u64) -> u64 {
        self.load(who, SHARED.gpa().add(at), Width::B8)
            .expect("the shared page is mapped")
    }

    pub(crate) fn set_shared(&mut self, who: DomId, at: u64, value: u64) {
        self.store(who, SHARED.gpa().add(at), Width::B8, value)
            .expect("the shared page is mapped");
    }

    /// The address of an entry of a domain's own grant table.
    pub(crate) fn entry_of(gref: GrantRef) -> Gpa {
        TABLE.gpa().add(u64::from(gref.0) * 8)
    }

    pub(crate) fn grant(&mut self, who: DomId, gref: GrantRef, to: DomId, frame: Gfn, flags: u16) {
        let at = Hypervisor::entry_of(gref);
        let flags = GTF_PERMIT_ACCESS | flags;
        for (offset, width, value) in [
            (2, Width::B2, u64::from(to.0)),
            (4, Width::B4, frame.0),
            (0, Width::B2, flags.into()),
        ] {
            self.store(who, at.add(offset), width, value)
                .expect("the table is mapped");
        }
    }

    pub(crate) fn flags(&mut self, who: DomId, gref: GrantRef) -> u16 {
        self.load(who, Hypervisor::entry_of(gref), Width::B2)
            .expect("the table is mapped") as u16
    }
}
