//! The MD5 signature option (RFC 2385).

use super::util::*;
use crate::api::{SignatureKey, SocketError, SocketOption};
use crate::event::TcpState;
use crate::profile::{MS, Profile};

fn key(peer: &str, octets: &[u8]) -> SocketOption {
    let peer = peer.parse().expect("an address");
    SocketOption::Signature(SignatureKey::new(peer, octets).expect("short enough"))
}

/// Host 0 connects to host 1 with these keys.
fn pair(client: &[u8], server: &[u8]) -> (Pair, crate::api::SocketId, crate::api::SocketId) {
    let mut pair = Pair::new(Profile::default());
    let listener = pair.hosts[1].listen(at("10.0.0.2:80"), 4);
    if !server.is_empty() {
        let tcp = &mut pair.hosts[1].tcp;
        tcp.set_option(listener, key("10.0.0.1", server))
            .expect("a listener");
    }
    let socket = pair.hosts[0].tcp.socket().expect("room");
    if !client.is_empty() {
        let tcp = &mut pair.hosts[0].tcp;
        tcp.set_option(socket, key("10.0.0.2", client))
            .expect("fresh");
    }
    let route = route(pair.hosts[0].ip);
    let begun = pair.hosts[0]
        .tcp
        .connect(pair.now, socket, at("10.0.0.2:80"), route);
    assert_eq!(begun, Err(SocketError::EINPROGRESS));
    (pair, socket, listener)
}

#[test]
fn two_that_share_a_key_talk_and_every_segment_is_signed() {
    let (mut pair, client, listener) = pair(b"secret", b"secret");
    pair.fate = alloc::boxed::Box::new(|_, _, bytes| {
        assert_eq!(bytes[20..24], [1, 1, 19, 18]);
        Fate::Deliver
    });
    pair.run(100 * MS);
    let (server, _) = pair.hosts[1].tcp.accept(listener).expect("established");
    let data = pattern(0, 5_000);
    let taken = pair.hosts[0].tcp.send(pair.now, client, &data);
    assert_eq!(taken, Ok(5_000));
    pair.run(500 * MS);
    let mut to = [0; 6_000];
    assert_eq!(pair.hosts[1].tcp.recv(pair.now, server, &mut to), Ok(5_000));
    assert_eq!(to[..5_000], data);
    pair.hosts[0].tcp.close(pair.now, client).expect("owned");
    pair.run(100 * MS);
    assert_eq!(
        pair.hosts[1].log.states().last(),
        Some(&TcpState::CloseWait)
    );
}

#[test]
fn whoever_signs_with_another_key_or_not_at_all_is_met_with_silence() {
    for (client, server) in [(&b"wrong"[..], &b"right"[..]), (b"", b"right")] {
        let (mut pair, _, listener) = pair(client, server);
        pair.run(500 * MS);
        assert_eq!(pair.hosts[1].log.states(), [TcpState::Listen]);
        let nobody = pair.hosts[1].tcp.accept(listener);
        assert_eq!(nobody, Err(SocketError::EAGAIN));
        assert_eq!(pair.packets(), 1);
    }
}

#[test]
fn an_unexpected_signature_is_an_option_that_is_not_known_or_a_reason_to_drop() {
    let mut signed = alloc::vec![1, 1, 19, 18];
    signed.extend([7; 16]);
    for (drops, answers) in [(false, 1), (true, 0)] {
        let mut profile = Profile::default();
        profile.tcp.drops_unexpected_signature = drops;
        let mut solo = Solo::new(profile);
        solo.host.listen(at(LOCAL), 4);
        solo.inject(seg("S", 0).options(&signed));
        assert_eq!(solo.sent().len(), answers);
    }
}

#[test]
fn a_connection_with_a_key_hears_nothing_that_is_not_signed() {
    let mut solo = Solo::new(Profile::default());
    let tcp = &mut solo.host.tcp;
    let socket = tcp.socket().expect("room");
    tcp.set_option(socket, key("10.0.0.2", b"secret"))
        .expect("fresh");
    let way = route(solo.host.ip);
    let begun = solo.host.tcp.connect(solo.now, socket, at(PEER), way);
    assert_eq!(begun, Err(SocketError::EINPROGRESS));
    solo.local = solo.host.tcp.local_addr(socket).expect("bound");
    solo.sent();
    for flags in ["R.", "S.", "S", "."] {
        solo.inject(seg(flags, 0).ack(1));
        assert!(solo.sent().is_empty(), "{flags}");
    }
    assert_eq!(solo.host.log.states(), [TcpState::SynSent]);
}
