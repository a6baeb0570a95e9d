//! Where it happens: machines, the domains on them, switches, and links with all their vices.

use std::collections::BTreeMap;
use std::sync::Arc;

use stack::profile::settings;
use xenemu::Time;

use super::super::impair::LEAST_DELAY;
use super::{Sampler, domain, empty, link};
use crate::plan::*;
use crate::scenario::AUTO_CIDR;
use crate::scenario::language::Kind;
use crate::scenario::language::declarations::TCP;

/// The network that all domains are on.
pub(super) const NETWORK: &str = "10.0.0";
/// One that routers and some others are on too.
pub(super) const OTHER_NETWORK: &str = "10.0.1";

impl Sampler {
    /// Machines with domains, and perhaps a switch.
    pub(super) fn places(&mut self, seed: u64, guests: &[&str]) -> Plan {
        let mut plan = empty(seed);
        let mut hosts = 0;
        for m in 0..1 + self.below(4) {
            let mut machine = MachinePlan {
                name: format!("m{m}"),
                ..MachinePlan::default()
            };
            for d in 0..1 + self.below(3) {
                let name = format!("m{m}d{d}");
                hosts += 1;
                machine.domains.push(self.domain(&name, guests, 1 + hosts));
                if self.percent(20) {
                    machine.schedule.push(self.switch_point(&name));
                }
            }
            plan.machines.push(machine);
        }
        if self.percent(80) {
            // It takes two to have a packet that a queue may mark.
            let ecn = format!("{}ecn", settings::PREFIX);
            let domains = plan.machines.iter_mut().flat_map(|m| &mut m.domains);
            for domain in domains {
                domain.args.insert(ecn.clone(), "active".into());
            }
        }
        if plan.machines.len() == 1 || self.percent(50) {
            let name = "switch".into();
            plan.switches.push(SwitchPlan { name });
        }
        plan
    }

    fn domain(&mut self, name: &str, guests: &[&str], host: u32) -> DomainPlan {
        let start = match self.below(10) {
            0 => None,
            1 | 2 => Some(self.instant(5_000_000)),
            _ => Some(Time::ZERO),
        };
        let mut domain = domain(name, self.one_of(guests), start);
        let exits = [OnExit::Destroy, OnExit::Restart, OnExit::Preserve];
        domain.on_poweroff = self.one_of(&exits);
        domain.on_reboot = self.one_of(&exits);
        domain.on_crash = self.one_of(&exits);
        domain.counted = self.percent(25);
        if self.percent(20) {
            domain.args.insert("port".into(), "8007".into());
        }
        if self.percent(20) {
            self.tcp_settings(&mut domain.args);
        }
        if domain.guest.starts_with("http") {
            domain.site = Some(site());
        }
        let mut ip = vec![format!("{NETWORK}.{host}/24")];
        let mut gateways = Vec::new();
        if self.percent(40) {
            gateways.push(format!("{NETWORK}.1"));
        }
        if domain.guest == "router" {
            // Whoever has a gateway has this one; if there are two, they quarrel.
            ip.extend([NETWORK, OTHER_NETWORK].map(|network| format!("{network}.1/24")));
            domain.args.insert("mtu".into(), "600".into());
            if self.percent(20) {
                domain.args.insert("errors".into(), "off".into());
            }
        } else if self.percent(20) {
            ip.push(format!("{OTHER_NETWORK}.{host}/24"));
        }
        if self.percent(10) {
            ip.push(format!("2001:db8::{host}/64"));
        }
        if self.percent(10) {
            ip.push(AUTO_CIDR.into());
        }
        if ip.iter().any(|ip| ip.contains(':')) && self.percent(50) {
            gateways.push("2001:db8::1".into());
        }
        domain.vifs[0] = VifPlan {
            mac: self.percent(20).then_some([0x02, 0, 0, 0, 1, host as u8]),
            ip,
            gateway: (!gateways.is_empty()).then(|| gateways.join(" ")),
            sg: self.percent(50),
            csum: self.percent(50),
            map_tx: self.percent(50),
        };
        domain
    }

    /// Some of what can be said of a domain's TCP, and sometimes a key that it shares with a neighbour, who may know
    /// nothing of it.
    fn tcp_settings(&mut self, args: &mut BTreeMap<String, String>) {
        for setting in TCP {
            let values: &[&str] = match setting.kind {
                Kind::Choice(values) => values,
                _ => &["on", "off"],
            };
            if self.percent(40) {
                let name = format!("{}{}", settings::PREFIX, setting.name);
                args.insert(name, self.one_of(values).to_owned());
            }
        }
        if self.percent(20) {
            let peer = format!("{NETWORK}.{}", 2 + self.below(4));
            let name = format!("{}{}{peer}", settings::PREFIX, settings::MD5);
            args.insert(name, self.one_of(&["evil", "secret"]).to_owned());
        }
    }

    /// A switch to one of dom0's actors at one of a domain's first calls.
    fn switch_point(&mut self, domain: &str) -> SwitchPoint {
        let actors = ["netback", "xenstored", "xenconsoled", "bridge"];
        SwitchPoint {
            domain: domain.to_owned(),
            call: 1 + self.below(400),
            actor: self.one_of(&actors).to_owned(),
            steps: 1 + self.below(20) as u32,
        }
    }

    /// A star around the switch, or a chain; sometimes one link more.
    pub(super) fn links(&mut self, plan: &mut Plan) {
        let names: Vec<String> = plan.machines.iter().map(|m| m.name.clone()).collect();
        if plan.switches.is_empty() {
            for pair in names.windows(2) {
                let link = self.link(&pair[0], &pair[1]);
                plan.links.push(link);
            }
        } else {
            for name in &names {
                let link = self.link(name, "switch");
                plan.links.push(link);
            }
        }
        if self.percent(40) && names.len() > 1 {
            let more = self.link(&names[0], &names[names.len() - 1]);
            if plan.links.iter().all(|link| link.name != more.name) {
                plan.links.push(more);
            } else {
                let name = format!("{}-again", more.name);
                plan.links.push(LinkPlan { name, ..more });
            }
        }
    }

    fn link(&mut self, a: &str, b: &str) -> LinkPlan {
        let ab = self.settings();
        let ba = if self.percent(50) {
            ab
        } else {
            self.settings()
        };
        LinkPlan {
            settings: [ab, ba],
            ..link(a, b, ab)
        }
    }

    pub(super) fn settings(&mut self) -> LinkSettings {
        let raw = self.spread(self.least_delay, 20_000_000);
        let delay = self.quantised(raw);
        let jitter = if self.percent(50) {
            self.jitter(delay)
        } else {
            0
        };
        let rates = [1, 10, 100, 1_000, 10_000].map(|mbit| Some(mbit * 1_000_000));
        LinkSettings {
            delay,
            jitter,
            rate: if self.percent(15) {
                None
            } else {
                self.one_of(&rates)
            },
            queue: self.one_of(&[2_000, 4_000, 16_384, 65_536]),
            mark: self.one_of(&[None, Some(0), Some(0), Some(0), Some(3_000)]),
            loss: self.loss(),
            duplicate: self.rare(&[0, 0, 100_000]),
            reorder: self.reorder(),
            corrupt: self.rare(&[0, 0, 0, 50_000]),
        }
    }

    /// In worlds with short windows even more than the delay.
    fn jitter(&mut self, delay: u64) -> u64 {
        if self.least_delay == LEAST_DELAY {
            let raw = self.below(delay + delay / 4 + 1);
            self.quantised(raw)
        } else {
            self.below(delay - self.least_delay + 1)
        }
    }

    /// A frame that overtakes takes the least time, so only worlds with short windows have any.
    fn reorder(&mut self) -> Probability {
        let probability = self.rare(&[0, 0, 0, 100_000]);
        if self.least_delay == LEAST_DELAY {
            probability
        } else {
            Probability(0)
        }
    }

    fn rare(&mut self, millionths: &[u64]) -> Probability {
        Probability::from_millionths(self.one_of(millionths))
    }

    fn loss(&mut self) -> Loss {
        if self.percent(20) {
            Loss::GilbertElliott {
                p: self.rare(&[20_000, 100_000]),
                r: self.rare(&[100_000, 500_000]),
                loss_bad: self.rare(&[500_000, 1_000_000]),
                loss_good: self.rare(&[0, 10_000]),
            }
        } else {
            Loss::Independent(self.rare(&[0, 0, 50_000, 200_000]))
        }
    }
}

/// Two pages, one linked from the other.
fn site() -> Arc<Site> {
    let page = |body: &str| Page {
        content_type: "text/html".into(),
        etag: format!("\"{}\"", body.len()),
        body: body.into(),
    };
    let first = page("<a href=\"/next\">next</a>");
    let next = page(&"The end. ".repeat(500));
    let pages = [("/".into(), first), ("/next".into(), next)].into();
    Arc::new(Site { pages })
}
