//! An emulated Xen machine as a node of the world.

use std::collections::BTreeMap;

use xenemu::{
    Action, ActorKind, Costs, DomainConfig, ForcedSwitch, Frame, GuestFactory, LeakReport, Machine,
    MachineConfig, Record, Time, UplinkId,
};

use super::guests::GuestRegistry;
use super::node::{ActionError, Boot, Leaks, Machines, Node, NodeAction, PowerLoss};
use crate::plan::{MachinePlan, SwitchPoint};

/// Machines that run Xen, with domains that a registry knows how to make.
pub struct XenMachines<'a>(pub &'a dyn GuestRegistry);

impl Machines for XenMachines<'_> {
    fn machine(&self, plan: &MachinePlan, boot: &Boot) -> Result<Box<dyn Node>, String> {
        let mut domains = BTreeMap::new();
        for domain in &plan.domains {
            domains.insert(domain.name.clone(), self.0.domain(domain)?);
        }
        let machine = Machine::new(MachineConfig {
            name: boot.name.clone(),
            origin: boot.origin,
            seed: boot.seed,
            boot: boot.boot,
            epoch_secs: boot.epoch_secs,
            uplinks: boot.uplinks,
            started: boot.started,
            first_frame: boot.first_frame,
            first_seq: boot.first_seq,
            costs: Costs::default(),
            schedule: schedule(&plan.schedule)?,
        });
        Ok(Box::new(XenMachine { machine, domains }))
    }
}

/// A machine, and what its domains are made of.
struct XenMachine {
    machine: Machine,
    domains: BTreeMap<String, (DomainConfig, GuestFactory)>,
}

impl XenMachine {
    /// The action in the toolstack's words.
    fn translate(&self, action: &NodeAction) -> Result<Action, ActionError> {
        Ok(match action {
            NodeAction::Create(name) => {
                let known = self.domains.get(name);
                let (config, factory) = known
                    .ok_or_else(|| ActionError(format!("nothing is known of a domain {name:?}")))?;
                Action::Create(config.clone(), factory.clone())
            }
            NodeAction::Destroy(name) => Action::Destroy(name.clone()),
            NodeAction::Pause(name) => Action::Pause(name.clone()),
            NodeAction::Unpause(name) => Action::Unpause(name.clone()),
            NodeAction::Shutdown(name) => Action::Shutdown(name.clone()),
            NodeAction::Reboot(name) => Action::Reboot(name.clone()),
            NodeAction::Crash(name) => Action::Crash(name.clone()),
            NodeAction::VifDetach { domain, handle } => Action::VifDetach {
                domain: domain.clone(),
                handle: *handle,
            },
            NodeAction::XenstoreWrite {
                domain,
                path,
                value,
            } => Action::XenstoreWrite {
                domain: domain.clone(),
                path: path.clone(),
                value: value.clone(),
            },
            NodeAction::Inject { domain, frame } => Action::Inject {
                domain: domain.clone(),
                frame: frame.clone(),
            },
        })
    }
}

impl Node for XenMachine {
    fn act(&mut self, at: Time, action: &NodeAction) -> Result<(), ActionError> {
        let action = self.translate(action)?;
        let done = self.machine.act(at, action);
        done.map_err(|error| ActionError(error.to_string()))
    }
    fn next_event(&self) -> Option<Time> {
        self.machine.next_event()
    }
    fn run_until(&mut self, end: Time) {
        self.machine.run_until(end);
    }
    fn clock(&self) -> Time {
        self.machine.now()
    }
    fn receive(&mut self, at: Time, uplink: UplinkId, order: u64, frame: Frame) {
        self.machine.receive(at, uplink, order, frame);
    }
    fn transmit(&mut self) -> Option<(Time, UplinkId, Frame)> {
        self.machine.transmit()
    }
    fn drain_events(&mut self, before: Time, out: &mut Vec<Record>) {
        self.machine.drain_events(before, out);
    }
    fn power_fail(self: Box<Self>, at: Time) -> PowerLoss {
        let left = self.machine.power_fail(at);
        assert!(
            left.events.is_empty(),
            "all that happened before a fault was merged"
        );
        PowerLoss {
            next_frame: left.next_frame,
            next_seq: left.next_seq,
        }
    }
    fn destroy_all(&mut self) {
        self.machine.destroy_all();
    }
    fn held(&self) -> Leaks {
        let LeakReport {
            grants,
            ports,
            maps,
            watches,
            transactions,
            pages,
        } = self.machine.held();
        Leaks {
            grants,
            ports,
            maps,
            watches,
            transactions,
            pages,
        }
    }
    fn crash_texts(&self) -> Vec<(String, String)> {
        let text = |name: &String| {
            let text = self.machine.crash_text(name)?;
            Some((name.clone(), text.to_owned()))
        };
        self.domains.keys().filter_map(text).collect()
    }
    fn internal_error(&self) -> Option<String> {
        self.machine.internal_error().map(str::to_owned)
    }
}

/// The plan's forced switches, sorted.
fn schedule(points: &[SwitchPoint]) -> Result<Vec<ForcedSwitch>, String> {
    let switch = |point: &SwitchPoint| {
        let actor = match point.actor.as_str() {
            "netback" => ActorKind::Netback,
            "xenstored" => ActorKind::Xenstored,
            "xenconsoled" => ActorKind::Xenconsoled,
            "bridge" => ActorKind::Bridge,
            other => return Err(format!("{other:?} cannot be made to act inside a call")),
        };
        Ok(ForcedSwitch {
            domain: point.domain.clone(),
            call: point.call,
            actor,
            steps: point.steps,
        })
    };
    let mut switches = points.iter().map(switch).collect::<Result<Vec<_>, _>>()?;
    switches.sort();
    Ok(switches)
}
