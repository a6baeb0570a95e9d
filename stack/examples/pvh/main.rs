//! The builtin kernel as an ELF for bare metal: what `xl create` boots as a PVH guest of real Xen.
//!
//! `cargo rustc -p evilbit-stack --example pvh --target x86_64-unknown-none -- -C relocation-model=static`
//!
//! The application is chosen by the command line, as everywhere (`app=echo`); without one it is `empty`.
//!
//! - `entry.s`: from Xen's entry to 64-bit code. [`hardware`]: all that is unsafe.
//! - [`frames`]: which guest-physical memory is free.
//! - [`domain`]: [`xen_abi::Hypercalls`] by real hypercalls, with the [`structures`] that they take.
//!
//! Tried on Xen 4.17.7 with its own toolstack and Linux's netback: `empty` obeys `xl shutdown`; `echo` connects its vif
//! and answers ping and TCP; there the address had to be written for it into its vif's directory. libxl tells an address
//! (`vif = ['bridge=xenbr0,ip=10.0.0.2/24']`) to the backend only, so the kernel now looks there too: this is tested
//! against a mock of xenstore, not yet on real Xen. libxl has no word for a gateway: where one is needed, write it before
//! the guest runs, beside the address: `xenstore-write /local/domain/0/backend/vif/N/0/gateway 10.0.0.1`.
//!
//! One vCPU, less than 1 GiB of memory. On any other system this is a program that only says how to build it.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod domain;
#[cfg(target_os = "none")]
mod frames;
#[cfg(target_os = "none")]
mod hardware;
#[cfg(target_os = "none")]
mod structures;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("This example is a kernel. Build it for bare metal: --target x86_64-unknown-none");
}

/// From the entry to the guest's end.
#[cfg(target_os = "none")]
fn boot(start_info: u64) -> ! {
    use alloc::rc::Rc;

    use xen_abi::sched::ShutdownReason;
    use xen_abi::{Block, Gpa, NoSink, Wake};

    if !hardware::init() {
        panic!("this is not Xen");
    }
    let start_info = Gpa(start_info);
    let mut domain = domain::Domain::new(frames::Frames::of(start_info));
    let mut guest = stack::kernel::builtin(Rc::new(NoSink));
    let mut wake = Wake::Boot { start_info };
    loop {
        let block = guest.run(&mut domain, wake);
        wake = Wake::Running;
        match block {
            Block::Halt => domain.sleep(),
            Block::Yield => hardware::yield_now(),
            Block::Suspend => {
                let cancelled = hardware::shutdown(ShutdownReason::Suspend) == 1;
                wake = Wake::Resumed { cancelled };
            }
            Block::Shutdown(reason) => {
                hardware::shutdown(reason);
            }
        }
    }
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    hardware::say(&alloc::format!("{info}\n"));
    loop {
        hardware::shutdown(xen_abi::sched::ShutdownReason::Crash);
    }
}
