//! The experimenter's deeds: carrying out what is due now, and its failures, as events of the world.
//!
//! A group's actions are done between rounds, when everything before the instant has happened and nothing of it has.
//! Faults are [`super::faults`]; what concerns a domain is handed to its machine.

use stack::app::command::Command;
use xenemu::Time;

use super::forge::mark_evil;
use super::node::{ActionError, NodeAction};
use super::options::WorldError;
use super::schedule::{Group, domains};
use super::{Ended, World};
use crate::plan::Action;
use crate::trace::WorldEvent;

impl World<'_> {
    /// Carries out all that is due now.
    pub(super) fn act_now(&mut self) -> Result<(), WorldError> {
        while self.stopped.is_none()
            && let Some(group) = self.schedule.take(self.now)
        {
            self.acted = true;
            self.carry_out_group(group)?;
        }
        if self.acted {
            self.cuts.clear();
            self.look();
        }
        Ok(())
    }

    fn carry_out_group(&mut self, group: Group) -> Result<(), WorldError> {
        let plan = self.plan;
        let actions = match group {
            Group::Start(n) => {
                let domain = domains(plan)
                    .nth(n)
                    .expect("it is in the plan")
                    .name
                    .clone();
                return self.carry_out(self.numbers.first(group), &Action::Create { domain });
            }
            Group::Input(n) => {
                self.let_in(n);
                return Ok(());
            }
            Group::Timed(n) => &plan.timeline[n].actions,
            Group::Every(n) => {
                let every = &plan.everies[n];
                let next = self.now.plus(every.period);
                if next < Time::MAX {
                    self.schedule.add(next, group);
                }
                &every.actions
            }
            Group::When(n) => {
                self.whens.done(n);
                &plan.whens[n].actions
            }
        };
        let first = self.numbers.first(group);
        for (index, plan) in self.options.planted.order((first..).zip(actions)) {
            if self.stopped.is_none() {
                self.carry_out(index, &plan.action)?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, index: u32, action: &Action) -> Result<(), WorldError> {
        let text = describe(action);
        self.say(WorldEvent::Action { index, text });
        if is_fault(action) {
            self.flush()?;
            self.count_fault();
        }
        if let Err(ActionError(why)) = self.perform(index, action) {
            self.say(WorldEvent::ActionFailed { index, why });
        }
        Ok(())
    }

    fn perform(&mut self, index: u32, action: &Action) -> Result<(), ActionError> {
        match action {
            Action::On {
                domain, commands, ..
            } => self.write_script(domain, commands, index),
            Action::Create { domain } => self.act_on(domain, NodeAction::Create),
            Action::Destroy { domain } => self.act_on(domain, NodeAction::Destroy),
            Action::Pause { domain } => self.act_on(domain, NodeAction::Pause),
            Action::Unpause { domain } => self.act_on(domain, NodeAction::Unpause),
            Action::ShutdownDomain { domain } => self.act_on(domain, NodeAction::Shutdown),
            Action::Reboot { domain } => self.act_on(domain, NodeAction::Reboot),
            Action::Crash { domain } => self.act_on(domain, NodeAction::Crash),
            Action::VifDetach { domain, handle } => {
                let handle = *handle;
                self.act_on(domain, |domain| NodeAction::VifDetach { domain, handle })
            }
            Action::Inject { domain, frame } => {
                let mut frame = frame.clone();
                mark_evil(&mut frame);
                self.act_on(domain, |domain| NodeAction::Inject { domain, frame })
            }
            Action::SetLink { link, from, change } => self.set_link(link, from.as_deref(), change),
            Action::Cut { link } => self.cut(link),
            Action::Heal { link } => self.heal(link),
            Action::Hold { link } => self.hold(link),
            Action::Release { link } => self.release(link),
            Action::Partition { left, right } => self.partition(left, right),
            Action::HealAll { left, right } => self.heal_all(left, right),
            Action::PowerOff { machine } => self.power_off(machine),
            Action::PowerOn { machine } => self.power_on(machine),
            Action::Stop => {
                self.stopped = Some(Ended::Stop);
                Ok(())
            }
        }
    }

    /// Hands a block of commands over through xenstore.
    fn write_script(
        &mut self,
        domain: &str,
        commands: &[Command],
        index: u32,
    ) -> Result<(), ActionError> {
        for (path, value) in self.record.scripts.writes(domain, commands) {
            self.act_on(domain, |domain| NodeAction::XenstoreWrite {
                domain,
                path,
                value,
            })?;
        }
        self.record.scripts.written(domain, index);
        Ok(())
    }

    /// Hands an action to the machine of `domain`.
    pub(super) fn act_on(
        &mut self,
        domain: &str,
        action: impl FnOnce(String) -> NodeAction,
    ) -> Result<(), ActionError> {
        let Some(&home) = self.homes.get(domain) else {
            return Err(ActionError(format!("no domain is called {domain:?}")));
        };
        let action = action(domain.to_owned());
        self.fabric.borrow_mut().act_on(home, self.now, &action)
    }
}

/// Whether an action touches what is in flight, so that turmoil must be emptied before it.
pub fn is_fault(action: &Action) -> bool {
    match action {
        Action::Cut { .. }
        | Action::Heal { .. }
        | Action::Hold { .. }
        | Action::Release { .. }
        | Action::Partition { .. }
        | Action::HealAll { .. }
        | Action::PowerOff { .. }
        | Action::PowerOn { .. } => true,
        Action::On { .. }
        | Action::Create { .. }
        | Action::Destroy { .. }
        | Action::Pause { .. }
        | Action::Unpause { .. }
        | Action::ShutdownDomain { .. }
        | Action::Reboot { .. }
        | Action::Crash { .. }
        | Action::VifDetach { .. }
        | Action::SetLink { .. }
        | Action::Inject { .. }
        | Action::Stop => false,
    }
}

/// An action in the trace's words.
pub fn describe(action: &Action) -> String {
    match action {
        Action::On {
            domain, commands, ..
        } => {
            let words: Vec<&str> = commands.iter().map(|command| command.word()).collect();
            format!("on {domain}: {}", words.join(", "))
        }
        Action::Create { domain } => format!("create {domain}"),
        Action::Destroy { domain } => format!("destroy {domain}"),
        Action::Pause { domain } => format!("pause {domain}"),
        Action::Unpause { domain } => format!("unpause {domain}"),
        Action::ShutdownDomain { domain } => format!("shutdown {domain}"),
        Action::Reboot { domain } => format!("reboot {domain}"),
        Action::Crash { domain } => format!("crash {domain}"),
        Action::VifDetach { domain, handle } => format!("vif-detach {domain} {handle}"),
        Action::SetLink {
            link, from: None, ..
        } => format!("set link {link}"),
        Action::SetLink {
            link,
            from: Some(from),
            ..
        } => format!("set link {link} from {from}"),
        Action::Cut { link } => format!("cut {link}"),
        Action::Heal { link } => format!("heal {link}"),
        Action::Hold { link } => format!("hold {link}"),
        Action::Release { link } => format!("release {link}"),
        Action::Partition { left, right } => {
            format!("partition {} | {}", left.join(" "), right.join(" "))
        }
        Action::HealAll { left, right } if left.is_empty() && right.is_empty() => "heal all".into(),
        Action::HealAll { left, right } => {
            format!("heal {} | {}", left.join(" "), right.join(" "))
        }
        Action::PowerOff { machine } => format!("power-off {machine}"),
        Action::PowerOn { machine } => format!("power-on {machine}"),
        Action::Inject { domain, frame } => format!("inject {domain} {} bytes", frame.len()),
        Action::Stop => "stop".into(),
    }
}
