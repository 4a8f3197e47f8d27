//! Records out of standard input and files, read by a thread of their own.

use crate::cli::moment;
use crate::cli::produce::json_line;
use crate::client::failure::Failure;
use crate::wire::records::Record;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How inputs become records.
#[derive(Clone, Debug)]
pub(super) struct Cutting {
    /// Between records; without one an input is a record.
    pub(super) delimiter: Option<Vec<u8>>,
    /// Between key and value.
    pub(super) key_delimiter: Option<Vec<u8>>,
    /// Of every record.
    pub(super) key: Option<Bytes>,
    /// Of every record.
    pub(super) headers: Vec<(Bytes, Option<Bytes>)>,
    /// What is empty is null.
    pub(super) null_if_empty: bool,
    /// Each record is a line of JSON.
    pub(super) json: bool,
}

/// What the thread sends.
pub(super) enum Piece {
    Records(Vec<Record>),
    Failed(Failure),
}

/// Pieces that wait to be sent.
const QUEUE_MAX: usize = 4;
/// Bytes of records in one piece; a larger record comes alone.
const PIECE_BYTES: usize = 256 * 1024;

/// Files that cannot be opened are named before anything is sent.
pub(super) fn check(files: &[PathBuf]) -> Result<(), Failure> {
    files.iter().try_for_each(|path| open(path).map(drop))
}

fn open(path: &PathBuf) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| Failure::here(format!("{}: {error}", path.display())))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(Failure::here(format!("{}: is a directory", path.display()))),
        _ => Ok(file),
    }
}

/// Begins to read the files, or standard input if there are none.
pub(super) fn start(files: Vec<PathBuf>, cutting: Cutting) -> Receiver<Piece> {
    let (sender, pieces) = sync_channel(QUEUE_MAX);
    std::thread::spawn(move || {
        if let Err(failure) = read_all(&files, &cutting, &sender) {
            // Whoever does not listen any more needs no reason.
            let _ = sender.send(Piece::Failed(failure));
        }
    });
    pieces
}

fn read_all(files: &[PathBuf], cutting: &Cutting, sender: &SyncSender<Piece>) -> Result<(), Failure> {
    let named = |name: &str, error: io::Error| Failure::here(format!("{name}: {error}"));
    if files.is_empty() {
        let stdin = BufReader::with_capacity(64 * 1024, io::stdin().lock());
        return cut(stdin, cutting, sender).map_err(|error| named("standard input", error));
    }
    for path in files {
        let file = BufReader::with_capacity(64 * 1024, open(path)?);
        cut(file, cutting, sender).map_err(|error| named(&path.display().to_string(), error))?;
    }
    Ok(())
}

fn cut<R: Read>(mut input: BufReader<R>, cutting: &Cutting, sender: &SyncSender<Piece>) -> io::Result<()> {
    let Some(delimiter) = &cutting.delimiter else {
        let mut whole = Vec::new();
        input.read_to_end(&mut whole)?;
        let _ = sender.send(Piece::Records(vec![cutting.record(whole)]));
        return Ok(());
    };
    let last = *delimiter.last().expect("a delimiter is not empty");
    let (mut piece, mut bytes) = (Vec::new(), 0);
    for number in 1.. {
        let mut line = Vec::new();
        while input.read_until(last, &mut line)? > 0 && !line.ends_with(delimiter) {}
        if line.is_empty() {
            break;
        }
        if line.ends_with(delimiter) {
            line.truncate(line.len() - delimiter.len());
        }
        bytes += line.len() + 1;
        if cutting.json {
            match json_line::parse(&line, moment::now()) {
                Ok(record) => piece.push(cutting.complete(record)),
                Err(why) => {
                    // What came before it goes out before the complaint.
                    let _ = sender.send(Piece::Records(piece));
                    return Err(io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {why}")));
                }
            }
        } else {
            piece.push(cutting.record(line));
        }
        // Before a read that may wait, what is there goes out.
        if (input.buffer().is_empty() || bytes >= PIECE_BYTES)
            && sender.send(Piece::Records(std::mem::take(&mut piece))).is_err()
        {
            return Ok(());
        }
        bytes = if piece.is_empty() { 0 } else { bytes };
    }
    if !piece.is_empty() {
        let _ = sender.send(Piece::Records(piece));
    }
    Ok(())
}

impl Cutting {
    /// Headers of every record come behind its own.
    fn complete(&self, mut record: Record) -> Record {
        record.headers.extend(self.headers.iter().cloned());
        record
    }

    fn record(&self, line: Vec<u8>) -> Record {
        let line = Bytes::from(line);
        let divided = self.key_delimiter.as_ref().and_then(|delimiter| {
            let at = line.windows(delimiter.len()).position(|window| window == delimiter.as_slice())?;
            Some((line.slice(..at), line.slice(at + delimiter.len()..)))
        });
        let (key, value) = match divided {
            Some((key, value)) => (Some(key), value),
            None => (self.key.clone(), line),
        };
        let full = |bytes: &Bytes| !self.null_if_empty || !bytes.is_empty();
        Record {
            offset: 0,
            timestamp: moment::now(),
            key: key.filter(full),
            value: Some(value).filter(full),
            headers: self.headers.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cutting(delimiter: &str, key_delimiter: Option<&str>, null_if_empty: bool) -> Cutting {
        Cutting {
            delimiter: Some(delimiter.as_bytes().to_vec()),
            key_delimiter: key_delimiter.map(|text| text.as_bytes().to_vec()),
            key: None,
            headers: Vec::new(),
            null_if_empty,
            json: false,
        }
    }

    fn records(input: &[u8], cutting: &Cutting) -> Vec<(Option<String>, Option<String>)> {
        let (sender, pieces) = sync_channel(100);
        cut(BufReader::with_capacity(7, input), cutting, &sender).expect("memory can be read");
        drop(sender);
        let text = |bytes: Option<Bytes>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).expect("text"));
        let records = pieces.into_iter().flat_map(|piece| match piece {
            Piece::Records(records) => records,
            Piece::Failed(failure) => panic!("{failure}"),
        });
        records.map(|record| (text(record.key), text(record.value))).collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_string())
    }

    #[test]
    fn lines() {
        let values = records(b"one\n\nthree four five six\nlast", &cutting("\n", None, false));
        assert_eq!(values, ["one", "", "three four five six", "last"].map(|text| (None, some(text))));
        assert_eq!(records(b"", &cutting("\n", None, false)), []);
        assert_eq!(
            records(b"a\n;b\n;;\nc", &cutting("\n;", None, false)),
            ["a", "b", ";\nc"].map(|text| (None, some(text)))
        );
    }

    #[test]
    fn keys_and_nulls() {
        let input = b"k::v\nno key\n::v\nk::\n::\na::b::c\n";
        let plain = records(input, &cutting("\n", Some("::"), false));
        let expect = [
            (some("k"), some("v")),
            (None, some("no key")),
            (some(""), some("v")),
            (some("k"), some("")),
            (some(""), some("")),
            (some("a"), some("b::c")),
        ];
        assert_eq!(plain, expect);
        let nulls = records(input, &cutting("\n", Some("::"), true));
        assert_eq!((&nulls[2], &nulls[3], &nulls[4]), (&(None, some("v")), &(some("k"), None), &(None, None)));
    }
}
