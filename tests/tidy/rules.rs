//! The rules: each takes sources and gives one line per violation.

use crate::source::{Source, end_of_item};

/// Lines of a file, test code aside.
pub const FILE_LINES_MAX: usize = 600;
/// Lines of a function, signature and closing brace included.
pub const FUNCTION_LINES_MAX: usize = 70;
/// What may stand in the root of the repository, dotfiles aside.
const ROOT: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "tests",
    "benches",
    "scripts",
    "Dockerfile",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
];
/// Words that say nothing: no file, type or module is named with one of them.
const BANNED: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "misc", "types", "impl", "impls", "manager", "service", "ext",
    "data", "info", "shard", "worker",
];
/// A module and its floor; a module imports from floors below its own and from itself.
const FLOORS: &[(&str, u32)] = &[
    ("base", 0),
    ("wire", 1),
    ("log", 2),
    ("metadata", 2),
    ("client", 2),
    ("coordinator", 2),
    ("broker", 3),
    ("runtime", 4),
    ("cli", 5),
    ("main", 6),
];

/// Modules that serve only some of those above them: a broker never asks another one as a command line does.
const ONLY_FOR: &[(&str, &[&str])] = &[("client", &["cli", "main"])];

/// Imports only go down.
pub fn floors(source: &Source) -> Vec<String> {
    let Some(module) = module_of(&source.path) else { return Vec::new() };
    let Some(floor) = floor_of(module) else { return vec![format!("{}: module {module} has no floor", source.path)] };
    let mut violations = Vec::new();
    for target in crate_paths(&source.code) {
        let allowed = match floor_of(&target) {
            Some(below) => target == module || (below < floor && serves(&target, module)),
            None => target.starts_with(char::is_uppercase) || target == "self",
        };
        if !allowed {
            violations.push(format!("{}: {module} (floor {floor}) may not import crate::{target}", source.path));
        }
    }
    violations
}

fn serves(target: &str, module: &str) -> bool {
    ONLY_FOR.iter().all(|(only, users)| *only != target || users.contains(&module))
}

/// API handlers never call one another: what two of them need lives in the broker.
pub fn handlers_are_alone(source: &Source, handlers: &[String]) -> Vec<String> {
    let Some(name) = source.path.strip_prefix("src/broker/api/") else { return Vec::new() };
    let own = name.split(['/', '.']).next().expect("split gives at least one piece");
    let mut violations = Vec::new();
    for other in handlers.iter().filter(|other| other.as_str() != own && own != "mod") {
        if words_before(&source.code, &format!("api::{other}"))
            || words_before(&source.code, &format!("super::{other}"))
        {
            violations.push(format!("{}: handler {own} names handler {other}", source.path));
        }
    }
    violations
}

/// io_uring in the runtime only; `unsafe` in runtime and base only, each with its proof.
pub fn fences(source: &Source) -> Vec<String> {
    let in_runtime = source.path.starts_with("src/runtime");
    let mut violations = Vec::new();
    if !in_runtime && has_word(&source.code, "io_uring") {
        violations.push(format!("{}: io_uring belongs to runtime", source.path));
    }
    let lines: Vec<&str> = source.text.lines().collect();
    for (index, line) in source.code.lines().enumerate().filter(|(_, line)| has_word(line, "unsafe")) {
        if !in_runtime && !source.path.starts_with("src/base") && !source.path.starts_with("tests/") {
            violations.push(format!("{}:{}: unsafe belongs to runtime and base", source.path, index + 1));
        }
        let is_block = line.contains("unsafe {") || line.contains("unsafe impl");
        let before = index.saturating_sub(6);
        if is_block && !lines[before..=index].iter().any(|line| line.contains("SAFETY:")) {
            violations.push(format!("{}:{}: unsafe without its proof (// SAFETY: ...)", source.path, index + 1));
        }
    }
    violations
}

/// Files and functions stay small.
pub fn caps(source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    if source.is_test() {
        return violations;
    }
    if source.product_lines > FILE_LINES_MAX {
        violations.push(format!("{}: {} lines, at most {FILE_LINES_MAX}", source.path, source.product_lines));
    }
    for (line, name, lines) in functions(&source.code) {
        if lines > FUNCTION_LINES_MAX {
            violations
                .push(format!("{}:{line}: fn {name} has {lines} lines, at most {FUNCTION_LINES_MAX}", source.path));
        }
    }
    violations
}

/// No junk drawers.
pub fn names(source: &Source) -> Vec<String> {
    let mut violations = Vec::new();
    let mut check = |what: &str, name: &str, words: Vec<String>| {
        if let Some(word) = words.iter().find(|word| BANNED.contains(&word.as_str())) {
            violations.push(format!("{}: {what} {name}: the word {word} says nothing", source.path));
        }
    };
    check("file", source.stem(), source.stem().split('_').map(str::to_string).collect());
    for keyword in ["struct", "enum", "trait", "type", "mod"] {
        for name in names_after(&source.code, keyword) {
            let words =
                if keyword == "mod" { name.split('_').map(str::to_string).collect() } else { camel_words(name) };
            check(keyword, name, words);
        }
    }
    violations
}

/// Nothing is left for later, nothing is skipped.
pub fn unfinished(source: &Source) -> Vec<String> {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("todo", "!"),
        concat!("unimplemented", "!"),
        concat!("#[", "ignore"),
    ];
    let mut violations = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        if let Some(word) = words.iter().find(|word| line.contains(**word)) {
            violations.push(format!("{}:{}: {word}", source.path, index + 1));
        }
    }
    violations
}

/// The root of the repository stays small.
pub fn root<'a>(entries: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let strange = entries.into_iter().filter(|entry| !entry.starts_with('.') && !ROOT.contains(entry));
    strange.map(|entry| format!("{entry}: does not belong into the root of the repository")).collect()
}

/// Each of `ids` is a whole word of `text`; `what` explains a missing one.
pub fn all_named<'a>(ids: impl IntoIterator<Item = &'a str>, text: &str, what: &str) -> Vec<String> {
    ids.into_iter().filter(|id| !has_word(text, id)).map(|id| format!("{id}: {what}")).collect()
}

/// Each rule S<n> has a planted bug, named `S<nn><What>` (S02LyingFlush), in the tests of planted bugs.
pub fn all_planted(rules: std::ops::RangeInclusive<u32>, text: &str) -> Vec<String> {
    let is_planted = |rule: &u32| {
        let prefix = format!("S{rule:02}");
        text.match_indices(&prefix).any(|(at, _)| text[at + prefix.len()..].starts_with(char::is_uppercase))
    };
    rules.filter(|rule| !is_planted(rule)).map(|rule| format!("S{rule}: no planted bug")).collect()
}

/// The numbers that begin the rows of the tables in `text`: `C<n>` and `E<n>`.
pub fn numbered_rows(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.trim_start_matches("//! ").strip_prefix("| ")?.split(' ').next());
    let is_number = |cell: &&str| {
        let digits = cell.strip_prefix(['C', 'E']).unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    rows.filter(is_number).collect()
}

/// Each number stands in the name of a function of the tests, as a word of its own: C16 in `c16_leader_epochs_are_checked`.
pub fn all_tested(numbers: &[&str], tests: &[Source]) -> Vec<String> {
    let names = tests.iter().flat_map(|source| functions(&source.code)).map(|(_, name, _)| name);
    let words: std::collections::BTreeSet<String> =
        names.flat_map(|name| name.split('_')).map(str::to_uppercase).collect();
    let missing = numbers.iter().filter(|number| !words.contains(**number));
    missing.map(|number| format!("{number}: no test has it in its name")).collect()
}

fn module_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("src/")?;
    let module = rest.split('/').next().expect("split gives at least one piece").trim_end_matches(".rs");
    (!matches!(module, "lib" | "manual")).then_some(module)
}

fn floor_of(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(known, _)| *known == module).map(|(_, floor)| *floor)
}

/// First segments of all paths that begin with `crate::`, groups (`crate::{a::b, c}`) included.
fn crate_paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        match rest.strip_prefix('{') {
            None => found.push(first_name(rest).to_string()),
            Some(group) => {
                let mut depth = 0;
                let mut begins = true;
                for (at, letter) in group.char_indices() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => begins = true,
                        _ if begins && !letter.is_whitespace() => {
                            found.push(first_name(&group[at..]).to_string());
                            begins = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn first_name(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    &text[..end]
}

/// (line, name, lines) of each function with a body.
pub fn functions(code: &str) -> Vec<(usize, &str, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_word = !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let name = first_name(&code[at + 3..]);
        if !is_word || name.is_empty() {
            continue;
        }
        let end = end_of_item(code.as_bytes(), at + 3);
        let line = code[..at].lines().count().max(1);
        found.push((line, name, code[at..end].lines().count()));
    }
    found
}

fn names_after<'a>(code: &'a str, keyword: &str) -> Vec<&'a str> {
    let pattern = format!("{keyword} ");
    let at_word = |at: &usize| !code[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
    let starts = code.match_indices(pattern.as_str()).map(|(at, _)| at).filter(at_word);
    starts.map(|at| first_name(&code[at + pattern.len()..])).filter(|name| !name.is_empty()).collect()
}

/// `ReadPlan` -> read, plan.
fn camel_words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        if letter.is_uppercase() || words.is_empty() {
            words.push(String::new());
        }
        words.last_mut().expect("one was pushed").extend(letter.to_lowercase());
    }
    words
}

/// True if `word` stands in `text` as a whole word.
pub fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let joins = |letter: char| letter.is_alphanumeric() || letter == '_';
        !text[..at].ends_with(joins) && !text[at + word.len()..].starts_with(joins)
    })
}

fn words_before(code: &str, path: &str) -> bool {
    code.match_indices(path)
        .any(|(at, _)| !code[at + path.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}
