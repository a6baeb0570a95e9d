//! Scenarios in Rust, for `#[test]`s in other people's crates.
//!
//! A [`Scenario`] writes the text of a `.kdl` file, and the language's own checker reads it: there is one language, with
//! one set of rules and messages, however a scenario is written. What stands in blocks (actions, matchers, commands) is
//! said in its words; `evilbit help scenario` lists them.
//!
//! ```
//! use evilbit::{Domain, Link, Machine, Scenario};
//!
//! # fn main() -> Result<(), evilbit::ScenarioError> {
//! Scenario::new("goodbye", 793)
//!     .about("What is sent comes back, and the server says goodbye")
//!     .machine(Machine::new("server").domain(Domain::new("echo", "echo").ip("10.0.0.2/24")))
//!     .machine(Machine::new("client").domain(Domain::new("caller", "script").ip("10.0.0.9/24")))
//!     .link(Link::new("client", "server").delay("20ms").rate("10Mbit"))
//!     .when_console("echo", "listening", r#"
//!         on "caller" {
//!             connect "c" "10.0.0.2:7"
//!             send "c" "hello"
//!             recv "c" "hello"
//!             close "c"
//!         }"#)
//!     .expect(r#"script "caller" count=1"#)
//!     .expect(r#"tcp from="echo" flags="~F" count=1"#)
//!     .always("xen leaked=0")
//!     .run()?
//!     .assert_passed();
//! # Ok(())
//! # }
//! ```
//!
//! A guest of one's own runs beside the builtin ones ([`Scenario::guest`]). Runs are independent of each other and of the
//! caller's runtime: they work from any number of threads and inside `#[tokio::test]`.
//!
//! `places` are the declarations, `judgement` is what a run gives back, `guests` the kernels of one's own.

mod guests;
mod judgement;
mod places;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use xenemu::DomainConfig;
use xenemu::abi::{Guest, Sink};

pub use self::judgement::{Judgement, ScenarioError};
pub use self::places::{Domain, Link, Machine};

use self::guests::OwnGuests;
use self::judgement::NAME;
use self::places::quoted;
use crate::plan::{Plan, Scope};
use crate::runner;
use crate::scenario::{self, Overrides, Report};
use crate::view::Wanted;
use crate::world::RunOptions;

/// A scenario in the making.
#[derive(Clone, Default)]
pub struct Scenario {
    /// What stands in the `scenario` block; `None`: the text has one.
    head: Option<Head>,
    text: String,
    /// What folders in the text are relative to.
    base: PathBuf,
    guests: OwnGuests,
    views: Wanted,
    options: RunOptions,
}

#[derive(Clone, Debug)]
struct Head {
    name: String,
    seed: u64,
    about: String,
    duration: Option<String>,
}

impl Scenario {
    /// A scenario without anything in it. Everything random comes from the seed.
    pub fn new(name: &str, seed: u64) -> Scenario {
        let head = Head {
            name: name.to_owned(),
            seed,
            about: name.to_owned(),
            duration: None,
        };
        Scenario {
            head: Some(head),
            ..Scenario::default()
        }
    }

    /// A scenario as a `.kdl` file would say it; more can be added.
    pub fn from_kdl(text: &str) -> Scenario {
        Scenario::default().kdl(text)
    }

    /// What it shows, in a sentence.
    pub fn about(mut self, about: &str) -> Scenario {
        self.head_mut().about = about.to_owned();
        self
    }

    /// The longest that a run may take, in simulated time: `"10s"`.
    pub fn duration(mut self, duration: &str) -> Scenario {
        self.head_mut().duration = Some(duration.to_owned());
        self
    }

    fn head_mut(&mut self) -> &mut Head {
        let head = self.head.as_mut();
        head.expect("what comes from KDL says this in its own `scenario` block")
    }

    /// Folders that the scenario names (a domain's site) are relative to this one.
    pub fn base(mut self, folder: impl Into<PathBuf>) -> Scenario {
        self.base = folder.into();
        self
    }

    /// Adds a machine.
    pub fn machine(self, machine: Machine) -> Scenario {
        self.block("machine", &[&machine.name], &machine.block)
    }

    /// Adds a switch between machines.
    pub fn switch(self, name: &str) -> Scenario {
        self.kdl(&format!("switch {}", quoted(name)))
    }

    /// Adds a link.
    pub fn link(self, link: Link) -> Scenario {
        self.kdl(&link.0)
    }

    /// Does this at an instant, `"5s"`.
    pub fn at(self, time: &str, actions: &str) -> Scenario {
        self.block("at", &[time], actions)
    }

    /// Does this when something was seen: a matcher and perhaps `nth` and `reaction`, as in
    /// `tcp flags="S." from="blog" nth=2`.
    pub fn when(self, matcher: &str, actions: &str) -> Scenario {
        self.kdl(&format!("when {matcher} {{\n{actions}\n}}"))
    }

    /// Does this when a domain's console says something.
    pub fn when_console(self, domain: &str, contains: &str, actions: &str) -> Scenario {
        let (domain, contains) = (quoted(domain), quoted(contains));
        self.when(&format!("console={domain} contains={contains}"), actions)
    }

    /// What must hold.
    pub fn expect(self, matcher: &str) -> Scenario {
        self.block("expect", &[], matcher)
    }

    /// What must hold in every run, whatever else happens.
    pub fn always(self, matcher: &str) -> Scenario {
        self.block("always", &[], matcher)
    }

    /// Adds anything else that a `.kdl` file may say.
    pub fn kdl(mut self, text: &str) -> Scenario {
        self.text.push_str(text);
        self.text.push('\n');
        self
    }

    /// Adds a guest of one's own: a domain with `guest="name"` runs what `make` makes, at each boot anew.
    ///
    /// What it emits into its [`Sink`] becomes part of the trace and must be events of [`stack::event::Event`]; one that
    /// emits nothing is judged by its packets, console and hypercalls alone.
    pub fn guest(
        mut self,
        name: &str,
        make: impl Fn(&DomainConfig, Rc<dyn Sink>) -> Box<dyn Guest> + Send + Sync + 'static,
    ) -> Scenario {
        self.guests.0.insert(name.to_owned(), Arc::new(make));
        self
    }

    /// What to see of the run besides the judgement.
    pub fn views(mut self, views: Wanted) -> Scenario {
        self.views = views;
        self
    }

    /// How to drive it.
    pub fn options(mut self, options: RunOptions) -> Scenario {
        self.options = options;
        self
    }

    /// The text that the checker reads: a scenario's file.
    pub fn text(&self) -> String {
        let Some(head) = &self.head else {
            return self.text.clone();
        };
        let mut text = format!("scenario {} seed={}", quoted(&head.name), head.seed);
        if let Some(duration) = &head.duration {
            let _ = write!(text, " duration={}", quoted(duration));
        }
        let _ = write!(text, " {{\n    about {}\n}}\n", quoted(&head.about));
        text + &self.text
    }

    /// Checks it.
    pub fn plan(&self) -> Result<Plan, Report> {
        let overrides = Overrides {
            guests: self.guests.0.keys().cloned().collect(),
            ..Overrides::default()
        };
        scenario::parse(
            self.text().as_bytes(),
            Path::new(NAME),
            &self.base,
            &overrides,
        )
    }

    /// Checks, runs and judges it.
    pub fn run(&self) -> Result<Judgement, ScenarioError> {
        let plan = self.plan()?;
        let outcome = runner::run(
            &plan,
            &self.guests,
            Scope::Expect,
            &self.views,
            &self.options,
        )?;
        Ok(Judgement { plan, outcome })
    }

    fn block(self, word: &str, arguments: &[&str], inside: &str) -> Scenario {
        let mut line = word.to_owned();
        for argument in arguments {
            let _ = write!(line, " {}", quoted(argument));
        }
        self.kdl(&format!("{line} {{\n{inside}\n}}"))
    }
}

#[cfg(test)]
mod tests {
    use xenemu::abi::sched::ShutdownReason;
    use xenemu::abi::{Block, Hypercalls, Wake};

    use super::*;

    fn ping() -> Scenario {
        Scenario::new("ping", 7)
            .duration("10s")
            .machine(Machine::new("a").domain(Domain::new("there", "echo").ip("10.0.0.2/24")))
            .machine(
                Machine::new("b").domain(
                    Domain::new("here", "script")
                        .memory("8MiB")
                        .ip("10.0.0.9/24"),
                ),
            )
            .link(Link::new("a", "b").delay("5ms").loss("0%"))
            .at("1s", r#"on "here" { ping "10.0.0.2" }"#)
            .expect("icmp type=8 count=1")
    }

    #[test]
    fn what_holds_passes_and_the_same_again_is_the_same_run() {
        let first = ping().run().expect("a scenario");
        first.assert_passed();
        assert_eq!(first.hash(), ping().run().expect("a scenario").hash());
    }

    #[test]
    fn what_does_not_hold_is_shown_where_it_was_said() {
        let judgement = ping().expect("icmp type=0 count=7").run();
        let judgement = judgement.expect("a scenario");
        let panic = std::panic::catch_unwind(|| judgement.assert_passed());
        let text = panic.expect_err("it does not hold");
        let text = text.downcast_ref::<String>().expect("a text");
        assert!(text.starts_with("scenario \"ping\" seed=7"), "{text}");
        assert!(text.contains("│ icmp type=0 count=7"), "{text}");
    }

    #[test]
    fn a_mistake_is_the_languages_own_message() {
        let error = ping().link(Link::new("a", "c")).run().expect_err("no c");
        let text = format!("{error:?}");
        assert!(
            text.contains("link \"a\" \"c\"") && text.contains("help"),
            "{text}"
        );
    }

    #[test]
    fn any_text_can_be_said() {
        let about = "\"quoted\" \\ and\nbroken\u{7f}";
        let plan = ping().about(about).plan().expect("a scenario");
        assert_eq!(plan.about, about);
    }

    #[test]
    fn it_runs_inside_a_runtime() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let run = async { ping().run() };
        let judgement = runtime.expect("a runtime").block_on(run);
        judgement.expect("a scenario").assert_passed();
    }

    /// Shuts down as soon as it runs.
    struct Tired;

    impl Guest for Tired {
        fn run(&mut self, _: &mut dyn Hypercalls, _: Wake) -> Block {
            Block::Shutdown(ShutdownReason::Poweroff)
        }
    }

    #[test]
    fn a_guest_of_ones_own_runs() {
        Scenario::new("own", 1)
            .guest("tired", |_, _| Box::new(Tired))
            .machine(Machine::new("m").domain(Domain::new("d", "tired")))
            .expect(r#"life "d" is="shutdown" count=1"#)
            .run()
            .expect("a scenario")
            .assert_passed();
    }
}
