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

#[cfg(test)]
mod tests {
    use xen_abi::event_channel::EvtchnStatus;
    use xen_abi::sched::ShutdownReason;
    use xen_abi::{Errno, Gfn, GrantRef};

    use crate::fixture::{A, B, DOM0, two_domains};

    #[test]
    fn a_domain_that_nobody_holds_is_gone_when_it_is_killed() {
        let mut hv = two_domains();
        hv.write(A, Gfn(5).gpa(), b"bytes").unwrap();
        let port = hv.alloc(A, B).unwrap();
        let peer = hv.bind(B, A, port).unwrap();
        hv.kill(A);
        hv.kill(B);
        assert!(hv.domain(A).is_err() && hv.domain(B).is_err());
        assert_eq!(hv.memory.live(), 0);
        assert_eq!(hv.send(B, peer), Err(Errno::ESRCH));
    }

    #[test]
    fn a_dead_domains_peer_is_unbound() {
        let mut hv = two_domains();
        let port = hv.alloc(A, B).unwrap();
        let peer = hv.bind(B, A, port).unwrap();
        hv.kill(A);
        assert_eq!(hv.status(B, peer), Ok(EvtchnStatus::Unbound { dom: A }));
        assert_eq!(hv.bind(B, A, port), Err(Errno::ESRCH));
    }

    #[test]
    fn a_zombie_waits_for_the_last_foreign_mapping() {
        let mut hv = two_domains();
        hv.grant(A, GrantRef(8), DOM0, Gfn(5), 0);
        let page = hv.map_page(DOM0, A, GrantRef(8), false).unwrap();
        hv.write(DOM0, page.at, b"seen").unwrap();
        hv.kill(A);
        assert!(hv.domain(A).is_ok_and(|domain| domain.dying));
        let mut seen = [0; 4];
        hv.read(DOM0, page.at, &mut seen).unwrap();
        assert_eq!(&seen, b"seen");
        hv.unmap_page(DOM0, page);
        assert!(hv.domain(A).is_err());
    }

    #[test]
    fn a_domain_that_shut_down_keeps_its_grants() {
        let mut hv = two_domains();
        hv.grant(A, GrantRef(8), DOM0, Gfn(5), 0);
        hv.shut_down(A, ShutdownReason::Poweroff);
        let page = hv.map_page(DOM0, A, GrantRef(8), false).unwrap();
        hv.unmap_page(DOM0, page);
        hv.shut_down(A, ShutdownReason::Crash);
        let reason = hv.domain(A).unwrap().shutdown;
        assert_eq!(reason, Some(ShutdownReason::Poweroff), "the first counts");
    }
}
