//! A world from a plan: places for nodes in order of names, links between them, power on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use xenemu::Time;

use super::World;
use super::fabric::{Fabric, Port, Slot};
use super::link::{Direction, Link};
use super::node::{Boot, Machines, Node};
use super::options::{RunOptions, WorldError};
use super::reality::{Outside, OutsideNode};
use super::record::{Latch, Record};
use super::rounds::Cuts;
use super::schedule::{Numbers, Schedule};
use super::switch::Switch;
use super::turmoil::Net;
use super::whens::Whens;
use crate::plan::{LinkPlan, MachinePlan, Plan};
use crate::trace::{Author, Buffer, Merge, Trace, TraceHash, WorldEvent};

/// Places that a `u16` can count, and links whose directions have numbers beside the nodes'.
const MOST: usize = u16::MAX as usize;

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A place in [`Plan::machines`].
    Machine(usize),
    Switch,
    Outside,
}

impl<'a> World<'a> {
    /// Builds a plan's world on machines that `machines` makes; nothing has happened in it.
    pub fn build(
        plan: &'a Plan,
        machines: &'a dyn Machines,
        options: &'a RunOptions,
    ) -> Result<World<'a>, WorldError> {
        check(plan)?;
        let (mut slots, kinds) = places(plan, options)?;
        let links = links(plan, options, &mut slots)?;
        let outside = kinds.iter().position(|kind| *kind == Kind::Outside);
        let outside = outside.map(|node| Outside {
            node,
            pipe: Rc::default(),
            inputs: BTreeMap::new(),
            next_input: 0,
        });
        let begin = WorldEvent::Begin {
            seed: plan.seed,
            epoch_secs: plan.epoch_secs,
            nodes: slots.iter().map(|slot| slot.name.clone()).collect(),
            links: links.iter().map(|link| link.name.clone()).collect(),
        };
        let nodes = slots.len();
        let homes = homes(plan, &slots);
        let fabric = Fabric::new(slots, links, options.drop_payloads);
        let fabric = Rc::new(RefCell::new(fabric));
        let mut world = World {
            plan,
            machines,
            options,
            net: Net::new(fabric.clone(), plan.epoch_secs, options.reverse_hosts),
            fabric,
            events: Buffer::new(Author::World),
            schedule: schedule(plan, options),
            numbers: Numbers::new(plan),
            whens: Whens::new(plan.whens.len()),
            record: record(options),
            merge: Merge::default(),
            cuts: Cuts::new(options.windows),
            latch: Latch::default(),
            outside,
            now: Time::ZERO,
            acted: true,
            lookahead: 0,
            stopped: None,
            kinds,
            homes,
            crashes: Vec::new(),
            reported: None,
        };
        for place in 0..nodes {
            world.power_up(place).map_err(|why| WorldError::Machine {
                machine: world.fabric.borrow().slots[place].name.clone(),
                why,
            })?;
        }
        world.say(begin);
        world.look();
        for input in &options.inputs {
            world.add_input(input.clone())?;
        }
        Ok(world)
    }

    /// Puts a node into its place: at the beginning, and when power returns.
    pub(super) fn power_up(&mut self, place: usize) -> Result<(), String> {
        let boot = self.boot(place);
        let node: Box<dyn Node> = match self.kinds[place] {
            Kind::Machine(m) => self.machines.machine(&self.plan.machines[m], &boot)?,
            Kind::Switch => Box::new(Switch::new(&boot)),
            Kind::Outside => {
                let outside = self.outside.as_ref().expect("an outside has a pipe");
                Box::new(OutsideNode::new(&boot, outside.pipe.clone()))
            }
        };
        let slot = &mut self.fabric.borrow_mut().slots[place];
        slot.node = Some(node);
        slot.boots += 1;
        Ok(())
    }

    fn boot(&self, place: usize) -> Boot {
        let slot = &self.fabric.borrow().slots[place];
        Boot {
            name: slot.name.clone(),
            origin: place as u32,
            seed: self.plan.seed,
            boot: slot.boots,
            epoch_secs: self.options.planted.epoch(self.plan.epoch_secs),
            uplinks: slot.ports.len() as u32,
            started: self.now,
            first_frame: slot.next_frame,
            first_seq: slot.next_seq,
        }
    }
}

/// What a plan cannot mean.
fn check(plan: &Plan) -> Result<(), WorldError> {
    if plan.everies.iter().any(|every| every.period == 0) {
        return Err(WorldError::NoPeriod);
    }
    if plan.whens.iter().any(|when| when.reaction == 0) {
        return Err(WorldError::NoReaction);
    }
    let domains = super::schedule::domains(plan).map(|domain| domain.name.as_str());
    let links = plan.links.iter().map(|link| link.name.as_str());
    unique(domains)?;
    unique(links)?;
    for link in &plan.links {
        if link.a == link.b {
            return Err(WorldError::Loop(link.name.clone()));
        }
        if link.settings.iter().any(|s| s.rate == Some(0)) {
            return Err(WorldError::NoRate(link.name.clone()));
        }
    }
    if plan.links.len() > MOST || plan.machines.len() + plan.switches.len() > MOST {
        return Err(WorldError::TooMany(MOST));
    }
    Ok(())
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), WorldError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(WorldError::Twice(name.to_owned()));
        }
    }
    Ok(())
}

/// Machines and switches, both kinds together, in order of names.
fn places(plan: &Plan, options: &RunOptions) -> Result<(Vec<Slot>, Vec<Kind>), WorldError> {
    let mut kinds = BTreeMap::new();
    let machines = plan.machines.iter().enumerate();
    let machines = machines.map(|(m, machine)| (&machine.name, Kind::Machine(m)));
    let switches = plan.switches.iter().map(|s| (&s.name, Kind::Switch));
    for (name, kind) in machines.chain(switches) {
        if kinds.insert(name.clone(), kind).is_some() {
            return Err(WorldError::Twice(name.clone()));
        }
    }
    if let Some(name) = &options.outside {
        match kinds.get_mut(name) {
            Some(kind @ Kind::Machine(_)) => *kind = Kind::Outside,
            _ => return Err(WorldError::NoOutside(name.clone())),
        }
    }
    Ok(kinds
        .into_iter()
        .map(|(name, kind)| (Slot::new(name), kind))
        .unzip())
}

/// The links in order of names. Uplinks count in order of declaration.
fn links(plan: &Plan, options: &RunOptions, slots: &mut [Slot]) -> Result<Vec<Link>, WorldError> {
    let nodes = slots.len() as u32;
    let mut by_name: Vec<&LinkPlan> = plan.links.iter().collect();
    by_name.sort_by(|a, b| a.name.cmp(&b.name));
    let place = |link: &LinkPlan, node: &str, slots: &[Slot]| {
        let place = slots.binary_search_by(|slot| slot.name.as_str().cmp(node));
        place.map_err(|_| WorldError::NoSuchNode {
            link: link.name.clone(),
            node: node.to_owned(),
        })
    };
    for declared in &plan.links {
        let found = by_name.binary_search_by(|link| link.name.cmp(&declared.name));
        let link = found.expect("names are unique");
        for (side, node) in [&declared.a, &declared.b].into_iter().enumerate() {
            let node = place(declared, node, slots)?;
            slots[node].ports.push(Port { link, side });
        }
    }
    let mut links = Vec::with_capacity(by_name.len());
    for (n, link) in by_name.into_iter().enumerate() {
        let ends = (place(link, &link.a, slots)?, place(link, &link.b, slots)?);
        let direction = |side: u8, ends| {
            let origin = nodes + 2 * n as u32 + u32::from(side);
            let settings = link.settings[usize::from(side)];
            Direction::new(
                options.planted.stream(plan.seed),
                &link.name,
                (n as u16, side),
                ends,
                origin,
                settings,
            )
        };
        links.push(Link {
            name: link.name.clone(),
            cut: false,
            held: false,
            directions: [direction(0, ends), direction(1, (ends.1, ends.0))],
        });
    }
    Ok(links)
}

/// Each domain's node.
fn homes<'a>(plan: &'a Plan, slots: &[Slot]) -> BTreeMap<&'a str, usize> {
    let mut homes = BTreeMap::new();
    for machine in &plan.machines {
        let place = slots.iter().position(|slot| slot.name == machine.name);
        let place = place.expect("every machine has a place");
        let names = machine.domains.iter().map(|domain| domain.name.as_str());
        homes.extend(names.map(|name| (name, place)));
    }
    homes
}

/// The plan's schedule; the domains of a machine that is the outside are not started.
fn schedule(plan: &Plan, options: &RunOptions) -> Schedule {
    let outside = |machine: &MachinePlan| options.outside.as_ref() == Some(&machine.name);
    Schedule::new(plan, outside)
}

fn record(options: &RunOptions) -> Record {
    Record {
        hash: TraceHash::new(),
        trace: Trace::new(options.retention),
        quiet: Default::default(),
        scripts: Default::default(),
        packets: 0,
        entries: 0,
        typed: true,
    }
}
