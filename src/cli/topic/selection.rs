//! Which topics a command is about: names, and patterns with `*` and `?`, which no topic's name has.

use crate::cli::ending::Trouble;
use crate::client::cluster::{Cluster, Topic, topic_words};
use crate::client::failure::Failure;

/// True if it stands for more than one name.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// `*` is any letters, `?` is one.
pub(in crate::cli) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| matches(rest, &name[at..]))
        }
        Some(first) => {
            let mut letters = name.chars();
            let same = letters.next().is_some_and(|letter| first == '?' || letter == first);
            same && matches(&pattern[first.len_utf8()..], letters.as_str())
        }
    }
}

/// The topics, by name, each once. A name that is not there comes with the broker's error code; a pattern leaves Kafka's own topics out,
/// and has to match something.
pub(super) fn select(cluster: &mut Cluster, wanted: &[String]) -> Result<Vec<Topic>, Trouble> {
    let names: Vec<&str> = wanted.iter().map(String::as_str).filter(|name| !is_pattern(name)).collect();
    let mut found = if names.is_empty() { Vec::new() } else { cluster.metadata(Some(&names), false)? };
    if wanted.iter().any(|name| is_pattern(name)) {
        let all = cluster.metadata(None, false)?;
        for pattern in wanted.iter().filter(|name| is_pattern(name)) {
            let before = found.len();
            found.extend(all.iter().filter(|topic| !topic.internal && matches(pattern, &topic.name)).cloned());
            if found.len() == before {
                return Err(Failure::here("no topic matches").about(topic_words(pattern)).into());
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found.dedup_by(|one, other| one.name == other.name);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "a"),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a?c", "abc"),
            ("*b*", "abc"),
            ("a**c", "ac"),
            ("abc", "abc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("?", ""), ("a*", "ba"), ("a?c", "ac"), ("*b", "abc"), ("abc", "abcd"), ("", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
