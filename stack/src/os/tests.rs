//! The kernel as a guest of a test that plays xenstored, the toolstack and the backend's states.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use xen_abi::hvm::{
    HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_PFN,
};
use xen_abi::io::console::{OUT, OUT_PROD, OUT_SIZE};
use xen_abi::io::xs_wire::{
    REQ, REQ_CONS, REQ_PROD, RING_SIZE, RSP, RSP_CONS, RSP_PROD, XsdSockmsg, xs,
};
use xen_abi::sched::ShutdownReason;
use xen_abi::start_info::{HvmStartInfo, START_MAGIC};
use xen_abi::{Block, Gpa, Guest, Hypercalls, Sink, Wake, Width};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::*;
use crate::dev::fake::FakeXen;
use crate::event::{Event, TimerKinds};

const STORE: Gpa = Gpa(0x10_0000);
const CONSOLE: Gpa = Gpa(0x10_1000);
const START_INFO: Gpa = Gpa(0x10_2000);
const CMDLINE: Gpa = Gpa(0x10_3FF0);
const HOME: &str = "/local/domain/1/";
const BACKEND: &str = "/local/domain/0/backend/vif/1/0";
const SECOND: u64 = 1_000_000_000;

#[derive(Default)]
struct Recorder(RefCell<Vec<Event>>);

impl Sink for Recorder {
    fn emit(&self, event: &[u8]) {
        self.0.borrow_mut().push(Event::decode(event).unwrap());
    }
}

/// A domain with one vif, and all around it.
struct Bench {
    xen: FakeXen,
    guest: Box<dyn Guest>,
    events: Rc<Recorder>,
    tree: BTreeMap<String, Vec<u8>>,
    watches: Vec<(String, String)>,
    requests: Vec<u8>,
    answers: Vec<u8>,
    /// How many commits shall still conflict.
    conflicts: u32,
    commits: u32,
}

impl Bench {
    fn new<F: Future<Output = ()> + 'static>(main: fn(Os<FramePort>) -> F) -> Bench {
        let mut xen = FakeXen::new();
        for page in [STORE, CONSOLE, START_INFO] {
            xen.write(page, &[0; 4096]);
        }
        xen.params = BTreeMap::from([
            (HVM_PARAM_STORE_PFN, STORE.frame().0),
            (HVM_PARAM_STORE_EVTCHN, 1),
            (HVM_PARAM_CONSOLE_PFN, CONSOLE.frame().0),
            (HVM_PARAM_CONSOLE_EVTCHN, 2),
        ]);
        let info = HvmStartInfo {
            magic: START_MAGIC,
            cmdline_paddr: CMDLINE.0,
            ..HvmStartInfo::new_zeroed()
        };
        xen.write(START_INFO, info.as_bytes());
        // The command line crosses a page.
        xen.write(CMDLINE, b"app=test x=12345");
        xen.write(CMDLINE.add(16), b"6789\0");
        let events = Rc::new(Recorder::default());
        let main: AppMain<FramePort> = Box::new(move |os| Box::pin(main(os)));
        let mut bench = Bench {
            xen,
            guest: Box::new(Unikernel::new(
                events.clone(),
                Box::new(FramePort::new),
                main,
            )),
            events,
            tree: BTreeMap::new(),
            watches: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            conflicts: 0,
            commits: 0,
        };
        bench.build_vif();
        bench
    }

    fn build_vif(&mut self) {
        for (node, value) in [
            ("device/vif/0/backend", BACKEND),
            ("device/vif/0/backend-id", "0"),
            ("device/vif/0/mac", "00:16:3e:00:00:01"),
            ("device/vif/0/ip", "10.0.0.2/24"),
            ("device/vif/0/state", "1"),
            ("/local/domain/0/backend/vif/1/0/state", "2"),
            ("/local/domain/0/backend/vif/1/0/online", "1"),
        ] {
            self.set(node, value);
        }
    }

    fn get(&self, path: &str) -> &str {
        let value = self.tree.get(&absolute(path));
        value.map_or("", |value| core::str::from_utf8(value).unwrap())
    }

    fn set(&mut self, path: &str, value: &str) {
        self.tree.insert(absolute(path), value.into());
        self.fire(&absolute(path));
    }

    fn fire(&mut self, path: &str) {
        for (watched, token) in self.watches.clone() {
            if path.starts_with(&absolute(&watched)) {
                let form = if watched.starts_with('/') {
                    path
                } else {
                    &path[HOME.len()..]
                };
                self.answer(xs::WATCH_EVENT, 0, &alloc::format!("{form}\0{token}\0"));
            }
        }
    }

    /// Runs the guest, and those around it, until it halts with nothing to hear.
    fn settle(&mut self, wake: Wake) -> Block {
        let mut wake = Some(wake);
        for _ in 0..500 {
            let block = self
                .guest
                .run(&mut self.xen, wake.take().unwrap_or(Wake::Running));
            let heard = self.serve() | self.follow_frontend();
            match block {
                Block::Halt if !heard && self.answers.is_empty() => return block,
                Block::Halt | Block::Yield => {}
                other => return other,
            }
        }
        panic!("the guest does not settle");
    }

    fn boot(&mut self) {
        let start_info = START_INFO;
        assert_eq!(self.settle(Wake::Boot { start_info }), Block::Halt);
    }

    /// The backend's part in the walk through the states.
    fn follow_frontend(&mut self) -> bool {
        let state = alloc::format!("{BACKEND}/state");
        let next = match (self.get("device/vif/0/state"), self.get(&state)) {
            ("4", "2") => "4",
            ("5", "4") => "5",
            ("6", "5") => "6",
            ("1", "6") => "2",
            _ => return false,
        };
        self.set(&state, next);
        true
    }

    fn serve(&mut self) -> bool {
        let mut heard = self.move_bytes();
        while let Ok((header, rest)) = XsdSockmsg::read_from_prefix(&self.requests) {
            let Some(payload) = rest.get(..header.len as usize).map(<[u8]>::to_vec) else {
                break;
            };
            self.requests.drain(..16 + payload.len());
            self.request(&header, &payload);
            heard = true;
        }
        self.move_bytes() || heard
    }

    fn move_bytes(&mut self) -> bool {
        let index = |xen: &mut FakeXen, at| xen.load(STORE.add(at), Width::B4) as u32;
        let (prod, mut cons) = (
            index(&mut self.xen, REQ_PROD),
            index(&mut self.xen, REQ_CONS),
        );
        let mut moved = prod != cons;
        while cons != prod {
            let at = STORE.add(REQ + u64::from(cons) % RING_SIZE);
            self.requests.push(self.xen.load(at, Width::B1) as u8);
            cons = cons.wrapping_add(1);
        }
        self.xen.store(STORE.add(REQ_CONS), Width::B4, cons.into());
        let (mut prod, cons) = (
            index(&mut self.xen, RSP_PROD),
            index(&mut self.xen, RSP_CONS),
        );
        while !self.answers.is_empty() && u64::from(prod.wrapping_sub(cons)) < RING_SIZE {
            let at = STORE.add(RSP + u64::from(prod) % RING_SIZE);
            let byte = self.answers.remove(0);
            self.xen.store(at, Width::B1, byte.into());
            prod = prod.wrapping_add(1);
            moved = true;
        }
        self.xen.store(STORE.add(RSP_PROD), Width::B4, prod.into());
        moved
    }

    fn answer(&mut self, kind: u32, req_id: u32, payload: &str) {
        let header = XsdSockmsg {
            kind,
            req_id,
            tx_id: 0,
            len: payload.len() as u32,
        };
        self.answers.extend(header.as_bytes());
        self.answers.extend(payload.as_bytes());
    }

    fn request(&mut self, header: &XsdSockmsg, payload: &[u8]) {
        let text = core::str::from_utf8(payload).unwrap();
        let (path, rest) = text.split_once('\0').unwrap();
        let node = absolute(path);
        let answer = match header.kind {
            xs::READ => self
                .tree
                .get(&node)
                .map(|v| String::from_utf8(v.clone()).unwrap())
                .ok_or("ENOENT"),
            xs::DIRECTORY => Ok(self.children(&node)),
            xs::WRITE => {
                self.set(path, rest);
                Ok("OK\0".into())
            }
            xs::TRANSACTION_START => Ok("17\0".into()),
            xs::TRANSACTION_END if path == "T" && self.conflicts > 0 => {
                self.conflicts -= 1;
                Err("EAGAIN")
            }
            xs::TRANSACTION_END => {
                self.commits += u32::from(path == "T");
                Ok("OK\0".into())
            }
            xs::WATCH => {
                let token = rest.trim_end_matches('\0').to_string();
                self.watches.push((path.to_string(), token.clone()));
                self.answer(xs::WATCH, header.req_id, "OK\0");
                self.answer(xs::WATCH_EVENT, 0, &alloc::format!("{path}\0{token}\0"));
                return;
            }
            xs::UNWATCH => {
                self.watches.retain(|(watched, _)| watched != path);
                Ok("OK\0".into())
            }
            _ => Err("ENOSYS"),
        };
        match answer {
            Ok(payload) => self.answer(header.kind, header.req_id, &payload),
            Err(name) => self.answer(xs::ERROR, header.req_id, &alloc::format!("{name}\0")),
        }
    }

    fn children(&self, node: &str) -> String {
        let below = alloc::format!("{node}/");
        let mut names: Vec<&str> = self
            .tree
            .keys()
            .filter_map(|path| path.strip_prefix(&below)?.split('/').next())
            .collect();
        names.dedup();
        names
            .iter()
            .map(|name| alloc::format!("{name}\0"))
            .collect()
    }

    fn console(&mut self) -> String {
        let len = self.xen.load(CONSOLE.add(OUT_PROD), Width::B4) as usize;
        let mut bytes = alloc::vec![0; len];
        self.xen.read(CONSOLE.add(OUT), &mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    fn sleep_until_timer(&mut self) {
        self.xen.clock = self.xen.timer.take().expect("a timer is armed");
    }
}

fn absolute(path: &str) -> String {
    match path.starts_with('/') {
        true => path.into(),
        false => alloc::format!("{HOME}{path}"),
    }
}

async fn hello(os: Os<FramePort>) {
    let address = os.address().unwrap();
    os.print(&alloc::format!("hello {address} {}", os.arg("x").unwrap()));
    os.stopping().await;
    os.print("goodbye");
}

#[test]
fn a_kernel_boots_connects_its_interface_and_starts_its_application() {
    let mut bench = Bench::new(hello);
    bench.boot();
    assert_eq!(bench.get("device/vif/0/state"), "4");
    assert_eq!(bench.get("device/vif/0/request-rx-copy"), "1");
    assert_eq!(bench.get("device/vif/0/tx-ring-ref"), "8");
    assert_eq!(bench.console(), "hello 10.0.0.2 123456789\n");
    let up = Event::InterfaceUp {
        mac: [0, 0x16, 0x3E, 0, 0, 1],
        addresses: alloc::vec!["10.0.0.2/24".into()],
    };
    assert_eq!(*bench.events.0.borrow(), [up]);
    assert_eq!(bench.commits, 1, "rings, port, features and state at once");
}

async fn where_am_i(os: Os<FramePort>) {
    os.print(&alloc::format!("{:?}", os.address().map(|a| a.to_string())));
}

#[test]
fn an_address_is_looked_for_in_the_backends_directory_where_the_frontends_has_none() {
    let mut bench = Bench::new(where_am_i);
    let backend_ip = alloc::format!("{BACKEND}/ip");
    // What our own directory says goes first.
    bench.set(&backend_ip, "10.0.0.7/24");
    bench.boot();
    assert_eq!(bench.console(), "Some(\"10.0.0.2\")\n");

    let mut bench = Bench::new(where_am_i);
    bench.tree.remove(&absolute("device/vif/0/ip"));
    bench.set(&backend_ip, "10.0.0.7/24");
    bench.boot();
    assert_eq!(bench.console(), "Some(\"10.0.0.7\")\n");

    // What is no address is told with its node.
    let mut bench = Bench::new(where_am_i);
    bench.tree.remove(&absolute("device/vif/0/ip"));
    bench.set(&backend_ip, "10.0.0.7/24");
    bench.set(&alloc::format!("{BACKEND}/gateway"), "nobody");
    bench.boot();
    let said = alloc::format!("vif 0: xenstore: {BACKEND}/gateway is \"nobody\"\n");
    assert_eq!(bench.console(), said);
}

#[test]
fn a_transaction_that_conflicts_is_tried_again() {
    let mut bench = Bench::new(hello);
    bench.conflicts = 3;
    bench.boot();
    assert_eq!(bench.get("device/vif/0/state"), "4");
    assert_eq!((bench.conflicts, bench.commits), (0, 1));
}

#[test]
fn a_shutdown_is_acknowledged_the_application_told_and_the_domain_powered_off() {
    let mut bench = Bench::new(hello);
    bench.boot();
    bench.set("control/shutdown", "poweroff");
    let block = bench.settle(Wake::Running);
    assert_eq!(block, Block::Shutdown(ShutdownReason::Poweroff));
    assert_eq!(bench.get("control/shutdown"), "");
    assert!(bench.console().ends_with("goodbye\n"));
}

async fn talker(os: Os<FramePort>) {
    for _ in 0..100 {
        os.print("a line of thirty-two characters");
    }
    os.poweroff();
}

#[test]
fn a_domain_that_powers_off_waits_for_its_last_output_but_not_for_ever() {
    let mut bench = Bench::new(talker);
    bench.boot();
    let written = bench.xen.load(CONSOLE.add(OUT_PROD), Width::B4);
    assert_eq!(written, OUT_SIZE, "the ring is full");
    bench.sleep_until_timer();
    let block = bench.settle(Wake::Running);
    assert_eq!(block, Block::Shutdown(ShutdownReason::Poweroff));
}

#[test]
fn a_reboot_is_a_reboot() {
    let mut bench = Bench::new(hello);
    bench.boot();
    bench.set("control/shutdown", "reboot");
    let block = bench.settle(Wake::Running);
    assert_eq!(block, Block::Shutdown(ShutdownReason::Reboot));
}

#[test]
fn a_backend_that_closes_is_followed_and_connected_to_again() {
    let mut bench = Bench::new(hello);
    bench.boot();
    let frames = bench.xen.allocated;
    bench.set(&alloc::format!("{BACKEND}/state"), "5");
    bench.settle(Wake::Running);
    assert_eq!(bench.get("device/vif/0/state"), "4");
    assert_eq!(bench.xen.closed.len(), 1, "the first connection's port");
    assert_eq!(bench.xen.allocated, frames, "its frames came back");
    assert_eq!(bench.events.0.borrow().len(), 2, "up twice");
}

#[test]
fn a_device_that_is_detached_is_closed_for_good() {
    let mut bench = Bench::new(hello);
    bench.boot();
    bench.set(&alloc::format!("{BACKEND}/online"), "0");
    bench.set(&alloc::format!("{BACKEND}/state"), "5");
    bench.settle(Wake::Running);
    assert_eq!(bench.get("device/vif/0/state"), "6");
    assert_eq!(bench.xen.allocated, 0);
}

#[test]
fn after_a_suspend_every_frontend_connects_again() {
    let mut bench = Bench::new(hello);
    bench.boot();
    bench.set("control/shutdown", "suspend");
    assert_eq!(bench.settle(Wake::Running), Block::Suspend);
    assert_eq!(
        bench.settle(Wake::Resumed { cancelled: true }),
        Block::Halt,
        "cancelled: all is as before"
    );
    assert_eq!(bench.commits, 2, "the interface, and the acknowledgement");

    bench.set("control/shutdown", "suspend");
    assert_eq!(bench.settle(Wake::Running), Block::Suspend);
    bench.watches.clear();
    bench.build_vif();
    bench.xen.write(STORE, &[0; 4096]);
    let resumed = bench.settle(Wake::Resumed { cancelled: false });
    assert_eq!(resumed, Block::Halt);
    assert_eq!(bench.get("device/vif/0/state"), "4");
    assert_eq!(bench.events.0.borrow().len(), 2, "up twice");
}

async fn sleeper(os: Os<FramePort>) {
    os.sleep(SECOND).await;
    os.print("awake");
    let idle = os.sleep_as(SECOND, TimerKinds::SERVER_IDLE);
    let limit = os.timeout(SECOND / 2, TimerKinds::FINISH, idle).await;
    os.print(&alloc::format!("{limit:?}"));
}

#[test]
fn a_sleep_arms_the_timer_and_is_reported_by_its_kind() {
    let mut bench = Bench::new(sleeper);
    bench.boot();
    assert_eq!(bench.xen.timer, Some(bench.xen.clock.plus(SECOND)));
    bench.sleep_until_timer();
    bench.settle(Wake::Running);
    assert_eq!(bench.console(), "awake\n");
    bench.sleep_until_timer();
    bench.settle(Wake::Running);
    assert_eq!(bench.console(), "awake\nErr(TimedOut)\n");
    assert_eq!(bench.xen.timer, None);
    let kinds: Vec<u8> = bench.events.0.borrow()[1..]
        .iter()
        .map(|event| match event {
            Event::Timers { kinds } => *kinds,
            other => panic!("{other:?}"),
        })
        .collect();
    let both = TimerKinds::FINISH | TimerKinds::SERVER_IDLE;
    assert_eq!(kinds, [TimerKinds::FINISH.bits(), both.bits(), 0]);
}

async fn busy(os: Os<FramePort>) {
    loop {
        os.yield_now().await;
    }
}

#[test]
fn a_task_that_is_always_ready_makes_the_kernel_yield_not_hang() {
    let mut bench = Bench::new(busy);
    let start_info = START_INFO;
    let mut wake = Wake::Boot { start_info };
    for _ in 0..100 {
        bench.guest.run(&mut bench.xen, wake);
        wake = Wake::Running;
        bench.serve();
        bench.follow_frontend();
    }
    assert_eq!(bench.guest.run(&mut bench.xen, wake), Block::Yield);
}

#[test]
fn what_is_not_xen_is_not_booted() {
    let mut bench = Bench::new(hello);
    bench.xen.write(START_INFO, &[1]);
    let start_info = START_INFO;
    let block = bench.guest.run(&mut bench.xen, Wake::Boot { start_info });
    assert_eq!(block, Block::Shutdown(ShutdownReason::Crash));
}
