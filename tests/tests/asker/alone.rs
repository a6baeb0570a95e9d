//! The guest that asks alone: event channels with itself, then the grant table with itself.

use xen_abi::event_channel::{EvtchnOp, EvtchnStatus, VIRQ_TIMER};
use xen_abi::grant_table::{
    CopyPtr, GTF_PERMIT_ACCESS, GTF_READONLY, GnttabCopy, GnttabOp, GnttabQuerySize,
};
use xen_abi::memory::MapSpace;
use xen_abi::sched::ShutdownReason;
use xen_abi::{Block, DomId, Gpa, GrantRef, Guest, HypercallResult, Hypercalls, Port, Wake, Width};

use super::{Paper, add_to_physmap, entry, grant, map_shared_info, pending, setup_table, text};

/// The guest.
pub struct Alone {
    paper: Paper,
}

impl Alone {
    /// Answers go to `paper`.
    pub fn new(paper: Paper) -> Alone {
        Alone { paper }
    }

    fn send(&self, xen: &mut dyn Hypercalls, question: &str, port: u32) {
        let op = &mut EvtchnOp::Send { port: Port(port) };
        self.paper.answer(question, xen.event_channel_op(op));
    }

    fn close(&self, xen: &mut dyn Hypercalls, question: &str, port: Port) {
        let op = &mut EvtchnOp::Close { port };
        self.paper.answer(question, xen.event_channel_op(op));
    }

    fn status(&self, xen: &mut dyn Hypercalls, question: &str, port: Port) -> DomId {
        let (result, status) = ask_status(xen, port);
        self.paper.answer(question, result);
        self.paper.kv(" status", status.code());
        let EvtchnStatus::Unbound { dom } = status else {
            panic!("the port is unbound");
        };
        self.paper.kv(" unbound.dom", dom);
        dom
    }

    fn ask_ports(&self, xen: &mut dyn Hypercalls, shared: Gpa) -> DomId {
        let paper = &self.paper;
        let (result, port) = alloc_unbound(xen);
        paper.answer("alloc_unbound(self,self)", result);
        paper.kv(" port", port.0);
        self.status(xen, "status", port);
        self.send(xen, "send(unbound)", port.0);
        paper.kv(" pending after send(unbound)", pending(xen, shared, port));
        let (result, local) = bind_interdomain(xen, port);
        paper.answer("bind_interdomain(self)", result);
        paper.kv(" local_port", local.0);
        paper.kv(" pending(remote) after bind", pending(xen, shared, port));
        paper.kv(" pending(local) after bind", pending(xen, shared, local));
        self.send(xen, "send(interdomain)", port.0);
        paper.kv(" pending(peer)", pending(xen, shared, local));
        let (result, _) = bind_interdomain(xen, port);
        paper.answer("bind_interdomain again", result);
        self.close(xen, "close(local)", local);
        let own = self.status(xen, "status(peer of closed)", port);
        self.close(xen, "close again", local);
        self.send(xen, "send(0)", 0);
        self.send(xen, "send(4095)", 4095);
        self.send(xen, "send(4096)", 4096);
        own
    }

    fn ask_virq_and_ipi(&self, xen: &mut dyn Hypercalls) {
        let paper = &self.paper;
        let (result, port) = bind_timer(xen);
        paper.answer("bind_virq(timer)", result);
        paper.kv(" port", port.0);
        paper.answer("bind_virq(timer) again", bind_timer(xen).0);
        let (result, port) = bind_ipi(xen, 0);
        paper.answer("bind_ipi(0)", result);
        paper.kv(" port", port.0);
        paper.answer("bind_ipi(1)", bind_ipi(xen, 1).0);
        let op = &mut EvtchnOp::Unknown { cmd: 99 };
        paper.answer("bad op 99", xen.event_channel_op(op));
    }

    fn ask_grants(&self, xen: &mut dyn Hypercalls, own: DomId) {
        let paper = &self.paper;
        let mut query = GnttabQuerySize {
            dom: DomId::SELF,
            nr_frames: 0,
            max_nr_frames: 0,
            status: 0,
        };
        let result = xen.grant_table_op(GnttabOp::QuerySize(&mut query));
        paper.answer("gnttab_query_size", result);
        paper.kv(" status", query.status);
        paper.kv(" nr", query.nr_frames);
        paper.kv(" max", query.max_nr_frames);
        let (result, status) = setup_table(xen);
        paper.answer("gnttab_setup_table", result);
        paper.kv(" status", status);
        let gpfn = xen.alloc_frames(1).expect("the guest has memory");
        let result = add_to_physmap(xen, MapSpace::GrantTable, gpfn);
        paper.answer("map gnttab frame", result);
        self.ask_copies(xen, own, gpfn.gpa());
    }

    fn ask_copies(&self, xen: &mut dyn Hypercalls, own: DomId, table: Gpa) {
        let source = xen.alloc_frames(1).expect("the guest has memory");
        let dest = xen.alloc_frames(1).expect("the guest has memory");
        xen.write(source.gpa(), b"granted\0");
        grant(xen, table, 8, own, source, GTF_PERMIT_ACCESS | GTF_READONLY);
        let mut copy = GnttabCopy {
            source: from_ref(8),
            dest: CopyPtr::Frame {
                gfn: dest,
                domid: DomId::SELF,
                offset: 0,
            },
            len: 8,
            status: 0,
        };
        self.copy(xen, "gnttab_copy(self ref8)", &mut copy);
        assert_eq!(text(xen, dest.gpa()), "granted");
        copy.source = from_ref(9);
        self.copy(xen, "gnttab_copy(bad ref)", &mut copy);
        copy.source = from_ref(8);
        copy.len = 5000;
        self.copy(xen, "gnttab_copy(too long)", &mut copy);
        let flags = xen.load(entry(table, 8), Width::B2);
        self.paper.kv(" flags", flags);
    }

    fn copy(&self, xen: &mut dyn Hypercalls, question: &str, copy: &mut GnttabCopy) {
        let batch = std::slice::from_mut(copy);
        let result = xen.grant_table_op(GnttabOp::Copy(batch));
        self.paper.answer(question, result);
        self.paper.kv(" status", copy.status);
    }
}

impl Guest for Alone {
    fn run(&mut self, xen: &mut dyn Hypercalls, _wake: Wake) -> Block {
        let (result, shared) = map_shared_info(xen);
        self.paper.answer("map_shared_info", result);
        let own = self.ask_ports(xen, shared);
        self.ask_virq_and_ipi(xen);
        self.ask_grants(xen, own);
        Block::Shutdown(ShutdownReason::Reboot)
    }
}

fn from_ref(gref: u32) -> CopyPtr {
    CopyPtr::Ref {
        gref: GrantRef(gref),
        domid: DomId::SELF,
        offset: 0,
    }
}

fn ask_status(xen: &mut dyn Hypercalls, port: Port) -> (HypercallResult, EvtchnStatus) {
    let mut op = EvtchnOp::Status {
        dom: DomId::SELF,
        port,
        status: EvtchnStatus::Closed,
        vcpu: 0,
    };
    let result = xen.event_channel_op(&mut op);
    let EvtchnOp::Status { status, .. } = op else {
        unreachable!("an operation keeps its kind");
    };
    (result, status)
}

fn alloc_unbound(xen: &mut dyn Hypercalls) -> (HypercallResult, Port) {
    let mut op = EvtchnOp::AllocUnbound {
        dom: DomId::SELF,
        remote_dom: DomId::SELF,
        port: Port(0),
    };
    let result = xen.event_channel_op(&mut op);
    let EvtchnOp::AllocUnbound { port, .. } = op else {
        unreachable!("an operation keeps its kind");
    };
    (result, port)
}

fn bind_interdomain(xen: &mut dyn Hypercalls, remote_port: Port) -> (HypercallResult, Port) {
    let mut op = EvtchnOp::BindInterdomain {
        remote_dom: DomId::SELF,
        remote_port,
        local_port: Port(0),
    };
    let result = xen.event_channel_op(&mut op);
    let EvtchnOp::BindInterdomain { local_port, .. } = op else {
        unreachable!("an operation keeps its kind");
    };
    (result, local_port)
}

fn bind_timer(xen: &mut dyn Hypercalls) -> (HypercallResult, Port) {
    let mut op = EvtchnOp::BindVirq {
        virq: VIRQ_TIMER,
        vcpu: 0,
        port: Port(0),
    };
    let result = xen.event_channel_op(&mut op);
    let EvtchnOp::BindVirq { port, .. } = op else {
        unreachable!("an operation keeps its kind");
    };
    (result, port)
}

fn bind_ipi(xen: &mut dyn Hypercalls, vcpu: u32) -> (HypercallResult, Port) {
    let mut op = EvtchnOp::BindIpi {
        vcpu,
        port: Port(0),
    };
    let result = xen.event_channel_op(&mut op);
    let EvtchnOp::BindIpi { port, .. } = op else {
        unreachable!("an operation keeps its kind");
    };
    (result, port)
}
