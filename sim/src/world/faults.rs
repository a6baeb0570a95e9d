//! Faults and repairs: links cut and held, machines without power, and settings that change.
//!
//! A direction is dead while its link is cut or either end is off. A cut kills what is in flight; a hold keeps it. A power
//! failure kills the machine's queues, what flies to it, and what it received and has not acted on; what it had
//! serialised goes on. turmoil hears of power only: its own partitions and holds act on whatever its last step enqueued.

use super::World;
use super::build::Kind;
use super::link::Link;
use super::node::{ActionError, NodeAction};
use crate::plan::LinkChange;

type Done = Result<(), ActionError>;

impl World<'_> {
    pub(super) fn count_fault(&mut self) {
        let mut fabric = self.fabric.borrow_mut();
        let inside_run = fabric.inside_run(self.now);
        let in_flight = fabric.links.iter().any(Link::in_flight);
        let stats = &mut fabric.stats;
        stats.faults += 1;
        stats.faults_inside_run += u64::from(inside_run);
        stats.faults_in_flight += u64::from(in_flight);
    }

    pub(super) fn set_link(&mut self, link: &str, from: Option<&str>, change: &LinkChange) -> Done {
        if change.rate == Some(Some(0)) {
            return Err(ActionError("a rate of 0".into()));
        }
        let from = from.map(|name| self.place(name)).transpose()?;
        self.with_link(link, |link| {
            for direction in &mut link.directions {
                if from.is_none_or(|from| direction.from == from) {
                    direction.set(change);
                }
            }
        })
    }

    pub(super) fn cut(&mut self, link: &str) -> Done {
        let now = self.now;
        self.with_link(link, |link| link.cut(now))
    }

    pub(super) fn heal(&mut self, link: &str) -> Done {
        self.with_link(link, |link| link.cut = false)
    }

    pub(super) fn hold(&mut self, link: &str) -> Done {
        self.with_link(link, |link| link.held = true)
    }

    pub(super) fn release(&mut self, link: &str) -> Done {
        let now = self.now;
        self.with_link(link, |link| link.release(now))
    }

    pub(super) fn partition(&mut self, left: &[String], right: &[String]) -> Done {
        let now = self.now;
        self.between(left, right, |link| link.cut(now))
    }

    /// Heals the links between two sides; both empty: every link.
    pub(super) fn heal_all(&mut self, left: &[String], right: &[String]) -> Done {
        if left.is_empty() && right.is_empty() {
            for link in &mut self.fabric.borrow_mut().links {
                link.cut = false;
            }
            return Ok(());
        }
        self.between(left, right, |link| link.cut = false)
    }

    pub(super) fn power_off(&mut self, machine: &str) -> Done {
        let place = self.place(machine)?;
        let lost = {
            let fabric = &mut *self.fabric.borrow_mut();
            let node = fabric.slots[place].node.as_ref();
            self.crashes
                .extend(node.into_iter().flat_map(|node| node.crash_texts()));
            fabric.power_off(place, self.now)
        };
        if !lost {
            return Err(ActionError(format!("{machine} is already off")));
        }
        self.net.crash(place);
        self.record.quiet.power_off(place as u16);
        let homes = self.homes.iter().filter(|(_, home)| **home == place);
        let domains = homes.map(|(domain, _)| *domain);
        self.record.scripts.power_off(place as u16, domains);
        Ok(())
    }

    /// Power returns, and the domains that start by themselves start.
    pub(super) fn power_on(&mut self, machine: &str) -> Done {
        let place = self.place(machine)?;
        if self.fabric.borrow().slots[place].node.is_some() {
            return Err(ActionError(format!("{machine} is already on")));
        }
        self.power_up(place).map_err(ActionError)?;
        self.net.bounce(place);
        if let Kind::Machine(m) = self.kinds[place] {
            for domain in &self.plan.machines[m].domains {
                if domain.start.is_some() {
                    self.act_on(&domain.name, NodeAction::Create)?;
                }
            }
        }
        Ok(())
    }

    fn place(&self, node: &str) -> Result<usize, ActionError> {
        let fabric = self.fabric.borrow();
        let place = fabric.slots.iter().position(|slot| slot.name == node);
        place.ok_or_else(|| ActionError(format!("no machine or switch is called {node:?}")))
    }

    fn with_link(&mut self, name: &str, act: impl FnOnce(&mut Link)) -> Done {
        let fabric = &mut *self.fabric.borrow_mut();
        match fabric.links.iter_mut().find(|link| link.name == name) {
            Some(link) => {
                act(link);
                Ok(())
            }
            None => Err(ActionError(format!("no link is called {name:?}"))),
        }
    }

    /// Acts on every link that has one end on either side.
    fn between(
        &mut self,
        left: &[String],
        right: &[String],
        mut act: impl FnMut(&mut Link),
    ) -> Done {
        let places = |names: &[String]| -> Result<Vec<usize>, ActionError> {
            names.iter().map(|name| self.place(name)).collect()
        };
        let (left, right) = (places(left)?, places(right)?);
        for link in &mut self.fabric.borrow_mut().links {
            let (a, b) = (link.directions[0].from, link.directions[0].to);
            let crosses = |a, b| left.contains(&a) && right.contains(&b);
            if crosses(a, b) || crosses(b, a) {
                act(link);
            }
        }
        Ok(())
    }
}
