//! The command line's words: the contract with users and scripts.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use stack::profile::Profile;

use crate::packetdrill::run::config::IpVersion;
use crate::world::planted::Planted;

/// A deterministic full-system network testbed: real unikernels on an emulated Xen in a simulated world.
#[derive(Debug, Parser)]
#[command(
    name = "evilbit",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Say more about what the simulator does, on stderr (-v, -vv, -vvv); EVILBIT_LOG takes filters.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios and judge them.
    Run(RunArgs),
    /// Run scenarios as tests, against their snapshots.
    Test(TestArgs),
    /// Run one scenario again: a failure's first line is this command.
    Replay(ReplayArgs),
    /// Serve a scenario's network on a Linux tap interface, in real time.
    Serve(ServeArgs),
    /// Run packetdrill scripts against the stack.
    Packetdrill(PacketdrillArgs),
    /// Explain a topic: `evilbit help scenario` is the language's reference.
    Help(HelpArgs),
}

/// `evilbit run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Scenario files (.kdl), packetdrill scripts (.pkt), or folders of them.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Use this seed instead of the scenario's.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run each scenario twice and compare event by event.
    #[arg(long)]
    pub twice: bool,
    /// Make this mistake in each run, so that `--twice` finds it.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "MISTAKE", hide = true)]
    pub plant: Option<crate::world::planted::Mistake>,
    #[command(flatten)]
    pub views: ViewArgs,
    /// One JSON object a line instead of text.
    #[arg(long)]
    pub json: bool,
}

impl RunArgs {
    /// What is planted in each run: only a build that can has the option.
    pub fn planted(&self) -> Planted {
        #[cfg(feature = "planted")]
        return self.plant.map_or(Planted::default(), Planted::with);
        #[cfg(not(feature = "planted"))]
        Planted::default()
    }
}

/// What to show of a run, or to write of it.
#[derive(Clone, Debug, Default, Args)]
pub struct ViewArgs {
    /// Write a capture of each interface to DIR/SCENARIO/INTERFACE.pcapng; of a script to a file of
    /// its path below DIR.
    #[arg(long, value_name = "DIR")]
    pub pcap: Option<PathBuf>,
    /// Write every event of the trace as JSON lines.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Print the packets as a ladder.
    #[arg(long)]
    pub ladder: bool,
    /// Print what crossed Xen: hypercalls, grants, rings.
    #[arg(long)]
    pub xen: bool,
}

/// `evilbit test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Scenario files (.kdl), packetdrill scripts (.pkt), or folders of them.
    #[arg(default_value = "scenarios")]
    pub paths: Vec<PathBuf>,
    /// Write the snapshots as they are now. Refused when CI=true.
    #[arg(long)]
    pub accept: bool,
    /// Only scenarios whose path contains this.
    #[arg(long, value_name = "S")]
    pub filter: Option<String>,
    /// Only the I-th of N equal parts, counting from 1.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<(usize, usize)>,
    /// One JSON object a line instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `evilbit replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The scenario.
    pub scenario: PathBuf,
    /// The seed of the run to repeat.
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub views: ViewArgs,
}

/// `evilbit serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The scenario whose domains to serve.
    pub config: PathBuf,
    /// The tap interface to create.
    #[arg(long, value_name = "NAME")]
    pub tap: String,
    /// Write a capture of every interface to FILE, as pcapng.
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
}

/// `evilbit packetdrill`
#[derive(Debug, Args)]
pub struct PacketdrillArgs {
    /// Scripts (.pkt), or folders of them.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Run against this profile of the stack, instead of that of the system whose settings a script makes, or `rfc`.
    #[arg(long, value_name = "P", value_parser = Profile::NAMES)]
    pub profile: Option<String>,
    /// The stack's way to the network: a bare device, or a vif of a domain on an emulated Xen machine.
    #[arg(long, value_name = "PATH", default_value = "raw", value_parser = ["raw", "xen"])]
    pub path: String,
    /// Run scripts that name no IP version themselves with this one; without it, with IPv4 unless they are clearly
    /// about IPv6.
    #[arg(long, value_name = "V", value_parser = IpVersion::NAMES)]
    pub ip_version: Option<String>,
    /// Write a capture of each script's packets to a file of its path below DIR: x/y.pkt to DIR/x/y.pcapng.
    #[arg(long, value_name = "DIR")]
    pub pcap: Option<PathBuf>,
    /// Run so many scripts at once (default: as many as there are processors).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// One JSON object a line instead of text.
    #[arg(long)]
    pub json: bool,
    /// Only scripts whose path contains this.
    #[arg(long, value_name = "S")]
    pub filter: Option<String>,
    /// Run nothing: print each script's path, its number of events and the constructs that it uses.
    #[arg(long)]
    pub list: bool,
    /// With --list: print each construct that is not supported and how many scripts it blocks, instead.
    #[arg(long, requires = "list")]
    pub missing: bool,
}

/// `evilbit help`
#[derive(Debug, Args)]
pub struct HelpArgs {
    /// `scenario`, or a command's name.
    pub topic: Option<String>,
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parse = || {
        let (i, n) = text.split_once('/')?;
        let (i, n): (usize, usize) = (i.parse().ok()?, n.parse().ok()?);
        (1 <= i && i <= n).then_some((i, n))
    };
    parse().ok_or_else(|| "I/N with 1 ≤ I ≤ N, as in 2/3".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_shard_is_one_of_n() {
        assert_eq!(shard("2/3"), Ok((2, 3)));
        assert!(
            ["", "0/3", "4/3", "a/b", "1/0", "1"]
                .into_iter()
                .all(|s| shard(s).is_err())
        );
    }
}
