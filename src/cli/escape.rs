//! Backslash escapes in delimiters and formats: `\n \t \r \0 \\ \xHH`.

/// The bytes that `text` stands for.
pub(crate) fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'\\' {
            out.push(*first);
            rest = after;
            continue;
        }
        let (byte, used) =
            escape(after).ok_or_else(|| format!("{text}: unknown escape; there are \\n \\t \\r \\0 \\\\ \\xHH"))?;
        out.push(byte);
        rest = &after[used..];
    }
    Ok(out)
}

/// What stands behind a backslash: the byte, and how many it took.
pub(crate) fn escape(after: &[u8]) -> Option<(u8, usize)> {
    Some(match after.first()? {
        b'n' => (b'\n', 1),
        b't' => (b'\t', 1),
        b'r' => (b'\r', 1),
        b'0' => (0, 1),
        b'\\' => (b'\\', 1),
        b'x' => (hex(*after.get(1)?)? << 4 | hex(*after.get(2)?)?, 3),
        _ => return None,
    })
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|digit| digit as u8)
}

/// For clap: a delimiter, which cannot be empty.
pub(crate) fn delimiter(text: &str) -> Result<Vec<u8>, String> {
    let bytes = unescape(text)?;
    if bytes.is_empty() { Err("a delimiter cannot be empty".to_string()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escapes() {
        assert_eq!(unescape("a\\n\\x41\\xff\\\\é").expect("legal"), b"a\nA\xff\\\xc3\xa9");
        for wrong in ["\\", "\\q", "\\x4", "\\xzz", "\\x+1"] {
            assert!(unescape(wrong).is_err(), "{wrong}");
        }
    }
}
