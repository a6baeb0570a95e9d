//! How a domain ends: shut down, dying, zombie, gone.

use xen_abi::DomId;

use crate::event::{Event, Life};
use crate::hypervisor::Hypervisor;

impl Hypervisor {
    /// `domain_kill`: reclaims all that is the domain's own. What others hold of it keeps it as a zombie.
    pub(crate) fn kill(&mut self, domid: DomId) {
        let Some(domain) = self.domains.get(domid) else {
            return;
        };
        if domain.dying {
            return;
        }
        self.change_vcpu(domid, |domain| domain.dying = true);
        self.stop_timers(domid);
        self.emit(&Event::Life {
            domid,
            life: Life::Dying,
        });
        self.close_all_ports(domid);
        self.release_mappings(domid);
        if let Some(domain) = self.domains.get_mut(domid) {
            domain.physmap.clear(&mut self.memory);
            if domain.grants.in_use() > 0 {
                self.emit(&Event::Life {
                    domid,
                    life: Life::Zombie,
                });
            }
        }
        self.dom_exc.push_back(domid);
        self.reap(domid);
    }

    /// Forgets a dying domain once nobody holds anything of it: `complete_domain_destroy`.
    pub(crate) fn reap(&mut self, domid: DomId) {
        let held = self
            .domains
            .get(domid)
            .is_none_or(|domain| !domain.dying || domain.grants.in_use() > 0);
        if held {
            return;
        }
        let mut domain = self.domains.remove(domid).expect("it was just looked up");
        domain.grants.clear(&mut self.memory);
        if let Some(page) = domain.shared_info {
            self.memory.release(page);
        }
        self.emit(&Event::Life {
            domid,
            life: Life::Destroyed,
        });
        self.dom_exc.push_back(domid);
    }
}
