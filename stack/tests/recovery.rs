//! What `docs/recovery.md` shows at full length, cheaply: better repair is not worse, on any path and under either
//! algorithm, and an idle line is filled.

#[path = "common/link.rs"]
mod link;

use link::{Case, Loss, Repair, line_rate, mathis};
use stack::profile::CongestionAlgorithm::{self, Cubic, Reno};

/// The means of few seeds differ by chance.
const CHANCE: f64 = 0.97;

fn case(algorithm: CongestionAlgorithm, repair: Repair, loss: Loss, octets: u64) -> Case {
    Case {
        algorithm,
        repair,
        loss,
        octets,
        seed: 0,
    }
}

fn means(loss: Loss) -> impl Iterator<Item = [f64; 3]> {
    [Reno, Cubic].into_iter().map(move |algorithm| {
        [Repair::NoSack, Repair::Sack, Repair::Rack]
            .map(|repair| case(algorithm, repair, loss, 1_500_000).mean(6))
    })
}

#[test]
fn rack_is_no_worse_than_sack_and_sack_no_worse_than_nothing() {
    for loss in [Loss::Independent(50), Loss::Bursts] {
        for [none, sack, rack] in means(loss) {
            assert!(sack >= none * CHANCE, "{loss:?}: {none} {sack} {rack}");
            assert!(rack >= sack * CHANCE, "{loss:?}: {none} {sack} {rack}");
        }
    }
}

#[test]
fn without_losses_all_are_the_same_and_fill_the_line() {
    for [none, sack, rack] in means(Loss::None) {
        // The SYN of one is four octets shorter.
        assert!(
            (none - sack).abs() < 0.01 && sack == rack,
            "{none} {sack} {rack}"
        );
    }
    let long = case(Cubic, Repair::Rack, Loss::None, 60_000_000);
    assert!(long.goodput() > 0.92 * line_rate());
}

#[test]
fn reno_has_the_rate_of_its_formula() {
    let rate = case(Reno, Repair::Sack, Loss::Independent(10), 8_000_000).mean(3);
    let ratio = rate / mathis(0.01);
    assert!((0.75..1.25).contains(&ratio), "{ratio}");
}
