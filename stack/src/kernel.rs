//! The builtin kernel: one guest that runs the application which its command line names, on a stack with the profile that
//! it names (`app=echo port=7 profile=linux`) and single settings over it (`tcp.ecn=active`).

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;

use xen_abi::sched::ShutdownReason;
use xen_abi::{Block, Guest, Hypercalls, Sink, Wake};

use crate::app::{chargen, discard, echo, empty, http, raw, router, script};
use crate::os::boot::{BootError, read_cmdline, word, words};
use crate::os::{FramePort, Os, StackConfig, TcpIp, Unikernel};
use crate::profile::{Profile, settings};
use crate::stack::Stack;

/// Makes the guest that runs an application; the profile is for its stack, if it has one.
type Make = fn(Rc<dyn Sink>, Rc<Profile>) -> Box<dyn Guest>;

/// Every application has one line here: its name, and the guest that runs it.
const APPLICATIONS: &[(&str, Make)] = &[
    ("empty", |sink, _| on(sink, FramePort::new, empty::main)),
    ("echo", |sink, p| on_stack(sink, p, echo::main)),
    ("discard", |sink, p| on_stack(sink, p, discard::main)),
    ("chargen", |sink, p| on_stack(sink, p, chargen::main)),
    ("http", |sink, p| on_stack(sink, p, http::server::main)),
    ("script", |sink, p| on_stack(sink, p, script::main)),
    ("raw", |sink, _| on(sink, FramePort::new, raw::main)),
    ("router", |sink, _| on(sink, FramePort::new, router::main)),
    #[cfg(feature = "zoo")]
    ("http-2014", |sink, profile| {
        on_stack(sink, of_2014(&profile), http::server::main)
    }),
    #[cfg(feature = "zoo")]
    ("script-no-final-check", |sink, profile| {
        let make = move |config| stack_with(config, profile.clone());
        let kernel = unikernel(sink, make, script::main);
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
    /// The application that the command line names, `empty` when it names none, with the profile that it names.
    fn choose(&self, cmdline: &str) -> Option<Box<dyn Guest>> {
        let mut profile = match word(cmdline, "profile") {
            Some(name) => Profile::named(name)?,
            None => Profile::rfc(),
        };
        for (name, value) in words(cmdline) {
            if let Some(name) = name.strip_prefix(settings::PREFIX) {
                profile.tcp.set(name, value)?;
            }
        }
        let name = word(cmdline, "app").unwrap_or("empty");
        let (_, make) = APPLICATIONS.iter().find(|(known, _)| *known == name)?;
        Some(make(self.sink.clone(), Rc::new(profile)))
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
fn on_stack<F>(sink: Rc<dyn Sink>, profile: Rc<Profile>, main: fn(Os<Stack>) -> F) -> Box<dyn Guest>
where
    F: Future<Output = ()> + 'static,
{
    let make = move |config| stack_with(config, profile.clone());
    on(sink, make, main)
}

/// A guest that runs `main` on the stack that `make` makes.
fn on<S: TcpIp, F>(
    sink: Rc<dyn Sink>,
    make: impl Fn(StackConfig) -> S + 'static,
    main: fn(Os<S>) -> F,
) -> Box<dyn Guest>
where
    F: Future<Output = ()> + 'static,
{
    Box::new(unikernel(sink, make, main))
}

fn unikernel<S: TcpIp, F>(
    sink: Rc<dyn Sink>,
    make: impl Fn(StackConfig) -> S + 'static,
    main: fn(Os<S>) -> F,
) -> Unikernel<S>
where
    F: Future<Output = ()> + 'static,
{
    Unikernel::new(sink, Box::new(make), Box::new(move |os| Box::pin(main(os))))
}

/// Our own stack, as an application of one's own may want it.
pub fn own_stack(config: StackConfig) -> Stack {
    stack_with(config, Rc::default())
}

/// The zoo's: an option parser that takes a length of zero on trust.
#[cfg(feature = "zoo")]
fn of_2014(profile: &Profile) -> Rc<Profile> {
    let quirk = crate::quirk::Quirk::OptionLengthZero2014;
    Rc::new(Profile {
        quirks: profile.quirks.with(quirk),
        ..profile.clone()
    })
}

fn stack_with(config: StackConfig, profile: Rc<Profile>) -> Stack {
    let interface = config.interface;
    Stack::new(crate::stack::StackConfig {
        mac: interface.mac,
        addresses: interface.addresses,
        gateways: interface.gateways,
        mtu: interface.mtu,
        profile,
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
        assert!(builtin.choose("app=echo profile=linux").is_some());
        assert!(builtin.choose("app=echo profile=minix").is_none());
    }
}
