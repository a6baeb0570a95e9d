//! How a script's run ended.

use super::failure::Failure;
use super::record::{Captured, Record};
use crate::packetdrill::Script;

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Passed,
    Failed(Failure),
    /// Nothing was run: the script asks for what there is not.
    Skipped(Failure),
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub ending: Ending,
    /// The hash of all that happened.
    pub hash: u128,
    /// The last steps before the end.
    pub ladder: Vec<String>,
    /// Simulated nanoseconds.
    pub simulated: u64,
    /// All packets.
    pub packets: Vec<Captured>,
}

impl Verdict {
    /// A run that came to its end.
    pub fn new(ending: Ending, record: Record, simulated: u64) -> Verdict {
        Verdict {
            ending,
            hash: record.hash(),
            ladder: record.ladder().cloned().collect(),
            simulated,
            packets: record.into_packets(),
        }
    }

    /// A run that a bug of the stack or of the testbed ended.
    pub fn broken(script: &Script) -> Verdict {
        let what = "the run ended in a panic: this is a bug of evilbit";
        let failure = Failure::new(script.events[0].place.0, what);
        Verdict::new(Ending::Failed(failure), Record::default(), 0)
    }

    /// A script that was not run.
    pub fn skipped(why: Failure) -> Verdict {
        Verdict::new(Ending::Skipped(why), Record::default(), 0)
    }
}
