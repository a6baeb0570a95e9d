//! The scripted guest: does what the experimenter writes into its part of xenstore.
//!
//! - here: the application: finds blocks of commands at `data/script/N` and runs each as a task of its own
//! - [`step`]: one command
//! - [`http`]: the HTTP client behind `http-get` and `http-crawl`; [`response`], [`links`]: what it reads
//! - [`crate::app::command`]: the commands and their text

pub mod http;
pub mod links;
pub mod response;
pub mod step;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use xen_abi::Errno;

use self::step::Script;
use super::command::Command;
use crate::event::Event;
use crate::os::handle::Os;
use crate::os::shared::TcpIp;

/// Where blocks of commands arrive, below the domain's own path.
pub const SCRIPT_PATH: &str = "data/script";
/// The most parts of one block that are read.
const PARTS_MAX: u32 = 4096;

/// A command's end: what there is to tell, or why it failed.
pub type Outcome = Result<String, String>;

/// Who carries commands out: the socket script, or the raw peer.
pub trait Perform: Clone + 'static {
    /// Reports an event of the guest.
    fn report(&self, event: &Event);
    /// Carries one command out.
    fn perform(&self, command: Command) -> impl Future<Output = Outcome>;
}

/// The application.
pub async fn main<S: TcpIp>(os: Os<S>) {
    os.print("script: ready");
    follow(&os, Script::new(os.clone())).await;
}

/// Lets `script` carry out each block that appears, for as long as there is a xenstore.
pub async fn follow<S: TcpIp>(os: &Os<S>, script: impl Perform) {
    if let Err(error) = start_blocks(os, script).await {
        os.print(&format!("{}: xenstore: {error}", os.app()));
    }
}

async fn start_blocks<S: TcpIp>(os: &Os<S>, script: impl Perform) -> Result<(), Errno> {
    let watch = os.xenstore().watch(SCRIPT_PATH).await?;
    let mut started = BTreeSet::new();
    loop {
        watch.changed().await;
        for block in blocks(os).await? {
            if started.contains(&block) {
                continue;
            }
            let Some(text) = whole_text(os, block).await? else {
                continue;
            };
            started.insert(block);
            os.spawn(run(script.clone(), block, text));
        }
    }
}

/// The blocks that are there, whole or not, in ascending order.
async fn blocks<S: TcpIp>(os: &Os<S>) -> Result<Vec<u32>, Errno> {
    let names = match os.xenstore().directory(SCRIPT_PATH).await {
        Err(Errno::ENOENT) => return Ok(Vec::new()),
        names => names?,
    };
    let mut blocks: Vec<u32> = names.iter().filter_map(|n| n.parse().ok()).collect();
    blocks.sort_unstable();
    Ok(blocks)
}

/// A block's text, once its `parts` node says that it is whole.
async fn whole_text<S: TcpIp>(os: &Os<S>, block: u32) -> Result<Option<String>, Errno> {
    let store = os.xenstore();
    let parts = match store
        .read_text(&format!("{SCRIPT_PATH}/{block}/parts"))
        .await
    {
        Err(Errno::ENOENT) => return Ok(None),
        text => text?
            .parse::<u32>()
            .map_err(|_| Errno::EINVAL)?
            .min(PARTS_MAX),
    };
    let mut text = store.read_text(&format!("{SCRIPT_PATH}/{block}")).await?;
    for part in 1..=parts {
        text += &store
            .read_text(&format!("{SCRIPT_PATH}/{block}/{part}"))
            .await?;
    }
    Ok(Some(text))
}

/// Runs a block's commands one after the other; the first that fails ends it.
async fn run(script: impl Perform, block: u32, text: String) {
    script.report(&Event::ScriptStarted { block });
    for (step, line) in (0u32..).zip(text.lines()) {
        let outcome = match Command::parse(line) {
            Ok(command) => script.perform(command).await,
            Err(error) => Err(format!("{error}")),
        };
        let command = String::from(line);
        match outcome {
            Ok(outcome) => script.report(&Event::ScriptStep {
                block,
                step,
                command,
                outcome,
            }),
            Err(why) => {
                return script.report(&Event::ScriptFailed {
                    block,
                    step,
                    command,
                    why,
                });
            }
        }
    }
    script.report(&Event::ScriptDone { block });
}
