//! From a configuration to a domain that runs: `libxl_domain_create_new`.

use std::collections::VecDeque;

use xen_abi::event_channel::EvtchnOp;
use xen_abi::grant_table::{GNTTAB_RESERVED_CONSOLE, GNTTAB_RESERVED_XENSTORE};
use xen_abi::hvm::{
    HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_CONSOLE_PFN, HVM_PARAM_STORE_EVTCHN, HVM_PARAM_STORE_PFN,
    HvmOp,
};
use xen_abi::{DomId, Errno, Fuel, Gpa, Port, Wake};

use super::{ActionError, Known};
use crate::config::{DomainConfig, GuestFactory};
use crate::event::Life;
use crate::guests::{Running, Slot, Switch};
use crate::machine::Machine;
use crate::physmap::{CONSOLE_GFN, MAX_RAM_FRAMES, STORE_GFN};
use crate::rng;
use crate::xenstore::{Access, Perms};

const DOM0: DomId = DomId(0);

impl Machine {
    /// Builds a domain and lets it run.
    pub(super) fn create(
        &mut self,
        config: DomainConfig,
        factory: GuestFactory,
    ) -> Result<DomId, ActionError> {
        let (domid, start_info) = self.build(&config)?;
        if let Err(refused) = self.connect(domid, &config) {
            self.dismantle(domid);
            return Err(refused.into());
        }
        self.start(domid, start_info, config, factory);
        Ok(domid)
    }

    /// The domain's nodes, and dom0's ends of its store, console and interfaces.
    fn connect(&mut self, domid: DomId, config: &DomainConfig) -> Result<(), Errno> {
        let ports = self.open_ports(domid);
        self.write_nodes(domid, config, ports)?;
        self.xenconsoled
            .introduce(&mut self.host.hv, domid, ports.console);
        self.xenstored.introduce(&mut self.host, domid, ports.store);
        self.attach_vifs(domid, config)
    }

    /// Builds a domain to which nobody in dom0 is connected: no store, no console, no interface. So Xen itself starts
    /// dom0's kernel.
    pub(crate) fn boot_bare(
        &mut self,
        config: DomainConfig,
        factory: GuestFactory,
    ) -> Result<DomId, ActionError> {
        let (domid, start_info) = self.build(&config)?;
        self.start(domid, start_info, config, factory);
        Ok(domid)
    }

    /// The domain's memory and what it boots with.
    fn build(&mut self, config: &DomainConfig) -> Result<(DomId, Gpa), ActionError> {
        if self.live(&config.name).is_ok() {
            return Err(ActionError::NameTaken(config.name.clone()));
        }
        let frames = config.memory_kib / 4;
        if frames == 0 || frames > MAX_RAM_FRAMES {
            return Err(ActionError::Memory(config.memory_kib));
        }
        let domid = self.next_domid()?;
        self.host.hv.create_domain(domid, frames);
        let loaded = self
            .host
            .hv
            .load_start_info(domid, &config.cmdline, &config.modules);
        let start_info = match loaded {
            Ok(start_info) => start_info,
            Err(no_room) => {
                self.dismantle(domid);
                return Err(no_room.into());
            }
        };
        let name = config.name.clone();
        self.report_life(domid, Life::Created { name });
        Ok((domid, start_info))
    }

    /// Puts the guest into its slot, and lets it run.
    fn start(
        &mut self,
        domid: DomId,
        start_info: Gpa,
        config: DomainConfig,
        factory: GuestFactory,
    ) {
        let build = self.toolstack.note_build(domid, &config.name);
        let running = self.running(&config, build);
        let guest = factory(&config, self.host.hv.log.sink(domid));
        let slot = Slot::new(guest, running, Wake::Boot { start_info }, config.fuel);
        self.guests.insert(domid, slot);
        self.toolstack
            .known
            .insert(domid, Known { config, factory });
        self.host.hv.wake(domid);
        self.unpause(domid);
    }

    fn next_domid(&mut self) -> Result<DomId, ActionError> {
        let next = self.toolstack.last_domid + 1;
        if next >= DomId::FIRST_RESERVED {
            return Err(ActionError::NoDomId);
        }
        self.toolstack.last_domid = next;
        Ok(DomId(next))
    }

    fn open_ports(&mut self, domid: DomId) -> Ports {
        let store = self.alloc_unbound(domid);
        let console = self.alloc_unbound(domid);
        let hv = &mut self.host.hv;
        for (index, value) in [
            (HVM_PARAM_STORE_PFN, STORE_GFN.0),
            (HVM_PARAM_STORE_EVTCHN, store.0.into()),
            (HVM_PARAM_CONSOLE_PFN, CONSOLE_GFN.0),
            (HVM_PARAM_CONSOLE_EVTCHN, console.0.into()),
        ] {
            let mut set = HvmOp::SetParam {
                domid,
                index,
                value,
            };
            let done = hv.hvm_op(DOM0, &mut set);
            assert_eq!(done, Ok(0), "dom0 may set every parameter");
        }
        hv.seed_grant(domid, GNTTAB_RESERVED_CONSOLE, DOM0, CONSOLE_GFN);
        hv.seed_grant(domid, GNTTAB_RESERVED_XENSTORE, DOM0, STORE_GFN);
        Ports { store, console }
    }

    fn alloc_unbound(&mut self, dom: DomId) -> Port {
        let mut op = EvtchnOp::AllocUnbound {
            dom,
            remote_dom: DOM0,
            port: Port(0),
        };
        let done = self.host.hv.event_channel_op(DOM0, &mut op);
        assert_eq!(done, Ok(0), "a new domain has free ports");
        let EvtchnOp::AllocUnbound { port, .. } = op else {
            unreachable!("an operation keeps its kind");
        };
        port
    }

    fn write_nodes(
        &mut self,
        domid: DomId,
        config: &DomainConfig,
        ports: Ports,
    ) -> Result<(), Errno> {
        let home = format!("/local/domain/{domid}");
        let readable = Perms::shared(DOM0, domid, Access::READ);
        let store = &mut self.host.store;
        for folder in ["", "/memory", "/device", "/control", "/console", "/store"] {
            let path = format!("{home}{folder}");
            store.mkdir(&path)?;
            store.set_perms(&path, readable.clone())?;
        }
        for folder in ["/control/shutdown", "/data"] {
            let path = format!("{home}{folder}");
            store.mkdir(&path)?;
            store.set_perms(&path, Perms::owned_by(domid))?;
        }
        let kib = config.memory_kib.to_string();
        for (node, value) in [
            ("name", config.name.clone()),
            ("domid", domid.to_string()),
            ("memory/static-max", kib.clone()),
            ("memory/target", kib),
            ("console/ring-ref", CONSOLE_GFN.0.to_string()),
            ("console/port", ports.console.0.to_string()),
            ("console/type", "xenconsoled".into()),
            ("store/ring-ref", STORE_GFN.0.to_string()),
            ("store/port", ports.store.0.to_string()),
        ] {
            store.write(&format!("{home}/{node}"), value.as_bytes())?;
        }
        for (node, value) in &config.xenstore {
            let path = format!("{home}/{node}");
            store.write(&path, value)?;
            store.set_perms(&path, Perms::owned_by(domid))?;
        }
        Ok(())
    }

    fn running(&self, config: &DomainConfig, build: u32) -> Running {
        let (seed, boot) = (self.config.seed, self.config.boot);
        let mut path = format!("domain/{}/entropy", config.name);
        if (boot, build) != (0, 0) {
            path.push_str(&format!("/{boot}/{build}"));
        }
        // A schedule counts the calls of the first domain of a name.
        let switches: VecDeque<_> = self
            .config
            .schedule
            .iter()
            .filter(|switch| build == 0 && switch.domain == config.name)
            .map(|switch| Switch {
                call: switch.call,
                actor: switch.actor,
                steps: switch.steps,
            })
            .collect();
        Running {
            fuel: Fuel::new(config.fuel),
            calls: 0,
            counted: config.counted,
            entropy: rng::stream(seed, &path),
            switches,
        }
    }
}

#[derive(Clone, Copy)]
struct Ports {
    store: Port,
    console: Port,
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::config::{Action, Costs, MachineConfig, OnExit, VifConfig};
    use crate::inspect::LeakReport;
    use crate::time::Time;

    #[test]
    fn a_domain_that_the_store_refuses_leaves_nothing_behind() {
        let domain = |vifs: usize, node: &str| DomainConfig {
            name: "blog".into(),
            memory_kib: 1024,
            cmdline: String::new(),
            modules: Vec::new(),
            vifs: vec![VifConfig::default(); vifs],
            xenstore: vec![(node.into(), Vec::new())],
            on_poweroff: OnExit::Destroy,
            on_reboot: OnExit::Destroy,
            on_crash: OnExit::Destroy,
            fuel: 1,
            counted: false,
        };
        let factory: GuestFactory = Rc::new(|_, _| unreachable!("it is never started"));
        for (config, errno) in [
            (domain(1, "not a path"), Errno::EINVAL),
            (domain(257, "data/x"), Errno::ENOSPC),
        ] {
            let mut machine = Machine::new(MachineConfig {
                name: "host".into(),
                origin: 0,
                seed: 1,
                boot: 0,
                epoch_secs: 0,
                uplinks: 0,
                started: Time::ZERO,
                first_frame: 0,
                first_seq: 0,
                costs: Costs::default(),
                schedule: Vec::new(),
            });
            let refused = machine.act(Time::ZERO, Action::Create(config, factory.clone()));
            assert_eq!(refused, Err(ActionError::Store(errno)));
            machine.run_until(Time(1_000_000));
            assert_eq!(machine.domains(), []);
            assert_eq!(machine.destroy_all(), LeakReport::default());
        }
    }
}
