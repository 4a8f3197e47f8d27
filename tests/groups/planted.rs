//! One test per planted bug: some seed among a few must catch it, by the check that is named.

use crate::plant::Plant;
use crate::run;

const SEEDS_MAX: u64 = 60;

/// Runs seeds until one fails with one of the `expected` words; a bug that no seed notices fails the test.
fn is_caught(plant: Plant, expected: &[&str]) {
    let mut others = Vec::new();
    for seed in 1..=SEEDS_MAX {
        let Err(why) = std::panic::catch_unwind(|| run(seed, plant)) else { continue };
        let text = why.downcast_ref::<String>().cloned();
        let text = text.or(why.downcast_ref::<&str>().map(|text| text.to_string())).unwrap_or_default();
        if expected.iter().any(|word| text.contains(word)) {
            println!("{plant:?} is caught by seed {seed}: {text}");
            return;
        }
        others.push(format!("seed {seed}: {text}"));
    }
    panic!("no seed of {SEEDS_MAX} caught {plant:?} by {expected:?}; other failures:\n{}", others.join("\n"));
}

#[test]
fn planted_nobody_hears() {
    is_caught(Plant::NobodyHears, &["one generation at a time"]);
}

#[test]
fn planted_generation_falls() {
    is_caught(Plant::GenerationFalls, &["generations do not fall"]);
}

#[test]
fn planted_assignment_twice() {
    is_caught(Plant::AssignmentTwice, &["twice in generation"]);
}

#[test]
fn planted_assignment_lost() {
    is_caught(Plant::AssignmentLost, &["each partition has one reader"]);
}

#[test]
fn planted_join_lost() {
    is_caught(Plant::JoinLost, &["is stuck"]);
}

#[test]
fn planted_timers_stop() {
    is_caught(Plant::TimersStop, &["is stuck"]);
}

#[test]
fn planted_answer_twice() {
    is_caught(Plant::AnswerTwice, &["a request is answered once"]);
}

#[test]
fn planted_commit_goes_back() {
    is_caught(Plant::CommitGoesBack, &["went back"]);
}

#[test]
fn planted_commits_answered_backwards() {
    is_caught(Plant::CommitsAnsweredBackwards, &["commits are answered in order"]);
}

#[test]
fn planted_answer_before_durable() {
    is_caught(Plant::AnswerBeforeDurable, &["went back", "is gone", "a replay gives another state"]);
}

#[test]
fn planted_flush_lies() {
    is_caught(Plant::FlushLies, &["went back", "is gone"]);
}

#[test]
fn planted_refused_is_stored() {
    is_caught(Plant::RefusedIsStored, &["a replay gives another state"]);
}

#[test]
fn planted_replay_skips() {
    is_caught(Plant::ReplaySkips, &["a replay gives another state", "went back", "is gone"]);
}

#[test]
fn planted_trim_too_far() {
    is_caught(Plant::TrimTooFar, &["a replay gives another state", "only what is durable elsewhere"]);
}

#[test]
fn planted_trim_never() {
    is_caught(Plant::TrimNever, &["the log is bounded"]);
}

#[test]
fn planted_expires_early() {
    is_caught(Plant::ExpiresEarly, &["is gone"]);
}

#[test]
fn planted_topic_id_stays() {
    is_caught(Plant::TopicIdStays, &["of a topic that is gone"]);
}
