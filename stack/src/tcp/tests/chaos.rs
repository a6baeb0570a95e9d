//! Any calls in any order, on any network: no panic, and when every handle is closed, nothing is left behind.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::util::*;
use crate::api::{How, SocketId, SocketOption};
use crate::event::TimerKinds;
use crate::profile::{MS, Profile, SEC};

/// One call, by the host and the socket with these numbers, as far as there are so many.
#[derive(Clone, Copy, Debug)]
enum Call {
    Connect,
    Accept,
    Send(u16),
    Recv(u16),
    Shutdown(u8),
    Close,
    Abort,
    KeepAlive,
    Linger,
    Wait(u16),
}

fn calls() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => Just(Call::Connect),
        4 => Just(Call::Accept),
        6 => (0u16..30_000).prop_map(Call::Send),
        6 => (0u16..30_000).prop_map(Call::Recv),
        2 => (0u8..3).prop_map(Call::Shutdown),
        2 => Just(Call::Close),
        1 => Just(Call::Abort),
        1 => Just(Call::KeepAlive),
        1 => Just(Call::Linger),
        8 => (0u16..500).prop_map(Call::Wait),
    ]
}

struct World {
    pair: Pair,
    listeners: [SocketId; 2],
    sockets: [Vec<SocketId>; 2],
}

impl World {
    fn new(loss: u8) -> World {
        let mut profile = Profile::default();
        profile.tcp.recv_buffer = 10_000;
        let mut pair = Pair::new(profile);
        let mut dice = 7u32;
        pair.fate = alloc::boxed::Box::new(move |_, _, _| {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match dice >> 24 {
                x if x < u32::from(loss) => Fate::Lose,
                x if x < 2 * u32::from(loss) => Fate::Delay(u64::from(dice % 90) * MS),
                x if x < 3 * u32::from(loss) => Fate::Twice,
                _ => Fate::Deliver,
            }
        });
        let listeners = [
            pair.hosts[0].listen(at("10.0.0.1:80"), 2),
            pair.hosts[1].listen(at("10.0.0.2:80"), 2),
        ];
        World {
            pair,
            listeners,
            sockets: [Vec::new(), Vec::new()],
        }
    }

    fn call(&mut self, host: usize, number: usize, call: Call) {
        let now = self.pair.now;
        let h = &mut self.pair.hosts[host];
        let sockets = &mut self.sockets[host];
        let socket = sockets.get(number % sockets.len().max(1)).copied();
        match (call, socket) {
            (Call::Wait(ms), _) => self.pair.run(u64::from(ms) * MS),
            (Call::Connect, _) if sockets.len() < 6 => {
                let far = ["10.0.0.2:80", "10.0.0.1:80"][host];
                sockets.push(h.connect(now, at(far)));
            }
            (Call::Accept, _) => sockets.extend(h.tcp.accept(self.listeners[host]).map(|a| a.0)),
            (Call::Send(n), Some(s)) => {
                let _ = h.tcp.send(now, s, &pattern(0, n.into()));
            }
            (Call::Recv(n), Some(s)) => {
                let _ = h.tcp.recv(now, s, &mut alloc::vec![0; n.into()]);
            }
            (Call::Shutdown(how), Some(s)) => {
                let how = [How::Read, How::Write, How::Both][usize::from(how)];
                let _ = h.tcp.shutdown(now, s, how);
            }
            (Call::Close, Some(s)) => {
                h.tcp.close(now, s).expect("it is open");
                sockets.retain(|&other| other != s);
            }
            (Call::Abort, Some(s)) => {
                h.tcp.abort(now, s).expect("it is open");
                sockets.retain(|&other| other != s);
            }
            (Call::KeepAlive, Some(s)) => {
                h.tcp
                    .set_option(s, SocketOption::KeepAlive(true))
                    .expect("it is open");
            }
            (Call::Linger, Some(s)) => {
                h.tcp
                    .set_option(s, SocketOption::Linger(Some(0)))
                    .expect("it is open");
            }
            _ => {}
        }
    }

    /// Closes every handle and waits; both engines must be as new.
    fn end(mut self) {
        for host in 0..2 {
            let now = self.pair.now;
            let tcp = &mut self.pair.hosts[host].tcp;
            for &socket in self.sockets[host].iter().chain([&self.listeners[host]]) {
                tcp.close(now, socket).expect("it is open");
            }
        }
        self.pair.run(3_000 * SEC);
        for host in &mut self.pair.hosts {
            assert_eq!(host.tcp.timers(), TimerKinds::empty());
            assert_eq!(host.tcp.poll_at(self.pair.now), None);
            assert_eq!(host.tcp.sockets_in_use(), 0);
            assert_eq!(host.tcp.next_ready(), None);
            // The port is free again.
            host.listen(at("0.0.0.0:80"), 1);
        }
    }
}

/// Flags, numbers near the connection's, window, options, text.
type Forged = (Vec<char>, u32, u32, u16, Vec<u8>, usize, u16);

fn forged() -> impl Strategy<Value = Forged> {
    let flags = proptest::sample::subsequence(alloc::vec!['S', 'F', 'R', 'P', '.'], 0..=5);
    let near = prop_oneof![8 => 0u32..8, 2 => 0u32..70_000, 1 => any::<u32>()];
    let options = proptest::collection::vec(any::<u8>(), 0..10).prop_map(|words| {
        let kinds = [1, 2, 3, 4, 5, 8, 10, 0];
        words
            .iter()
            .flat_map(|w| [kinds[usize::from(w % 8)], w % 12, *w, w / 3])
            .collect()
    });
    (
        flags,
        near.clone(),
        near,
        any::<u16>(),
        options,
        0usize..6,
        0u16..3_000,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn any_calls_end_where_they_began(loss in 0u8..40, steps in proptest::collection::vec((0usize..2, 0usize..6, calls()), 1..80)) {
        let mut world = World::new(loss);
        for (host, number, call) in steps {
            world.call(host, number, call);
        }
        world.end();
    }

    #[test]
    fn no_forged_segment_panics_or_is_answered_by_a_storm(
        state in 0usize..4,
        segments in proptest::collection::vec(forged(), 1..40),
    ) {
        let (mut solo, socket) = Solo::accepted(Profile::default(), &[2, 4, 5, 0xB4, 1, 1, 4, 2]);
        let now = solo.now;
        match state {
            0 => {}
            1 => { let _ = solo.host.tcp.send(now, socket, &pattern(0, 5_000)); },
            2 => { let _ = solo.host.tcp.shutdown(now, socket, How::Write); },
            _ => { let _ = solo.host.tcp.close(now, socket); },
        }
        let mut sent = solo.sent_bytes().len();
        for (flags, seq, ack, win, options, len, wait) in &segments {
            let flags: alloc::string::String = flags.iter().collect();
            let text = pattern(0, *len);
            solo.inject(seg(&flags, *seq).ack(*ack).win(*win).options(options).text(&text));
            sent += solo.sent_within(u64::from(*wait) * MS).len();
        }
        // All the text once, each segment answered, and what the timers send again in so short a time.
        prop_assert!(sent <= 10 + 3 * segments.len() + 60, "{}", sent);
        let _ = solo.host.tcp.abort(solo.now, socket);
        solo.sent_within(1_000 * SEC);
        prop_assert_eq!(solo.host.tcp.timers(), TimerKinds::empty());
    }
}
