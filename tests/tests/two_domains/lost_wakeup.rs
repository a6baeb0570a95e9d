//! A guest whose last look at its rings before it halts is taken out: without a schedule nobody notices. With netback
//! forced to answer a full transmit ring just there, no event says that the ring has room again, and the guest sleeps
//! for ever. The whole guest passes on the same schedule.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use stack::api::SocketError;
use stack::kernel::own_stack;
use stack::os::{Os, UdpSocket, Unikernel, any};
use stack::stack::Stack;
use xen_abi::event_channel::EvtchnOp;
use xen_abi::grant_table::GnttabOp;
use xen_abi::hvm::HvmOp;
use xen_abi::io::ring::{RSP_EVENT, RSP_PROD};
use xen_abi::memory::MemoryOp;
use xen_abi::sched::SchedOp;
use xen_abi::vcpu::VcpuOp;
use xen_abi::version::VersionOp;
use xen_abi::{
    Block, DomId, Fuel, Gfn, Gpa, Guest, HypercallResult, Hypercalls, Instant, PAGE_SIZE, Rmw,
    Sink, Wake, Width,
};
use xenemu::actor::ActorKind;
use xenemu::config::{Action, DomainConfig, ForcedSwitch};
use xenemu::event::{Event, Tap};

use crate::bench::{SECOND, Seen, builtin_domain, config};

/// What a watched guest has done so far.
#[derive(Default)]
struct Watch {
    /// Calls made, as the machine numbers them.
    calls: u64,
    /// The calls in which it began a last look.
    last_looks: Vec<u64>,
    /// The producer index last shown of each ring.
    shown: BTreeMap<u64, u64>,
    /// The ring that is being looked at for the last time.
    looking: Option<u64>,
}

/// A guest whose calls are counted and, if it is blind, whose last looks show what it has seen before.
struct Watched {
    guest: Box<dyn Guest>,
    watch: Rc<RefCell<Watch>>,
    blind: bool,
}

impl Guest for Watched {
    fn run(&mut self, xen: &mut dyn Hypercalls, wake: Wake) -> Block {
        let mut calls = Calls {
            xen,
            watch: &mut self.watch.borrow_mut(),
            blind: self.blind,
        };
        self.guest.run(&mut calls, wake)
    }
}

struct Calls<'a> {
    xen: &'a mut dyn Hypercalls,
    watch: &'a mut Watch,
    blind: bool,
}

impl Calls<'_> {
    fn count(&mut self, calls: usize) -> &mut dyn Hypercalls {
        self.watch.calls += calls as u64;
        self.xen
    }
}

impl Hypercalls for Calls<'_> {
    fn event_channel_op(&mut self, op: &mut EvtchnOp) -> HypercallResult {
        self.count(1).event_channel_op(op)
    }
    fn grant_table_op(&mut self, op: GnttabOp<'_>) -> HypercallResult {
        self.count(1).grant_table_op(op)
    }
    fn memory_op(&mut self, op: &mut MemoryOp<'_>) -> HypercallResult {
        self.count(1).memory_op(op)
    }
    fn hvm_op(&mut self, op: &mut HvmOp) -> HypercallResult {
        self.count(1).hvm_op(op)
    }
    fn vcpu_op(&mut self, vcpu: u32, op: &mut VcpuOp) -> HypercallResult {
        self.count(1).vcpu_op(vcpu, op)
    }
    fn sched_op(&mut self, op: &mut SchedOp) -> HypercallResult {
        self.count(1).sched_op(op)
    }
    fn xen_version(&mut self, op: &mut VersionOp) -> HypercallResult {
        self.count(1).xen_version(op)
    }
    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> [u32; 4] {
        self.xen.cpuid(leaf, subleaf)
    }
    fn load(&mut self, at: Gpa, width: Width) -> u64 {
        let value = self.count(1).load(at, width);
        if at.offset() as u64 != RSP_PROD {
            return value;
        }
        let ring = at.frame().0;
        if self.watch.looking.take() == Some(ring) && self.blind {
            return self.watch.shown[&ring];
        }
        self.watch.shown.insert(ring, value);
        value
    }
    fn store(&mut self, at: Gpa, width: Width, value: u64) {
        self.count(1).store(at, width, value);
        // Only a front ring has a word there that its guest ever stores to.
        if at.offset() as u64 == RSP_EVENT && self.watch.shown.contains_key(&at.frame().0) {
            self.watch.looking = Some(at.frame().0);
            let call = self.watch.calls;
            self.watch.last_looks.push(call);
        }
    }
    fn rmw(&mut self, at: Gpa, width: Width, op: Rmw) -> u64 {
        self.count(1).rmw(at, width, op)
    }
    fn fence(&mut self) {
        self.xen.fence();
    }
    fn read(&mut self, at: Gpa, to: &mut [u8]) {
        self.count(to.len().div_ceil(64)).read(at, to);
    }
    fn write(&mut self, at: Gpa, from: &[u8]) {
        self.count(from.len().div_ceil(64)).write(at, from);
    }
    fn with_frame(&mut self, frame: Gfn, f: &mut dyn FnMut(&mut [u8; PAGE_SIZE])) {
        self.xen.with_frame(frame, f);
    }
    fn alloc_frames(&mut self, n: u32) -> Option<Gfn> {
        self.xen.alloc_frames(n)
    }
    fn free_frames(&mut self, first: Gfn, n: u32) {
        self.xen.free_frames(first, n);
    }
    fn reserve_gfns(&mut self, n: u32) -> Option<Gfn> {
        self.xen.reserve_gfns(n)
    }
    fn now(&mut self) -> Instant {
        self.count(1).now()
    }
    fn entropy(&mut self, to: &mut [u8]) {
        self.xen.entropy(to);
    }
    fn fuel(&self) -> Fuel {
        self.xen.fuel()
    }
}

const SOCKETS: usize = 24;
const DATAGRAMS: usize = 40;

/// Fills the transmit ring more than twice over in one run.
async fn flood(os: Os<Stack>) {
    if let Err(error) = send_all(&os).await {
        os.print(&error.to_string());
    }
}

async fn send_all(os: &Os<Stack>) -> Result<(), SocketError> {
    let server: IpAddr = "10.0.0.2".parse().expect("an address");
    // Afterwards the server's Ethernet address is known.
    os.ping(server, &[], SECOND)
        .await
        .map_err(|_| SocketError::EHOSTUNREACH)?;
    let sockets: Result<Vec<_>, _> = (0..SOCKETS).map(|_| UdpSocket::bind(os, any(0))).collect();
    let sockets = sockets?;
    for _ in 0..DATAGRAMS {
        for socket in &sockets {
            socket
                .send_to(&[0x5A; 32], SocketAddr::new(server, 9))
                .await?;
        }
    }
    os.stopping().await;
    Ok(())
}

/// How many frames the client got rid of, and the calls in which it began its last looks.
fn run(blind: bool, schedule: Vec<ForcedSwitch>) -> (usize, Vec<u64>) {
    let watch = Rc::new(RefCell::new(Watch::default()));
    let watched = watch.clone();
    let factory = Rc::new(move |_: &DomainConfig, sink: Rc<dyn Sink>| {
        let main = Box::new(|os| Box::pin(flood(os)) as _);
        Box::new(Watched {
            guest: Box::new(Unikernel::new(sink, Box::new(own_stack), main)),
            watch: watched.clone(),
            blind,
        }) as Box<dyn Guest>
    });
    let actions = vec![
        Action::Create(config("client", "10.0.0.9/24"), factory),
        builtin_domain("discard", "10.0.0.2/24"),
    ];
    let seen = Seen::run_scheduled(actions, schedule);
    let sent = seen.count(|event| match event {
        Event::FrameAt { tap, .. } => *tap == Tap::VifOut(DomId(1), 0),
        _ => false,
    });
    seen.tear_down();
    let looks = watch.borrow().last_looks.clone();
    (sent, looks)
}

/// Netback answers all that it can just before the last look that begins with this call.
fn before(call: u64) -> Vec<ForcedSwitch> {
    vec![ForcedSwitch {
        domain: "client".into(),
        call,
        actor: ActorKind::Netback,
        steps: 10_000,
    }]
}

/// The last looks of runs in which many frames were sent.
fn after_busy_runs(looks: &[u64]) -> Vec<u64> {
    let gaps = looks.windows(2).filter(|pair| pair[1] - pair[0] > 1000);
    gaps.map(|pair| pair[1]).collect()
}

#[test]
fn a_guest_without_a_last_look_loses_a_wakeup_on_a_schedule_that_a_whole_guest_survives() {
    let (all, looks) = run(true, Vec::new());
    assert!(all >= SOCKETS * DATAGRAMS, "without a schedule it passes");
    let busy = after_busy_runs(&looks);
    let lost = busy
        .into_iter()
        .find(|call| run(true, before(*call)).0 < all)
        .expect("some schedule shows the lost wake-up");
    assert_eq!(run(false, before(lost)).0, all);
}
