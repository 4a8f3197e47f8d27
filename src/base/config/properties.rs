//! Kafka's file format: `java.util.Properties`, byte for byte where users can notice.

/// One `key=value` of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Line on which the entry begins, 1-based.
    pub line: usize,
    /// The key, unescaped.
    pub key: String,
    /// The value, unescaped; surrounding white space is gone, as Kafka trims it too.
    pub value: String,
}

/// Reads a whole file; entries in file order, duplicates included (the last one counts). The error is line and reason.
pub fn parse(text: &str) -> Result<Vec<Property>, (usize, String)> {
    let mut properties = Vec::new();
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let mut logical = first.trim_start().to_string();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while continues(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start()),
                None => break,
            }
        }
        let line = index + 1;
        let (key, value) = split(&logical);
        let key = unescape(key).map_err(|why| (line, why))?;
        let value = unescape(value).map_err(|why| (line, why))?.trim().to_string();
        if key.is_empty() {
            return Err((line, "there is no key before the value".to_string()));
        }
        properties.push(Property { line, key, value });
    }
    Ok(properties)
}

/// True if the line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The key ends at the first unescaped `=`, `:` or white space; one separator and the white space around it belong to neither side.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|letter: char| {
        let ends = !escaped && (letter == '=' || letter == ':' || letter.is_whitespace());
        escaped = letter == '\\' && !escaped;
        ends
    });
    let Some(end) = end else { return (line, "") };
    let rest = line[end..].trim_start();
    (&line[..end], rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start())
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => plain.push(unicode(&mut letters)?),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Ok(plain)
}

fn unicode(letters: &mut std::str::Chars<'_>) -> Result<char, String> {
    let digits: String = letters.by_ref().take(4).collect();
    let code = if digits.len() == 4 { u32::from_str_radix(&digits, 16).ok() } else { None };
    code.and_then(char::from_u32)
        .ok_or_else(|| format!("\\u{digits} is not a character (\\u takes four hexadecimal digits)"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn check(text: &str, expect: &[(usize, &str, &str)]) {
        let found = parse(text).expect("parses");
        let found: Vec<(usize, &str, &str)> =
            found.iter().map(|p| (p.line, p.key.as_str(), p.value.as_str())).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn separators_and_white_space() {
        check(
            "a=1\n  b : 2 \nc 3\nd\ne==x\nf=a b",
            &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3"), (4, "d", ""), (5, "e", "=x"), (6, "f", "a b")],
        );
    }

    #[test]
    fn comments_and_empty_lines_do_not_continue() {
        check("# x=1 \\\n!y=2\n\n \t\nz=3\r\n", &[(5, "z", "3")]);
    }

    #[test]
    fn continuation_needs_an_odd_number_of_backslashes() {
        check("list=a,\\\n     b,\\\n  c\nnext=1", &[(1, "list", "a,b,c"), (4, "next", "1")]);
        check("path=c\\\\\nnext=1", &[(1, "path", "c\\"), (2, "next", "1")]);
        check("last=x\\", &[(1, "last", "x")]);
    }

    #[test]
    fn escapes() {
        check("a\\=b\\ c=tab\\there\\u0041\\q", &[(1, "a=b c", "tab\thereAq")]);
        assert_eq!(parse("ok=1\nbad=\\u00g1").unwrap_err().0, 2);
        assert_eq!(parse("=1").unwrap_err().0, 1);
    }
}
