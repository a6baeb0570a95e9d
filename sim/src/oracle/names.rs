//! Who is who: nodes and links by their place, domains by the numbers they have now, addresses by their owner.
//!
//! A domain is born again under a new number, so its name is learnt from the trace as it goes by; what a scenario says
//! (addresses, the ends of links) is known beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stack::addr::{Cidr, IpAddress, Mac};
use stack::event::AddressState;
use xenemu::abi::DomId;
use xenemu::event::Life;

use crate::plan::Plan;
use crate::trace::entry::{Author, Entry, Event, WorldEvent};

/// The names that a trace's numbers stand for.
#[derive(Clone, Debug, Default)]
pub struct Names {
    nodes: Vec<Arc<str>>,
    links: Vec<Arc<str>>,
    /// First and second end of each link of the plan.
    link_ends: BTreeMap<String, [Arc<str>; 2]>,
    domains: BTreeMap<(u16, DomId), Arc<str>>,
    by_ip: BTreeMap<IpAddress, Arc<str>>,
    by_mac: BTreeMap<Mac, Arc<str>>,
    /// Domains that send what is not theirs, and may.
    routers: BTreeSet<Arc<str>>,
}

impl Names {
    /// What a scenario says of itself.
    pub fn new(plan: &Plan) -> Names {
        let mut names = Names::default();
        for link in &plan.links {
            let ends = [Arc::from(link.a.as_str()), Arc::from(link.b.as_str())];
            names.link_ends.insert(link.name.clone(), ends);
        }
        for domain in plan.machines.iter().flat_map(|m| &m.domains) {
            let name: Arc<str> = Arc::from(domain.name.as_str());
            if domain.guest == "router" {
                names.routers.insert(name.clone());
            }
            for vif in &domain.vifs {
                names.learn_addresses(&name, &vif.ip);
                if let Some(mac) = vif.mac {
                    names.by_mac.insert(Mac(mac), name.clone());
                }
            }
        }
        names
    }

    /// Learns from an entry.
    pub fn observe(&mut self, entry: &Entry) {
        match (&entry.event, entry.author) {
            (Event::World(WorldEvent::Begin { nodes, links, .. }), _) => {
                self.nodes = nodes.iter().map(|name| Arc::from(name.as_str())).collect();
                self.links = links.iter().map(|name| Arc::from(name.as_str())).collect();
            }
            (
                Event::Machine(xenemu::Event::Life {
                    domid,
                    life: Life::Created { name },
                }),
                Author::Node(node),
            ) => {
                self.domains
                    .insert((node, *domid), Arc::from(name.as_str()));
            }
            (
                Event::Guest(domid, stack::event::Event::InterfaceUp { mac, addresses }),
                Author::Node(node),
            ) => {
                let name = self.domain(node, *domid);
                self.by_mac.insert(Mac(*mac), name.clone());
                self.learn_addresses(&name, addresses);
            }
            (
                Event::Guest(domid, stack::event::Event::Address { address, state }),
                Author::Node(node),
            ) => {
                let name = self.domain(node, *domid);
                if let (AddressState::Preferred, Ok(ip)) = (state, address.parse()) {
                    self.by_ip.insert(ip, name);
                }
            }
            _ => {}
        }
    }

    /// The node at that place.
    pub fn node(&self, node: u16) -> Arc<str> {
        let known = self.nodes.get(usize::from(node)).cloned();
        known.unwrap_or_else(|| Arc::from(format!("node{node}")))
    }

    /// The link at that place.
    pub fn link(&self, link: u16) -> Arc<str> {
        let known = self.links.get(usize::from(link)).cloned();
        known.unwrap_or_else(|| Arc::from(format!("link{link}")))
    }

    /// The ends of a direction of a link: sender and receiver.
    pub fn link_direction(&self, link: u16, direction: u8) -> Option<(Arc<str>, Arc<str>)> {
        let [a, b] = self.link_ends.get(self.link(link).as_ref())?;
        let (from, to) = if direction == 0 { (a, b) } else { (b, a) };
        Some((from.clone(), to.clone()))
    }

    /// The domain that has that number on that node now.
    pub fn domain(&self, node: u16, domid: DomId) -> Arc<str> {
        let known = self.domains.get(&(node, domid)).cloned();
        known.unwrap_or_else(|| Arc::from(format!("{}/dom{}", self.node(node), domid.0)))
    }

    /// Whether that is the name of that domain; cheaper than asking for the name.
    pub fn is_domain(&self, node: u16, domid: DomId, name: &str) -> bool {
        self.domains
            .get(&(node, domid))
            .is_some_and(|known| &**known == name)
    }

    /// Whether a domain forwards packets of others.
    pub fn is_router(&self, domain: &str) -> bool {
        self.routers.contains(domain)
    }

    /// The domain that owns an address.
    pub fn owner_of_ip(&self, ip: IpAddress) -> Option<&Arc<str>> {
        self.by_ip.get(&ip)
    }

    /// The domain that owns an address.
    pub fn owner_of_mac(&self, mac: Mac) -> Option<&Arc<str>> {
        self.by_mac.get(&mac)
    }

    /// Learns that a domain sends from an address, as a bridge does; what was said outright stands.
    pub fn learn_mac(&mut self, mac: Mac, domain: &Arc<str>) {
        if !mac.is_multicast() && !self.by_mac.contains_key(&mac) && self.by_mac.len() < 4096 {
            self.by_mac.insert(mac, domain.clone());
        }
    }

    fn learn_addresses(&mut self, name: &Arc<str>, addresses: &[String]) {
        for text in addresses {
            if let Some(cidr) = Cidr::parse(text) {
                self.by_ip.insert(cidr.address, name.clone());
            }
        }
    }
}
