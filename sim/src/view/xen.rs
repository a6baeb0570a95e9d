//! What the domains asked of Xen and dom0, counted: `--xen`, and the few lines of it that a snapshot can promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use xenemu::Event as MachineEvent;
use xenemu::event::{Op, Tap};

use crate::oracle::context::Context;
use crate::trace::entry::{Author, Entry, Event};

/// A domain's counts, over all its lives.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// By the header's name; unknown commands of different calls stay apart.
    pub hypercalls: BTreeMap<Op, u64>,
    /// Event channels that became pending.
    pub events: u64,
    pub runs: u64,
    pub grants_copied: Bytes,
    pub grants_mapped: Bytes,
    pub xenstore_requests: u64,
    pub xenstore_errors: u64,
    /// On its ring.
    pub xenstore_requested: u64,
    pub xenstore_answered: u64,
    pub vif_out: Bytes,
    pub vif_in: Bytes,
    pub console_lines: u64,
    pub refused_hypercalls: u64,
}

/// How often and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bytes {
    pub times: u64,
    pub bytes: u64,
}

impl Bytes {
    fn add(&mut self, bytes: u64) {
        self.times += 1;
        self.bytes += bytes;
    }
}

/// All domains' counts.
#[derive(Debug, Default)]
pub struct XenCounts {
    domains: BTreeMap<Arc<str>, Counts>,
}

impl XenCounts {
    /// Takes the next entry, which the context has observed already.
    pub fn feed(&mut self, entry: &Entry, context: &Context) {
        let (Event::Machine(event), Author::Node(node)) = (&entry.event, entry.author) else {
            return;
        };
        let subject = match event {
            MachineEvent::FrameAt { tap, .. } => match tap {
                Tap::VifOut(domid, _) | Tap::VifIn(domid, _) => Some(*domid),
                Tap::UplinkOut(_) | Tap::UplinkIn(_) => None,
            },
            event => super::line::subject(event),
        };
        let Some(domid) = subject else {
            return;
        };
        let name = context.names.domain(node, domid);
        count(self.domains.entry(name).or_default(), event, context);
    }

    /// A domain's counts.
    pub fn domain(&self, name: &str) -> Option<&Counts> {
        self.domains.get(name)
    }

    /// Everything, for people: one block a domain.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (name, counts) in &self.domains {
            out.push_str(&format!("{name}\n"));
            for (what, value) in rows(counts) {
                out.push_str(&format!("  {what:<28}{value}\n"));
            }
        }
        out
    }

    /// The few counts that a snapshot holds, of the scenario's domains: dom0 is the testbed's own affair.
    pub fn summary(&self) -> String {
        let dom0 = |name: &str| name.ends_with("/dom0");
        let domains = self.domains.iter().filter(|(name, _)| !dom0(name));
        let blocks = domains.map(|(name, counts)| {
            let Counts {
                vif_out, vif_in, ..
            } = counts;
            format!(
                "{name}\n  hypercalls {}, xenstore requests {}, console lines {}\n  \
                 vif out {} frames {} bytes, in {} frames {} bytes\n  \
                 grants copied {} bytes, mapped {} bytes\n",
                counts.hypercalls.values().sum::<u64>(),
                counts.xenstore_requests,
                counts.console_lines,
                vif_out.times,
                vif_out.bytes,
                vif_in.times,
                vif_in.bytes,
                counts.grants_copied.bytes,
                counts.grants_mapped.bytes,
            )
        });
        blocks.collect()
    }
}

fn count(counts: &mut Counts, event: &MachineEvent, context: &Context) {
    match event {
        MachineEvent::Hypercall { op, result, .. } => {
            *counts.hypercalls.entry(*op).or_default() += 1;
            counts.refused_hypercalls += u64::from(*result < 0);
        }
        MachineEvent::EventPending { .. } => counts.events += 1,
        MachineEvent::Run { .. } => counts.runs += 1,
        MachineEvent::GrantBytes { bytes, mapped, .. } => {
            let to = if *mapped {
                &mut counts.grants_mapped
            } else {
                &mut counts.grants_copied
            };
            to.add(u64::from(*bytes));
        }
        MachineEvent::Xenstore { error, .. } => {
            counts.xenstore_requests += 1;
            counts.xenstore_errors += u64::from(error.is_some());
        }
        MachineEvent::XenstoreRing {
            requested,
            answered,
            ..
        } => {
            counts.xenstore_requested += u64::from(*requested);
            counts.xenstore_answered += u64::from(*answered);
        }
        MachineEvent::FrameAt { frame, tap } => {
            let len = context
                .frames
                .get(*frame)
                .map_or(0, |known| known.bytes.len() as u64);
            match tap {
                Tap::VifOut(..) => counts.vif_out.add(len),
                Tap::VifIn(..) => counts.vif_in.add(len),
                Tap::UplinkOut(_) | Tap::UplinkIn(_) => {}
            }
        }
        MachineEvent::Console { .. } => counts.console_lines += 1,
        _ => {}
    }
}

fn rows(counts: &Counts) -> Vec<(String, String)> {
    let pair = |bytes: Bytes, unit: &str| format!("{} {unit}, {} bytes", bytes.times, bytes.bytes);
    let mut rows: Vec<(String, String)> = counts
        .hypercalls
        .iter()
        .map(|(op, times)| (op.name().to_string(), times.to_string()))
        .collect();
    let mut row = |what: &str, value: String| rows.push((what.to_string(), value));
    row("hypercalls refused", counts.refused_hypercalls.to_string());
    row("events pending", counts.events.to_string());
    row("runs", counts.runs.to_string());
    row("grant copies", pair(counts.grants_copied, "copies"));
    row("mapped grants", pair(counts.grants_mapped, "accesses"));
    row(
        "xenstore requests",
        format!(
            "{}, {} refused",
            counts.xenstore_requests, counts.xenstore_errors
        ),
    );
    row(
        "xenstore ring",
        format!(
            "{} bytes asked, {} bytes answered",
            counts.xenstore_requested, counts.xenstore_answered
        ),
    );
    row("vif out", pair(counts.vif_out, "frames"));
    row("vif in", pair(counts.vif_in, "frames"));
    row("console", format!("{} lines", counts.console_lines));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::{BLOG, DOMID, LAPTOP, READER, Stream, TcpSpec, plan};

    #[test]
    fn every_byte_is_counted_where_it_crossed() {
        let mut stream = Stream::begin();
        stream.segment(1_000_000, &TcpSpec::new(READER, BLOG, "S"));
        stream.machine(
            2,
            LAPTOP,
            MachineEvent::GrantBytes {
                granter: DOMID,
                gref: 8,
                by: xenemu::abi::DomId(0),
                bytes: 54,
                to_granter: false,
                mapped: false,
            },
        );
        let mut context = Context::new(&plan());
        let mut counts = XenCounts::default();
        for entry in &stream.entries {
            context.observe(entry);
            counts.feed(entry, &context);
        }
        assert_eq!(
            counts.summary(),
            "blog
  hypercalls 0, xenstore requests 0, console lines 0
  vif out 0 frames 0 bytes, in 1 frames 54 bytes
  grants copied 0 bytes, mapped 0 bytes
reader
  hypercalls 0, xenstore requests 0, console lines 0
  vif out 1 frames 54 bytes, in 0 frames 0 bytes
  grants copied 54 bytes, mapped 0 bytes
"
        );
        assert!(
            counts
                .render()
                .contains("  grant copies                1 copies, 54 bytes\n")
        );
    }
}
