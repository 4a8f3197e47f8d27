//! One test per planted bug: some seed among a few must catch it, by the check that is named.

mod classes;
mod journal;
mod moves;
mod recovery;

use crate::plant::Plant;
use crate::{seed, trace};

const SEEDS_MAX: u64 = 150;

/// Runs seeds until one fails with one of the `expected` words; a bug that no seed notices fails the test.
fn is_caught(plant: Plant, expected: &[&str]) {
    trace::hook_panics();
    let mut others = Vec::new();
    for number in 0..SEEDS_MAX {
        let Err(text) = seed::run(number, plant, false).result else { continue };
        if expected.iter().any(|word| text.contains(word)) {
            println!("{plant:?} is caught by seed {number}: {text}");
            return;
        }
        others.push(format!("seed {number}: {text}"));
    }
    let all = others.join("\n");
    panic!("no seed of {SEEDS_MAX} caught {plant:?} by {expected:?}; other failures:\n{all}");
}
