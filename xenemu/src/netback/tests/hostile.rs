//! Frontends that write nonsense: they lose their vif, and nothing else happens.

use proptest::prelude::*;
use xen_abi::io::netif::{NETTXF_EXTRA_INFO, NETTXF_MORE_DATA, TX_STRIDE};
use xen_abi::io::ring::{REQ_EVENT, REQ_PROD, RSP_EVENT, RSP_PROD, SLOTS};

use super::bed::*;
use crate::event::DropReason;
use crate::netback::VifOptions;
use crate::time::Time;

#[test]
fn nonsense_shuts_the_vif_which_can_still_be_closed() {
    let overrun = |bed: &mut Bed| {
        let ring = bed.tx_ring;
        bed.set(ring, REQ_PROD, 257);
        bed.kick();
    };
    let rx_overrun = |bed: &mut Bed| {
        let ring = bed.rx_ring;
        bed.set(ring, REQ_PROD, 300);
        bed.deliver(1, &[0; 60]);
        bed.run();
    };
    let missing_slot = |bed: &mut Bed| bed.put(&[slot(1, 0, 0, 100, NETTXF_MORE_DATA)]);
    let missing_extra = |bed: &mut Bed| bed.put(&[slot(1, 0, 0, 100, NETTXF_EXTRA_INFO)]);
    let crosses = |bed: &mut Bed| bed.put(&[slot(1, 0, 4090, 100, 0)]);
    let bad_extra = |bed: &mut Bed| {
        bed.put(&[slot(1, 0, 0, 60, NETTXF_EXTRA_INFO), extra(0)]);
    };
    let acts: [&dyn Fn(&mut Bed); 6] = [
        &overrun,
        &rx_overrun,
        &missing_slot,
        &missing_extra,
        &crosses,
        &bad_extra,
    ];
    for act in acts {
        let mut bed = Bed::connected(options());
        act(&mut bed);
        assert_eq!(bed.why_disconnected().len(), 1);
        bed.deliver(2, &[0; 60]);
        bed.run();
        assert_eq!(bed.drops(), [DropReason::VifDown]);
        bed.set_state("6");
        assert_eq!(bed.held(), (0, 0, 2));
    }
}

/// What a hostile frontend does between two events.
#[derive(Clone, Debug)]
enum Act {
    /// Writes anything anywhere into a ring's page.
    Scribble { tx: bool, at: u16, bytes: Vec<u8> },
    /// Moves a producer or event index.
    Index { tx: bool, which: u64, by: u32 },
    /// Puts a slot that is nearly right.
    Slot {
        size: u16,
        offset: u16,
        flags: u16,
        buffer: u32,
    },
    /// A frame arrives.
    Frame(u16),
    /// Writes a state.
    State(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let index = prop::sample::select(vec![REQ_PROD, REQ_EVENT, RSP_PROD, RSP_EVENT]);
    let bytes = prop::collection::vec(any::<u8>(), 1..40);
    let sizes = prop_oneof![0_u16..200, any::<u16>()];
    prop_oneof![
        2 => (any::<bool>(), 0_u16..4000, bytes)
            .prop_map(|(tx, at, bytes)| Act::Scribble { tx, at, bytes }),
        3 => (any::<bool>(), index, prop_oneof![0_u32..20, any::<u32>()])
            .prop_map(|(tx, which, by)| Act::Index { tx, which, by }),
        8 => (sizes, prop_oneof![0_u16..100, any::<u16>()], 0_u16..16, 0_u32..70)
            .prop_map(|(size, offset, flags, buffer)| Act::Slot { size, offset, flags, buffer }),
        3 => (0_u16..6000).prop_map(Act::Frame),
        1 => (0_u8..9).prop_map(Act::State),
    ]
}

fn play(bed: &mut Bed, act: &Act) {
    match act {
        Act::Scribble { tx, at, bytes } => {
            let ring = if *tx { bed.tx_ring } else { bed.rx_ring };
            let at = ring.gpa().add((*at).into());
            bed.host.hv.write(D1, at, bytes).unwrap();
        }
        Act::Index { tx, which, by } => {
            let ring = if *tx { bed.tx_ring } else { bed.rx_ring };
            let value = bed.get(ring, *which).wrapping_add(*by);
            bed.set(ring, *which, value);
        }
        Act::Slot {
            size,
            offset,
            flags,
            buffer,
        } => {
            let ring = bed.tx_ring;
            let prod = bed.get(ring, REQ_PROD);
            let at = ring.gpa().add(SLOTS + u64::from(prod % 256) * TX_STRIDE);
            let slot = slot(1, *buffer, *offset, *size, *flags);
            bed.host.hv.write(D1, at, &slot).unwrap();
            bed.set(ring, REQ_PROD, prod.wrapping_add(1));
        }
        Act::Frame(len) => bed.deliver(0, &vec![0; (*len).into()]),
        Act::State(state) => bed.write("state", &state.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_hostile_frontend_hurts_nobody_but_itself(
        map_tx in any::<bool>(),
        acts in prop::collection::vec((act(), any::<bool>()), 1..40),
    ) {
        let mut bed = Bed::connected(VifOptions { map_tx, ..options() });
        for (act, kick) in &acts {
            play(&mut bed, act);
            if *kick {
                bed.kick();
            }
            while let Some(frame) = bed.sent.pop_front() {
                prop_assert!(frame.bytes.len() <= usize::from(u16::MAX));
                bed.netback.forwarded(VIF, frame.id, Time::ZERO);
            }
        }
        bed.run();
        bed.host.store.remove(FRONTEND).unwrap();
        bed.run();
        prop_assert_eq!((bed.held(), bed.netback.vifs()), ((0, 0, 0), 0));
    }
}
