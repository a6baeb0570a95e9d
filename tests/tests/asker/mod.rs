//! The guests that ask Xen: the bare-metal program behind `xen-answers/`, by its hypercalls.

mod alone;
mod pair;

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

use xen_abi::grant_table::{GNTTAB_RESERVED_XENSTORE, GnttabOp, GnttabSetupTable, GrantEntryV1};
use xen_abi::memory::{MapSpace, MemoryOp};
use xen_abi::shared_info::EVTCHN_PENDING;
use xen_abi::{DomId, Gfn, Gpa, HypercallResult, Hypercalls, Port, Width};

pub use alone::Alone;
pub use pair::{RoleA, RoleB};

/// Where a guest writes what it was answered.
#[derive(Clone, Default)]
pub struct Paper(Rc<RefCell<Vec<String>>>);

impl Paper {
    /// A line of text.
    pub fn say(&self, line: String) {
        self.0.borrow_mut().push(line);
    }
    /// A question and its answer.
    pub fn kv(&self, question: &str, answer: impl Display) {
        self.say(format!("T {question} = {answer}"));
    }
    /// A question and what the hypercall returned.
    pub fn answer(&self, question: &str, result: HypercallResult) {
        self.kv(question, code(result));
    }
    /// What was written.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// What stands in the register after a hypercall.
pub fn code(result: HypercallResult) -> i64 {
    match result {
        Ok(value) => value as i64,
        Err(errno) => errno.code(),
    }
}

/// Puts the shared page over a frame of one's own.
pub fn map_shared_info(xen: &mut dyn Hypercalls) -> (HypercallResult, Gpa) {
    let gpfn = xen.alloc_frames(1).expect("the guest has memory");
    let result = add_to_physmap(xen, MapSpace::SharedInfo, gpfn);
    (result, gpfn.gpa())
}

pub fn add_to_physmap(xen: &mut dyn Hypercalls, space: MapSpace, gpfn: Gfn) -> HypercallResult {
    xen.memory_op(&mut MemoryOp::AddToPhysmap {
        domid: DomId::SELF,
        space,
        idx: 0,
        gpfn,
    })
}

pub fn setup_table(xen: &mut dyn Hypercalls) -> (HypercallResult, i16) {
    let mut setup = GnttabSetupTable {
        dom: DomId::SELF,
        nr_frames: 1,
        status: 0,
    };
    let result = xen.grant_table_op(GnttabOp::SetupTable(&mut setup));
    (result, setup.status)
}

/// Whether a port is pending.
pub fn pending(xen: &mut dyn Hypercalls, shared: Gpa, port: Port) -> u64 {
    let word = xen.load(
        shared.add(EVTCHN_PENDING + u64::from(port.0) / 64 * 8),
        Width::B8,
    );
    word >> (port.0 % 64) & 1
}

/// The address of a grant entry.
pub fn entry(table: Gpa, gref: u64) -> Gpa {
    table.add(gref * size_of::<GrantEntryV1>() as u64)
}

/// Grants a frame: the frame and the domain first, the flags last.
pub fn grant(xen: &mut dyn Hypercalls, table: Gpa, gref: u64, to: DomId, frame: Gfn, flags: u16) {
    assert!(gref > u64::from(GNTTAB_RESERVED_XENSTORE.0));
    let at = entry(table, gref);
    xen.store(at.add(2), Width::B2, to.0.into());
    xen.store(at.add(4), Width::B4, frame.0);
    xen.store(at, Width::B2, flags.into());
}

/// The text in memory up to its NUL.
pub fn text(xen: &mut dyn Hypercalls, at: Gpa) -> String {
    let mut bytes = [0; 64];
    xen.read(at, &mut bytes);
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(64);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
