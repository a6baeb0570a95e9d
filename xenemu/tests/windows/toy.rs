//! A guest that does a little of everything, at random: timers, events to its peer, console, store, yields, a panic.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use xen_abi::event_channel::{EvtchnOp, VIRQ_TIMER};
use xen_abi::hvm::{
    HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_PFN,
    HvmOp,
};
use xen_abi::io::{console, xs_wire};
use xen_abi::memory::{MapSpace, MemoryOp};
use xen_abi::sched::ShutdownReason;
use xen_abi::shared_info::{EVTCHN_PENDING, VCPU_EVTCHN_PENDING_SEL, VCPU_EVTCHN_UPCALL_PENDING};
use xen_abi::vcpu::VcpuOp;
use xen_abi::{Block, DomId, Gfn, Gpa, Guest, Hypercalls, Port, Rmw, Wake, Width};

/// The port that every toy offers: the first after store, console and timer.
const OFFERED: Port = Port(4);

/// The guest.
pub struct Toy {
    peer: DomId,
    dice: ChaCha8Rng,
    shared: Gpa,
    console: (Gpa, Port),
    store: (Gpa, Port),
    peer_port: Option<Port>,
    runs: u32,
}

impl Toy {
    /// Talks to the domain with number `peer`.
    pub fn new(peer: u16) -> Toy {
        Toy {
            peer: DomId(peer),
            dice: ChaCha8Rng::seed_from_u64(0),
            shared: Gpa(0),
            console: (Gpa(0), Port(0)),
            store: (Gpa(0), Port(0)),
            peer_port: None,
            runs: 0,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice.next_u64() % sides
    }

    fn boot(&mut self, xen: &mut dyn Hypercalls) {
        let mut seed = [0; 32];
        xen.entropy(&mut seed);
        self.dice = ChaCha8Rng::from_seed(seed);
        let gpfn = xen.reserve_gfns(1).expect("there are holes");
        let mapped = xen.memory_op(&mut MemoryOp::AddToPhysmap {
            domid: DomId::SELF,
            space: MapSpace::SharedInfo,
            idx: 0,
            gpfn,
        });
        assert_eq!(mapped, Ok(0));
        self.shared = gpfn.gpa();
        let page = |xen: &mut dyn Hypercalls, pfn, evtchn| {
            let page = Gfn(param(xen, pfn)).gpa();
            (page, Port(param(xen, evtchn) as u32))
        };
        self.console = page(xen, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN);
        self.store = page(xen, HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN);
        let bound = xen.event_channel_op(&mut EvtchnOp::BindVirq {
            virq: VIRQ_TIMER,
            vcpu: 0,
            port: Port(0),
        });
        assert_eq!(bound, Ok(0));
        let offered = xen.event_channel_op(&mut EvtchnOp::AllocUnbound {
            dom: DomId::SELF,
            remote_dom: self.peer,
            port: Port(0),
        });
        assert_eq!(offered, Ok(0));
    }

    fn take_events(&self, xen: &mut dyn Hypercalls) {
        let upcall = self.shared.add(VCPU_EVTCHN_UPCALL_PENDING);
        xen.store(upcall, Width::B1, 0);
        let sel = self.shared.add(VCPU_EVTCHN_PENDING_SEL);
        xen.rmw(sel, Width::B8, Rmw::Swap(0));
        let pending = self.shared.add(EVTCHN_PENDING);
        xen.rmw(pending, Width::B8, Rmw::Swap(0));
    }

    fn talk_to_peer(&mut self, xen: &mut dyn Hypercalls) {
        if let Some(port) = self.peer_port {
            // The peer may be gone.
            let _ = xen.event_channel_op(&mut EvtchnOp::Send { port });
            return;
        }
        let mut bind = EvtchnOp::BindInterdomain {
            remote_dom: self.peer,
            remote_port: OFFERED,
            local_port: Port(0),
        };
        if xen.event_channel_op(&mut bind).is_ok()
            && let EvtchnOp::BindInterdomain { local_port, .. } = bind
        {
            self.peer_port = Some(local_port);
        }
    }

    fn print(&mut self, xen: &mut dyn Hypercalls) {
        let (page, port) = self.console;
        let prod = xen.load(page.add(console::OUT_PROD), Width::B4) as u32;
        let cons = xen.load(page.add(console::OUT_CONS), Width::B4) as u32;
        if prod.wrapping_sub(cons) < console::OUT_SIZE as u32 {
            let at = u64::from(prod) & (console::OUT_SIZE - 1);
            let byte = if self.roll(3) == 0 { b'\n' } else { b'.' };
            xen.store(page.add(console::OUT + at), Width::B1, byte.into());
            let prod = prod.wrapping_add(1).into();
            xen.store(page.add(console::OUT_PROD), Width::B4, prod);
            assert_eq!(xen.event_channel_op(&mut EvtchnOp::Send { port }), Ok(0));
        }
    }

    /// Asks for `data/x`, byte by byte, and throws away what is answered.
    fn ask_store(&mut self, xen: &mut dyn Hypercalls) {
        let (page, port) = self.store;
        let answered = xen.load(page.add(xs_wire::RSP_PROD), Width::B4);
        xen.store(page.add(xs_wire::RSP_CONS), Width::B4, answered);
        let mut request = Vec::new();
        for word in [xs_wire::xs::READ, 7, 0, 7] {
            request.extend_from_slice(&word.to_le_bytes());
        }
        request.extend_from_slice(b"data/x\0");
        let mut prod = xen.load(page.add(xs_wire::REQ_PROD), Width::B4) as u32;
        let cons = xen.load(page.add(xs_wire::REQ_CONS), Width::B4) as u32;
        if prod.wrapping_sub(cons) < 512 {
            for byte in request {
                let at = u64::from(prod) & (xs_wire::RING_SIZE - 1);
                xen.store(page.add(xs_wire::REQ + at), Width::B1, byte.into());
                prod = prod.wrapping_add(1);
                xen.store(page.add(xs_wire::REQ_PROD), Width::B4, prod.into());
            }
        }
        assert_eq!(xen.event_channel_op(&mut EvtchnOp::Send { port }), Ok(0));
    }

    fn arm_timer(&mut self, xen: &mut dyn Hypercalls) {
        let span = [2_000, 100_000, 3_000_000][self.roll(3) as usize];
        let timeout_abs = xen.now().plus(self.roll(span));
        let future = self.roll(2) == 0;
        // A time in the past is refused if it was to lie in the future.
        let _ = xen.vcpu_op(
            0,
            &mut VcpuOp::SetSingleshotTimer {
                timeout_abs,
                future,
            },
        );
    }
}

impl Guest for Toy {
    fn run(&mut self, xen: &mut dyn Hypercalls, wake: Wake) -> Block {
        if matches!(wake, Wake::Boot { .. }) {
            self.boot(xen);
        }
        self.runs += 1;
        self.take_events(xen);
        for _ in 0..self.roll(5) {
            match self.roll(6) {
                0 | 1 => self.talk_to_peer(xen),
                2 => self.print(xen),
                3 => self.ask_store(xen),
                4 => xen.fuel().burn(self.roll(20_000)),
                _ => {
                    xen.now();
                }
            }
        }
        self.arm_timer(xen);
        match self.roll(200) {
            0 => panic!("a toy breaks"),
            1 => Block::Shutdown(ShutdownReason::Poweroff),
            2 => Block::Suspend,
            3..20 => Block::Yield,
            _ => Block::Halt,
        }
    }
}

fn param(xen: &mut dyn Hypercalls, index: u32) -> u64 {
    let mut op = HvmOp::GetParam {
        domid: DomId::SELF,
        index,
        value: 0,
    };
    assert_eq!(xen.hvm_op(&mut op), Ok(0));
    let HvmOp::GetParam { value, .. } = op else {
        unreachable!("an operation keeps its kind");
    };
    value
}
