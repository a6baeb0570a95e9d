//! What the experimenter does: every action of the language, and what takes it back.

use super::Sampler;
use crate::plan::*;
use crate::world::schedule::domains;

impl Sampler {
    pub(super) fn action(&mut self, plan: &Plan) -> Action {
        let link = self.one_of(&plan.links).name;
        let machines: Vec<String> = plan.machines.iter().map(|m| m.name.clone()).collect();
        let machine = self.one_of(&machines);
        let domains: Vec<&DomainPlan> = domains(plan).collect();
        let domain = self.one_of(&domains).name.clone();
        match self.below(22) {
            0 | 1 => self.set_link(plan),
            2 => Action::Cut { link },
            3 => Action::Hold { link },
            4 => Action::Release { link },
            5 | 6 => Action::PowerOff { machine },
            7 => Action::Pause { domain },
            8 => Action::Unpause { domain },
            9 => Action::Destroy { domain },
            10 => Action::Reboot { domain },
            11 => Action::Crash { domain },
            12 => Action::ShutdownDomain { domain },
            13 => Action::Create { domain },
            14 => {
                let (left, right) = machines.split_at(machines.len() / 2);
                Action::Partition {
                    left: left.to_vec(),
                    right: right.to_vec(),
                }
            }
            15 => Action::VifDetach {
                domain,
                handle: self.below(2) as u8,
            },
            16 | 17 => Action::Inject {
                domain,
                frame: self.forged(),
            },
            18 if self.percent(20) => Action::Stop,
            _ => self.on(plan),
        }
    }

    /// A broadcast frame that says it is IPv4, with anything behind.
    fn forged(&mut self) -> Vec<u8> {
        let mut frame = vec![0xFF; 6];
        frame.extend([0x02, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45]);
        let len = 20 + self.below(200);
        frame.extend((0..len).map(|_| self.below(256) as u8));
        frame
    }

    fn set_link(&mut self, plan: &Plan) -> Action {
        let link = self.one_of(&plan.links);
        let settings = self.settings();
        let from = [None, Some(link.a), Some(link.b)];
        let change = LinkChange {
            delay: Some(settings.delay),
            jitter: Some(settings.jitter),
            rate: Some(settings.rate),
            queue: Some(settings.queue),
            mark: Some(settings.mark),
            loss: Some(settings.loss),
            duplicate: Some(settings.duplicate),
            reorder: Some(settings.reorder),
            corrupt: Some(settings.corrupt),
        };
        Action::SetLink {
            link: link.name,
            from: self.one_of(&from),
            change,
        }
    }
}

/// What takes an action back.
pub(super) fn undo(action: &Action) -> Option<Action> {
    Some(match action.clone() {
        Action::Cut { link } => Action::Heal { link },
        Action::Hold { link } => Action::Release { link },
        Action::PowerOff { machine } => Action::PowerOn { machine },
        Action::Pause { domain } => Action::Unpause { domain },
        Action::Destroy { domain }
        | Action::Crash { domain }
        | Action::ShutdownDomain { domain } => Action::Create { domain },
        Action::Partition { left, right } => Action::HealAll { left, right },
        _ => return None,
    })
}
