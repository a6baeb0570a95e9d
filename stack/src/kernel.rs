//! The builtin kernel: one guest that runs the application which its command line names (`app=echo port=7`).

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;

use xen_abi::sched::ShutdownReason;
use xen_abi::{Block, Guest, Hypercalls, Sink, Wake};

use crate::app::{chargen, discard, echo, empty, http, raw, script};
use crate::os::boot::{BootError, read_cmdline, word};
use crate::os::{FramePort, Os, StackConfig, TcpIp, Unikernel};
use crate::profile::Profile;
use crate::stack::Stack;

/// Makes the guest that runs an application.
type Make = fn(Rc<dyn Sink>) -> Box<dyn Guest>;

/// Every application has one line here: its name, and the guest that runs it.
const APPLICATIONS: &[(&str, Make)] = &[
    ("empty", |sink| on(sink, FramePort::new, empty::main)),
    ("echo", |sink| on_stack(sink, echo::main)),
    ("discard", |sink| on_stack(sink, discard::main)),
    ("chargen", |sink| on_stack(sink, chargen::main)),
    ("http", |sink| on_stack(sink, http::server::main)),
    ("script", |sink| on_stack(sink, script::main)),
    ("raw", |sink| on(sink, FramePort::new, raw::main)),
    #[cfg(feature = "zoo")]
    ("http-2014", |sink| {
        on(sink, stack_of_2014, http::server::main)
    }),
    #[cfg(feature = "zoo")]
    ("script-no-final-check", |sink| {
        let kernel = unikernel(sink, own_stack, script::main);
        Box::new(kernel.with(crate::quirk::Quirk::NoFinalCheck))
    }),
];

/// A kernel that chooses its application at boot.
pub fn builtin(sink: Rc<dyn Sink>) -> Box<dyn Guest> {
    Box::new(Builtin { sink, chosen: None })
}

/// The names of all applications.
pub fn applications() -> impl Iterator<Item = &'static str> {
    APPLICATIONS.iter().map(|(name, _)| *name)
}

struct Builtin {
    sink: Rc<dyn Sink>,
    chosen: Option<Box<dyn Guest>>,
}

impl Builtin {
    /// The application that the command line names; `empty` when it names none.
    fn choose(&self, cmdline: &str) -> Option<Box<dyn Guest>> {
        let name = word(cmdline, "app").unwrap_or("empty");
        let (_, make) = APPLICATIONS.iter().find(|(known, _)| *known == name)?;
        Some(make(self.sink.clone()))
    }
}

impl Guest for Builtin {
    fn run(&mut self, xen: &mut dyn Hypercalls, wake: Wake) -> Block {
        if let Wake::Boot { start_info } = wake {
            let cmdline: Result<String, BootError> = read_cmdline(xen, start_info);
            self.chosen = cmdline.ok().and_then(|cmdline| self.choose(&cmdline));
        }
        match &mut self.chosen {
            Some(guest) => guest.run(xen, wake),
            None => Block::Shutdown(ShutdownReason::Crash),
        }
    }
}

/// A guest that runs `main` on our own stack.
fn on_stack<F>(sink: Rc<dyn Sink>, main: fn(Os<Stack>) -> F) -> Box<dyn Guest>
where
    F: Future<Output = ()> + 'static,
{
    on(sink, own_stack, main)
}

/// A guest that runs `main` on the stack that `make` makes.
fn on<S: TcpIp, F>(
    sink: Rc<dyn Sink>,
    make: fn(StackConfig) -> S,
    main: fn(Os<S>) -> F,
) -> Box<dyn Guest>
where
    F: Future<Output = ()> + 'static,
{
    Box::new(unikernel(sink, make, main))
}

fn unikernel<S: TcpIp, F>(
    sink: Rc<dyn Sink>,
    make: fn(StackConfig) -> S,
    main: fn(Os<S>) -> F,
) -> Unikernel<S>
where
    F: Future<Output = ()> + 'static,
{
    Unikernel::new(sink, Box::new(make), Box::new(move |os| Box::pin(main(os))))
}

/// Our own stack, as an application of one's own may want it.
pub fn own_stack(config: StackConfig) -> Stack {
    stack_with(config, Profile::default())
}

/// The zoo's: a stack whose option parser takes a length of zero on trust.
#[cfg(feature = "zoo")]
fn stack_of_2014(config: StackConfig) -> Stack {
    let mut profile = Profile::default();
    profile.quirks = profile
        .quirks
        .with(crate::quirk::Quirk::OptionLengthZero2014);
    stack_with(config, profile)
}

fn stack_with(config: StackConfig, profile: Profile) -> Stack {
    let interface = config.interface;
    Stack::new(crate::stack::StackConfig {
        mac: interface.mac,
        addresses: interface.addresses,
        gateways: interface.gateways,
        mtu: interface.mtu,
        profile: Rc::new(profile),
        seed: config.seed,
        fuel: config.fuel,
        sink: config.sink,
    })
}

#[cfg(test)]
mod tests {
    use xen_abi::NoSink;

    use super::*;

    #[test]
    fn the_command_line_names_the_application() {
        let builtin = Builtin {
            sink: Rc::new(NoSink),
            chosen: None,
        };
        assert!(builtin.choose("app=echo port=7").is_some());
        assert!(builtin.choose("").is_some(), "none named: empty");
        assert!(builtin.choose("app=ehco").is_none());
    }
}
