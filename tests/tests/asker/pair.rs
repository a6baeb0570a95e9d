//! The guests that meet: A grants a page and offers a port, B maps the one and binds the other.

use xen_abi::event_channel::{EvtchnOp, EvtchnStatus};
use xen_abi::grant_table::{
    GTF_PERMIT_ACCESS, GntMap, GnttabMapGrantRef, GnttabOp, GnttabUnmapGrantRef,
};
use xen_abi::memory::{MapSpace, MemoryOp};
use xen_abi::sched::ShutdownReason;
use xen_abi::{Block, DomId, Gpa, GrantRef, Guest, HypercallResult, Hypercalls, Port, Wake, Width};

use super::{Paper, add_to_physmap, entry, grant, map_shared_info, pending, setup_table, text};

const BYE: Block = Block::Shutdown(ShutdownReason::Poweroff);

/// The guest that grants.
pub struct RoleA {
    paper: Paper,
    peer: DomId,
    shared: Gpa,
    table: Gpa,
    page: Gpa,
    port: Port,
    saw_peer: bool,
    answered: bool,
}

impl RoleA {
    /// Meets `peer`.
    pub fn new(paper: Paper, peer: DomId) -> RoleA {
        RoleA {
            paper,
            peer,
            shared: Gpa(0),
            table: Gpa(0),
            page: Gpa(0),
            port: Port(0),
            saw_peer: false,
            answered: false,
        }
    }

    fn boot(&mut self, xen: &mut dyn Hypercalls) {
        let (mapped, shared) = map_shared_info(xen);
        assert_eq!(mapped, Ok(0));
        self.shared = shared;
        assert_eq!(setup_table(xen), (Ok(0), 0));
        let gpfn = xen.alloc_frames(1).expect("the guest has memory");
        assert_eq!(add_to_physmap(xen, MapSpace::GrantTable, gpfn), Ok(0));
        self.table = gpfn.gpa();
        let frame = xen.alloc_frames(1).expect("the guest has memory");
        self.page = frame.gpa();
        xen.write(self.page, b"from A\0");
        grant(xen, self.table, 8, self.peer, frame, GTF_PERMIT_ACCESS);
        let mut op = EvtchnOp::AllocUnbound {
            dom: DomId::SELF,
            remote_dom: self.peer,
            port: Port(0),
        };
        let result = xen.event_channel_op(&mut op);
        if let EvtchnOp::AllocUnbound { port, .. } = op {
            self.port = port;
        }
        self.paper.answer("A alloc_unbound(self,peer)", result);
        self.paper.kv("A  port", self.port.0);
        let (result, _) = bind(xen, DomId::SELF, self.port);
        self.paper.answer("A bind own port meant for peer", result);
    }

    fn status(&self, xen: &mut dyn Hypercalls) -> EvtchnStatus {
        let mut op = EvtchnOp::Status {
            dom: DomId::SELF,
            port: self.port,
            status: EvtchnStatus::Closed,
            vcpu: 0,
        };
        assert_eq!(xen.event_channel_op(&mut op), Ok(0));
        let EvtchnOp::Status { status, .. } = op else {
            unreachable!("an operation keeps its kind");
        };
        status
    }

    fn flags(&self, xen: &mut dyn Hypercalls) -> u64 {
        xen.load(entry(self.table, 8), Width::B2)
    }

    fn wait_for_peer(&mut self, xen: &mut dyn Hypercalls) {
        if let EvtchnStatus::Interdomain { dom, port } = self.status(xen) {
            if !self.saw_peer {
                self.paper.kv("A peer bound dom", dom);
                self.paper.kv("A peer bound port", port.0);
                self.saw_peer = true;
            }
            if xen.load(self.page.add(100), Width::B1) == u64::from(b'!') {
                self.meet(xen);
            }
        }
    }

    fn meet(&mut self, xen: &mut dyn Hypercalls) {
        let pending = pending(xen, self.shared, self.port);
        self.paper.kv("A pending", pending);
        let page = text(xen, self.page.add(64));
        self.paper.say(format!("A page now: {page}"));
        let flags = self.flags(xen);
        self.paper.kv("A grant flags while mapped", flags);
        xen.store(self.page.add(101), Width::B1, b'!'.into());
        self.answered = true;
    }
}

impl Guest for RoleA {
    fn run(&mut self, xen: &mut dyn Hypercalls, wake: Wake) -> Block {
        if matches!(wake, Wake::Boot { .. }) {
            self.boot(xen);
        }
        if !self.answered {
            self.wait_for_peer(xen);
            return Block::Yield;
        }
        match self.status(xen) {
            EvtchnStatus::Interdomain { .. } => Block::Yield,
            status => {
                self.paper.kv("A status after peer close", status.code());
                let flags = self.flags(xen);
                self.paper.kv("A grant flags after unmap", flags);
                BYE
            }
        }
    }
}

/// The guest that maps.
pub struct RoleB {
    paper: Paper,
    peer: DomId,
    port: Option<Port>,
    map: GnttabMapGrantRef,
}

impl RoleB {
    /// Meets `peer`.
    pub fn new(paper: Paper, peer: DomId) -> RoleB {
        RoleB {
            paper,
            peer,
            port: None,
            map: GnttabMapGrantRef::default(),
        }
    }

    fn meet(&mut self, xen: &mut dyn Hypercalls, port: Port) {
        self.paper.kv("B  local_port", port.0);
        for (question, dom, port) in [
            ("B bind again", self.peer, Port(3)),
            ("B bind dom77", DomId(77), Port(3)),
            ("B bind peer xs port", self.peer, Port(1)),
        ] {
            let (result, _) = bind(xen, dom, port);
            self.paper.answer(question, result);
        }
        let frame = xen.alloc_frames(1).expect("the guest has memory");
        let result = xen.memory_op(&mut MemoryOp::DecreaseReservation {
            domid: DomId::SELF,
            extents: &[frame],
        });
        self.paper.answer("B decrease_reservation", result);
        self.map = GnttabMapGrantRef {
            host_addr: frame.gpa(),
            flags: GntMap::HOST_MAP,
            gref: GrantRef(8),
            dom: self.peer.0,
            ..GnttabMapGrantRef::default()
        };
        let result = map(xen, &mut self.map);
        self.paper.answer("B map_grant_ref", result);
        self.paper.kv("B  status", self.map.status);
        self.paper.kv("B  handle", self.map.handle);
        let page = text(xen, self.map.host_addr);
        self.paper.say(format!("B read: {page}"));
        xen.write(self.map.host_addr.add(64), b"from B\0");
        self.map_badly(xen);
        let result = xen.event_channel_op(&mut EvtchnOp::Send { port });
        self.paper.answer("B send", result);
        xen.store(self.map.host_addr.add(100), Width::B1, b'!'.into());
    }

    fn map_badly(&self, xen: &mut dyn Hypercalls) {
        let elsewhere = xen.alloc_frames(1).expect("the guest has memory");
        let mut bad = GnttabMapGrantRef {
            host_addr: elsewhere.gpa(),
            gref: GrantRef(9),
            ..self.map
        };
        let result = map(xen, &mut bad);
        self.paper.answer("B map bad ref", result);
        self.paper.kv("B  status", bad.status);
        bad.gref = GrantRef(100_000);
        assert_eq!(map(xen, &mut bad), Ok(0));
        self.paper.kv("B map huge ref status", bad.status);
        bad.gref = GrantRef(8);
        bad.dom = 77;
        assert_eq!(map(xen, &mut bad), Ok(0));
        self.paper.kv("B map dom77 status", bad.status);
    }

    fn part(&self, xen: &mut dyn Hypercalls, port: Port) {
        let mut unmap = GnttabUnmapGrantRef {
            host_addr: self.map.host_addr,
            handle: self.map.handle,
            status: 0,
        };
        let batch = std::slice::from_mut(&mut unmap);
        let result = xen.grant_table_op(GnttabOp::UnmapGrantRef(batch));
        self.paper.answer("B unmap", result);
        self.paper.kv("B  status", unmap.status);
        let batch = std::slice::from_mut(&mut unmap);
        assert_eq!(xen.grant_table_op(GnttabOp::UnmapGrantRef(batch)), Ok(0));
        self.paper.kv("B unmap twice status", unmap.status);
        let result = xen.event_channel_op(&mut EvtchnOp::Close { port });
        self.paper.answer("B close", result);
    }
}

impl Guest for RoleB {
    fn run(&mut self, xen: &mut dyn Hypercalls, _wake: Wake) -> Block {
        let Some(port) = self.port else {
            let (result, port) = bind(xen, self.peer, Port(3));
            if result.is_ok() {
                self.paper.answer("B bind_interdomain", result);
                self.port = Some(port);
                self.meet(xen, port);
            }
            return Block::Yield;
        };
        if xen.load(self.map.host_addr.add(101), Width::B1) != u64::from(b'!') {
            return Block::Yield;
        }
        self.part(xen, port);
        BYE
    }
}

fn bind(xen: &mut dyn Hypercalls, remote_dom: DomId, remote_port: Port) -> (HypercallResult, Port) {
    let mut op = EvtchnOp::BindInterdomain {
        remote_dom,
        remote_port,
        local_port: Port(0),
    };
    let result = xen.event_channel_op(&mut op);
    let EvtchnOp::BindInterdomain { local_port, .. } = op else {
        unreachable!("an operation keeps its kind");
    };
    (result, local_port)
}

fn map(xen: &mut dyn Hypercalls, op: &mut GnttabMapGrantRef) -> HypercallResult {
    xen.grant_table_op(GnttabOp::MapGrantRef(std::slice::from_mut(op)))
}
