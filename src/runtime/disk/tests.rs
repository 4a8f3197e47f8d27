//! Journal writes and flushes on a real disk, through a real ring.

use super::{Disk, FilesOwner};
use crate::base::gather::Gather;
use crate::base::storage::{FileOp, Storage, StorageError, read_file};
use crate::broker::event::Event;
use crate::log::effect::{LogEffect, LogInput, Ticket};
use crate::runtime::blocking::Blocking;
use crate::runtime::core_loop::Letter;
use crate::runtime::file_storage::FileStorage;
use crate::runtime::inbox::Inbox;
use crate::runtime::journal_ring::JournalRing;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::readiness::Readiness;
use bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Performs effects all at once and gives their completions, then runs `check` over the directory.
fn perform(effects: Vec<LogEffect>, before: &[FileOp]) -> (Vec<LogInput>, FileStorage, tempfile::TempDir) {
    let dir = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).expect("a directory");
    let mut storage = FileStorage::open(dir.path()).expect("opens");
    before.iter().for_each(|op| {
        storage.perform(op).expect("prepared");
    });
    let inbox = Rc::<Inbox>::default();
    let mailbox = Arc::new(Mailbox::<Letter>::new().expect("a mailbox"));
    let journal = JournalRing::new(storage.root().to_path_buf()).expect("a ring");
    let mut readiness = Readiness::new().expect("an epoll instance");
    readiness.watch(journal.descriptor(), 1).expect("watched");
    readiness.watch(mailbox.bell(), 2).expect("watched");
    let mut disk = Disk::new(journal, inbox.clone(), Blocking::start(&storage, 1), mailbox.clone());
    let awaited = effects.iter().filter(|effect| !matches!(effect, LogEffect::JournalClosed { .. })).count();
    effects.into_iter().for_each(|effect| disk.perform(effect));
    let (mut inputs, mut events) = (Vec::new(), Vec::new());
    // Once: what ends begins the rest.
    disk.submit();
    while inputs.len() < awaited {
        readiness.wait(Duration::from_secs(20), &mut Vec::new());
        disk.collect();
        inbox.swap(&mut events);
        inputs.extend(events.drain(..).map(|event| match event {
            Event::Log(input) => input,
            other => panic!("unexpected {other:?}"),
        }));
        inputs.extend(mailbox.take().into_iter().map(|letter| match letter {
            Letter::Files(FilesOwner::Log(ticket), done) => LogInput::Files { ticket, done },
            _ => panic!("unexpected letter"),
        }));
    }
    (inputs, storage, dir)
}

fn journal(bytes: u64) -> FileOp {
    FileOp::CreateSized { path: "0.journal".into(), bytes, zeroed: false }
}

fn write(ticket: u64, path: &str, offset: u64, data: Gather) -> LogEffect {
    LogEffect::JournalWrite { ticket: Ticket(ticket), path: path.into(), offset, data }
}

fn write_through(ticket: u64, path: &str, offset: u64, data: Gather) -> LogEffect {
    LogEffect::JournalWriteThrough { ticket: Ticket(ticket), path: path.into(), offset, data }
}

fn slices(byte: u8, sizes: &[usize]) -> Gather {
    let mut gather = Gather::new();
    sizes.iter().for_each(|size| gather.push(Bytes::from(vec![byte; *size])));
    gather
}

#[test]
fn concurrent_writes_of_one_file_land_where_they_belong_with_clean_padding() {
    let sizes = [1, 4096, 5000, 300_000, 512 * 1024, 100];
    let mut effects = Vec::new();
    let mut at = 0;
    // Twice: the second time the buffers carry what the first time left in them.
    for (index, size) in sizes.iter().chain(&sizes).enumerate() {
        effects.push(write(index as u64, "0.journal", at, slices(index as u8 + 1, &[size / 2, size - size / 2])));
        at += size.div_ceil(4096) as u64 * 4096;
    }
    effects.push(LogEffect::JournalFlush { ticket: Ticket(99), paths: vec!["0.journal".into()] });
    let (inputs, mut storage, _dir) = perform(effects, &[journal(4 << 20)]);
    assert_eq!(inputs.len(), 13);
    for input in &inputs {
        let ok = match input {
            LogInput::JournalWritten { result, .. } | LogInput::JournalFlushed { result, .. } => result.is_ok(),
            LogInput::Files { .. } | LogInput::Scanned { .. } => false,
        };
        assert!(ok, "{input:?}");
    }
    let all = read_file(&mut storage, "0.journal").expect("read");
    let mut at = 0;
    for (index, size) in sizes.iter().chain(&sizes).enumerate() {
        let padded = size.div_ceil(4096) * 4096;
        assert!(all[at..at + size].iter().all(|byte| *byte == index as u8 + 1), "write {index}");
        assert!(all[at + size..at + padded].iter().all(|byte| *byte == 0), "padding of {index}");
        at += padded;
    }
}

#[test]
fn a_write_through_is_one_operation_that_ends_as_a_flush() {
    let effects = vec![write_through(5, "0.journal", 4096, slices(7, &[100, 5000]))];
    let (inputs, mut storage, _dir) = perform(effects, &[journal(1 << 20)]);
    assert!(matches!(&inputs[..], [LogInput::JournalFlushed { ticket: Ticket(5), result: Ok(()) }]), "{inputs:?}");
    let all = read_file(&mut storage, "0.journal").expect("read");
    assert!(all[4096..4096 + 5100].iter().all(|byte| *byte == 7));
    assert!(all[4096 + 5100..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_missing_file_is_an_error_of_every_operation_on_it() {
    let effects = vec![
        write(1, "gone.journal", 0, slices(1, &[1])),
        write(2, "gone.journal", 4096, slices(1, &[1])),
        LogEffect::JournalFlush { ticket: Ticket(3), paths: vec!["0.journal".into(), "gone.journal".into()] },
        write_through(4, "gone.journal", 0, slices(1, &[1])),
    ];
    let (inputs, _, _dir) = perform(effects, &[journal(1 << 20)]);
    for input in inputs {
        match input {
            LogInput::JournalWritten { result, .. } | LogInput::JournalFlushed { result, .. } => {
                assert_eq!(result, Err(StorageError::NotFound));
            }
            LogInput::Files { .. } | LogInput::Scanned { .. } => panic!("no files were asked for"),
        }
    }
}

#[test]
fn file_operations_are_performed_off_the_executor() {
    let ops = vec![FileOp::SyncAll, FileOp::Read { path: "0.journal".into(), offset: 0, bytes: 4096 }];
    let (inputs, _, _dir) = perform(vec![LogEffect::Files { ticket: Ticket(7), ops }], &[journal(1 << 20)]);
    let [LogInput::Files { ticket: Ticket(7), done }] = &inputs[..] else { panic!("{inputs:?}") };
    let read = done.results[1].as_ref().expect("read").as_ref().expect("bytes");
    assert_eq!(read.len(), 4096);
}
