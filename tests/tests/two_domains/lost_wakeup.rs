//! A guest whose last look at its rings before it halts is taken out: without a schedule nobody notices. With netback
//! forced to answer a full transmit ring just there, no event says that the ring has room again, and the guest sleeps
//! for ever. The whole guest passes on the same schedule.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use stack::api::SocketError;
use stack::kernel::own_stack;
use stack::os::{Os, UdpSocket, Unikernel, any};
use stack::stack::Stack;
use tests::interposed::Interposed;
use tests::last_look::{LastLook, Look, Looks};
use xen_abi::{DomId, Guest, Sink};
use xenemu::actor::ActorKind;
use xenemu::config::{Action, DomainConfig, ForcedSwitch};
use xenemu::event::{Event, Tap};

use crate::bench::{SECOND, Seen, builtin_domain, config};

const SOCKETS: usize = 24;
const DATAGRAMS: usize = 40;

/// Fills the transmit ring more than twice over in one run.
async fn flood(os: Os<Stack>) {
    if let Err(error) = send_all(&os).await {
        os.print(&error.to_string());
    }
}

async fn send_all(os: &Os<Stack>) -> Result<(), SocketError> {
    let server: IpAddr = "10.0.0.2".parse().expect("an address");
    // Afterwards the server's Ethernet address is known.
    os.ping(server, &[], SECOND)
        .await
        .map_err(|_| SocketError::EHOSTUNREACH)?;
    let sockets: Result<Vec<_>, _> = (0..SOCKETS).map(|_| UdpSocket::bind(os, any(0))).collect();
    let sockets = sockets?;
    for _ in 0..DATAGRAMS {
        for socket in &sockets {
            socket
                .send_to(&[0x5A; 32], SocketAddr::new(server, 9))
                .await?;
        }
    }
    os.stopping().await;
    Ok(())
}

/// How many frames the client got rid of, and the calls in which it began its last looks.
fn run(blind: bool, schedule: Vec<ForcedSwitch>) -> (usize, Vec<Look>) {
    let looks = Looks::default();
    let watch = Rc::new(RefCell::new(LastLook::new(blind, &looks)));
    let factory = Rc::new(move |_: &DomainConfig, sink: Rc<dyn Sink>| {
        let main = Box::new(|os| Box::pin(flood(os)) as _);
        Box::new(Interposed {
            guest: Box::new(Unikernel::new(sink, Box::new(own_stack), main)),
            between: watch.clone(),
        }) as Box<dyn Guest>
    });
    let actions = vec![
        Action::Create(config("client", "10.0.0.9/24"), factory),
        builtin_domain("discard", "10.0.0.2/24"),
    ];
    let seen = Seen::run_scheduled(actions, schedule);
    let sent = seen.count(|event| match event {
        Event::FrameAt { tap, .. } => *tap == Tap::VifOut(DomId(1), 0),
        _ => false,
    });
    seen.tear_down();
    (sent, looks.all())
}

/// Netback answers all that it can just before the last look that begins with this call.
fn before(call: u64) -> Vec<ForcedSwitch> {
    vec![ForcedSwitch {
        domain: "client".into(),
        call,
        actor: ActorKind::Netback,
        steps: 10_000,
    }]
}

/// The last looks of runs in which many frames were sent.
fn after_busy_runs(looks: &[Look]) -> Vec<u64> {
    let asks: Vec<u64> = looks.iter().map(|look| look.asks).collect();
    let gaps = asks.windows(2).filter(|pair| pair[1] - pair[0] > 1000);
    gaps.map(|pair| pair[1]).collect()
}

#[test]
fn a_guest_without_a_last_look_loses_a_wakeup_on_a_schedule_that_a_whole_guest_survives() {
    let (all, looks) = run(true, Vec::new());
    assert!(all >= SOCKETS * DATAGRAMS, "without a schedule it passes");
    let busy = after_busy_runs(&looks);
    let lost = busy
        .into_iter()
        .find(|call| run(true, before(*call)).0 < all)
        .expect("some schedule shows the lost wake-up");
    assert_eq!(run(false, before(lost)).0, all);
}
