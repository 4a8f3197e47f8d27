//! `consume --format`: kcat's directives, and those of rpk that do not contradict them.

use crate::cli::escape::escape;
use crate::cli::json::{self, Json};
use crate::cli::moment;
use crate::client::consumer::Consumed;
use crate::wire::records::Record;
use std::io::{self, Write};

/// A format that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Topic,
    Partition,
    Offset,
    LeaderEpoch,
    ProducerId,
    ProducerEpoch,
    Timestamp {
        rfc3339: bool,
    },
    Key(Shape),
    Value(Shape),
    KeyLength,
    ValueLength,
    ValueLengthRaw,
    HeaderCount,
    /// Each header in the inner format, in which key and value are those of the header; kcat's list without one.
    Headers(Option<Vec<Piece>>),
    HeadersJson,
}

/// How bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// As they are; null is nothing.
    Raw,
    Json,
    Hex,
    Base64,
}

/// What stands in a usage error and in the help.
pub(super) const DIRECTIVES: &str = "%t topic, %p partition, %o offset, %k key, %v or %s value, %h headers, %T or %d timestamp, \
    %K key length, %S or %V value length, %R value length as 4 bytes, %H number of headers, %e leader epoch, %x producer id, \
    %y producer epoch, %% a percent sign";

impl Format {
    /// Reads a format.
    pub(super) fn parse(text: &str) -> Result<Format, String> {
        pieces(text).map(Format)
    }

    /// The value, then a line break; with a delimiter the key and it before.
    pub(super) fn plain(key_delimiter: Option<Vec<u8>>) -> Format {
        let key = key_delimiter.map(|delimiter| [Piece::Key(Shape::Raw), Piece::Text(delimiter)]);
        let rest = [Piece::Value(Shape::Raw), Piece::Text(b"\n".to_vec())];
        Format(key.into_iter().flatten().chain(rest).collect())
    }

    /// One record.
    pub(super) fn write(&self, out: &mut dyn Write, topic: &str, consumed: &Consumed) -> io::Result<()> {
        self.0.iter().try_for_each(|piece| piece.write(out, topic, consumed))
    }
}

/// A record on one line of JSON.
pub(super) fn json_line(topic: &str, consumed: &Consumed) -> Json {
    let record = &consumed.record;
    Json::Fields(vec![
        ("topic", Json::text(topic)),
        ("partition", Json::number(consumed.partition)),
        ("offset", Json::number(record.offset)),
        ("timestamp", Json::number(record.timestamp)),
        ("key", json::of_bytes(record.key.as_deref())),
        ("value", json::of_bytes(record.value.as_deref())),
        ("headers", headers_json(record)),
    ])
}

fn headers_json(record: &Record) -> Json {
    Json::list(record.headers.iter().map(|(name, value)| {
        Json::Fields(vec![("key", json::of_bytes(Some(name))), ("value", json::of_bytes(value.as_deref()))])
    }))
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut found: Vec<Piece> = Vec::new();
    let push = |found: &mut Vec<Piece>, byte: u8| match found.last_mut() {
        Some(Piece::Text(text)) => text.push(byte),
        _ => found.push(Piece::Text(vec![byte])),
    };
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match first {
            b'\\' => {
                let (byte, used) = escape(after)
                    .ok_or_else(|| format!("{text}: unknown escape; there are \\n \\t \\r \\0 \\\\ \\xHH"))?;
                push(&mut found, byte);
                rest = &after[used..];
            }
            b'%' => {
                let (letter, after) =
                    after.split_first().ok_or("a percent sign at the end; %% is one that is meant")?;
                rest = after;
                if matches!(letter, b'%' | b'{' | b'}') {
                    push(&mut found, *letter);
                    continue;
                }
                let (modifier, after) = if takes_modifier(*letter) { modifier(after)? } else { (None, after) };
                rest = after;
                found.push(directive(*letter, modifier.as_deref())?);
            }
            byte => {
                push(&mut found, *byte);
                rest = after;
            }
        }
    }
    Ok(found)
}

fn takes_modifier(letter: u8) -> bool {
    matches!(letter, b'k' | b'v' | b's' | b'h' | b'T' | b'd')
}

/// What stands in braces right behind a directive, with braces inside balanced; and what follows.
fn modifier(after: &[u8]) -> Result<(Option<String>, &[u8]), String> {
    if after.first() != Some(&b'{') {
        return Ok((None, after));
    }
    let mut depth = 0;
    for (at, byte) in after.iter().enumerate() {
        let literal = at > 0 && after[at - 1] == b'%';
        match byte {
            b'{' if !literal => depth += 1,
            b'}' if !literal => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((Some(String::from_utf8_lossy(&after[1..at]).into_owned()), &after[at + 1..]));
        }
    }
    Err("a brace does not close; %{ and %} are braces that are meant".to_string())
}

fn directive(letter: u8, modifier: Option<&str>) -> Result<Piece, String> {
    Ok(match letter {
        b't' => Piece::Topic,
        b'p' => Piece::Partition,
        b'o' => Piece::Offset,
        b'e' => Piece::LeaderEpoch,
        b'x' => Piece::ProducerId,
        b'y' => Piece::ProducerEpoch,
        b'k' => Piece::Key(shape(modifier)?),
        b'v' | b's' => Piece::Value(shape(modifier)?),
        b'K' => Piece::KeyLength,
        b'V' | b'S' => Piece::ValueLength,
        b'R' => Piece::ValueLengthRaw,
        b'H' => Piece::HeaderCount,
        b'h' => match modifier {
            None => Piece::Headers(None),
            Some("json") => Piece::HeadersJson,
            Some(inner) => Piece::Headers(Some(pieces(inner)?)),
        },
        b'T' | b'd' => match modifier {
            None | Some("ms") => Piece::Timestamp { rfc3339: false },
            Some("iso" | "rfc3339") => Piece::Timestamp { rfc3339: true },
            Some(other) => return Err(format!("%T{{{other}}}: a timestamp is {{ms}} or {{iso}}")),
        },
        other => return Err(format!("%{}: no such directive; there are {DIRECTIVES}", other as char)),
    })
}

fn shape(modifier: Option<&str>) -> Result<Shape, String> {
    Ok(match modifier {
        None => Shape::Raw,
        Some("json") => Shape::Json,
        Some("hex") => Shape::Hex,
        Some("base64") => Shape::Base64,
        Some(other) => return Err(format!("{{{other}}}: keys and values are {{json}}, {{hex}} or {{base64}}")),
    })
}

impl Piece {
    fn write(&self, out: &mut dyn Write, topic: &str, consumed: &Consumed) -> io::Result<()> {
        let record = &consumed.record;
        let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64);
        match self {
            Piece::Text(text) => out.write_all(text),
            Piece::Topic => out.write_all(topic.as_bytes()),
            Piece::Partition => write!(out, "{}", consumed.partition),
            Piece::Offset => write!(out, "{}", record.offset),
            Piece::LeaderEpoch => write!(out, "{}", consumed.leader_epoch),
            Piece::ProducerId => write!(out, "{}", consumed.producer_id),
            Piece::ProducerEpoch => write!(out, "{}", consumed.producer_epoch),
            Piece::Timestamp { rfc3339: true } => out.write_all(moment::rfc3339(record.timestamp).as_bytes()),
            Piece::Timestamp { rfc3339: false } => write!(out, "{}", record.timestamp),
            Piece::Key(shape) => shape.write(out, record.key.as_deref()),
            Piece::Value(shape) => shape.write(out, record.value.as_deref()),
            Piece::KeyLength => write!(out, "{}", length(&record.key)),
            Piece::ValueLength => write!(out, "{}", length(&record.value)),
            Piece::ValueLengthRaw => out.write_all(&(length(&record.value) as i32).to_be_bytes()),
            Piece::HeaderCount => write!(out, "{}", record.headers.len()),
            Piece::HeadersJson => write!(out, "{}", headers_json(record)),
            Piece::Headers(None) => {
                for (index, (name, value)) in record.headers.iter().enumerate() {
                    out.write_all(if index > 0 { b"," } else { b"" })?;
                    out.write_all(name)?;
                    out.write_all(b"=")?;
                    out.write_all(value.as_deref().unwrap_or(b"NULL"))?;
                }
                Ok(())
            }
            Piece::Headers(Some(inner)) => record.headers.iter().try_for_each(|(name, value)| {
                let header = Record { key: Some(name.clone()), value: value.clone(), headers: Vec::new(), ..*record };
                let header = Consumed { record: header, ..*consumed };
                inner.iter().try_for_each(|piece| piece.write(out, topic, &header))
            }),
        }
    }
}

impl Shape {
    fn write(self, out: &mut dyn Write, bytes: Option<&[u8]>) -> io::Result<()> {
        match (self, bytes) {
            (Shape::Json, bytes) => write!(out, "{}", json::of_bytes(bytes)),
            (_, None) => Ok(()),
            (Shape::Raw, Some(bytes)) => out.write_all(bytes),
            (Shape::Hex, Some(bytes)) => bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}")),
            (Shape::Base64, Some(bytes)) => out.write_all(json::base64(bytes).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn consumed() -> Consumed {
        let bytes = |bytes: &'static [u8]| Some(Bytes::from_static(bytes));
        let header = |name: &'static [u8], value| (Bytes::from_static(name), value);
        let record = Record {
            offset: 42,
            timestamp: 1_700_000_000_000,
            key: bytes(b"k\xff"),
            value: bytes(b"va\"l"),
            headers: vec![header(b"a", bytes(b"1")), header(b"b", None)],
        };
        Consumed { partition: 3, leader_epoch: 5, producer_id: 7, producer_epoch: 9, record }
    }

    fn shown(format: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let format = Format::parse(format).unwrap_or_else(|why| panic!("{format}: {why}"));
        format.write(&mut out, "orders", &consumed()).expect("memory takes everything");
        out
    }

    #[test]
    fn directives() {
        assert_eq!(shown("%t %p %o %k %v\\n"), b"orders 3 42 k\xff va\"l\n");
        assert_eq!(shown("%s|%S|%K|%V|%T|%d|%h|%H|%%"), b"va\"l|4|2|4|1700000000000|1700000000000|a=1,b=NULL|2|%");
        assert_eq!(shown("%R"), [0, 0, 0, 4]);
        assert_eq!(shown("%e %x %y"), b"5 7 9");
        assert_eq!(shown("%k{hex} %k{base64} %v{json} %k{json}"), br#"6bff a/8= "va\"l" {"base64":"a/8="}"#);
        assert_eq!(shown("%T{iso}"), b"2023-11-14T22:13:20.000Z");
        assert_eq!(shown("%h{%k:%v;}%h{json}"), br#"a:1;b:;[{"key":"a","value":"1"},{"key":"b","value":null}]"#);
        assert_eq!(shown("%h{%{%k%}}"), b"{a}{b}");
        assert_eq!(shown("{\"o\": %o}é\\x00\\t"), "{\"o\": 42}é\0\t".as_bytes());
        assert_eq!(shown("%p{x}"), b"3{x}");
    }

    #[test]
    fn what_is_no_format_says_why() {
        for (format, word) in
            [("%", "%%"), ("%q", "%q"), ("%v{xml}", "xml"), ("%v{json", "close"), ("\\q", "\\xHH"), ("%T{go}", "iso")]
        {
            let why = Format::parse(format).expect_err(format);
            assert!(why.contains(word), "{format}: {why}");
        }
    }

    #[test]
    fn a_line_of_json_is_json() {
        let line = json_line("orders", &consumed()).to_string();
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["key"]["base64"], "a/8=");
        assert_eq!((value["value"].as_str(), value["offset"].as_i64()), (Some("va\"l"), Some(42)));
        assert_eq!(value["headers"][1]["value"], serde_json::Value::Null);
    }
}
