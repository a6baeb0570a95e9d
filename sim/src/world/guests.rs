//! Which guest a domain of the plan runs, and how its configuration reaches it: as on Xen, by command line, modules and
//! xenstore only.

use std::rc::Rc;

use stack::app::http::site;
use xenemu::{DomainConfig, GuestFactory, Module, VifConfig};

use crate::plan::{DomainPlan, OnExit, Site, VifPlan};

/// The fuel of one run: far more than any honest run burns.
const FUEL: u64 = 50_000_000;

/// Knows how to make the domains of a plan.
pub trait GuestRegistry: Sync {
    /// A domain's configuration, and what makes its guest at each boot.
    fn domain(&self, plan: &DomainPlan) -> Result<(DomainConfig, GuestFactory), String>;
}

/// The builtin kernel with our own stack, running the application that the plan names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Builtin;

impl GuestRegistry for Builtin {
    fn domain(&self, plan: &DomainPlan) -> Result<(DomainConfig, GuestFactory), String> {
        if !stack::kernel::applications().any(|name| name == plan.guest) {
            return Err(format!("no guest is called {:?}", plan.guest));
        }
        let factory: GuestFactory = Rc::new(|_, sink| stack::kernel::builtin(sink));
        Ok((config(plan), factory))
    }
}

/// A domain's configuration as the plan says it; the command line names the application and its words.
pub fn config(plan: &DomainPlan) -> DomainConfig {
    let words = plan
        .args
        .iter()
        .map(|(key, value)| format!(" {key}={value}"));
    DomainConfig {
        name: plan.name.clone(),
        memory_kib: plan.memory_kib,
        cmdline: format!("app={}{}", plan.guest, words.collect::<String>()),
        modules: plan.site.as_deref().map(module).into_iter().collect(),
        vifs: plan.vifs.iter().map(vif).collect(),
        xenstore: Vec::new(),
        on_poweroff: on_exit(plan.on_poweroff),
        on_reboot: on_exit(plan.on_reboot),
        on_crash: on_exit(plan.on_crash),
        fuel: FUEL,
        counted: plan.counted,
    }
}

/// A site as a boot module.
fn module(site: &Site) -> Module {
    let pages = site.pages.iter().map(|(path, page)| site::Page {
        path,
        content_type: &page.content_type,
        etag: &page.etag,
        body: &page.body,
    });
    Module {
        cmdline: "site".into(),
        bytes: site::encode(pages).into(),
    }
}

fn vif(plan: &VifPlan) -> VifConfig {
    VifConfig {
        mac: plan.mac,
        ip: plan.ip.clone(),
        gateway: plan.gateway.clone(),
        mtu: None,
        bridge: 0,
        sg: plan.sg,
        csum: plan.csum,
        map_tx: plan.map_tx,
    }
}

fn on_exit(plan: OnExit) -> xenemu::OnExit {
    match plan {
        OnExit::Destroy => xenemu::OnExit::Destroy,
        OnExit::Restart => xenemu::OnExit::Restart,
        OnExit::Preserve => xenemu::OnExit::Preserve,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::sample::domain;

    #[test]
    fn the_command_line_names_the_application_and_its_words() {
        let mut plan = domain("blog", "echo", None);
        plan.args.insert("port".into(), "8080".into());
        assert_eq!(config(&plan).cmdline, "app=echo port=8080");
    }

    #[test]
    fn an_unknown_guest_is_refused() {
        assert!(Builtin.domain(&domain("x", "ecko", None)).is_err());
        assert!(Builtin.domain(&domain("x", "echo", None)).is_ok());
    }
}
