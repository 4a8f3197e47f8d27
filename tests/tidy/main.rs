//! The rules of the house, checked: floors, caps, names, fences, the root of the repository, proofs for every promise.
//! `snippets` shows each rule refusing something, so that none of them can pass by never looking.

mod rules;
mod snippets;
mod source;

use source::{Source, read_all};
use std::path::Path;
use std::process::Command;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn product() -> Vec<Source> {
    read_all(repository(), &["src"])
}

fn assert_none(violations: Vec<String>) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn imports_only_go_down() {
    let sources = product();
    assert!(sources.len() > 40, "the product was not found");
    assert_none(sources.iter().flat_map(rules::floors).collect());
}

#[test]
fn handlers_never_name_each_other() {
    let sources = product();
    let is_handler = |source: &&Source| source.path.starts_with("src/broker/api/") && !source.path.ends_with("/mod.rs");
    let handlers: Vec<String> = sources.iter().filter(is_handler).map(|source| source.stem().to_string()).collect();
    assert_none(sources.iter().flat_map(|source| rules::handlers_are_alone(source, &handlers)).collect());
}

#[test]
fn fences_hold() {
    assert_none(product().iter().flat_map(rules::fences).collect());
}

#[test]
fn files_and_functions_are_small() {
    assert_none(read_all(repository(), &["src", "benches"]).iter().flat_map(rules::caps).collect());
}

#[test]
fn names_say_something() {
    assert_none(read_all(repository(), &["src", "tests", "benches"]).iter().flat_map(rules::names).collect());
}

#[test]
fn nothing_is_unfinished() {
    assert_none(read_all(repository(), &["src", "tests", "benches"]).iter().flat_map(rules::unfinished).collect());
}

#[test]
fn the_root_is_small() {
    let listing = Command::new("git").args(["ls-files", "-z"]).current_dir(repository()).output();
    let Ok(listing) = listing.map(|output| String::from_utf8(output.stdout).expect("UTF-8")) else { return };
    let entries: std::collections::BTreeSet<&str> =
        listing.split('\0').filter_map(|path| path.split('/').next()).collect();
    assert_none(rules::root(entries.into_iter().filter(|entry| !entry.is_empty())));
}

#[test]
fn every_api_has_a_round_trip() {
    // `hostile.rs` names every API too, but proves no round trip.
    let text: String = read_all(repository(), &["tests/round_trip"])
        .into_iter()
        .filter(|source| !source.path.ends_with("hostile.rs"))
        .map(|source| source.text)
        .collect();
    let keys: Vec<String> = corelane::wire::api::APIS.iter().map(|api| format!("{:?}", api.key)).collect();
    assert_none(rules::all_named(
        keys.iter().map(String::as_str),
        &text,
        "listed, but has no round trip in tests/round_trip",
    ));
}

#[test]
fn the_readme_names_every_api() {
    let text = std::fs::read_to_string(repository().join("README.md")).unwrap_or_default();
    let keys: Vec<String> = corelane::wire::api::APIS.iter().map(|api| format!("{:?}", api.key)).collect();
    assert_none(rules::all_named(keys.iter().map(String::as_str), &text, "listed, but the README does not say so"));
}

#[test]
fn every_invariant_has_a_proof() {
    let manual = std::fs::read_to_string(repository().join("src/manual/architecture.rs")).unwrap_or_default();
    let sim: String = read_all(repository(), &["tests/sim"]).into_iter().map(|source| source.text).collect();
    let ids: Vec<String> = (1..=20).map(|number| format!("S{number}")).collect();
    let ids = || ids.iter().map(String::as_str);
    assert_none(rules::all_named(ids(), &manual, "the handbook's architecture page does not state it"));
    assert_none(rules::all_named(ids(), &sim, "no test of the simulator names it"));
    let planted: String =
        read_all(repository(), &["tests/sim/planted"]).into_iter().map(|source| source.text).collect();
    assert_none(rules::all_planted(1..=20, &planted));
}

#[test]
fn every_behaviour_has_a_test() {
    let manual = std::fs::read_to_string(repository().join("src/manual/behaviours.rs")).unwrap_or_default();
    let numbers = rules::numbered_rows(&manual);
    assert!(numbers.len() > 35, "the table was not found: {numbers:?}");
    let tests = read_all(repository(), &["tests"]);
    assert_none(rules::all_tested(&numbers, &tests));
}

#[test]
fn ci_runs_the_test_command_and_nothing_else() {
    let text = std::fs::read_to_string(repository().join(".ci/run")).unwrap_or_default();
    let commands: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(commands, ["exec \"$(dirname \"$0\")/../scripts/test\""]);
}
