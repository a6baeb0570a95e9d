//! evilbit in somebody else's crate: README's test as it stands there, a kernel of one's own, and a runtime around it.

use std::path::Path;

use evilbit::xen_abi::sched::ShutdownReason;
use evilbit::xen_abi::{Block, Guest, Hypercalls, Wake};
use evilbit::{Domain, Link, Machine, Scenario, ScenarioError};

#[test]
fn an_echo_arrives_over_a_bad_line() -> Result<(), ScenarioError> {
    Scenario::new("echo", 7)
        .machine(Machine::new("rack").domain(Domain::new("store", "echo").ip("10.0.0.2/24")))
        .machine(Machine::new("desk").domain(Domain::new("caller", "script").ip("10.0.0.9/24")))
        .link(Link::new("rack", "desk").delay("20ms").loss("5%"))
        .when_console(
            "store",
            "listening",
            r#"
            on "caller" {
                connect "c" "10.0.0.2:7"
                send "c" pattern=100000
                recv "c" pattern=100000
                close "c"
            }"#,
        )
        .expect(r#"script "caller" count=1"#)
        .always("xen leaked=0")
        .run()?
        .assert_passed();
    Ok(())
}

#[test]
fn the_readme_shows_this_very_test() {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(&path).expect("it is there")
    };
    let readme = read("../README.md");
    let shown = readme.split("```rust\n").nth(1).expect("an example");
    let shown = shown.split("```").next().expect("its end");
    let squeeze = |text: &str| text.split_whitespace().collect::<String>();
    let (_, test) = shown.split_once("#[test]").expect("a test");
    let here = squeeze(&read("tests/embedding.rs"));
    assert!(here.contains(&squeeze(test)), "README shows something else");
}

#[tokio::test]
async fn it_runs_inside_a_runtime() -> Result<(), ScenarioError> {
    let text = r#"
        scenario "quiet" { about "One kernel that does nothing"; }
        machine "m" { domain "d" guest="empty" { vif ip="10.0.0.2/24"; } }
        expect { life "d" is="created" count=1; }"#;
    Scenario::from_kdl(text).run()?.assert_passed();
    Ok(())
}

/// A kernel that shuts down as soon as it runs.
struct Tired;

impl Guest for Tired {
    fn run(&mut self, _: &mut dyn Hypercalls, _: Wake) -> Block {
        Block::Shutdown(ShutdownReason::Poweroff)
    }
}

#[test]
fn a_kernel_of_ones_own_runs() -> Result<(), ScenarioError> {
    Scenario::new("own", 1)
        .guest("tired", |_, _| Box::new(Tired))
        .machine(Machine::new("m").domain(Domain::new("d", "tired")))
        .expect(r#"life "d" is="shutdown" count=1"#)
        .run()?
        .assert_passed();
    Ok(())
}
