//! A test that cannot fail proves nothing. So each scenario has a mutant: one line of the stack or of the emulated Xen is
//! broken, as a hurried programmer might have written it, and the scenario must reject what comes of it.
//!
//! `cargo test -p tests --features mutants`. The mutants live in [`table`]; [`workshop`] keeps a copy of the sources in
//! which they are made, built and run, so that nobody's working tree is ever touched.

mod table;
mod workshop;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};

use table::{MUTANTS, Mutant};
use workshop::{Workshop, scenarios};

/// Opened by the first test that needs it, so that listing the tests builds nothing.
static WORKSHOP: Mutex<OnceCell<Result<Workshop, String>>> = Mutex::new(OnceCell::new());

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // There is one copy of the sources: one mutant lives at a time.
    arguments.test_threads = Some(1);
    let mut trials: Vec<Trial> = scenarios()
        .into_iter()
        .map(|scenario| Trial::test(scenario.clone(), move || rejects_its_mutant(&scenario)))
        .collect();
    trials.push(Trial::test("every mutant has its scenario", || {
        let scenarios = scenarios();
        let orphan = MUTANTS
            .iter()
            .find(|m| !scenarios.iter().any(|s| s == m.scenario));
        orphan.map_or(Ok(()), |m| {
            Err(format!("there is no scenario {}", m.scenario).into())
        })
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn rejects_its_mutant(scenario: &str) -> Result<(), Failed> {
    let mine: Vec<&Mutant> = MUTANTS.iter().filter(|m| m.scenario == scenario).collect();
    let [mutant] = mine.as_slice() else {
        let n = mine.len();
        return Err(format!("{n} mutants in table.rs, and each scenario has one").into());
    };
    let workshop = WORKSHOP.lock().map_err(|_| "a test before this panicked")?;
    let workshop = workshop.get_or_init(Workshop::open).as_ref()?;
    let whole = workshop.run_whole(scenario)?;
    if whole.code != Some(0) {
        return Err(format!("it does not even pass as it is:\n{}", whole.text).into());
    }
    let ended = workshop.with(mutant, |workshop| workshop.run_mutant(scenario))?;
    match ended.code {
        Some(1) if !ended.text.contains("internal error") => Ok(()),
        Some(0) => Err(format!("it passes although {}", mutant.why).into()),
        code => Err(format!(
            "it did not reject the mutant, it ended with {code:?}:\n{}",
            ended.text
        )
        .into()),
    }
}
