//! Each rule on text that breaks it and on text that does not.

use crate::rules;
use crate::source::Source;

fn refuses(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) {
    assert_ne!(rule(&Source::new(path, text)), Vec::<String>::new(), "{path}: {text}");
}

fn accepts(rule: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) {
    assert_eq!(rule(&Source::new(path, text)), Vec::<String>::new(), "{path}: {text}");
}

#[test]
fn floors() {
    refuses(rules::floors, "src/base/x.rs", "use crate::wire::frame;");
    refuses(rules::floors, "src/log/x.rs", "use crate::metadata::Image;");
    refuses(rules::floors, "src/metadata/x.rs", "fn f() { crate::log::core_log::f() }");
    refuses(rules::floors, "src/log/x.rs", "use crate::{base::ids, broker::Event};");
    refuses(rules::floors, "src/log/x.rs", "use crate::{base::{a, b},\n    runtime};");
    refuses(rules::floors, "src/gossip/x.rs", "fn f() {}");
    refuses(rules::floors, "src/broker/x.rs", "use crate::client::cluster;");
    refuses(rules::floors, "src/client/x.rs", "use crate::log::segment;");
    accepts(rules::floors, "src/cli/x.rs", "use crate::client::cluster; use crate::log::segment;");
    accepts(rules::floors, "src/log/x.rs", "use crate::{base::{ids, broker}, wire::frame};\nuse crate::log::tail;");
    accepts(rules::floors, "src/base/x.rs", "// see crate::broker\nconst A: &str = \"crate::broker\";");
    accepts(rules::floors, "src/base/x.rs", "#[cfg(test)]\nmod tests { use crate::broker::B; }");
    accepts(rules::floors, "src/manual/x.rs", "use crate::runtime;");
}

#[test]
fn handlers() {
    let handlers = ["fetch".to_string(), "produce".to_string()];
    let rule = |source: &Source| rules::handlers_are_alone(source, &handlers);
    refuses(rule, "src/broker/api/fetch.rs", "use crate::broker::api::produce::f;");
    refuses(rule, "src/broker/api/fetch.rs", "use super::produce::f;");
    accepts(rule, "src/broker/api/fetch.rs", "use super::producer_ids; use crate::wire::produce;");
    accepts(rule, "src/broker/api/mod.rs", "use crate::broker::api::produce::f;");
}

#[test]
fn fences() {
    refuses(rules::fences, "src/broker/x.rs", "use io_uring::IoUring;");
    refuses(rules::fences, "src/wire/x.rs", "// SAFETY: no\nunsafe { f() }");
    refuses(rules::fences, "src/runtime/x.rs", "fn g() { unsafe { f() } }");
    accepts(
        rules::fences,
        "src/runtime/x.rs",
        "use io_uring::IoUring;\n// SAFETY: f has no conditions\nunsafe { f() }",
    );
    accepts(rules::fences, "src/broker/x.rs", "//! no io_uring, nothing unsafe");
}

#[test]
fn caps() {
    let body = |lines: usize| format!("fn long() {{\n{}}}\n", "    f();\n".repeat(lines - 2));
    refuses(rules::caps, "src/x.rs", &body(rules::FUNCTION_LINES_MAX + 1));
    accepts(rules::caps, "src/x.rs", &body(rules::FUNCTION_LINES_MAX));
    refuses(rules::caps, "src/x.rs", &"const A: u8 = 1;\n".repeat(rules::FILE_LINES_MAX + 1));
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    const A: u8 = 1;\n".repeat(500));
    accepts(rules::caps, "src/x.rs", &("const A: u8 = 1;\n".repeat(rules::FILE_LINES_MAX) + &tests));
    let braces = "fn f() { let _ = ('{', \"{\", b'{', '\\'', r#\"{\"{\"#); /* { /* */ */ }\nfn g<'a>(x: &'a str) {}\n";
    let found = rules::functions(&Source::new("src/x.rs", braces).code).len();
    assert_eq!(found, 2);
    accepts(rules::caps, "src/x.rs", &format!("{braces}{}", "const A: [u8; 1] = [1];\n".repeat(100)));
}

#[test]
fn names() {
    refuses(rules::names, "src/log/log_utils.rs", "");
    refuses(rules::names, "src/log/common/mod.rs", "");
    refuses(rules::names, "src/log/x.rs", "pub struct SegmentManager;");
    refuses(rules::names, "src/log/x.rs", "enum ReadInfo {}");
    refuses(rules::names, "src/log/x.rs", "mod helpers {}");
    accepts(rules::names, "src/log/x.rs", "struct Informed; struct Database; impl Informed {} let service = 1;");
}

#[test]
fn unfinished() {
    refuses(rules::unfinished, "src/x.rs", concat!("// TO", "DO later"));
    refuses(rules::unfinished, "src/x.rs", concat!("unimplemented", "!()"));
    refuses(rules::unfinished, "tests/x.rs", concat!("#[", "ignore = \"slow\"]"));
    accepts(rules::unfinished, "src/x.rs", "// done");
}

#[test]
fn root_and_proofs() {
    assert_eq!(rules::root(["Cargo.toml", "src", ".ci", "README.md"]), Vec::<String>::new());
    assert_eq!(rules::root(["notes.md", "examples"]).len(), 2);
    assert_eq!(rules::all_named(["S1", "S2"], "S1, S20, S02", "is missing"), ["S2: is missing"]);
    assert_eq!(
        rules::all_planted(1..=3, "S01SequenceGap S02 S3Late S030"),
        ["S2: no planted bug", "S3: no planted bug"]
    );
}

#[test]
fn behaviours() {
    let page = "//! | | the right answer |\n//! |---|---|\n//! | C1 | order |\n//! | E12 | odd |\n//! | Cores | none |\n//! C3\n";
    assert_eq!(rules::numbered_rows(page), ["C1", "E12"]);
    let tests = [Source::new("tests/x.rs", "// c1_in_a_comment\nfn c10_c2_order() {}\nfn an_e12_case() {}")];
    assert_eq!(rules::all_tested(&["C1", "C2", "C10", "E12"], &tests), ["C1: no test has it in its name"]);
}
