//! Two stacks and a cable, nothing else: one asks for an echo over TCP, the other gives it. What happens is printed,
//! and is the same each time: `cargo run -p evilbit-stack --example loopback`.

use std::cell::Cell;
use std::rc::Rc;

use stack::addr::{Cidr, Mac};
use stack::api::{DeviceCaps, SocketError, SocketKind, Sockets};
use stack::dev::raw::{Cable, RawDevice};
use stack::event::Event;
use stack::profile::Profile;
use stack::stack::{Stack, StackConfig};
use xen_abi::{Fuel, Instant, Sink};

/// Prints the events of one stack with the time.
struct Printer {
    who: &'static str,
    clock: Rc<Cell<u64>>,
}

impl Sink for Printer {
    fn emit(&self, event: &[u8]) {
        let ms = self.clock.get() / 1_000_000;
        let text = match Event::decode(event) {
            Ok(Event::TcpState { from, to, .. }) => format!("{} -> {}", from.name(), to.name()),
            Ok(event) => format!("{event:?}"),
            Err(why) => why.to_string(),
        };
        println!("{ms:>6} ms  {}  {text}", self.who);
    }
}

fn stack(who: &'static str, last: u8, clock: &Rc<Cell<u64>>) -> (Stack, RawDevice) {
    let mac = Mac([2, 0, 0, 0, 0, last]);
    let address = format!("10.0.0.{last}/24");
    let stack = Stack::new(StackConfig {
        mac,
        addresses: Cidr::parse(&address).into_iter().collect(),
        gateways: Vec::new(),
        mtu: 1500,
        profile: Rc::new(Profile::default()),
        seed: [last; 32],
        fuel: Fuel::unlimited(),
        sink: Rc::new(Printer {
            who,
            clock: clock.clone(),
        }),
    });
    let caps = DeviceCaps {
        mac,
        mtu: 1500,
        tx_checksum: false,
    };
    (stack, RawDevice::new(caps, 64))
}

fn main() -> Result<(), SocketError> {
    let clock = Rc::new(Cell::new(0));
    let (mut alice, a) = stack("alice", 1, &clock);
    let (mut bob, b) = stack("  bob", 2, &clock);
    let mut cable = Cable { a, b };

    let listener = bob.socket(SocketKind::Stream)?;
    bob.bind(listener, ([0, 0, 0, 0], 7).into())?;
    bob.listen(listener, 1)?;
    let caller = alice.socket(SocketKind::Stream)?;
    match alice.connect(Instant(0), caller, ([10, 0, 0, 2], 7).into()) {
        Err(SocketError::EINPROGRESS) => {}
        other => other?,
    }

    let question = b"Hello, is there an echo?";
    let mut answer = [0; 64];
    let (mut asked, mut echoer) = (false, None);
    for ms in 0..1000 {
        clock.set(ms * 1_000_000);
        let now = Instant(clock.get());
        while cable.exchange(now, &mut alice, &mut bob) > 0 {}
        if !asked && alice.send(now, caller, question).is_ok() {
            asked = true;
        }
        if echoer.is_none() {
            echoer = bob.accept(listener).ok().map(|(socket, _)| socket);
        }
        if let Some(socket) = echoer {
            let mut heard = [0; 64];
            match bob.recv(now, socket, &mut heard) {
                Ok(0) => {
                    bob.close(now, socket)?;
                    echoer = None;
                }
                Ok(n) => {
                    bob.send(now, socket, &heard[..n])?;
                }
                Err(SocketError::EAGAIN) => {}
                Err(why) => return Err(why),
            }
        }
        match alice.recv(now, caller, &mut answer) {
            Ok(n) if n > 0 => {
                let text = String::from_utf8_lossy(&answer[..n]);
                println!("{ms:>6} ms  alice  hears: {text}");
                alice.close(now, caller)?;
            }
            _ => {}
        }
    }
    Ok(())
}
