//! Instructions per request of the produce and fetch paths, from received bytes to the answer, without kernel and disk.
//!
//! - `cargo bench --bench paths` counts them with callgrind and prints the difference to `benches/instructions.tsv`;
//!   `cargo bench --bench paths -- --write` makes the new counts the committed ones.
//! - Without `--bench` or `--count`, as `cargo test --benches` runs it, each scenario runs for two rounds, which proves that it
//!   runs: every answer is decoded and looked at.
//!
//! A count says what a clock on a shared machine cannot: it repeats within a thousandth, and a change of one part in a
//! hundred is a change of the code. It knows nothing of cache misses, system calls and waiting: `corelane bench` measures those.
//!
//! Counted are the cutting of frames, the broker's turns and the giving back of what they made; not counted are the copying
//! into the disk's buffers, socket and disk. Clock, seeds, hashers, the environment and the order of completions are fixed.
//! What still moves a count without a change of the source: another compiler, another C library or processor (`memcpy` has a
//! form for each).
//!
//! The harness is its own because iai-callgrind and gungraun want a runner of exactly their version installed beside cargo; all
//! that is needed of callgrind is one function to collect (`measured`).

#[path = "../../tests/api/disk.rs"]
#[allow(dead_code, reason = "tests look at it more closely")]
mod disk;
#[path = "../frames/mod.rs"]
mod frames;

mod count;
mod machine;
mod scenario;

use scenario::SCENARIOS;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let [flag, name] = &arguments[..]
        && flag == "--scenario"
    {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name).expect("a known scenario");
        println!("{}", scenario.run(false));
        return ExitCode::SUCCESS;
    }
    if has("--bench") || has("--count") || has("--write") {
        if let Err(why) = count::count(has("--write")) {
            eprintln!("paths: {why}");
            return ExitCode::FAILURE;
        }
        return ExitCode::SUCCESS;
    }
    for scenario in SCENARIOS {
        assert!(scenario.run(true) > 0);
    }
    println!("paths: {} scenarios ran", SCENARIOS.len());
    ExitCode::SUCCESS
}
