//! What a machine promises: time, crashes, schedules, boots, power failures, and that everything is given back.

use std::cell::RefCell;
use std::rc::Rc;

use xen_abi::event_channel::{EvtchnOp, VIRQ_TIMER};
use xen_abi::grant_table::GNTTAB_RESERVED_XENSTORE;
use xen_abi::hvm::{HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN, HvmOp};
use xen_abi::io::console;
use xen_abi::memory::{MapSpace, MemoryOp};
use xen_abi::shared_info::{VCPU_EVTCHN_UPCALL_PENDING, VCPU_TIME_SYSTEM_TIME, WC_SEC};
use xen_abi::start_info::{HvmModlistEntry, HvmStartInfo, START_MAGIC};
use xen_abi::vcpu::VcpuOp;
use xen_abi::{Block, DomId, Gfn, Gpa, Guest, Hypercalls, Port, Wake, Width};
use zerocopy::FromBytes;

use super::*;
use crate::config::{Costs, ForcedSwitch, OnExit};
use crate::event::Life;
use crate::inspect::{DomainState, LeakReport};
use crate::start_info::Module;

/// A guest that is one function, called with how often it ran before.
struct FnGuest<F>(F, u32);

impl<F: FnMut(&mut dyn Hypercalls, Wake, u32) -> Block> Guest for FnGuest<F> {
    fn run(&mut self, xen: &mut dyn Hypercalls, wake: Wake) -> Block {
        self.1 += 1;
        (self.0)(xen, wake, self.1 - 1)
    }
}

/// What guests write down for the test.
type Notes<T> = Rc<RefCell<Vec<T>>>;

fn config(schedule: Vec<ForcedSwitch>) -> MachineConfig {
    MachineConfig {
        name: "m".into(),
        origin: 3,
        seed: 1,
        boot: 0,
        epoch_secs: 1_405_036_800,
        uplinks: 1,
        started: Time(0),
        first_frame: 0,
        first_seq: 0,
        costs: Costs::default(),
        schedule,
    }
}

fn domain(name: &str) -> DomainConfig {
    DomainConfig {
        name: name.into(),
        memory_kib: 1024,
        cmdline: "app=test".into(),
        modules: vec![],
        vifs: vec![],
        xenstore: vec![],
        on_poweroff: OnExit::Destroy,
        on_reboot: OnExit::Restart,
        on_crash: OnExit::Preserve,
        fuel: 1_000_000,
        counted: false,
    }
}

fn factory<F>(run: F) -> GuestFactory
where
    F: FnMut(&mut dyn Hypercalls, Wake, u32) -> Block + Clone + 'static,
{
    Rc::new(move |_, _| Box::new(FnGuest(run.clone(), 0)))
}

fn machine_with<F>(config: MachineConfig, domain: DomainConfig, run: F) -> Machine
where
    F: FnMut(&mut dyn Hypercalls, Wake, u32) -> Block + Clone + 'static,
{
    let mut machine = Machine::new(config);
    let create = Action::Create(domain, factory(run));
    machine.act(Time::ZERO, create).unwrap();
    machine
}

fn machine<F>(run: F) -> Machine
where
    F: FnMut(&mut dyn Hypercalls, Wake, u32) -> Block + Clone + 'static,
{
    machine_with(config(vec![]), domain("g"), run)
}

fn events(machine: &mut Machine) -> Vec<(Time, Event)> {
    let mut records = vec![];
    machine.drain_events(Time::MAX, &mut records);
    records
        .into_iter()
        .map(|record| (record.at, Event::decode(&record.payload).unwrap()))
        .collect()
}

fn lives(machine: &mut Machine) -> Vec<Life> {
    events(machine)
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Life { life, .. } => Some(life),
            _ => None,
        })
        .collect()
}

fn state(machine: &Machine) -> Vec<DomainState> {
    machine.domains().iter().map(|info| info.state).collect()
}

const SECOND: Time = Time(1_000_000_000);

#[test]
fn a_guest_that_halts_with_nothing_pending_is_blocked_and_the_machine_idle() {
    let mut machine = machine(|_, _, _| Block::Halt);
    machine.run_until(SECOND);
    assert_eq!(state(&machine), [DomainState::Blocked]);
    assert_eq!(machine.domains()[0].runs, 1);
    let last = events(&mut machine).pop().unwrap().1;
    assert_eq!(last, Event::Idle);
    assert_eq!(machine.next_event(), None);
    assert_eq!(machine.destroy_all(), LeakReport::default());
}

#[test]
fn a_panic_is_a_crash_of_the_domain_and_of_nothing_else() {
    let mut machine = machine(|_, _, _| panic!("oh no"));
    let neighbour = Action::Create(domain("n"), factory(|_, _, _| Block::Halt));
    machine.act(Time::ZERO, neighbour).unwrap();
    machine.run_until(SECOND);
    assert_eq!(
        state(&machine),
        [DomainState::Crashed, DomainState::Blocked]
    );
    assert!(machine.crash_text("g").unwrap().starts_with("oh no ("));
    let krate = "xenemu".to_owned();
    assert!(lives(&mut machine).contains(&Life::Crashed { krate }));
    assert_eq!(machine.destroy_all(), LeakReport::default());
}

#[test]
fn a_bad_address_is_a_page_fault_of_the_guest() {
    let mut machine = machine(|xen, _, _| {
        xen.load(Gfn(0xF_0000).gpa(), Width::B4);
        Block::Halt
    });
    machine.run_until(SECOND);
    assert_eq!(state(&machine), [DomainState::Crashed]);
    assert!(machine.crash_text("g").unwrap().starts_with("page fault"));
    assert_eq!(machine.internal_error(), None);
}

#[test]
fn a_guest_that_burns_all_its_fuel_is_stuck_and_stays_in_the_list() {
    let mut machine = machine(|xen, _, _| {
        loop {
            xen.fuel().burn(1);
        }
    });
    machine.run_until(SECOND);
    assert_eq!(state(&machine), [DomainState::Stuck]);
    let stuck = Life::Stuck { frame: None };
    assert!(lives(&mut machine).contains(&stuck));
    machine.act(SECOND, Action::Destroy("g".into())).unwrap();
    machine.run_until(Time(2_000_000_000));
    assert_eq!(machine.domains(), []);
}

#[test]
fn a_guest_that_yields_for_ever_is_stuck() {
    let mut machine = machine(|_, _, _| Block::Yield);
    machine.run_until(SECOND);
    assert_eq!(state(&machine), [DomainState::Stuck]);
    assert_eq!(machine.domains()[0].runs, 257);
}

#[test]
fn a_crashed_domain_is_restarted_two_seconds_later_and_draws_other_randomness() {
    let drawn = Notes::default();
    let notes = drawn.clone();
    let mut config_again = domain("g");
    config_again.on_crash = OnExit::Restart;
    let mut machine = machine_with(config(vec![]), config_again, move |xen, _, _| {
        let mut bytes = [0; 8];
        xen.entropy(&mut bytes);
        notes.borrow_mut().push(bytes);
        if notes.borrow().len() == 1 {
            panic!("the first time");
        }
        Block::Halt
    });
    machine.run_until(Time(3_000_000_000));
    assert_eq!(machine.domains()[0].domid, DomId(2));
    assert!(lives(&mut machine).contains(&Life::Rebooted { as_domid: 2 }));
    let drawn = drawn.borrow();
    assert_eq!(drawn.len(), 2);
    assert_ne!(drawn[0], drawn[1]);
    assert_eq!(machine.destroy_all(), LeakReport::default());
}

#[test]
fn a_suspend_is_cancelled() {
    let wakes = Notes::default();
    let notes = wakes.clone();
    let mut machine = machine(move |_, wake, run| {
        notes.borrow_mut().push(wake);
        if run == 0 {
            Block::Suspend
        } else {
            Block::Halt
        }
    });
    machine.run_until(SECOND);
    let resumed = Wake::Resumed { cancelled: true };
    assert_eq!(wakes.borrow()[1..], [resumed]);
    assert_eq!(state(&machine), [DomainState::Blocked]);
}

#[test]
fn a_paused_guest_does_not_run() {
    let mut machine = machine(|_, _, _| Block::Halt);
    machine.act(Time::ZERO, Action::Pause("g".into())).unwrap();
    machine.run_until(SECOND);
    assert_eq!(state(&machine), [DomainState::Paused]);
    assert_eq!(machine.domains()[0].runs, 0);
    machine.act(SECOND, Action::Unpause("g".into())).unwrap();
    machine.run_until(Time(2_000_000_000));
    assert_eq!(machine.domains()[0].runs, 1);
}

#[test]
fn names_are_unique_and_unknown_ones_refused() {
    let mut machine = machine(|_, _, _| Block::Halt);
    let again = Action::Create(domain("g"), factory(|_, _, _| Block::Halt));
    let taken = machine.act(Time::ZERO, again);
    assert_eq!(taken, Err(ActionError::NameTaken("g".into())));
    let nobody = machine.act(Time::ZERO, Action::Destroy("x".into()));
    assert_eq!(nobody, Err(ActionError::NoSuchDomain("x".into())));
    let mut huge = domain("huge");
    huge.memory_kib = 1 << 40;
    let refused = machine.act(
        Time::ZERO,
        Action::Create(huge, factory(|_, _, _| Block::Halt)),
    );
    assert_eq!(refused, Err(ActionError::Memory(1 << 40)));
}

#[test]
fn a_domain_that_cannot_be_built_leaves_nothing_behind() {
    let mut machine = Machine::new(config(vec![]));
    let mut full = domain("full");
    let bytes = vec![1; 2 << 20].into();
    full.modules.push(Module {
        cmdline: String::new(),
        bytes,
    });
    let mut odd = domain("odd");
    odd.xenstore.push(("a//b".into(), vec![]));
    for config in [full, odd] {
        let create = Action::Create(config, factory(|_, _, _| Block::Halt));
        assert!(machine.act(Time::ZERO, create).is_err());
    }
    assert_eq!(machine.destroy_all(), LeakReport::default());
}

#[test]
fn a_guest_finds_its_command_line_and_modules() {
    let mut with_module = domain("g");
    with_module.modules.push(Module {
        cmdline: "site".into(),
        bytes: b"pages".as_slice().into(),
    });
    let mut machine = machine_with(config(vec![]), with_module, |xen, wake, _| {
        let Wake::Boot { start_info } = wake else {
            panic!("it boots first");
        };
        let info: HvmStartInfo = read(xen, start_info);
        assert_eq!((info.magic, info.nr_modules), (START_MAGIC, 1));
        assert_eq!(text(xen, Gpa(info.cmdline_paddr)), "app=test");
        let module: HvmModlistEntry = read(xen, Gpa(info.modlist_paddr));
        assert_eq!(module.size, 5);
        assert_eq!(text(xen, Gpa(module.paddr)), "pages");
        assert_eq!(text(xen, Gpa(module.cmdline_paddr)), "site");
        Block::Halt
    });
    machine.run_until(SECOND);
    assert_eq!(machine.crash_text("g"), None);
}

fn read<T: FromBytes>(xen: &mut dyn Hypercalls, at: Gpa) -> T {
    let mut bytes = vec![0; size_of::<T>()];
    xen.read(at, &mut bytes);
    T::read_from_bytes(&bytes).unwrap()
}

fn text(xen: &mut dyn Hypercalls, at: Gpa) -> String {
    let mut bytes = [0; 16];
    xen.read(at, &mut bytes);
    let end = bytes.iter().position(|&b| b == 0).unwrap();
    String::from_utf8(bytes[..end].to_vec()).unwrap()
}

fn map_shared(xen: &mut dyn Hypercalls) -> Gpa {
    let gpfn = xen.reserve_gfns(1).unwrap();
    let mapped = xen.memory_op(&mut MemoryOp::AddToPhysmap {
        domid: DomId::SELF,
        space: MapSpace::SharedInfo,
        idx: 0,
        gpfn,
    });
    assert_eq!(mapped, Ok(0));
    gpfn.gpa()
}

#[test]
fn clocks_agree_and_advance_within_a_run() {
    let mut machine = machine(|xen, _, _| {
        let shared = map_shared(xen);
        let (first, second) = (xen.now(), xen.now());
        assert!(first < second);
        let system_time = xen.load(shared.add(VCPU_TIME_SYSTEM_TIME), Width::B8);
        assert!((1..1000).contains(&(first.0 - system_time)));
        assert!(first.0 >= UPTIME_MIN_NS);
        let base = xen.load(shared.add(WC_SEC), Width::B4);
        let wall = base + first.0 / 1_000_000_000;
        assert!((1_405_036_798..=1_405_036_800).contains(&wall));
        Block::Halt
    });
    machine.run_until(SECOND);
    assert_eq!(machine.crash_text("g"), None);
}

#[test]
fn a_timer_wakes_a_halted_guest_at_its_time() {
    let mut machine = machine(|xen, _, run| {
        if run == 0 {
            let bound = xen.event_channel_op(&mut EvtchnOp::BindVirq {
                virq: VIRQ_TIMER,
                vcpu: 0,
                port: Port(0),
            });
            assert_eq!(bound, Ok(0));
            let timeout_abs = xen.now().plus(40_000_000);
            let armed = xen.vcpu_op(
                0,
                &mut VcpuOp::SetSingleshotTimer {
                    timeout_abs,
                    future: true,
                },
            );
            assert_eq!(armed, Ok(0));
        } else {
            let shared = map_shared(xen);
            xen.store(shared.add(VCPU_EVTCHN_UPCALL_PENDING), Width::B1, 0);
        }
        Block::Halt
    });
    machine.run_until(SECOND);
    let runs: Vec<_> = events(&mut machine)
        .into_iter()
        .filter_map(|(at, event)| matches!(event, Event::Run { .. }).then_some(at.0))
        .collect();
    assert_eq!(runs.len(), 2);
    assert!((40_000_000..40_100_000).contains(&runs[1]), "{runs:?}");
}

#[test]
fn a_run_costs_the_same_whatever_the_guest_does_unless_it_is_counted() {
    let idle_at = |counted, fuel| {
        let mut with_cost = domain("g");
        with_cost.counted = counted;
        let mut machine = machine_with(config(vec![]), with_cost, move |xen, _, _| {
            xen.fuel().burn(fuel);
            xen.now();
            Block::Halt
        });
        machine.run_until(SECOND);
        events(&mut machine).pop().unwrap().0.0
    };
    assert_eq!(idle_at(false, 0), idle_at(false, 50_000));
    assert_eq!(idle_at(true, 50_000) - idle_at(true, 10_000), 40_000);
}

/// Prints a byte; answers how far the daemon had read before and after.
fn print(xen: &mut dyn Hypercalls) -> (u64, u64) {
    let mut param = |index| {
        let mut op = HvmOp::GetParam {
            domid: DomId::SELF,
            index,
            value: 0,
        };
        assert_eq!(xen.hvm_op(&mut op), Ok(0));
        match op {
            HvmOp::GetParam { value, .. } => value,
            _ => unreachable!("an operation keeps its kind"),
        }
    };
    let page = Gfn(param(HVM_PARAM_CONSOLE_PFN)).gpa();
    let port = Port(param(HVM_PARAM_CONSOLE_EVTCHN) as u32);
    let before = xen.load(page.add(console::OUT_CONS), Width::B4);
    xen.store(page.add(console::OUT), Width::B1, b'!'.into());
    xen.store(page.add(console::OUT_PROD), Width::B4, 1);
    assert_eq!(xen.event_channel_op(&mut EvtchnOp::Send { port }), Ok(0));
    let after = xen.load(page.add(console::OUT_CONS), Width::B4);
    (before, after)
}

fn printed_inside(schedule: Vec<ForcedSwitch>) -> (u64, u64) {
    let notes = Notes::default();
    let seen = notes.clone();
    let mut machine = machine_with(config(schedule), domain("g"), move |xen, _, run| {
        if run == 0 {
            seen.borrow_mut().push(print(xen));
        }
        Block::Halt
    });
    machine.run_until(SECOND);
    assert_eq!(machine.destroy_all(), LeakReport::default());
    assert_eq!(machine.console("g").collect::<Vec<_>>(), ["!"]);
    notes.borrow()[0]
}

#[test]
fn nothing_acts_inside_a_run_but_what_the_schedule_forces_there() {
    assert_eq!(printed_inside(vec![]), (0, 0));
    let switch = ForcedSwitch {
        domain: "g".into(),
        call: 7,
        actor: ActorKind::Xenconsoled,
        // The daemon was woken when it was bound, and again by the event.
        steps: 2,
    };
    assert_eq!(printed_inside(vec![switch]), (0, 1));
}

#[test]
fn a_console_with_bad_indices_is_disconnected_alone() {
    let mut machine = machine(|xen, _, run| {
        if run == 0 {
            print(xen);
            let console = crate::physmap::CONSOLE_GFN.gpa();
            xen.store(console.add(console::OUT_PROD), Width::B4, 0x8000_0000);
        }
        Block::Halt
    });
    machine.run_until(SECOND);
    let gone = events(&mut machine)
        .into_iter()
        .any(|(_, event)| matches!(event, Event::Disconnected { .. }));
    assert!(gone);
    assert_eq!(state(&machine), [DomainState::Blocked]);
    assert_eq!(machine.destroy_all(), LeakReport::default());
}

fn frame(n: u64) -> Frame {
    Frame {
        id: FrameId { origin: 9, n },
        bytes: vec![0; 60].into(),
    }
}

#[test]
fn a_power_failure_undoes_what_was_stamped_later_and_kills_what_had_arrived() {
    let mut machine = machine(|_, _, _| Block::Halt);
    machine.receive(Time(700), UplinkId(0), 0, frame(1));
    machine.run_until(Time(500));
    assert!(machine.now() > Time(700), "a run overshot");
    machine.receive(Time(500), UplinkId(0), 1, frame(2));
    let stamped_before = {
        let mut records = vec![];
        machine.drain_events(Time(500), &mut records);
        records.last().unwrap().seq
    };
    let off = machine.power_fail(Time(500));
    assert_eq!(off.events, []);
    assert_eq!(off.next_seq, stamped_before + 1);
    assert_eq!(off.frames_lost, [frame(2).id, frame(1).id]);
}

#[test]
#[should_panic(expected = "a frame comes too late")]
fn nothing_comes_before_the_last_windows_end() {
    let mut machine = Machine::new(config(vec![]));
    machine.run_until(Time(10));
    machine.receive(Time(9), UplinkId(0), 0, frame(1));
}

#[test]
fn what_dom0_forgets_to_give_back_is_counted() {
    let mut machine = machine(|_, _, _| Block::Halt);
    machine.run_until(SECOND);
    let [info] = &machine.domains()[..] else {
        panic!("one domain was created");
    };
    let hv = &mut machine.host.hv;
    let mapped = hv.map_page(DomId(0), info.domid, GNTTAB_RESERVED_XENSTORE, true);
    assert!(mapped.is_ok(), "dom0 may map it");
    let leaks = machine.destroy_all();
    assert_eq!((leaks.maps, leaks.grants), (1, 1));
    assert!(leaks.pages > 0, "the page is held");
    assert_eq!(state(&machine), [DomainState::Dying], "a zombie");
}
