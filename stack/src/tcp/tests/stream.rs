//! Whatever the network does to packets, the application's stream arrives exactly, both ends finish, and the same
//! seed gives the same packets.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::util::*;
use crate::api::{How, SocketError, SocketId};
use crate::event::{TcpState, TimerKinds};
use crate::profile::{CongestionAlgorithm, MS, Profile, SEC};
use crate::tcp::Tcp;

/// A network's faults, in thousandths of all packets, and the ends' terms.
#[derive(Clone, Copy, Debug)]
struct Case {
    seed: u64,
    loss: u32,
    reorder: u32,
    twice: u32,
    corrupt: u32,
    bytes: [usize; 2],
    buffer: usize,
    sack: bool,
    timestamps: bool,
    scaling: bool,
    cubic: bool,
    room: usize,
    padded: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let faults = (0u32..150, 0u32..200, 0u32..100, 0u32..50);
    let terms = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let sizes = (
        0usize..120_000,
        0usize..40_000,
        2_000usize..100_000,
        1usize..6,
    );
    (any::<u64>(), faults, terms, sizes).prop_map(|(seed, f, t, s)| Case {
        seed,
        loss: f.0,
        reorder: f.1,
        twice: f.2,
        corrupt: f.3,
        bytes: [s.0, s.1],
        buffer: s.2,
        sack: t.0,
        timestamps: t.1,
        scaling: t.2,
        cubic: t.3,
        room: s.3,
        padded: false,
    })
}

impl Case {
    fn profile(&self) -> Profile {
        let mut profile = Profile::default();
        profile.tcp.sack = self.sack;
        profile.tcp.timestamps = self.timestamps;
        profile.tcp.window_scaling = self.scaling;
        profile.tcp.recv_buffer = self.buffer;
        profile.tcp.send_buffer = self.buffer;
        if !self.cubic {
            profile.tcp.congestion = CongestionAlgorithm::Reno;
        }
        profile
    }

    fn fate(&self) -> impl FnMut(usize, usize, &[u8]) -> Fate + use<> {
        let case = *self;
        let mut random = ChaCha8Rng::seed_from_u64(case.seed);
        move |_, _, _| {
            let mut draw = |of: u32| random.next_u32() % 1000 < of;
            let (lose, twice, corrupt, late) = (
                draw(case.loss),
                draw(case.twice),
                draw(case.corrupt),
                draw(case.reorder),
            );
            let amount = random.next_u32();
            match () {
                () if lose => Fate::Lose,
                () if corrupt => Fate::Corrupt(amount as usize),
                () if twice => Fate::Twice,
                () if late => Fate::Delay(u64::from(amount % 60) * MS),
                () => Fate::Deliver,
            }
        }
    }
}

/// One application: sends its pattern, receives all, closes its direction when it has sent everything.
struct Application {
    socket: SocketId,
    to_send: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    ended: bool,
}

impl Application {
    fn new(socket: SocketId, bytes: usize) -> Application {
        Application {
            socket,
            to_send: pattern(0, bytes),
            sent: 0,
            received: Vec::new(),
            ended: false,
        }
    }

    fn work(&mut self, tcp: &mut Tcp, now: xen_abi::Instant) {
        while self.sent < self.to_send.len() {
            match tcp.send(now, self.socket, &self.to_send[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(SocketError::EAGAIN) => break,
                Err(error) => panic!("send: {error}"),
            }
        }
        if self.sent == self.to_send.len() {
            tcp.shutdown(now, self.socket, How::Write)
                .expect("connected");
        }
        let mut buffer = vec![0; 3000];
        while !self.ended {
            match tcp.recv(now, self.socket, &mut buffer) {
                Ok(0) => self.ended = true,
                Ok(n) => self.received.extend(&buffer[..n]),
                Err(SocketError::EAGAIN) => break,
                Err(error) => panic!("recv: {error}"),
            }
        }
    }
}

/// Runs a case to its end, handshake included: the number of packets, and a digest of them.
fn run(case: &Case) -> (usize, u64) {
    let mut pair = Pair::new(case.profile());
    let digest = Rc::new(Cell::new(0u64));
    pair.fate = digesting(case.fate(), digest.clone());
    pair.hosts[0].room = case.room;
    pair.padded = case.padded;
    for host in &mut pair.hosts {
        host.tcp.shared.long_way = case.padded;
    }
    let listener = pair.hosts[1].listen(at("10.0.0.2:80"), 1);
    let client = pair.hosts[0].connect(pair.now, at("10.0.0.2:80"));
    let mut applications = vec![Application::new(client, case.bytes[0])];
    let end = pair.now.plus(3_600 * SEC);
    loop {
        if applications.len() == 1
            && let Ok((server, _)) = pair.hosts[1].tcp.accept(listener)
        {
            applications.push(Application::new(server, case.bytes[1]));
        }
        for (host, application) in pair.hosts.iter_mut().zip(&mut applications) {
            application.work(&mut host.tcp, pair.now);
        }
        let over = applications.len() == 2 && applications.iter().all(|a| a.ended);
        if over || !pair.step(end) {
            break;
        }
    }
    for (mine, other) in [(0, 1), (1, 0)] {
        let (received, sent) = (&applications[mine].received, &applications[other].to_send);
        assert!(
            received == sent,
            "{} of {} bytes",
            received.len(),
            sent.len()
        );
    }
    let sockets = [client, applications[1].socket];
    finish(&mut pair, sockets);
    (pair.packets(), digest.get())
}

/// Judges as `fate` does, and takes each packet into a digest.
fn digesting(
    mut fate: impl FnMut(usize, usize, &[u8]) -> Fate + 'static,
    digest: Rc<Cell<u64>>,
) -> Judge {
    Box::new(move |n, from, bytes| {
        let hash = |h: u64, &b: &u8| h.wrapping_mul(31).wrapping_add(u64::from(b));
        digest.set(bytes.iter().fold(digest.get(), hash));
        fate(n, from, bytes)
    })
}

/// Both close, and nothing is left behind.
fn finish(pair: &mut Pair, sockets: [SocketId; 2]) {
    for (host, socket) in pair.hosts.iter_mut().zip(sockets) {
        host.tcp.close(pair.now, socket).expect("open");
        host.room = usize::MAX;
    }
    pair.run(1_000 * SEC);
    for host in &pair.hosts {
        assert_eq!(host.log.states().last(), Some(&TcpState::Closed));
        assert_eq!(host.tcp.timers(), TimerKinds::empty());
        assert_eq!(host.tcp.poll_at(pair.now), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 40, ..ProptestConfig::default() })]
    #[test]
    fn the_stream_arrives_whatever_the_network_does(case in cases()) {
        run(&case);
    }

    #[test]
    fn the_same_seed_gives_the_same_packets(case in cases()) {
        let case = Case { bytes: [20_000, 5_000], ..case };
        prop_assert_eq!(run(&case), run(&case));
    }

    #[test]
    fn header_prediction_leads_where_the_long_way_leads(case in cases()) {
        let case = Case { bytes: [20_000, 5_000], ..case };
        prop_assert_eq!(run(&case), run(&Case { padded: true, ..case }));
    }
}
