//! What the neighbours of both families have in common: the table, packets that wait for an Ethernet address, packets
//! whose neighbour has answered, and those whose neighbour never did. ARP ([`super::neighbours`]) and Neighbor
//! Discovery ([`super::ipv6::neighbours`]) differ only in how they ask and what they believe.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use xen_abi::Instant;

use crate::addr::Mac;
use crate::api::{Device, DeviceFull};
use crate::net::neighbour_table::{State, Table};
use crate::net::profile::NetProfile;
use crate::wire::ethernet::{self, EtherType};

/// An address that neighbours are known by.
pub trait NeighbourAddress: Copy + Ord {
    /// What a frame to such a neighbour carries.
    const ETHERTYPE: EtherType;
}

impl NeighbourAddress for Ipv4Addr {
    const ETHERTYPE: EtherType = EtherType::IPV4;
}

impl NeighbourAddress for Ipv6Addr {
    const ETHERTYPE: EtherType = EtherType::IPV6;
}

/// An IP packet that waits for its neighbour.
#[derive(Debug, PartialEq, Eq)]
pub struct Parked {
    pub packet: Vec<u8>,
    /// The device has to finish the transport's checksum.
    pub needs_csum: bool,
}

impl Parked {
    /// Sends the packet to an Ethernet address.
    pub fn send(
        &self,
        device: &mut dyn Device,
        src: Mac,
        dst: Mac,
        ethertype: EtherType,
    ) -> Result<(), DeviceFull> {
        let header = ethernet::Repr {
            dst,
            src,
            ethertype,
        };
        let len = ethernet::HEADER + self.packet.len();
        device.transmit(len, self.needs_csum, &mut |frame| {
            header.emit(frame).copy_from_slice(&self.packet);
        })
    }
}

/// Neighbours, and all that waits for them.
#[derive(Debug)]
pub struct Cache<A> {
    table: Table<A>,
    /// Neighbours that were named by hand: they are never asked and never forgotten.
    permanent: Vec<(A, Mac)>,
    /// Neighbours that are remembered at all.
    most: usize,
    /// Packets that wait for one neighbour, and bytes that wait for all.
    most_packets: usize,
    most_bytes: usize,
    /// Bytes in all queues.
    parked_bytes: usize,
    /// Packets whose neighbour answered.
    ready: VecDeque<(Mac, Parked)>,
    /// Packets whose neighbour never answered.
    failed: VecDeque<Parked>,
    /// The last resolution and until when it holds: what almost every look-up asks for.
    last: Option<(A, Mac, Instant)>,
}

impl<A: NeighbourAddress> Cache<A> {
    /// Nobody is known.
    pub fn new(profile: &NetProfile) -> Cache<A> {
        Cache {
            table: Table::default(),
            permanent: Vec::new(),
            most: profile.neighbours,
            most_packets: profile.neighbour_queue,
            most_bytes: profile.neighbour_bytes,
            parked_bytes: 0,
            ready: VecDeque::new(),
            failed: VecDeque::new(),
            last: None,
        }
    }

    /// All neighbours and their deadlines.
    pub fn table(&self) -> &Table<A> {
        &self.table
    }

    /// The neighbour that was found last, if it is still the one and still trusted.
    #[inline]
    pub fn recent(&self, now: Instant, ip: A) -> Option<Mac> {
        match self.last {
            Some((last, mac, until)) if last == ip && now < until => Some(mac),
            _ => None,
        }
    }

    /// The neighbour is trusted until then: [`Cache::recent`] finds it.
    pub fn found(&mut self, ip: A, mac: Mac, until: Instant) {
        self.last = Some((ip, mac, until));
    }

    /// A neighbour that was named by hand.
    pub fn permanent(&mut self, ip: A) -> Option<Mac> {
        let &(_, mac) = self.permanent.iter().find(|(known, _)| *known == ip)?;
        self.last = Some((ip, mac, Instant(u64::MAX)));
        Some(mac)
    }

    /// Names a neighbour by hand: in place of what was known of it.
    pub fn set_permanent(&mut self, ip: A, mac: Mac) {
        if let Some(State::Incomplete { queue, .. }) = self.remove(ip) {
            self.ready.extend(queue.into_iter().map(|p| (mac, p)));
        }
        self.permanent.retain(|(known, _)| *known != ip);
        self.permanent.push((ip, mac));
    }

    /// Whether packets for the neighbour need no asking.
    pub fn is_permanent(&self, ip: A) -> bool {
        self.permanent.iter().any(|(known, _)| *known == ip)
    }

    /// Lets a packet wait for a neighbour that is being asked. If the queue is full the oldest packet gives way
    /// (RFC 1122, section 2.3.2.2, and RFC 4861, section 7.2.2: save the latest).
    pub fn park(&mut self, ip: A, parked: Parked) {
        let Some(queue) = self.table.queue_mut(ip) else {
            panic!("packets are parked only with neighbours that are being asked");
        };
        let fits = |bytes: usize, packets: usize| {
            bytes + parked.packet.len() <= self.most_bytes && packets < self.most_packets
        };
        while !fits(self.parked_bytes, queue.len()) {
            match queue.pop_front() {
                Some(oldest) => self.parked_bytes -= oldest.packet.len(),
                None => return,
            }
        }
        self.parked_bytes += parked.packet.len();
        queue.push_back(parked);
    }

    /// Puts an entry in place of the one before it; packets that waited for its Ethernet address go out if it has one
    /// now.
    pub fn set(&mut self, ip: A, state: State, deadline: Instant) {
        let before = self.remove(ip);
        if let (Some(State::Incomplete { queue, .. }), Some(mac)) = (before, state.mac()) {
            self.ready.extend(queue.into_iter().map(|p| (mac, p)));
        }
        self.table.insert(ip, state, deadline);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, ip: A) -> Option<State> {
        if self.last.is_some_and(|(last, ..)| last == ip) {
            self.last = None;
        }
        self.table.remove(ip)
    }

    /// Takes out an entry whose deadline is over.
    pub fn pop_due(&mut self, now: Instant) -> Option<(A, State)> {
        let ip = self.table.due(now)?;
        let Some(state) = self.remove(ip) else {
            unreachable!("a deadline belongs to a neighbour");
        };
        Some((ip, state))
    }

    /// The packets of a neighbour that never answered are given back.
    pub fn fail(&mut self, queue: VecDeque<Parked>) {
        self.parked_bytes -= bytes_of(&queue);
        self.failed.extend(queue);
    }

    /// The next packet whose neighbour never answered.
    pub fn next_failed(&mut self) -> Option<Parked> {
        self.failed.pop_front()
    }

    /// Forgets whoever would be forgotten first, when the table is full; those that are being asked come last.
    pub fn make_room(&mut self) {
        while self.table.count() >= self.most {
            let Some(ip) = self.table.most_dispensable() else {
                return;
            };
            if let Some(State::Incomplete { queue, .. }) = self.remove(ip) {
                self.parked_bytes -= bytes_of(&queue);
            }
        }
    }

    /// Sends packets whose neighbour answered.
    pub fn transmit(&mut self, mac: Mac, device: &mut dyn Device) -> Result<(), DeviceFull> {
        while let Some((dst, parked)) = self.ready.front() {
            parked.send(device, mac, *dst, A::ETHERTYPE)?;
            self.parked_bytes -= parked.packet.len();
            self.ready.pop_front();
        }
        Ok(())
    }

    /// Whether a packet waits for the device.
    #[inline]
    pub fn has_output(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Bytes in all queues.
    pub fn parked_bytes(&self) -> usize {
        self.parked_bytes
    }
}

fn bytes_of(queue: &VecDeque<Parked>) -> usize {
    queue.iter().map(|parked| parked.packet.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEM: Ipv6Addr = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 2);

    #[test]
    fn a_neighbour_named_by_hand_is_not_forgotten_and_lets_packets_go() {
        let mut cache = Cache::new(&NetProfile::default());
        let (tries, queue) = (1, VecDeque::new());
        cache.set(THEM, State::Incomplete { tries, queue }, Instant(5));
        let packet = alloc::vec![1; 10];
        cache.park(
            THEM,
            Parked {
                packet,
                needs_csum: false,
            },
        );
        assert_eq!(cache.permanent(THEM), None);
        cache.set_permanent(THEM, Mac([2; 6]));
        assert!(cache.has_output() && cache.table().count() == 0);
        assert_eq!(cache.permanent(THEM), Some(Mac([2; 6])));
        assert_eq!(cache.recent(Instant(1 << 60), THEM), Some(Mac([2; 6])));
    }
}
