//! What a PVH guest finds at boot: `hvm_start_info`, its command line, modules and memory map, in its own RAM.

use std::rc::Rc;

use thiserror::Error;
use xen_abi::start_info::{HvmMemmapTableEntry, HvmModlistEntry, HvmStartInfo, START_MAGIC};
use xen_abi::{DomId, Gpa, PAGE_SIZE};
use zerocopy::IntoBytes;

use crate::hypervisor::Hypervisor;
use crate::memory_op::memory_map;

/// A boot module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its command line.
    pub cmdline: String,
    /// Its bytes.
    pub bytes: Rc<[u8]>,
}

/// The domain's RAM has no room for what it is booted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the domain's memory has no room for its boot modules")]
pub struct NoRoom;

impl Hypervisor {
    /// Loads modules and start info into a new domain's RAM. Answers where the start info lies.
    pub(crate) fn load_start_info(
        &mut self,
        domid: DomId,
        cmdline: &str,
        modules: &[Module],
    ) -> Result<Gpa, NoRoom> {
        // Frame 0 is never handed out: a guest may take its number for nothing.
        self.place(domid, 1)?;
        let mut modlist = Vec::new();
        for module in modules {
            let mut text = module.cmdline.as_bytes().to_vec();
            text.push(0);
            let at = self.place(domid, module.bytes.len())?;
            self.load_bytes(domid, at, &module.bytes);
            let text_at = self.place(domid, text.len())?;
            self.load_bytes(domid, text_at, &text);
            modlist.push(HvmModlistEntry {
                paddr: at.0,
                size: module.bytes.len() as u64,
                cmdline_paddr: text_at.0,
                reserved: 0,
            });
        }
        let ram_frames = self.domain(domid).map_or(0, |d| d.physmap.ram_frames());
        let memmap: Vec<_> = memory_map(ram_frames)
            .into_iter()
            .map(|region| HvmMemmapTableEntry {
                addr: region.addr,
                size: region.size,
                kind: region.kind,
                reserved: 0,
            })
            .collect();
        let len = |bytes: &[u8]| bytes.len() as u64;
        let (memmap_len, modlist_len) = (len(memmap.as_bytes()), len(modlist.as_bytes()));
        let header = size_of::<HvmStartInfo>() as u64;
        let total = header + memmap_len + modlist_len + cmdline.len() as u64 + 1;
        let at = self.place(domid, total as usize)?;
        let (memmap_at, modlist_at) = (at.add(header), at.add(header + memmap_len));
        let cmdline_at = modlist_at.add(modlist_len);
        let start_info = HvmStartInfo {
            magic: START_MAGIC,
            version: 1,
            flags: 0,
            nr_modules: modules.len() as u32,
            modlist_paddr: if modules.is_empty() { 0 } else { modlist_at.0 },
            cmdline_paddr: cmdline_at.0,
            rsdp_paddr: 0,
            memmap_paddr: memmap_at.0,
            memmap_entries: memmap.len() as u32,
            reserved: 0,
        };
        self.load_bytes(domid, at, start_info.as_bytes());
        self.load_bytes(domid, memmap_at, memmap.as_bytes());
        self.load_bytes(domid, modlist_at, modlist.as_bytes());
        self.load_bytes(domid, cmdline_at, cmdline.as_bytes());
        self.load_bytes(domid, cmdline_at.add(cmdline.len() as u64), &[0]);
        Ok(at)
    }

    fn place(&mut self, domid: DomId, bytes: usize) -> Result<Gpa, NoRoom> {
        let frames = u32::try_from(bytes.div_ceil(PAGE_SIZE)).map_err(|_| NoRoom)?;
        let domain = self.domains.get_mut(domid).ok_or(NoRoom)?;
        match domain.physmap.allocate(frames.max(1)) {
            Some(gfn) => Ok(gfn.gpa()),
            None => Err(NoRoom),
        }
    }

    fn load_bytes(&mut self, domid: DomId, at: Gpa, bytes: &[u8]) {
        self.write(domid, at, bytes)
            .expect("the frames were just allocated");
    }
}
