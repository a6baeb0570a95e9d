//! Two hosts of one kind on a cable: what is raced.

use stack::addr::Mac;
use stack::api::DeviceCaps;
use stack::dev::raw::RawDevice;
use xen_abi::Instant;

use crate::host::Host;

/// What a turn of the cable takes by the hosts' clocks.
const STEP: u64 = 10_000;
/// What both sides of a round trip say.
const WORDS: [u8; 100] = [0x5A; 100];

/// A device that holds a good many frames.
pub fn device(last: u8) -> RawDevice {
    let caps = DeviceCaps {
        mac: Mac([2, 0, 0, 0, 0, last]),
        mtu: 1500,
        tx_checksum: false,
    };
    RawDevice::new(caps, 256)
}

/// Both ends of a connection.
pub struct Talk<H: Host> {
    caller: H::Socket,
    callee: H::Socket,
}

impl<H: Host> Clone for Talk<H> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<H: Host> Copy for Talk<H> {}

/// The caller, the callee, and the cable between them.
pub struct Pair<H> {
    caller: H,
    callee: H,
    there: RawDevice,
    back: RawDevice,
    now: Instant,
    chunk: Vec<u8>,
}

impl<H: Host> Pair<H> {
    pub fn new(buffer: usize) -> Pair<H> {
        let mut callee = H::new(2, buffer);
        callee.listen();
        Pair {
            caller: H::new(1, buffer),
            callee,
            there: device(1),
            back: device(2),
            now: Instant(1_000_000_000),
            chunk: vec![0xA5; 64 << 10],
        }
    }

    fn turn(&mut self) {
        self.now = self.now.plus(STEP);
        self.caller.poll(self.now, &mut self.back, &mut self.there);
        self.callee.poll(self.now, &mut self.there, &mut self.back);
    }

    /// Opens one connection.
    pub fn connect(&mut self) -> Talk<H> {
        let caller = self.caller.connect(self.now, 2);
        for _ in 0..1_000_000 {
            if let Some(callee) = self.callee.accept() {
                return Talk { caller, callee };
            }
            self.turn();
        }
        panic!("no connection came in");
    }

    /// Lets what is under way come to rest.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            self.turn();
        }
    }

    /// Pushes bytes from the caller to the callee.
    pub fn push(&mut self, talk: Talk<H>, bytes: usize) {
        let (mut sent, mut received) = (0, 0);
        let mut sink = vec![0; 64 << 10];
        while received < bytes {
            let more = self.chunk.len().min(bytes - sent);
            sent += self.caller.send(self.now, talk.caller, &self.chunk[..more]);
            self.turn();
            received += self.callee.recv(self.now, talk.callee, &mut sink);
        }
        assert_eq!(sent, received);
    }

    /// A request and its response.
    pub fn round_trip(&mut self, talk: Talk<H>) {
        let mut heard = [0; 100];
        let sent = self.caller.send(self.now, talk.caller, &WORDS);
        assert_eq!(sent, WORDS.len());
        self.wait(|pair| pair.callee.recv(pair.now, talk.callee, &mut heard));
        let sent = self.callee.send(self.now, talk.callee, &WORDS);
        assert_eq!(sent, WORDS.len());
        self.wait(|pair| pair.caller.recv(pair.now, talk.caller, &mut heard));
    }

    fn wait(&mut self, mut recv: impl FnMut(&mut Self) -> usize) {
        for _ in 0..1_000_000 {
            self.turn();
            if recv(self) == WORDS.len() {
                return;
            }
        }
        panic!("no answer");
    }
}
