//! Blocks of commands on their way to script guests, and what became of them.
//!
//! A block is written into the domain's xenstore as `stack::app::command` says. It is outstanding until the guest says
//! that it is done or has failed, or until the domain ends; while one is outstanding the run goes on.

use std::collections::BTreeMap;

use stack::app::command::Command;
use stack::event::Event as GuestEvent;
use xenemu::Time;
use xenemu::abi::DomId;
use xenemu::event::Life;

use super::options::ScriptFailure;
use super::quiet::ends;

/// The longest value that xenstore takes.
const LONGEST_VALUE: usize = 2048;

/// The blocks of all domains.
#[derive(Debug, Default)]
pub struct Scripts {
    /// By domain's name.
    domains: BTreeMap<String, Blocks>,
    /// The names of living domains.
    names: BTreeMap<(u16, DomId), String>,
    outstanding: usize,
    failures: Vec<ScriptFailure>,
}

/// The blocks of one domain's present life.
#[derive(Debug, Default)]
struct Blocks {
    next: u32,
    /// The block, and the action that wrote it.
    outstanding: BTreeMap<u32, u32>,
}

impl Scripts {
    /// Whether a block is outstanding.
    pub fn is_open(&self) -> bool {
        self.outstanding > 0
    }

    /// The xenstore writes, below the domain's own path, that hand over a block.
    pub fn writes(&self, domain: &str, commands: &[Command]) -> Vec<(String, Vec<u8>)> {
        let n = self.domains.get(domain).map_or(0, |blocks| blocks.next);
        let lines: Vec<String> = commands.iter().map(Command::encode).collect();
        let text = lines.join("\n").into_bytes();
        let mut writes = Vec::new();
        let mut parts = text.chunks(LONGEST_VALUE);
        let first = parts.next().unwrap_or_default();
        writes.push((format!("data/script/{n}"), first.to_vec()));
        for (part, value) in (1..).zip(parts) {
            writes.push((format!("data/script/{n}/{part}"), value.to_vec()));
        }
        let more = (writes.len() - 1).to_string().into_bytes();
        writes.push((format!("data/script/{n}/parts"), more));
        writes
    }

    /// The block was written by action `action`.
    pub fn written(&mut self, domain: &str, action: u32) {
        let blocks = self.domains.entry(domain.to_owned()).or_default();
        blocks.outstanding.insert(blocks.next, action);
        blocks.next += 1;
        self.outstanding += 1;
    }

    /// A domain's life goes on or ends.
    pub fn on_life(&mut self, node: u16, domid: DomId, life: &Life) {
        if let Life::Created { name } = life {
            self.names.insert((node, domid), name.clone());
        } else if ends(life)
            && let Some(name) = self.names.remove(&(node, domid))
        {
            self.forget(&name);
        }
    }

    /// A guest's event.
    pub fn on_guest(&mut self, at: Time, node: u16, domid: DomId, event: &GuestEvent) {
        match event {
            GuestEvent::ScriptDone { block } => {
                self.close(node, domid, *block);
            }
            GuestEvent::ScriptFailed {
                block,
                step,
                command,
                why,
            } => {
                let action = self.close(node, domid, *block);
                let domain = self.names.get(&(node, domid)).cloned();
                self.failures.push(ScriptFailure {
                    at,
                    domain: domain.unwrap_or_default(),
                    action,
                    step: *step,
                    command: command.clone(),
                    why: why.clone(),
                });
            }
            _ => {}
        }
    }

    /// A node lost its power, and all its domains their lives, also those whose birth is not yet in the trace.
    pub fn power_off<'a>(&mut self, node: u16, domains: impl Iterator<Item = &'a str>) {
        self.names.retain(|(of, _), _| *of != node);
        domains.for_each(|name| self.forget(name));
    }

    /// What failed, and what neither failed nor ended.
    pub fn finish(self) -> (Vec<ScriptFailure>, Vec<(String, u32)>) {
        let unfinished = self.domains.into_iter().flat_map(|(name, blocks)| {
            let actions = blocks.outstanding.into_values();
            actions.map(move |action| (name.clone(), action))
        });
        (self.failures, unfinished.collect())
    }

    /// A block ended; the action that wrote it.
    fn close(&mut self, node: u16, domid: DomId, block: u32) -> Option<u32> {
        let name = self.names.get(&(node, domid))?;
        let action = self.domains.get_mut(name)?.outstanding.remove(&block)?;
        self.outstanding -= 1;
        Some(action)
    }

    fn forget(&mut self, name: &str) {
        if let Some(blocks) = self.domains.remove(name) {
            self.outstanding -= blocks.outstanding.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: DomId = DomId(3);

    fn started() -> Scripts {
        let mut scripts = Scripts::default();
        let name = "reader".to_owned();
        scripts.on_life(0, ID, &Life::Created { name });
        scripts
    }

    #[test]
    fn a_long_block_goes_in_parts_and_their_number_comes_last() {
        let send = Command::Send {
            name: "c".into(),
            data: vec![b'x'; 3000],
        };
        let writes = started().writes("reader", &[send.clone(), Command::Poweroff]);
        let paths: Vec<&str> = writes.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            ["data/script/0", "data/script/0/1", "data/script/0/parts"]
        );
        assert!(writes.iter().all(|(_, value)| value.len() <= 2048));
        let text = [&writes[0].1[..], &writes[1].1[..]].concat();
        assert_eq!(text, format!("{}\npoweroff", send.encode()).into_bytes());
        assert_eq!(writes[2].1, b"1");
    }

    #[test]
    fn a_block_is_outstanding_until_it_ends() {
        let mut scripts = started();
        scripts.written("reader", 7);
        scripts.written("reader", 8);
        assert_eq!(scripts.writes("reader", &[])[0].0, "data/script/2");
        scripts.on_guest(Time(1), 0, ID, &GuestEvent::ScriptDone { block: 1 });
        assert!(scripts.is_open());
        let failed = GuestEvent::ScriptFailed {
            block: 0,
            step: 2,
            command: "recv".into(),
            why: "ECONNRESET".into(),
        };
        scripts.on_guest(Time(2), 0, ID, &failed);
        assert!(!scripts.is_open());
        let (failures, unfinished) = scripts.finish();
        assert_eq!(failures[0].action, Some(7));
        assert!(unfinished.is_empty());
    }

    #[test]
    fn the_end_of_a_domain_ends_its_blocks_and_its_next_life_counts_anew() {
        let mut scripts = started();
        scripts.written("reader", 7);
        let krate = "stack".into();
        scripts.on_life(0, ID, &Life::Crashed { krate });
        assert!(!scripts.is_open());
        assert_eq!(scripts.writes("reader", &[])[0].0, "data/script/0");
    }
}
