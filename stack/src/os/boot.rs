//! Boot as a PVH guest: from `hvm_start_info` to a machine with events, grants, a xenstore ring and a console.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use thiserror::Error;
use xen_abi::event_channel::VIRQ_TIMER;
use xen_abi::hvm::{
    HVM_PARAM_CALLBACK_IRQ, HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN,
    HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_PFN, HvmOp,
};
use xen_abi::memory::{MapSpace, MemoryOp};
use xen_abi::shared_info::{WC_NSEC, WC_SEC, WC_SEC_HI, WC_VERSION};
use xen_abi::start_info::{HvmModlistEntry, HvmStartInfo, START_MAGIC};
use xen_abi::{DomId, Errno, Gfn, Gpa, Hypercalls, Port, Width};
use zerocopy::{FromZeros, IntoBytes};

use super::shared::WallClock;
use crate::dev::console::Console;
use crate::dev::evtchn::EventChannels;
use crate::dev::gnttab::{GrantError, GrantTable};
use crate::dev::xenbus::Xenbus;

/// Longest string that we read of the start info.
const LONGEST_STRING: usize = 4096;
/// Most modules, and most bytes in one.
const MOST_MODULES: u32 = 64;
const LARGEST_MODULE: u64 = 256 * 1024 * 1024;
/// `HVM_PARAM_CALLBACK_TYPE_VECTOR` and the vector: how events interrupt us.
const CALLBACK_BY_VECTOR: u64 = 2 << 56 | 0xF3;

/// Why the kernel does not come up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BootError {
    /// CPUID names no Xen.
    #[error("this is not Xen")]
    NotXen,
    /// The start info is something else.
    #[error("start info with magic {0:#x}")]
    Magic(u32),
    /// Too many modules, or too large ones.
    #[error("the boot modules do not fit")]
    Modules,
    /// No hole for a special page.
    #[error("no room in the physical map")]
    NoRoom,
    /// A hypercall was refused.
    #[error("Xen refuses: {0}")]
    Xen(#[from] Errno),
    /// There is no grant table.
    #[error(transparent)]
    Grants(#[from] GrantError),
}

/// A file that the toolstack loaded beside the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its own command line: by custom its name.
    pub cmdline: String,
    /// Its bytes.
    pub bytes: Rc<[u8]>,
}

/// What the toolstack tells at boot.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BootInfo {
    /// The kernel's command line.
    pub cmdline: String,
    /// The boot modules, in order.
    pub modules: Vec<Module>,
}

impl BootInfo {
    /// Reads the start info and what it points to.
    pub fn read(xen: &mut dyn Hypercalls, start_info: Gpa) -> Result<BootInfo, BootError> {
        let info = read_start_info(xen, start_info)?;
        if info.nr_modules > MOST_MODULES {
            return Err(BootError::Modules);
        }
        let mut modules = Vec::new();
        for n in 0..u64::from(info.nr_modules) {
            let mut entry = HvmModlistEntry::new_zeroed();
            let at = info
                .modlist_paddr
                .wrapping_add(n * size_of::<HvmModlistEntry>() as u64);
            xen.read(Gpa(at), entry.as_mut_bytes());
            modules.push(read_module(xen, &entry)?);
        }
        Ok(BootInfo {
            cmdline: read_string(xen, Gpa(info.cmdline_paddr)),
            modules,
        })
    }

    /// The value of the command line's word `key=value`.
    pub fn arg(&self, key: &str) -> Option<&str> {
        word(&self.cmdline, key)
    }
}

/// The value of a command line's word `key=value`; the last one counts.
pub fn word<'a>(cmdline: &'a str, key: &str) -> Option<&'a str> {
    words(cmdline)
        .filter(|(k, _)| *k == key)
        .map(|(_, value)| value)
        .next_back()
}

/// A command line's words `key=value`, in their order.
pub fn words(cmdline: &str) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    cmdline
        .split_ascii_whitespace()
        .filter_map(|word| word.split_once('='))
}

/// Only the command line: what a kernel with several applications looks at first.
pub fn read_cmdline(xen: &mut dyn Hypercalls, start_info: Gpa) -> Result<String, BootError> {
    let info = read_start_info(xen, start_info)?;
    Ok(read_string(xen, Gpa(info.cmdline_paddr)))
}

fn read_start_info(xen: &mut dyn Hypercalls, at: Gpa) -> Result<HvmStartInfo, BootError> {
    let mut info = HvmStartInfo::new_zeroed();
    xen.read(at, info.as_mut_bytes());
    match info.magic {
        START_MAGIC => Ok(info),
        magic => Err(BootError::Magic(magic)),
    }
}

/// A NUL-terminated string, read in pieces that do not leave an aligned 64 bytes: what follows may not be ours.
fn read_string(xen: &mut dyn Hypercalls, mut at: Gpa) -> String {
    let mut bytes = Vec::new();
    while at.0 != 0 && bytes.len() < LONGEST_STRING {
        let mut piece = [0; 64];
        let piece = &mut piece[..64 - (at.0 % 64) as usize];
        xen.read(at, piece);
        let end = piece.iter().position(|byte| *byte == 0);
        bytes.extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
        if end.is_some() {
            break;
        }
        at = at.add(piece.len() as u64);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn read_module(xen: &mut dyn Hypercalls, entry: &HvmModlistEntry) -> Result<Module, BootError> {
    if entry.size > LARGEST_MODULE {
        return Err(BootError::Modules);
    }
    let size = entry.size as usize;
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(size)
        .map_err(|_| BootError::Modules)?;
    bytes.resize(size, 0);
    xen.read(Gpa(entry.paddr), &mut bytes);
    Ok(Module {
        cmdline: read_string(xen, Gpa(entry.cmdline_paddr)),
        bytes: bytes.into(),
    })
}

/// The devices that every domain has.
#[derive(Debug)]
pub struct Platform {
    shared_info: Gfn,
    /// Event channels.
    pub events: EventChannels,
    /// The grant table.
    pub grants: GrantTable,
    /// The xenstore ring.
    pub xenbus: Xenbus,
    /// The console ring.
    pub console: Console,
}

impl Platform {
    /// Sets the domain's special pages, event channels and grants up.
    pub fn boot(xen: &mut dyn Hypercalls) -> Result<Platform, BootError> {
        if !on_xen(xen) {
            return Err(BootError::NotXen);
        }
        let shared_info = xen.reserve_gfns(1).ok_or(BootError::NoRoom)?;
        let grants = GrantTable::new(xen)?;
        let (events, xenbus, console) = connect(xen, shared_info)?;
        Ok(Platform {
            shared_info,
            events,
            grants,
            xenbus,
            console,
        })
    }

    /// After a suspend that was not cancelled every special page, port and grant is new.
    pub fn reconnect(&mut self, xen: &mut dyn Hypercalls) -> Result<(), BootError> {
        self.grants.resume(xen)?;
        (self.events, self.xenbus, self.console) = connect(xen, self.shared_info)?;
        Ok(())
    }

    /// The wall clock at system time 0. Xen makes the version odd while it writes.
    pub fn wall_base(&self, xen: &mut dyn Hypercalls) -> WallClock {
        const TRIES: u32 = 16;
        let base = self.shared_info.gpa();
        for _ in 0..TRIES {
            let version = xen.load(base.add(WC_VERSION), Width::B4);
            let secs = xen.load(base.add(WC_SEC), Width::B4)
                | xen.load(base.add(WC_SEC_HI), Width::B4) << 32;
            let nanos = xen.load(base.add(WC_NSEC), Width::B4) as u32;
            if version & 1 == 0 && xen.load(base.add(WC_VERSION), Width::B4) == version {
                return WallClock { secs, nanos };
            }
        }
        WallClock::default()
    }
}

/// Maps `shared_info` and takes over the channels that the toolstack opened.
fn connect(
    xen: &mut dyn Hypercalls,
    shared_info: Gfn,
) -> Result<(EventChannels, Xenbus, Console), BootError> {
    xen.memory_op(&mut MemoryOp::AddToPhysmap {
        domid: DomId::SELF,
        space: MapSpace::SharedInfo,
        idx: 0,
        gpfn: shared_info,
    })?;
    let events = EventChannels::new(xen, shared_info.gpa());
    xen.hvm_op(&mut HvmOp::SetParam {
        domid: DomId::SELF,
        index: HVM_PARAM_CALLBACK_IRQ,
        value: CALLBACK_BY_VECTOR,
    })?;
    let (page, port) = ring(xen, HVM_PARAM_STORE_PFN, HVM_PARAM_STORE_EVTCHN)?;
    let xenbus = Xenbus::new(xen, page, port);
    events.unmask(xen, port)?;
    let (page, port) = ring(xen, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_CONSOLE_EVTCHN)?;
    let console = Console::new(xen, page, port);
    events.unmask(xen, port)?;
    events.bind_virq(xen, VIRQ_TIMER)?;
    Ok((events, xenbus, console))
}

/// The kernel's random stream.
pub fn seed_rng(xen: &mut dyn Hypercalls) -> ChaCha8Rng {
    let mut seed = [0; 32];
    xen.entropy(&mut seed);
    ChaCha8Rng::from_seed(seed)
}

/// Xen's CPUID leaves begin at 0x40000000, or at a multiple of 0x100 above it when another hypervisor is shown too.
fn on_xen(xen: &mut dyn Hypercalls) -> bool {
    (0x4000_0000..0x4001_0000u32).step_by(0x100).any(|leaf| {
        let [_, ebx, ecx, edx] = xen.cpuid(leaf, 0);
        let signature = [ebx, ecx, edx].map(u32::to_le_bytes);
        signature.as_flattened() == b"XenVMMXenVMM"
    })
}

fn ring(xen: &mut dyn Hypercalls, pfn: u32, evtchn: u32) -> Result<(Gpa, Port), Errno> {
    let page = Gfn(param(xen, pfn)?).gpa();
    let port = u32::try_from(param(xen, evtchn)?).map_err(|_| Errno::EINVAL)?;
    Ok((page, Port(port)))
}

fn param(xen: &mut dyn Hypercalls, index: u32) -> Result<u64, Errno> {
    let mut op = HvmOp::GetParam {
        domid: DomId::SELF,
        index,
        value: 0,
    };
    xen.hvm_op(&mut op)?;
    match op {
        HvmOp::GetParam { value, .. } => Ok(value),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_a_key_counts() {
        let info = BootInfo {
            cmdline: String::from("app=http  port=80 debug port=8080 x=a=b"),
            modules: Vec::new(),
        };
        assert_eq!(info.arg("app"), Some("http"));
        assert_eq!(info.arg("port"), Some("8080"));
        assert_eq!(info.arg("x"), Some("a=b"));
        assert_eq!(info.arg("debug"), None);
    }
}
