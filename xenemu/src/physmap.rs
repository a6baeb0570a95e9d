//! A domain's guest-physical map and the allocator of its RAM.
//!
//! ```text
//! 0 ............. RAM pool ............. | hole | 0xFEFF8.. 0xFEFFF special pages | 0x100000 .. holes to reserve
//! ```
//!
//! Frames of the RAM pool have no machine frame until they are touched. They are handed out by
//! [`allocate`](Physmap::allocate) and come back by [`free`](Physmap::free) with their bytes kept: a frame that is used
//! again holds what was there. Everything is kept in chunks of 64 frames, so a domain that touches little costs little
//! however much memory it has.

use xen_abi::Gfn;

use crate::memory::{Memory, Mfn};

/// The first of the special pages (`X86_HVM_END_SPECIAL_REGION` less 8 pages).
pub const SPECIAL_BASE: u64 = 0xF_EFF8;
/// How many special pages there are.
pub const SPECIAL_PAGES: u64 = 8;
/// The store's ring.
pub const STORE_GFN: Gfn = Gfn(SPECIAL_BASE + 4);
/// The console's ring.
pub const CONSOLE_GFN: Gfn = Gfn(SPECIAL_BASE + 7);
/// The first frame beyond 4 GiB: holes to be reserved begin here.
const HOLES_BASE: u64 = 0x10_0000;
/// Holes that a domain may reserve: 4 GiB of them.
const HOLES_MAX: u64 = 0x10_0000;
/// Frames that a RAM pool may have: it ends below the special pages.
pub const MAX_RAM_FRAMES: u64 = 0xF_0000;

const CHUNK: u64 = 64;

/// What lies at a guest frame number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entry {
    /// Nothing.
    #[default]
    Hole,
    /// A frame of the domain's own that was never touched.
    Untouched,
    /// A frame of the domain's own.
    Ram(Mfn),
    /// A page of Xen's heap.
    Xen(Mfn, XenPage),
    /// A mapped grant.
    Grant { frame: Mfn, readonly: bool },
}

/// Xen's own pages that a guest may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XenPage {
    /// `shared_info`
    SharedInfo,
    /// A frame of the grant table.
    GrantTable(u32),
}

#[derive(Clone)]
struct Chunk {
    entries: [Entry; CHUNK as usize],
    /// Entries of the domain's grant table that permit access to the frame.
    granted: [u16; CHUNK as usize],
    /// Frames that the allocator has handed out.
    allocated: u64,
}

#[derive(Default)]
struct Region {
    base: u64,
    frames: u64,
    fill: Entry,
    chunks: Vec<Option<Box<Chunk>>>,
}

impl Region {
    fn new(base: u64, frames: u64, fill: Entry) -> Region {
        Region {
            base,
            frames,
            fill,
            chunks: Vec::new(),
        }
    }

    fn place(&self, gfn: Gfn) -> Option<(usize, usize)> {
        let n = gfn.0.checked_sub(self.base).filter(|&n| n < self.frames)?;
        Some(((n / CHUNK) as usize, (n % CHUNK) as usize))
    }

    fn chunk(&self, index: usize) -> Option<&Chunk> {
        self.chunks.get(index)?.as_deref()
    }

    fn chunk_mut(&mut self, index: usize) -> &mut Chunk {
        if self.chunks.len() <= index {
            self.chunks.resize(index + 1, None);
        }
        let fill = self.fill;
        self.chunks[index].get_or_insert_with(|| {
            Box::new(Chunk {
                entries: [fill; CHUNK as usize],
                granted: [0; CHUNK as usize],
                allocated: 0,
            })
        })
    }
}

/// A guest-physical map.
pub struct Physmap {
    regions: [Region; 3],
    /// The allocator: frames below were handed out at least once.
    fresh: u64,
    /// Frames that came back.
    returned: Vec<u64>,
    next_hole: u64,
    /// Single holes that were given back.
    spare_holes: Vec<u64>,
    /// Where Xen's own pages lie.
    xen_pages: Vec<(XenPage, Gfn)>,
    /// Pages that the domain has: Xen's `tot_pages`.
    pages: u64,
}

const RAM: usize = 0;

impl Physmap {
    /// A map with a pool of `ram_frames` untouched frames and nothing else.
    pub fn new(ram_frames: u64) -> Physmap {
        assert!(ram_frames <= MAX_RAM_FRAMES);
        Physmap {
            regions: [
                Region::new(0, ram_frames, Entry::Untouched),
                Region::new(SPECIAL_BASE, SPECIAL_PAGES, Entry::Hole),
                Region::new(HOLES_BASE, HOLES_MAX, Entry::Hole),
            ],
            fresh: 0,
            returned: Vec::new(),
            next_hole: 0,
            spare_holes: Vec::new(),
            xen_pages: Vec::new(),
            pages: ram_frames,
        }
    }

    /// Frames of the RAM pool.
    pub fn ram_frames(&self) -> u64 {
        self.regions[RAM].frames
    }

    /// Pages that the domain has now.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Frames of the RAM pool that are handed out.
    pub fn allocated(&self) -> u64 {
        self.fresh - self.returned.len() as u64
    }

    fn locate(&self, gfn: Gfn) -> Option<(usize, usize, usize)> {
        self.regions
            .iter()
            .enumerate()
            .find_map(|(r, region)| region.place(gfn).map(|(c, i)| (r, c, i)))
    }

    /// What lies at `gfn`.
    pub fn entry(&self, gfn: Gfn) -> Entry {
        let Some((r, c, i)) = self.locate(gfn) else {
            return Entry::Hole;
        };
        let region = &self.regions[r];
        region
            .chunk(c)
            .map_or(region.fill, |chunk| chunk.entries[i])
    }

    /// The entry at `gfn` with a machine frame behind it: an untouched one gets its frame now.
    pub fn touch(&mut self, gfn: Gfn, memory: &mut Memory) -> Entry {
        match self.entry(gfn) {
            Entry::Untouched => {
                let entry = Entry::Ram(memory.allocate());
                self.put(gfn, entry);
                entry
            }
            entry => entry,
        }
    }

    /// Whether there is a place in the map for `gfn` at all.
    pub fn in_range(&self, gfn: Gfn) -> bool {
        self.locate(gfn).is_some()
    }

    fn put(&mut self, gfn: Gfn, entry: Entry) {
        let (r, c, i) = self.locate(gfn).expect("the place was looked up before");
        self.regions[r].chunk_mut(c).entries[i] = entry;
    }

    /// Puts `entry` into a hole. The map becomes one of its frame's holders.
    pub fn insert(&mut self, gfn: Gfn, entry: Entry) {
        assert_eq!(self.entry(gfn), Entry::Hole);
        match entry {
            Entry::Ram(_) | Entry::Untouched => self.pages += 1,
            Entry::Xen(_, page) => self.xen_pages.push((page, gfn)),
            Entry::Hole | Entry::Grant { .. } => {}
        }
        self.put(gfn, entry);
    }

    /// Makes a hole at `gfn` and lets go of what was there.
    pub fn remove(&mut self, gfn: Gfn, memory: &mut Memory) -> Entry {
        let entry = self.entry(gfn);
        match entry {
            Entry::Hole => return entry,
            Entry::Untouched => self.pages -= 1,
            Entry::Ram(frame) => {
                self.pages -= 1;
                memory.release(frame);
            }
            Entry::Xen(frame, page) => {
                self.xen_pages.retain(|(p, _)| *p != page);
                memory.release(frame);
            }
            Entry::Grant { frame, .. } => memory.release(frame),
        }
        self.put(gfn, Entry::Hole);
        entry
    }

    /// Makes a hole where one of Xen's pages lies, if it lies anywhere.
    pub fn remove_xen_page(&mut self, page: XenPage, memory: &mut Memory) {
        if let Some(n) = self.xen_pages.iter().position(|(p, _)| *p == page) {
            let (_, gfn) = self.xen_pages[n];
            self.remove(gfn, memory);
        }
    }

    /// Lets go of everything: the domain dies.
    pub fn clear(&mut self, memory: &mut Memory) {
        for region in &mut self.regions {
            for chunk in region.chunks.drain(..).flatten() {
                for entry in chunk.entries {
                    match entry {
                        Entry::Hole | Entry::Untouched => {}
                        Entry::Ram(frame) | Entry::Xen(frame, _) | Entry::Grant { frame, .. } => {
                            memory.release(frame);
                        }
                    }
                }
            }
            region.fill = Entry::Hole;
        }
        self.pages = 0;
        self.xen_pages.clear();
    }

    /// `n` consecutive frames of the pool, with whatever is in them.
    pub fn allocate(&mut self, n: u32) -> Option<Gfn> {
        let first = if n == 1
            && let Some(gfn) = self.returned.pop()
        {
            gfn
        } else if n > 0 && self.fresh + u64::from(n) <= self.ram_frames() {
            self.fresh += u64::from(n);
            self.fresh - u64::from(n)
        } else {
            self.take_returned_run(u64::from(n))?
        };
        for gfn in first..first + u64::from(n) {
            self.mark(gfn, true);
        }
        Some(Gfn(first))
    }

    /// The slow way, once the pool has been handed out whole: a run among the frames that came back.
    fn take_returned_run(&mut self, n: u64) -> Option<u64> {
        self.returned.sort_unstable();
        let mut start = 0;
        for end in 0..self.returned.len() {
            if end > 0 && self.returned[end] != self.returned[end - 1] + 1 {
                start = end;
            }
            if n > 0 && (end - start + 1) as u64 == n {
                let first = self.returned[start];
                self.returned.drain(start..=end);
                return Some(first);
            }
        }
        None
    }

    /// Takes `n` frames back. False, and nothing happens, if one of them was not handed out.
    pub fn free(&mut self, first: Gfn, n: u32) -> bool {
        let Some(end) = first.0.checked_add(u64::from(n)) else {
            return false;
        };
        if !(first.0..end).all(|gfn| self.is_allocated(gfn)) {
            return false;
        }
        for gfn in first.0..end {
            self.mark(gfn, false);
            self.returned.push(gfn);
        }
        true
    }

    fn is_allocated(&self, gfn: u64) -> bool {
        let Some((c, i)) = self.regions[RAM].place(Gfn(gfn)) else {
            return false;
        };
        self.regions[RAM]
            .chunk(c)
            .is_some_and(|chunk| chunk.allocated >> i & 1 == 1)
    }

    fn mark(&mut self, gfn: u64, allocated: bool) {
        let (c, i) = self.regions[RAM]
            .place(Gfn(gfn))
            .expect("the allocator stays in the pool");
        let chunk = self.regions[RAM].chunk_mut(c);
        assert_ne!(chunk.allocated >> i & 1 == 1, allocated);
        chunk.allocated ^= 1 << i;
    }

    /// `n` consecutive holes that nobody else was given.
    pub fn reserve(&mut self, n: u32) -> Option<Gfn> {
        let end = self.next_hole.checked_add(u64::from(n))?;
        if n == 0 || end > HOLES_MAX {
            return None;
        }
        let first = Gfn(HOLES_BASE + self.next_hole);
        self.next_hole = end;
        Some(first)
    }

    /// One hole, preferably one that was given back.
    pub fn take_hole(&mut self) -> Option<Gfn> {
        match self.spare_holes.pop() {
            Some(gfn) => Some(Gfn(gfn)),
            None => self.reserve(1),
        }
    }

    /// Gives back a hole of [`take_hole`](Self::take_hole).
    pub fn give_hole(&mut self, gfn: Gfn) {
        assert_eq!(self.entry(gfn), Entry::Hole);
        self.spare_holes.push(gfn.0);
    }

    /// Notes that an entry of the grant table permits (or no longer permits) access to `gfn`.
    pub fn count_grant(&mut self, gfn: Gfn, permitted: bool) {
        let Some((r, c, i)) = self.locate(gfn) else {
            return;
        };
        let count = &mut self.regions[r].chunk_mut(c).granted[i];
        *count = if permitted { *count + 1 } else { *count - 1 };
    }

    /// Whether some entry of the grant table permits access to `gfn`.
    pub fn is_granted(&self, gfn: Gfn) -> bool {
        self.locate(gfn).is_some_and(|(r, c, i)| {
            self.regions[r]
                .chunk(c)
                .is_some_and(|chunk| chunk.granted[i] > 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_untouched_frame_gets_its_machine_frame_when_it_is_touched() {
        let (mut memory, mut map) = (Memory::default(), Physmap::new(100));
        assert_eq!(map.entry(Gfn(99)), Entry::Untouched);
        assert_eq!(map.entry(Gfn(100)), Entry::Hole);
        assert!(matches!(map.touch(Gfn(99), &mut memory), Entry::Ram(_)));
        assert_eq!(memory.live(), 1);
        map.clear(&mut memory);
        assert_eq!((memory.live(), map.pages()), (0, 0));
    }

    #[test]
    fn a_frame_that_comes_back_is_the_next_to_go_out() {
        let mut map = Physmap::new(8);
        let first = map.allocate(3).unwrap();
        assert!(map.free(Gfn(first.0 + 1), 1));
        assert!(!map.free(Gfn(first.0 + 1), 1), "it is free already");
        assert!(!map.free(Gfn(u64::MAX), 2), "no such frames");
        assert_eq!(map.allocate(1), Some(Gfn(first.0 + 1)));
    }

    #[test]
    fn reserved_holes_are_never_given_twice() {
        let mut map = Physmap::new(0);
        let (a, b) = (map.reserve(2).unwrap(), map.reserve(1).unwrap());
        assert_eq!(b.0, a.0 + 2);
        assert_eq!(map.reserve(0), None);
        assert_eq!(map.reserve(u32::MAX), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn runs_that_are_handed_out_never_overlap(steps in prop::collection::vec((1u32..5, any::<bool>()), 1..60)) {
            let mut map = Physmap::new(40);
            let mut runs: Vec<(u64, u32)> = vec![];
            for (n, give) in steps {
                if give && let Some((first, n)) = runs.pop() {
                    prop_assert!(map.free(Gfn(first), n));
                } else if let Some(first) = map.allocate(n) {
                    for (other, m) in &runs {
                        prop_assert!(first.0 + u64::from(n) <= *other || other + u64::from(*m) <= first.0);
                    }
                    prop_assert!(first.0 + u64::from(n) <= 40);
                    runs.push((first.0, n));
                }
            }
            prop_assert_eq!(map.allocated(), runs.iter().map(|r| u64::from(r.1)).sum::<u64>());
        }
    }
}
