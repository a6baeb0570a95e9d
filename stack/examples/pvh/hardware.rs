//! The machine itself: entry, hypercalls, memory that others see, interrupts, the heap. All unsafe code of the workspace
//! that is not a test's is in this file.
//!
//! Two rules make what it offers safe to use. No Rust object lies outside of the kernel's image (code, data, heap and
//! stack), and [`place`] lets nobody into the image; so memory that is reached by address is nobody's object. And there
//! is one vCPU, whose interrupt handler touches nothing.
#![allow(
    unsafe_code,
    reason = "hypercalls, page tables and memory shared with other domains have no safe form"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use xen_abi::sched::ShutdownReason;
use xen_abi::version::CPUID_SIGNATURE;
use xen_abi::{PAGE_SIZE, Rmw, Width};
use zerocopy::{FromBytes, IntoBytes};

global_asm!(include_str!("entry.s"), options(att_syntax));

unsafe extern "C" {
    /// Where the linker says that the image begins and ends.
    static __executable_start: u8;
    static _end: u8;
    /// Handlers in `entry.s`.
    fn upcall();
    fn fault();
}

/// `__HYPERVISOR_*` of `xen/xen.h`.
#[derive(Clone, Copy)]
pub enum Hypercall {
    MemoryOp = 12,
    XenVersion = 17,
    ConsoleIo = 18,
    GrantTableOp = 20,
    VcpuOp = 24,
    SchedOp = 29,
    EventChannelOp = 32,
    HvmOp = 34,
}

const SCHEDOP_YIELD: u64 = 0;
const SCHEDOP_SHUTDOWN: u64 = 2;
/// The vector that the kernel registers as `HVM_PARAM_CALLBACK_IRQ`.
const UPCALL_VECTOR: usize = 0xF3;
/// What `entry.s` maps.
const MAPPED: u64 = 4 << 30;

/// A page that Xen fills with its own code.
#[repr(C, align(4096))]
struct HypercallPage(UnsafeCell<[u8; PAGE_SIZE]>);
// SAFETY: written by Xen before the first call, and only executed afterwards.
unsafe impl Sync for HypercallPage {}
static HYPERCALL_PAGE: HypercallPage = HypercallPage(UnsafeCell::new([0; PAGE_SIZE]));

/// An interrupt gate (Intel SDM 3A, 6.14.1): offset in three parts, selector, attributes.
#[repr(C, align(16))]
struct Gates(UnsafeCell<[[u64; 2]; 256]>);
// SAFETY: written once, before the processor is told of it.
unsafe impl Sync for Gates {}
static GATES: Gates = Gates(UnsafeCell::new([[0; 2]; 256]));

/// Asks for the hypercall page and takes interrupts. False: this is not Xen.
pub fn init() -> bool {
    let mut leaves = (0x4000_0000..0x4001_0000u32).step_by(0x100);
    let is_xen = |base: &u32| cpuid(*base, 0)[1..] == CPUID_SIGNATURE;
    let Some(base) = leaves.find(is_xen) else {
        return false;
    };
    let [_, msr, _, _] = cpuid(base + 2, 0);
    let page = HYPERCALL_PAGE.0.get() as u64;
    // SAFETY: the register that Xen names takes the address of a page that is ours.
    unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") page as u32, in("edx") (page >> 32) as u32, options(nostack));
    }
    take_interrupts();
    true
}

fn take_interrupts() {
    let gate = |handler: u64| {
        const PRESENT_INTERRUPT_GATE: u64 = 0x8E00;
        const CODE: u64 = 8;
        let low = handler & 0xFFFF
            | CODE << 16
            | PRESENT_INTERRUPT_GATE << 32
            | (handler >> 16 & 0xFFFF) << 48;
        [low, handler >> 32]
    };
    let table = GATES.0.get();
    // SAFETY: nobody reads the table yet; it lives for ever, and so do the handlers.
    unsafe {
        let gates = &mut *table;
        gates[..32].fill(gate(fault as *const () as u64));
        gates[UPCALL_VECTOR] = gate(upcall as *const () as u64);
        let mut register = [0u8; 10];
        register[..2].copy_from_slice(&((size_of::<Gates>() - 1) as u16).to_le_bytes());
        register[2..].copy_from_slice(&(table as u64).to_le_bytes());
        asm!("lidt [{}]", in(reg) &raw const register, options(nostack));
    }
}

// Hypercalls.

/// # Safety
/// The arguments are what the call takes, and what they point to is there and is the caller's.
unsafe fn call(number: Hypercall, a: u64, b: u64, c: u64) -> i64 {
    let entry = HYPERCALL_PAGE.0.get() as u64 + number as u64 * 32;
    let answer: i64;
    // SAFETY: by the caller's promise; Xen keeps the other registers (xen/arch-x86/xen-x86_64.h).
    unsafe {
        asm!("call {entry}", entry = in(reg) entry, lateout("rax") answer,
            inlateout("rdi") a => _, inlateout("rsi") b => _, inlateout("rdx") c => _,
            out("rcx") _, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    answer
}

/// A call that takes a command, an array of its structures, and their number.
pub fn ask<A: FromBytes + IntoBytes>(number: Hypercall, command: u32, arguments: &mut [A]) -> i64 {
    let (at, count) = (arguments.as_mut_ptr() as u64, arguments.len() as u64);
    // SAFETY: Xen writes at most the structures, in which every bit pattern is good.
    unsafe { call(number, u64::from(command), at, count) }
}

/// A call whose structure points to a list: the list's address is written where it belongs, `at` bytes in.
pub fn ask_with_list<A: FromBytes + IntoBytes, L: FromBytes + IntoBytes>(
    number: Hypercall,
    command: u32,
    argument: &mut A,
    at: usize,
    list: &mut [L],
) -> i64 {
    let address = list.as_mut_ptr() as u64;
    argument.as_mut_bytes()[at..at + 8].copy_from_slice(&address.to_le_bytes());
    ask(number, command, core::slice::from_mut(argument))
}

/// `HYPERVISOR_vcpu_op`
pub fn ask_vcpu<A: FromBytes + IntoBytes>(command: u32, vcpu: u32, argument: &mut A) -> i64 {
    let at = ptr::from_mut(argument) as u64;
    // SAFETY: as in `ask`.
    unsafe { call(Hypercall::VcpuOp, u64::from(command), u64::from(vcpu), at) }
}

/// Text for whoever reads Xen's own console.
pub fn say(text: &str) {
    const CONSOLEIO_WRITE: u64 = 0;
    // SAFETY: Xen only reads the text.
    unsafe {
        call(
            Hypercall::ConsoleIo,
            CONSOLEIO_WRITE,
            text.len() as u64,
            text.as_ptr() as u64,
        );
    }
}

/// Lets others run.
pub fn yield_now() {
    // SAFETY: the call takes no argument.
    unsafe { call(Hypercall::SchedOp, SCHEDOP_YIELD, 0, 0) };
}

/// `SCHEDOP_shutdown`; comes back from a suspend only, with what Xen answers.
pub fn shutdown(reason: ShutdownReason) -> i64 {
    let reason = reason as u32;
    // SAFETY: Xen reads one number.
    unsafe {
        call(
            Hypercall::SchedOp,
            SCHEDOP_SHUTDOWN,
            &raw const reason as u64,
            0,
        )
    }
}

/// Sleeps until an event, unless `is_pending`. Interrupts are enabled here only, and between the question and the sleep
/// there is no gap: `sti` takes effect behind the instruction that follows it.
pub fn sleep_unless(is_pending: impl FnOnce() -> bool) {
    if is_pending() {
        return;
    }
    // SAFETY: the handler touches nothing and comes back with interrupts disabled.
    unsafe { asm!("sti", "hlt", "cli") };
}

// Instructions.

/// CPUID
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let (eax, ebx, ecx, edx): (u32, u64, u32, u32);
    // SAFETY: it reads and writes registers only. LLVM keeps rbx for itself.
    unsafe {
        asm!("xchg {b}, rbx", "cpuid", "xchg {b}, rbx", b = inout(reg) 0u64 => ebx,
            inout("eax") leaf => eax, inout("ecx") subleaf => ecx, out("edx") edx, options(nostack, nomem));
    }
    [eax, ebx as u32, ecx, edx]
}

/// The time-stamp counter, read behind every load before it.
pub fn tsc() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: it writes registers only.
    unsafe { asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nostack)) };
    u64::from(high) << 32 | u64::from(low)
}

/// 64 bits of the processor's own; none if it has none now.
pub fn rdrand() -> Option<u64> {
    const RDRAND: u32 = 1 << 30;
    if cpuid(1, 0)[2] & RDRAND == 0 {
        return None;
    }
    let (value, good): (u64, u8);
    // SAFETY: it writes registers only.
    unsafe {
        asm!("rdrand {v}", "setc {g}", v = out(reg) value, g = out(reg_byte) good, options(nostack, nomem));
    }
    (good != 0).then_some(value)
}

/// `xen_mb()`
pub fn fence() {
    core::sync::atomic::fence(Ordering::SeqCst);
}

// Memory that is not Rust's.

/// The first address behind the image.
pub fn image_end() -> u64 {
    &raw const _end as u64
}

/// `len` bytes at a guest-physical address: mapped, and outside of the image.
fn place(at: u64, len: usize) -> *mut u8 {
    let end = at.checked_add(len as u64).filter(|end| *end <= MAPPED);
    let (image, behind) = (&raw const __executable_start as u64, image_end());
    let outside = end.is_some_and(|end| end <= image || at >= behind);
    assert!(
        outside && at != 0,
        "{len} bytes at {at:#x} are nobody's to touch"
    );
    at as *mut u8
}

macro_rules! by_width {
    ($at:expr, $width:expr, |$cell:ident| $do:expr) => {{
        let (at, width): (u64, Width) = ($at, $width);
        assert_eq!(at % width.bytes() as u64, 0, "accesses are aligned");
        let at = place(at, width.bytes());
        // SAFETY: `place` answers mapped memory that is no Rust object, aligned by the assertion; whoever else has it
        // may change it at any time, which is what atomic accesses are for.
        unsafe {
            match width {
                Width::B1 => { let $cell = AtomicU8::from_ptr(at); u64::from($do) }
                Width::B2 => { let $cell = AtomicU16::from_ptr(at.cast()); u64::from($do) }
                Width::B4 => { let $cell = AtomicU32::from_ptr(at.cast()); u64::from($do) }
                Width::B8 => { let $cell = AtomicU64::from_ptr(at.cast()); u64::from($do) }
            }
        }
    }};
}

/// An aligned load.
pub fn load(at: u64, width: Width) -> u64 {
    by_width!(at, width, |cell| cell.load(Ordering::Acquire))
}

/// An aligned store.
pub fn store(at: u64, width: Width, value: u64) {
    by_width!(at, width, |cell| {
        cell.store(value as _, Ordering::Release);
        0u8
    });
}

/// An aligned read-modify-write; the old value.
pub fn rmw(at: u64, width: Width, op: Rmw) -> u64 {
    by_width!(at, width, |cell| match op {
        Rmw::And(mask) => cell.fetch_and(mask as _, Ordering::SeqCst),
        Rmw::Or(mask) => cell.fetch_or(mask as _, Ordering::SeqCst),
        Rmw::Swap(value) => cell.swap(value as _, Ordering::SeqCst),
        Rmw::CmpXchg { old, new } => {
            match cell.compare_exchange(old as _, new as _, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(was) | Err(was) => was,
            }
        }
    })
}

/// Copies from memory that others may write meanwhile.
pub fn read(at: u64, to: &mut [u8]) {
    let from = place(at, to.len());
    for (n, byte) in to.iter_mut().enumerate() {
        // SAFETY: `place` answers so many mapped bytes, which are no Rust object.
        *byte = unsafe { from.add(n).read_volatile() };
    }
}

/// Copies to memory that others may read meanwhile.
pub fn write(at: u64, from: &[u8]) {
    let to = place(at, from.len());
    for (n, byte) in from.iter().enumerate() {
        // SAFETY: as in `read`.
        unsafe { to.add(n).write_volatile(*byte) };
    }
}

/// A frame that nobody else sees now, in place.
pub fn with_frame(at: u64, f: &mut dyn FnMut(&mut [u8; PAGE_SIZE])) {
    let frame = place(at, PAGE_SIZE).cast();
    // SAFETY: mapped, no Rust object, and by the contract of `Hypercalls::with_frame` nobody else's for the time.
    f(unsafe { &mut *frame });
}

// The heap.

/// Bytes for Rust's objects.
const HEAP: usize = 8 << 20;
/// Blocks are powers of two from 16 bytes on.
const SMALLEST: u32 = 4;
const SIZES: usize = 20;

#[repr(C, align(4096))]
struct Memory(UnsafeCell<[u8; HEAP]>);
// SAFETY: handed out by `Blocks` only, each byte to one owner.
unsafe impl Sync for Memory {}
static MEMORY: Memory = Memory(UnsafeCell::new([0; HEAP]));

/// Free blocks of each size in a list through themselves, and memory that was never used.
struct Blocks {
    free: UnsafeCell<[*mut u8; SIZES]>,
    used: UnsafeCell<usize>,
}
// SAFETY: one vCPU, and the interrupt handler does not allocate.
unsafe impl Sync for Blocks {}

#[global_allocator]
static BLOCKS: Blocks = Blocks {
    free: UnsafeCell::new([ptr::null_mut(); SIZES]),
    used: UnsafeCell::new(0),
};

/// Which list serves such an object, if it is not too large.
fn list_of(layout: Layout) -> Option<usize> {
    let size = layout.size().max(layout.align()).max(1 << SMALLEST);
    let list = (size.checked_next_power_of_two()?.trailing_zeros() - SMALLEST) as usize;
    (list < SIZES).then_some(list)
}

// SAFETY: a block is as large and as aligned as its power of two, and in one list or with one owner.
unsafe impl GlobalAlloc for Blocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(list) = list_of(layout) else {
            return ptr::null_mut();
        };
        // SAFETY: nobody else is in here; a free block holds the next one's address in its first bytes.
        unsafe {
            let head = &mut (*self.free.get())[list];
            if !head.is_null() {
                let block = *head;
                *head = block.cast::<*mut u8>().read();
                return block;
            }
            let (used, size) = (&mut *self.used.get(), 1usize << (list as u32 + SMALLEST));
            let start = used.next_multiple_of(size.min(PAGE_SIZE));
            if layout.align() > PAGE_SIZE || start + size > HEAP {
                return ptr::null_mut();
            }
            *used = start + size;
            MEMORY.0.get().cast::<u8>().add(start)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(list) = list_of(layout) else {
            return;
        };
        // SAFETY: the block is the caller's to give back, and at least 16 bytes long.
        unsafe {
            let head = &mut (*self.free.get())[list];
            block.cast::<*mut u8>().write(*head);
            *head = block;
        }
    }
}

// What `entry.s` calls.

#[unsafe(no_mangle)]
extern "C" fn kernel_main(start_info: u64) -> ! {
    crate::boot(start_info)
}

#[unsafe(no_mangle)]
extern "C" fn kernel_fault() -> ! {
    panic!("a processor exception")
}
