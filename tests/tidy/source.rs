//! A source file as the rules see it: text without comments and literals, product code without test code.

use std::path::{Path, PathBuf};

/// One Rust file.
pub struct Source {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Comments, strings and character literals blanked, line breaks kept; what `#[cfg(test)]` covers blanked too.
    pub code: String,
    /// Lines of the file that are not test code.
    pub product_lines: usize,
}

impl Source {
    /// Reads a snippet as if it stood at `path`.
    pub fn new(path: &str, text: &str) -> Source {
        let bare = blank_literals(text);
        let (code, product_lines) = blank_tests(&bare);
        Source { path: path.to_string(), text: text.to_string(), code, product_lines }
    }

    /// The whole file is test code (`tests.rs`, or below `tests/`).
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Name of the file without `.rs`; the directory's name for a `mod.rs`.
    pub fn stem(&self) -> &str {
        let path = self.path.strip_suffix("/mod.rs").or(self.path.strip_suffix(".rs")).unwrap_or(&self.path);
        path.rsplit('/').next().expect("split gives at least one piece")
    }
}

/// All Rust files below `dirs`, sorted.
pub fn read_all(root: &Path, dirs: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for dir in dirs {
        collect(&root.join(dir), &mut paths);
    }
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root).expect("below the root").to_str().expect("UTF-8").to_string();
    paths.iter().map(|path| Source::new(&name(path), &std::fs::read_to_string(path).expect("readable"))).collect()
}

fn collect(dir: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Blanks comments, strings and characters so that braces and words are counted only where they are code.
fn blank_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => find(bytes, at, b"\n"),
            b'/' if bytes.get(at + 1) == Some(&b'*') => end_of_block_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'r' | b'b' | b'c' if starts_raw_string(bytes, at) => end_of_raw_string(bytes, at),
            b'\'' => end_of_character(bytes, at),
            _ => at,
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(out).expect("whole characters were blanked")
}

fn find(bytes: &[u8], from: usize, needle: &[u8]) -> usize {
    bytes[from..].windows(needle.len()).position(|window| window == needle).map_or(bytes.len(), |at| from + at)
}

fn end_of_block_comment(bytes: &[u8], from: usize) -> usize {
    let (mut depth, mut at) = (0, from);
    while at < bytes.len() {
        let change = match &bytes[at..bytes.len().min(at + 2)] {
            b"/*" => 1,
            b"*/" => -1,
            _ => 0,
        };
        depth += change;
        at += if change == 0 { 1 } else { 2 };
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// `r"`, `r#"`, `br"`, ... at a place that is not the end of a name.
fn starts_raw_string(bytes: &[u8], at: usize) -> bool {
    let in_name = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    let rest = &bytes[at..];
    let prefix = if rest.starts_with(b"br") || rest.starts_with(b"cr") { 2 } else { 1 };
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    !in_name && rest[prefix - 1] == b'r' && rest.get(prefix + hashes) == Some(&b'"')
}

fn end_of_raw_string(bytes: &[u8], from: usize) -> usize {
    let quote = find(bytes, from, b"\"");
    let hashes = bytes[from..quote].iter().filter(|byte| **byte == b'#').count();
    let mut closing = vec![b'"'];
    closing.resize(hashes + 1, b'#');
    (find(bytes, quote + 1, &closing) + closing.len()).min(bytes.len())
}

/// A lifetime ends where it begins: only `'x'` and `'\...'` are blanked.
fn end_of_character(bytes: &[u8], from: usize) -> usize {
    if bytes.get(from + 1) == Some(&b'\\') {
        return (find(bytes, from + 3, b"'") + 1).min(bytes.len());
    }
    let close = bytes[from + 1..].iter().take(5).position(|byte| *byte == b'\'');
    match close {
        Some(length)
            if length > 0
                && std::str::from_utf8(&bytes[from + 1..from + 1 + length])
                    .is_ok_and(|text| text.chars().count() == 1) =>
        {
            from + length + 2
        }
        _ => from,
    }
}

/// Blanks each item after `#[cfg(test)]`; gives the text and the number of lines that are left.
fn blank_tests(code: &str) -> (String, usize) {
    let mut out = code.as_bytes().to_vec();
    let mut test_lines = 0;
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = end_of_item(code.as_bytes(), start + "#[cfg(test)]".len());
        test_lines += code[start..end].lines().count();
        for byte in &mut out[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        from = end;
    }
    (String::from_utf8(out).expect("ASCII was blanked"), code.lines().count() - test_lines)
}

/// End of the item that begins after `from`: its `;` or its closing brace, whichever opens first.
pub fn end_of_item(code: &[u8], from: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.iter().enumerate().skip(from) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth -= 1;
                if depth == 0 && *byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}
