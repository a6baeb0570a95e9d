//! A stream longer than TCP's number space: half-way, whatever is remembered from its beginning lies ahead.

use std::rc::Rc;

use stack::addr::{Cidr, Mac};
use stack::api::{DeviceCaps, SocketError, SocketId, SocketKind, Sockets};
use stack::dev::raw::{Cable, RawDevice};
use stack::profile::Profile;
use stack::stack::{Stack, StackConfig};
use xen_abi::{Fuel, Instant, NoSink};

const MTU: usize = 65_535;

fn stack(last: u8) -> Stack {
    let mut profile = Profile::default();
    profile.tcp.send_buffer = 4 << 20;
    profile.tcp.recv_buffer = 4 << 20;
    Stack::new(StackConfig {
        mac: Mac([2, 0, 0, 0, 0, last]),
        addresses: Cidr::parse(&format!("10.0.0.{last}/24"))
            .into_iter()
            .collect(),
        gateways: Vec::new(),
        mtu: MTU,
        profile: Rc::new(profile),
        seed: [last; 32],
        fuel: Fuel::unlimited(),
        sink: Rc::new(NoSink),
    })
}

/// Checksums are the device's: they would take most of the time.
fn device(last: u8) -> RawDevice {
    let caps = DeviceCaps {
        mac: Mac([2, 0, 0, 0, 0, last]),
        mtu: MTU,
        tx_checksum: true,
    };
    RawDevice::new(caps, 64)
}

fn open(a: &mut Stack, b: &mut Stack, cable: &mut Cable, now: &mut Instant) -> [SocketId; 2] {
    let listener = b.socket(SocketKind::Stream).expect("a socket");
    b.bind(listener, ([0, 0, 0, 0], 7).into()).expect("a port");
    b.listen(listener, 1).expect("a backlog");
    let client = a.socket(SocketKind::Stream).expect("a socket");
    let started = a.connect(*now, client, ([10, 0, 0, 2], 7).into());
    assert_eq!(started, Err(SocketError::EINPROGRESS));
    for _ in 0..100 {
        cable.exchange(*now, a, b);
        *now = now.plus(10_000);
        if let Ok((server, _)) = b.accept(listener) {
            return [client, server];
        }
    }
    panic!("no connection");
}

#[test]
fn a_stream_goes_on_around_the_number_space() {
    let (mut a, mut b) = (stack(1), stack(2));
    let (a_device, b_device) = (device(1), device(2));
    let mut cable = Cable {
        a: a_device,
        b: b_device,
    };
    let mut now = Instant(1_000_000_000);
    let [client, server] = open(&mut a, &mut b, &mut cable, &mut now);
    let chunk = vec![7; 1 << 20];
    let mut sink = vec![0; 4 << 20];
    let (mut received, mut idle) = (0u64, 0);
    let goal = (1u64 << 32) + (64 << 20);
    while received < goal {
        while a.send(now, client, &chunk).is_ok() {}
        cable.exchange(now, &mut a, &mut b);
        now = now.plus(10_000);
        let got = b.recv(now, server, &mut sink).unwrap_or(0);
        received += got as u64;
        idle = if got > 0 { 0 } else { idle + 1 };
        assert!(
            idle < 10_000,
            "nothing arrives any more after {received} octets"
        );
    }
}
