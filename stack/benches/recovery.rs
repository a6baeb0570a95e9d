//! The table of `docs/recovery.md`: what loss recovery is worth. Virtual time, so every run and every machine prints
//! the same figures:
//!
//! ```sh
//! cargo bench -p evilbit-stack --bench recovery                # 100 MB, 20 seeds
//! cargo bench -p evilbit-stack --bench recovery -- 10 5        # 10 MB, 5 seeds
//! ```

#[path = "../tests/common/link.rs"]
mod link;

use link::{Case, Loss, Repair, line_rate, mathis};
use stack::profile::CongestionAlgorithm::{Cubic, Reno};

const LOSSES: [(&str, Loss); 4] = [
    ("0 %", Loss::None),
    ("1 %", Loss::Independent(10)),
    ("5 %", Loss::Independent(50)),
    ("1 %, bursts of 4", Loss::Bursts),
];
const REPAIRS: [(&str, Repair); 3] = [
    ("no SACK", Repair::NoSack),
    ("SACK", Repair::Sack),
    ("RACK", Repair::Rack),
];

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let (megabytes, seeds) = match numbers[..] {
        [megabytes, seeds, ..] => (megabytes, seeds),
        _ => (100, 20),
    };
    println!(
        "Goodput in Mbit/s of {megabytes} MB at 100 Mbit/s, 40 ms, queue of one BDP; mean of {seeds} seeds."
    );
    println!("The line carries {:.1} Mbit/s of text.\n", line_rate());
    print!("| algorithm | repair |");
    LOSSES.iter().for_each(|(name, _)| print!(" {name} |"));
    println!("\n| --- | --- | ---: | ---: | ---: | ---: |");
    for (name, algorithm) in [("Reno", Reno), ("CUBIC", Cubic)] {
        for (how, repair) in REPAIRS {
            print!("| {name} | {how} |");
            for (_, loss) in LOSSES {
                let case = Case {
                    algorithm,
                    repair,
                    loss,
                    octets: megabytes * 1_000_000,
                    seed: 0,
                };
                print!(" {:.2} |", case.mean(seeds));
            }
            println!();
        }
    }
    println!(
        "\nMathis' formula for Reno at 1 %: {:.2} Mbit/s",
        mathis(0.01)
    );
}
