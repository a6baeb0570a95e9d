//! A transmit packet as its slots are taken from the ring: `xenvif_count_requests` and `xenvif_get_extras`.
//!
//! Two kinds of wrong are told apart, as in Linux's netback: what a confused frontend might do costs it the packet
//! (answered `NETIF_RSP_ERROR`), what only a hostile one does ([`Nonsense`]) costs it the vif.

use xen_abi::PAGE_SIZE;
use xen_abi::io::netif::{
    NETTXF_CSUM_BLANK, NETTXF_EXTRA_INFO, NETTXF_MORE_DATA, NR_SLOTS_MIN, NetifTxRequest,
};

use super::ring::Nonsense;
use crate::bridge::ETH_HLEN;

/// Slots after the first with which a packet is dropped (`XEN_NETBK_LEGACY_SLOTS_MAX`).
const SLOTS_MAX: usize = NR_SLOTS_MIN as usize;
/// Slots after the first with which the frontend is malicious (`fatal_skb_slots`).
const SLOTS_FATAL: usize = 20;
/// Pages that a packet's bytes may lie in.
pub const PAGES_MAX: usize = SLOTS_MAX + 1;

/// `XEN_NETIF_EXTRA_TYPE_GSO`
const EXTRA_GSO: u8 = 1;
/// `XEN_NETIF_EXTRA_TYPE_MCAST_ADD`, `_DEL`: not a packet but a request about multicast.
const EXTRA_MCAST: [u8; 2] = [2, 3];
/// `XEN_NETIF_EXTRA_TYPE_MAX`
const EXTRA_MAX: u8 = 5;
/// `XEN_NETIF_EXTRA_FLAG_MORE`
const EXTRA_FLAG_MORE: u8 = 1;

/// What comes in the next slot of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// An extra.
    Extra,
    /// More of the packet's bytes.
    Data,
    /// It is complete.
    Nothing,
}

/// What a complete packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes to be sent.
    Data,
    /// A request that is granted without doing anything: our bridge floods multicast anyway.
    Control,
    /// Wrong, or of a kind that was not offered.
    Bad,
}

/// The slots of one packet, each as it was when it was copied out.
#[derive(Debug)]
pub struct Packet {
    /// All data slots. The first one's size is the whole packet's on the ring, and its own once all are here.
    slots: Vec<NetifTxRequest>,
    /// Slots after the first that were seen, dropped ones too.
    followers: Vec<u16>,
    extras: u32,
    next: Next,
    kind: Kind,
    total: u16,
}

impl Packet {
    /// A packet from its first slot.
    pub fn new(first: NetifTxRequest) -> Packet {
        Packet {
            slots: vec![first],
            followers: Vec::new(),
            extras: 0,
            next: match first.flags {
                flags if flags & NETTXF_EXTRA_INFO != 0 => Next::Extra,
                flags if flags & NETTXF_MORE_DATA != 0 => Next::Data,
                _ => Next::Nothing,
            },
            kind: Kind::Data,
            total: first.size,
        }
    }

    /// What the next slot is.
    pub fn next(&self) -> Next {
        self.next
    }

    /// Takes an extra.
    pub fn extra(&mut self, extra: [u8; 8]) -> Result<(), Nonsense> {
        let [kind, flags, ..] = extra;
        if kind == 0 || kind >= EXTRA_MAX {
            return Err(Nonsense::BadExtra(kind));
        }
        self.extras += 1;
        if kind == EXTRA_GSO {
            self.kind = Kind::Bad;
        } else if EXTRA_MCAST.contains(&kind) {
            self.kind = Kind::Control;
        }
        self.next = if flags & EXTRA_FLAG_MORE != 0 {
            Next::Extra
        } else if self.kind == Kind::Control || self.slots[0].flags & NETTXF_MORE_DATA == 0 {
            Next::Nothing
        } else {
            Next::Data
        };
        Ok(())
    }

    /// Takes a further data slot.
    pub fn data(&mut self, slot: NetifTxRequest) -> Result<(), Nonsense> {
        let followers = self.followers.len();
        if followers >= SLOTS_FATAL {
            return Err(Nonsense::TooManySlots(followers + 1));
        }
        check_page(&slot)?;
        self.followers.push(slot.id);
        // A packet of 64 KiB or more made the first slot's size wrap: its parts look larger than the whole.
        match self.slots[0].size.checked_sub(slot.size) {
            Some(own) if followers < SLOTS_MAX => {
                self.slots[0].size = own;
                self.slots.push(slot);
            }
            _ => self.kind = Kind::Bad,
        }
        if slot.flags & NETTXF_MORE_DATA == 0 {
            self.next = Next::Nothing;
        }
        Ok(())
    }

    /// Judges the complete packet.
    pub fn finish(&mut self) -> Result<Kind, Nonsense> {
        if self.kind == Kind::Data {
            if usize::from(self.slots[0].size) < ETH_HLEN {
                self.kind = Kind::Bad;
            } else {
                check_page(&self.slots[0])?;
            }
        }
        Ok(self.kind)
    }

    /// The data slots, whose sizes are each one's own now and add up to [`total`](Self::total).
    pub fn slots(&self) -> &[NetifTxRequest] {
        &self.slots
    }

    /// The packet's length.
    pub fn total(&self) -> usize {
        self.total.into()
    }

    /// Whether netback shall fill in the checksum.
    pub fn is_checksum_blank(&self) -> bool {
        self.slots[0].flags & NETTXF_CSUM_BLANK != 0
    }

    /// What is answered: the first slot's id, the number of extras behind it, and the ids of the other slots.
    pub fn answers(&self) -> (u16, u32, &[u16]) {
        (self.slots[0].id, self.extras, &self.followers)
    }
}

fn check_page(slot: &NetifTxRequest) -> Result<(), Nonsense> {
    let (offset, size) = (slot.offset, slot.size);
    if usize::from(offset) + usize::from(size) > PAGE_SIZE {
        return Err(Nonsense::CrossesPage { offset, size });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(size: u16, flags: u16) -> NetifTxRequest {
        NetifTxRequest {
            gref: 8,
            offset: 0,
            flags,
            id: size,
            size,
        }
    }

    #[test]
    fn the_first_slots_size_is_the_whole_packets() {
        let mut packet = Packet::new(slot(3000, NETTXF_MORE_DATA));
        packet.data(slot(1000, NETTXF_MORE_DATA)).unwrap();
        assert_eq!(packet.next(), Next::Data);
        packet.data(slot(500, 0)).unwrap();
        assert_eq!(
            (packet.next(), packet.finish()),
            (Next::Nothing, Ok(Kind::Data))
        );
        let sizes: Vec<u16> = packet.slots().iter().map(|slot| slot.size).collect();
        assert_eq!((sizes, packet.total()), (vec![1500, 1000, 500], 3000));
    }

    #[test]
    fn a_packet_smaller_than_its_parts_or_without_a_header_in_its_first_slot_is_bad() {
        let mut packet = Packet::new(slot(100, NETTXF_MORE_DATA));
        packet.data(slot(101, 0)).unwrap();
        assert_eq!(packet.finish(), Ok(Kind::Bad));
        let mut packet = Packet::new(slot(100, NETTXF_MORE_DATA));
        packet.data(slot(90, 0)).unwrap();
        assert_eq!(packet.finish(), Ok(Kind::Bad));
        assert_eq!(packet.answers(), (100, 0, &[90][..]));
    }

    #[test]
    fn a_few_slots_too_many_cost_the_packet_and_many_the_vif() {
        let mut packet = Packet::new(slot(1000, NETTXF_MORE_DATA));
        for _ in 0..SLOTS_MAX {
            packet.data(slot(1, NETTXF_MORE_DATA)).unwrap();
        }
        assert_eq!(packet.finish(), Ok(Kind::Data));
        assert_eq!(packet.slots().len(), PAGES_MAX);
        for _ in SLOTS_MAX..SLOTS_FATAL {
            packet.data(slot(1, NETTXF_MORE_DATA)).unwrap();
        }
        assert_eq!(packet.finish(), Ok(Kind::Bad));
        let last = packet.data(slot(1, 0));
        assert_eq!(last, Err(Nonsense::TooManySlots(21)));
    }

    #[test]
    fn a_slot_that_leaves_its_page_costs_the_vif() {
        let beyond = NetifTxRequest {
            offset: 4000,
            ..slot(97, 0)
        };
        let nonsense = Nonsense::CrossesPage {
            offset: 4000,
            size: 97,
        };
        assert_eq!(Packet::new(beyond).finish(), Err(nonsense));
        let mut packet = Packet::new(slot(1000, NETTXF_MORE_DATA));
        assert_eq!(packet.data(beyond), Err(nonsense));
    }

    #[test]
    fn extras_follow_the_first_slot() {
        let first = slot(100, NETTXF_EXTRA_INFO | NETTXF_MORE_DATA);
        let mut packet = Packet::new(first);
        assert_eq!(packet.next(), Next::Extra);
        packet
            .extra([4, EXTRA_FLAG_MORE, 0, 0, 0, 0, 0, 0])
            .unwrap();
        assert_eq!(packet.next(), Next::Extra);
        packet.extra([EXTRA_GSO, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(packet.next(), Next::Data);
        packet.data(slot(10, 0)).unwrap();
        assert_eq!(packet.finish(), Ok(Kind::Bad), "GSO was not offered");
        assert_eq!(packet.answers(), (100, 2, &[10][..]));
        let mut packet = Packet::new(first);
        packet.extra([2, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(
            (packet.next(), packet.finish()),
            (Next::Nothing, Ok(Kind::Control))
        );
        let unknown = Packet::new(first).extra([9; 8]);
        assert_eq!(unknown, Err(Nonsense::BadExtra(9)));
    }
}
