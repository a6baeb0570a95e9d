//! Whole worlds: two booted machines and a page between them, or nothing at all for an hour, against turmoil's own
//! hosts, whose TCP knows no packets.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use evilbit::plan::{Page, Plan, Scope, Site};
use evilbit::runner;
use evilbit::scenario::{self, Overrides};
use evilbit::view::Wanted;
use evilbit::world::{Builtin, RunOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::{TcpListener, TcpStream};

/// The page.
const PAGE: usize = 10 << 10;
/// The one link's delay, and turmoil's.
const DELAY: Duration = Duration::from_millis(10);

/// A page is fetched, and the connection closed.
const GET: &str = r#"
    when console="blog" contains="listening" {
        on "reader" { connect "c" "10.0.0.2:80"; http-get "c" "/" status=200 close=#true; close "c"; }
    }
    expect { http "reader" status=200 count=1; }
"#;

/// A connection stands for an hour, and says nothing.
const IDLE: &str = r#"
    when console="blog" contains="listening" { on "reader" { connect "c" "10.0.0.2:80"; sleep "1h"; close "c"; } }
    expect { script "reader" count=1; }
"#;

/// The two machines of both scenarios.
fn plan(what: &str) -> Plan {
    let text = format!(
        r#"
        scenario "bench" duration="2h" {{ about "what two machines cost"; }}
        machine "ec2" {{ domain "blog" guest="http" {{ vif ip="10.0.0.2/24"; site "site"; }} }}
        machine "laptop" {{ domain "reader" guest="script" {{ vif ip="10.0.0.9/24"; }} }}
        link "laptop" "ec2" delay="10ms"
        {what}
        "#
    );
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/blog"));
    let parsed = scenario::parse(
        text.as_bytes(),
        Path::new("bench.kdl"),
        folder,
        &Overrides::default(),
    );
    let mut plan = parsed.unwrap_or_else(|report| panic!("{report:?}"));
    let page = Page {
        content_type: "text/plain".into(),
        etag: "\"1\"".into(),
        body: vec![b'x'; PAGE],
    };
    let pages = [("/".to_owned(), page)].into();
    plan.machines[0].domains[0].site = Some(Arc::new(Site { pages }));
    plan
}

/// Builds, runs, judges and drops a plan's world; rounds and simulated seconds.
fn run(plan: &Plan) -> (u64, f64) {
    let (wanted, options) = (Wanted::default(), RunOptions::default());
    let outcome = runner::run(plan, &Builtin, Scope::Expect, &wanted, &options).expect("it runs");
    assert_eq!(outcome.failures, []);
    (outcome.run.stats.rounds, outcome.run.end.0 as f64 / 1e9)
}

/// Our world gets the page; gives the number of rounds.
pub fn get() -> impl FnMut() -> u64 {
    let plan = plan(GET);
    move || run(&plan).0
}

/// µs for each second of an hour's silence, booting and dropping included.
pub fn idle() -> f64 {
    let plan = plan(IDLE);
    let start = Instant::now();
    let (_, seconds) = run(&plan);
    start.elapsed().as_nanos() as f64 / 1000.0 / seconds
}

fn turmoil(tick: Duration) -> turmoil::Sim<'static> {
    turmoil::Builder::new()
        .epoch(UNIX_EPOCH)
        .rng_seed(0)
        .simulation_duration(Duration::from_secs(3600))
        .min_message_latency(DELAY)
        .max_message_latency(DELAY)
        .tick_duration(tick)
        .build()
}

/// turmoil's hosts get as many bytes over its own TCP.
pub fn turmoil_get() {
    let mut sim = turmoil(DELAY);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut request = [0; 100];
            stream.read_exact(&mut request).await?;
            stream.write_all(&[b'x'; PAGE]).await?;
        }
    });
    sim.client("reader", async {
        let mut stream = TcpStream::connect("server:80").await?;
        stream.write_all(&[b'?'; 100]).await?;
        let mut page = vec![0; PAGE];
        stream.read_exact(&mut page).await?;
        Ok(())
    });
    sim.run().expect("the page comes");
}

/// µs for each second in which turmoil's two hosts do nothing, at its default tick.
pub fn turmoil_idle() -> f64 {
    const SECONDS: u64 = 10;
    let mut sim = turmoil(Duration::from_millis(1));
    sim.host("server", || async {
        std::future::pending::<()>().await;
        Ok(())
    });
    sim.client("reader", async {
        tokio::time::sleep(Duration::from_secs(SECONDS)).await;
        Ok(())
    });
    let start = Instant::now();
    sim.run().expect("time passes");
    start.elapsed().as_nanos() as f64 / 1000.0 / SECONDS as f64
}
