//! One run of a scenario, from plan to judgement: the world runs, watchers watch, and what did not hold is gathered in
//! one list whoever found it.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::oracle::{Failure, Leaks, Watch};
use crate::plan::{Action, ActionPlan, Matcher, Plan, Scope, Span};
use crate::view::{Rendered, ViewError, Wanted, line};
use crate::world::{Ended, GuestRegistry, Run, RunOptions, World, WorldError};

/// What a run gave, judged.
#[derive(Debug)]
pub struct Outcome {
    pub run: Run,
    /// What did not hold; empty: the run passed.
    pub failures: Vec<Failure>,
    /// Frames that domains sent.
    pub packets: u64,
    pub rendered: Rendered,
}

/// Why there was no run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The plan cannot be built.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A view's file cannot be written.
    #[error(transparent)]
    View(#[from] ViewError),
}

/// Runs a plan and judges it. `scope`: [`Scope::Expect`] for the scenario as written.
pub fn run(
    plan: &Plan,
    guests: &dyn GuestRegistry,
    scope: Scope,
    wanted: &Wanted,
    options: &RunOptions,
) -> Result<Outcome, RunError> {
    let mut watch = Watch::new(plan, scope, wanted)?;
    let run = World::run(plan, guests, options, &mut watch)?;
    let leaks: Leaks = run.leaks.iter().map(|(_, leaks)| leaks).collect();
    let findings = watch.finish(&leaks)?;
    let mut failures = testbed_failures(&run);
    failures.extend(script_failures(plan, &run));
    failures.extend(crash_failures(plan, &run));
    failures.extend(findings.failures);
    Ok(Outcome {
        run,
        failures,
        packets: findings.packets,
        rendered: findings.rendered,
    })
}

/// A bug of the testbed itself.
fn testbed_failures(run: &Run) -> Vec<Failure> {
    let failure = |text: &String| Failure {
        span: None,
        message: "internal error: this is a bug of evilbit, not of the guest".into(),
        evidence: vec![text.clone()],
    };
    run.internal_error.iter().map(failure).collect()
}

/// Blocks of commands that failed, or had not ended when the run did.
fn script_failures(plan: &Plan, run: &Run) -> Vec<Failure> {
    let actions = actions(plan);
    let find = |index: Option<u32>| actions.get(index? as usize).copied();
    let failed = run.script_failures.iter().map(|f| Failure {
        span: find(f.action).map(|action| step_span(action, f.step)),
        message: format!(
            "{}: `{}`: {}",
            f.domain,
            line::command_text(&f.command),
            f.why
        ),
        evidence: vec![format!("at {:?}", f.at)],
    });
    let unfinished = run
        .scripts_unfinished
        .iter()
        .map(|(domain, action)| Failure {
            span: find(Some(*action)).map(|action| action.span),
            message: format!("{domain}: these commands were not done when the run ended"),
            evidence: match run.why {
                Ended::Duration => vec!["the run's duration was over".into()],
                _ => Vec::new(),
            },
        });
    failed.chain(unfinished).collect()
}

/// Guests that panicked or span, unless the experimenter crashed them or the scenario speaks of it.
fn crash_failures(plan: &Plan, run: &Run) -> Vec<Failure> {
    let crashed_on_purpose: BTreeSet<&str> = actions(plan)
        .into_iter()
        .filter_map(|action| match &action.action {
            Action::Crash { domain } => Some(domain.as_str()),
            _ => None,
        })
        .collect();
    let expected = plan.expectations.iter().any(|expectation| {
        matches!(&expectation.matcher, Matcher::Life { is, .. } if is == "crashed" || is == "stuck")
    });
    let surprising = |(domain, _): &&(String, String)| {
        !expected && !crashed_on_purpose.contains(domain.as_str())
    };
    let failure = |(domain, text): &(String, String)| Failure {
        span: None,
        message: format!("{domain} crashed"),
        evidence: text.lines().map(str::to_owned).collect(),
    };
    run.crashes.iter().filter(surprising).map(failure).collect()
}

/// All actions in the order in which [`crate::trace::WorldEvent::Action`] counts them.
fn actions(plan: &Plan) -> Vec<&ActionPlan> {
    let timed = plan.timeline.iter().flat_map(|t| &t.actions);
    let every = plan.everies.iter().flat_map(|e| &e.actions);
    let whens = plan.whens.iter().flat_map(|w| &w.actions);
    timed.chain(every).chain(whens).collect()
}

/// Where a block's command stands.
fn step_span(action: &ActionPlan, step: u32) -> Span {
    match &action.action {
        Action::On { spans, .. } => spans.get(step as usize).copied().unwrap_or(action.span),
        _ => action.span,
    }
}
