//! A record out of a line of JSON, as `consume --json` writes it.

use crate::wire::records::Record;
use bytes::Bytes;
use serde_json::{Map, Value};

/// Reads a line; `now` is the timestamp of a record that has none. The error is for people.
pub(super) fn parse(line: &[u8], now: i64) -> Result<Record, String> {
    let value: Value = serde_json::from_slice(line).map_err(|error| format!("no JSON: {error}"))?;
    let Value::Object(fields) = value else { return Err("no JSON object".to_string()) };
    const KNOWN: [&str; 7] = ["topic", "partition", "offset", "timestamp", "key", "value", "headers"];
    if let Some(unknown) = fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("unknown field {unknown}; there are {}", KNOWN.join(", ")));
    }
    let timestamp = match fields.get("timestamp") {
        None | Some(Value::Null) => now,
        Some(value) => value.as_i64().filter(|time| *time >= -1).ok_or("timestamp: no milliseconds")?,
    };
    let headers = match fields.get("headers") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(headers)) => headers.iter().map(header).collect::<Result<_, String>>()?,
        Some(_) => return Err("headers: no list".to_string()),
    };
    Ok(Record { offset: 0, timestamp, key: bytes(&fields, "key")?, value: bytes(&fields, "value")?, headers })
}

fn header(value: &Value) -> Result<(Bytes, Option<Bytes>), String> {
    let Value::Object(fields) = value else { return Err("headers: no object with key and value".to_string()) };
    let name = bytes(fields, "key")?.ok_or("headers: a header without a key")?;
    Ok((name, bytes(fields, "value")?))
}

/// A string, or bytes in an object with the one field `base64`; null, or nothing, is null.
fn bytes(fields: &Map<String, Value>, name: &str) -> Result<Option<Bytes>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Bytes::copy_from_slice(text.as_bytes()))),
        Some(Value::Object(object)) if object.len() == 1 => {
            let encoded = object.get("base64").and_then(Value::as_str);
            let decoded = encoded.and_then(decode_base64).ok_or_else(|| format!("{name}: no base64"))?;
            Ok(Some(Bytes::from(decoded)))
        }
        Some(_) => Err(format!("{name}: neither a string, nor {{\"base64\": ...}}, nor null")),
    }
}

/// Base64 with padding; nothing else is taken.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for group in digits.as_bytes().chunks(4) {
        let mut word = 0u32;
        for place in 0..4 {
            word = word << 6 | group.get(place).map_or(Some(0), |letter| digit(*letter))?;
        }
        out.extend_from_slice(&word.to_be_bytes()[1..]);
    }
    out.truncate(out.len() - padding);
    Some(out)
}

fn digit(letter: u8) -> Option<u32> {
    Some(u32::from(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::{decode_base64, parse};
    use crate::cli::json::base64;

    #[test]
    fn base64_there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        for length in 0..all.len() {
            assert_eq!(decode_base64(&base64(&all[..length])).as_deref(), Some(&all[..length]));
        }
        for wrong in ["A", "AA", "AAA", "A===", "====", "AA=A", "A-A=", "AAAA\n"] {
            assert_eq!(decode_base64(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lines() {
        let line = br#"{"topic":"x","offset":5,"key":null,"value":{"base64":"/wA="},"headers":[{"key":"h","value":"v"},{"key":"n"}]}"#;
        let record = parse(line, 7).expect("a record");
        assert_eq!((record.key, record.timestamp), (None, 7));
        assert_eq!(record.value.as_deref(), Some(&b"\xff\0"[..]));
        assert_eq!((record.headers.len(), record.headers[0].1.as_deref()), (2, Some(&b"v"[..])));
        assert_eq!(parse(br#"{"timestamp":12}"#, 7).expect("a record").timestamp, 12);
        for (wrong, word) in [
            ("", "no JSON"),
            ("[]", "object"),
            (r#"{"vlaue":"x"}"#, "vlaue"),
            (r#"{"value":5}"#, "value"),
            (r#"{"value":{"base64":"x"}}"#, "base64"),
            (r#"{"value":{"base64":"AAAA","more":1}}"#, "value"),
            (r#"{"headers":{}}"#, "list"),
            (r#"{"headers":[{"value":"x"}]}"#, "without a key"),
            (r#"{"timestamp":"now"}"#, "milliseconds"),
        ] {
            let why = parse(wrong.as_bytes(), 7).expect_err(wrong);
            assert!(why.contains(word), "{wrong}: {why}");
        }
    }
}
