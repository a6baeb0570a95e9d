//! The machine's memory: 4 KiB frames that cost nothing until something is stored in them.
//!
//! A frame is allocated without a page, and reads as zero. The page materialises at the first non-zero store, from a
//! free list that outlives the machine, because a fresh zeroed page costs a microsecond of the host's time and
//! thousands of machines are built a second. Frames are counted: a domain's guest-physical map, a foreign mapping and
//! the hypervisor itself each hold one, and the last one to let go gives the page back. So a dead domain's pages live
//! exactly as long as somebody still maps them.

use std::cell::RefCell;

use xen_abi::{PAGE_SIZE, Rmw, Width};

/// The bytes of a frame.
pub type Page = [u8; PAGE_SIZE];

/// A machine frame: Xen's `mfn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mfn(u32);

/// Pages that the free list keeps at most: 64 MiB a thread.
const POOL_LIMIT: usize = 16 * 1024;

static ZERO: Page = [0; PAGE_SIZE];

thread_local! {
    static POOL: RefCell<Vec<Box<Page>>> = const { RefCell::new(Vec::new()) };
}

fn take_page() -> Box<Page> {
    match POOL.with_borrow_mut(Vec::pop) {
        Some(mut page) => {
            page.fill(0);
            page
        }
        None => Box::new(ZERO),
    }
}

fn give_page(page: Box<Page>) {
    POOL.with_borrow_mut(|pool| {
        if pool.len() < POOL_LIMIT {
            pool.push(page);
        }
    });
}

#[derive(Default)]
struct Slot {
    page: Option<Box<Page>>,
    holders: u32,
}

/// All frames of one machine.
#[derive(Default)]
pub struct Memory {
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: usize,
}

impl Memory {
    /// A frame with one holder. It reads as zero.
    pub fn allocate(&mut self) -> Mfn {
        self.live += 1;
        let n = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("a machine has fewer than 2^32 frames")
        });
        let slot = &mut self.slots[n as usize];
        assert!(slot.holders == 0 && slot.page.is_none());
        slot.holders = 1;
        Mfn(n)
    }

    /// One more holder.
    pub fn hold(&mut self, frame: Mfn) {
        let slot = self.slot_mut(frame);
        slot.holders += 1;
    }

    /// One holder fewer; the last one gives the frame back.
    pub fn release(&mut self, frame: Mfn) {
        let slot = self.slot_mut(frame);
        slot.holders -= 1;
        if slot.holders == 0 {
            let page = slot.page.take();
            self.live -= 1;
            self.free.push(frame.0);
            if let Some(page) = page {
                give_page(page);
            }
        }
    }

    /// Frames that somebody holds.
    pub fn live(&self) -> usize {
        self.live
    }

    /// Frames that have a page.
    pub fn materialised(&self) -> usize {
        self.slots.iter().filter(|slot| slot.page.is_some()).count()
    }

    /// The frame's bytes.
    pub fn page(&self, frame: Mfn) -> &Page {
        self.slot(frame).page.as_deref().unwrap_or(&ZERO)
    }

    /// The frame's bytes, to be changed: materialises its page.
    pub fn page_mut(&mut self, frame: Mfn) -> &mut Page {
        self.slot_mut(frame).page.get_or_insert_with(take_page)
    }

    /// Copies out of a frame. The range must lie inside it.
    pub fn read(&self, frame: Mfn, offset: usize, to: &mut [u8]) {
        to.copy_from_slice(&self.page(frame)[offset..offset + to.len()]);
    }

    /// Copies into a frame. The range must lie inside it.
    pub fn write(&mut self, frame: Mfn, offset: usize, from: &[u8]) {
        assert!(offset + from.len() <= PAGE_SIZE);
        let slot = self.slot_mut(frame);
        if slot.page.is_none() && from.iter().all(|&byte| byte == 0) {
            return;
        }
        slot.page.get_or_insert_with(take_page)[offset..offset + from.len()].copy_from_slice(from);
    }

    /// Copies from one frame to another; zeroes onto an untouched frame touch nothing.
    pub fn copy(&mut self, from: (Mfn, usize), to: (Mfn, usize), len: usize) {
        assert!(from.1 + len <= PAGE_SIZE && to.1 + len <= PAGE_SIZE);
        if from.0 == to.0 {
            if self.slot(from.0).page.is_some() {
                self.page_mut(from.0)
                    .copy_within(from.1..from.1 + len, to.1);
            }
            return;
        }
        // The destination's page is moved out for the copy: two frames of one vector cannot be borrowed at once.
        let Some(mut page) = self.take_for_copy(from.0, to.0) else {
            return;
        };
        page[to.1..to.1 + len].copy_from_slice(&self.page(from.0)[from.1..from.1 + len]);
        self.slot_mut(to.0).page = Some(page);
    }

    fn take_for_copy(&mut self, from: Mfn, to: Mfn) -> Option<Box<Page>> {
        match self.slot_mut(to).page.take() {
            Some(page) => Some(page),
            None if self.slot(from).page.is_none() => None,
            None => Some(take_page()),
        }
    }

    /// An aligned load. `offset` must be a multiple of the width.
    pub fn load(&self, frame: Mfn, offset: usize, width: Width) -> u64 {
        let mut bytes = [0; 8];
        let n = width.bytes();
        bytes[..n].copy_from_slice(&self.page(frame)[offset..offset + n]);
        u64::from_le_bytes(bytes)
    }

    /// An aligned store; the value is truncated to the width.
    pub fn store(&mut self, frame: Mfn, offset: usize, width: Width, value: u64) {
        self.write(frame, offset, &value.to_le_bytes()[..width.bytes()]);
    }

    /// An atomic read-modify-write; answers the old value.
    pub fn rmw(&mut self, frame: Mfn, offset: usize, width: Width, op: Rmw) -> u64 {
        let old = self.load(frame, offset, width);
        let new = match op {
            Rmw::And(mask) => old & mask,
            Rmw::Or(mask) => old | mask,
            Rmw::Swap(value) => value,
            Rmw::CmpXchg { old: expected, new } if truncated(expected, width) == old => new,
            Rmw::CmpXchg { .. } => return old,
        };
        self.store(frame, offset, width, new);
        old
    }

    fn slot(&self, frame: Mfn) -> &Slot {
        let slot = &self.slots[frame.0 as usize];
        assert!(slot.holders > 0, "a frame is used after its last holder");
        slot
    }

    fn slot_mut(&mut self, frame: Mfn) -> &mut Slot {
        let slot = &mut self.slots[frame.0 as usize];
        assert!(slot.holders > 0, "a frame is used after its last holder");
        slot
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for slot in &mut self.slots {
            if let Some(page) = slot.page.take() {
                give_page(page);
            }
        }
    }
}

fn truncated(value: u64, width: Width) -> u64 {
    match width {
        Width::B8 => value,
        _ => value & ((1 << (8 * width.bytes())) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_materialises_at_the_first_non_zero_store() {
        let mut memory = Memory::default();
        let frame = memory.allocate();
        memory.store(frame, 8, Width::B8, 0);
        memory.write(frame, 0, &[0; 4096]);
        assert_eq!(memory.materialised(), 0);
        memory.store(frame, 8, Width::B4, 0x1_2345_6789);
        assert_eq!(memory.materialised(), 1);
        assert_eq!(memory.load(frame, 8, Width::B8), 0x2345_6789);
    }

    #[test]
    fn a_recycled_page_reads_as_zero() {
        let mut memory = Memory::default();
        let frame = memory.allocate();
        memory.write(frame, 0, &[0xEE; 4096]);
        memory.release(frame);
        let frame = memory.allocate();
        memory.write(frame, 7, &[1]);
        assert_eq!(
            memory
                .page(frame)
                .iter()
                .map(|&b| u32::from(b))
                .sum::<u32>(),
            1
        );
    }

    #[test]
    fn a_frame_lives_until_its_last_holder_lets_go() {
        let mut memory = Memory::default();
        let frame = memory.allocate();
        memory.hold(frame);
        memory.release(frame);
        memory.write(frame, 0, b"still here");
        assert_eq!(memory.live(), 1);
        memory.release(frame);
        assert_eq!(memory.live(), 0);
    }

    #[test]
    fn copying_between_frames_and_within_one_keeps_the_bytes() {
        let mut memory = Memory::default();
        let (a, b) = (memory.allocate(), memory.allocate());
        memory.copy((a, 0), (b, 0), 4096);
        assert_eq!(memory.materialised(), 0, "zeroes touch nothing");
        memory.write(a, 10, b"bytes");
        memory.copy((a, 10), (b, 100), 5);
        memory.copy((b, 100), (b, 102), 5);
        assert_eq!(&memory.page(b)[100..107], b"bybytes");
    }

    #[test]
    fn a_compare_and_exchange_looks_at_the_width_only() {
        let mut memory = Memory::default();
        let frame = memory.allocate();
        memory.store(frame, 0, Width::B2, 0x8001);
        let op = Rmw::CmpXchg {
            old: 0xFFFF_8001,
            new: 0,
        };
        assert_eq!(memory.rmw(frame, 0, Width::B2, op), 0x8001);
        assert_eq!(memory.load(frame, 0, Width::B2), 0);
    }
}
