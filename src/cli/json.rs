//! JSON as the commands print it: fields in the order they are given, bytes never mangled.

use std::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A number that need not be whole, to six digits.
    Decimal(f64),
    /// A string.
    Text(String),
    /// Values in a row.
    List(Vec<Json>),
    /// Fields in order.
    Fields(Vec<(&'static str, Json)>),
}

impl Json {
    /// A string.
    pub(crate) fn text(text: impl Into<String>) -> Json {
        Json::Text(text.into())
    }

    /// A string, or null.
    pub(crate) fn optional(text: Option<impl Into<String>>) -> Json {
        text.map_or(Json::Null, Json::text)
    }

    /// A whole number.
    pub(crate) fn number(number: impl Into<i64>) -> Json {
        Json::Number(number.into())
    }

    /// Values in a row.
    pub(crate) fn list(values: impl IntoIterator<Item = Json>) -> Json {
        Json::List(values.into_iter().collect())
    }

    /// On several lines, for people and files; a row of plain values stays on one line.
    pub(crate) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, 0);
        out
    }

    fn is_plain(&self) -> bool {
        !matches!(self, Json::List(_) | Json::Fields(_))
    }

    fn write_pretty(&self, out: &mut String, depth: usize) {
        let indent = |out: &mut String, depth: usize| out.push_str(&format!("\n{}", "  ".repeat(depth)));
        match self {
            Json::List(values) if values.iter().any(|value| !value.is_plain()) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    indent(out, depth + 1);
                    value.write_pretty(out, depth + 1);
                }
                indent(out, depth);
                out.push(']');
            }
            Json::Fields(fields) if !fields.is_empty() => {
                out.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    indent(out, depth + 1);
                    out.push_str(&format!("\"{name}\": "));
                    value.write_pretty(out, depth + 1);
                }
                indent(out, depth);
                out.push('}');
            }
            other => out.push_str(&other.to_string()),
        }
    }
}

/// On one line.
impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => formatter.write_str("null"),
            Json::Bool(value) => write!(formatter, "{value}"),
            Json::Number(number) => write!(formatter, "{number}"),
            Json::Decimal(number) if number.is_finite() => write!(formatter, "{}", six_digits(*number)),
            Json::Decimal(_) => formatter.write_str("null"),
            Json::Text(text) => formatter.write_str(&quoted(text)),
            Json::List(values) => {
                formatter.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(formatter, "{}{value}", if index > 0 { "," } else { "" })?;
                }
                formatter.write_str("]")
            }
            Json::Fields(fields) => {
                formatter.write_str("{")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    write!(formatter, "{}\"{name}\":{value}", if index > 0 { "," } else { "" })?;
                }
                formatter.write_str("}")
            }
        }
    }
}

/// Rounded: what is behind the sixth digit is noise.
fn six_digits(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

/// A string with its quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // The last one would move the cursor of a terminal; the others have to be escaped.
            control if control < ' ' || control == '\u{7f}' => out.push_str(&format!("\\u{:04x}", control as u32)),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// Bytes of a record: a string if they are UTF-8, else an object with the one field `base64`; null for null.
pub(crate) fn of_bytes(bytes: Option<&[u8]>) -> Json {
    match bytes.map(|bytes| (std::str::from_utf8(bytes), bytes)) {
        None => Json::Null,
        Some((Ok(text), _)) => Json::text(text),
        Some((Err(_), bytes)) => Json::Fields(vec![("base64", Json::Text(base64(bytes)))]),
    }
}

/// Base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().enumerate().fold(0u32, |word, (index, byte)| word | u32::from(*byte) << (16 - 8 * index));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place)) as usize & 63] as char;
            out.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(quoted("a\"b\\c\n\u{1}\u{7f}é"), "\"a\\\"b\\\\c\\n\\u0001\\u007fé\"");
        let parsed: serde_json::Value = serde_json::from_str(&quoted("\u{0}\u{1f}\t\r\"\\/\u{1F600}")).expect("JSON");
        assert_eq!(parsed, "\u{0}\u{1f}\t\r\"\\/\u{1F600}");
    }

    #[test]
    fn bytes_are_never_mangled() {
        assert_eq!(of_bytes(Some(b"abc")).to_string(), "\"abc\"");
        assert_eq!(of_bytes(Some(b"\xff\x00")).to_string(), "{\"base64\":\"/wA=\"}");
        assert_eq!(of_bytes(None), Json::Null);
        let known =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in known {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn both_forms_are_the_same_value() {
        let value = Json::Fields(vec![
            ("a", Json::list([Json::number(1), Json::number(-2)])),
            ("b", Json::list([Json::Fields(vec![("c", Json::Null)]), Json::Fields(Vec::new())])),
            ("d", Json::Bool(true)),
        ]);
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(read(&value.pretty()), read(&value.to_string()));
        let decimals = [0.1 + 0.2, 1234567.0, 3.0, f64::NAN].map(|number| Json::Decimal(number).to_string());
        assert_eq!(decimals, ["0.3", "1234570", "3", "null"]);
        assert_eq!(value.to_string(), r#"{"a":[1,-2],"b":[{"c":null},{}],"d":true}"#);
    }
}
