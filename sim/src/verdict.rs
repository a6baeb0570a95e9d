//! How a run ended, and the one line and the one JSON object that say so.

use serde_json::{Value, json};
use xenemu::Time;

use crate::oracle::Failure;

/// A run's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The scenario, as it was named on the command line.
    pub path: String,
    pub seed: u64,
    /// The trace's hash: the run's identity.
    pub trace: u128,
    /// Simulated time at the end.
    pub simulated: Time,
    /// For people: it differs from run to run.
    pub wall_ms: u64,
    /// Frames that were born at a vif.
    pub packets: u64,
    /// What did not hold; empty: the run passed.
    pub failures: Vec<Failure>,
}

impl Verdict {
    /// Whether everything held.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    /// The line that closes `run`.
    pub fn line(&self) -> String {
        format!(
            "{} {} seed={} trace={:032x} sim={}s wall={}ms packets={}",
            self.word(),
            self.path,
            self.seed,
            self.trace,
            seconds(self.simulated),
            self.wall_ms,
            self.packets
        )
    }

    /// The object of `--json`; its keys are stable.
    pub fn json(&self) -> Value {
        let failures: Vec<Value> = self.failures.iter().map(failure_json).collect();
        json!({
            "scenario": self.path,
            "result": self.word(),
            "seed": self.seed,
            "trace": format!("{:032x}", self.trace),
            "sim_ns": self.simulated.0,
            "wall_ms": self.wall_ms,
            "packets": self.packets,
            "failures": failures,
        })
    }

    /// `PASS` or `FAIL`.
    pub fn word(&self) -> &'static str {
        if self.passed() { "PASS" } else { "FAIL" }
    }
}

fn failure_json(failure: &Failure) -> Value {
    json!({
        "message": failure.message,
        "offset": failure.span.map(|span| span.offset),
        "len": failure.span.map(|span| span.len),
        "evidence": failure.evidence,
    })
}

/// Seconds with milliseconds, cut.
fn seconds(time: Time) -> String {
    format!(
        "{}.{:03}",
        time.0 / 1_000_000_000,
        time.0 / 1_000_000 % 1_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> Verdict {
        Verdict {
            path: "scenarios/blog/blog.kdl".into(),
            seed: 793,
            trace: 0xab,
            simulated: Time(2_345_678_901),
            wall_ms: 12,
            packets: 34,
            failures: Vec::new(),
        }
    }

    #[test]
    fn the_closing_line_is_the_contracts() {
        assert_eq!(
            verdict().line(),
            "PASS scenarios/blog/blog.kdl seed=793 trace=000000000000000000000000000000ab sim=2.345s wall=12ms packets=34"
        );
    }

    #[test]
    fn the_object_keeps_its_keys_in_order() {
        let mut failed = verdict();
        failed.failures.push(Failure {
            span: None,
            message: "no".into(),
            evidence: vec!["line".into()],
        });
        assert_eq!(
            failed.json().to_string(),
            r#"{"scenario":"scenarios/blog/blog.kdl","result":"FAIL","seed":793,"trace":"000000000000000000000000000000ab","sim_ns":2345678901,"wall_ms":12,"packets":34,"failures":[{"message":"no","offset":null,"len":null,"evidence":["line"]}]}"#
        );
    }
}
