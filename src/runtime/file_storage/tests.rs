use super::FileStorage;
use crate::base::gather::Gather;
use crate::base::storage::{FileOp, Storage, StorageError, perform_all, read_file, replace_file_ops};
use bytes::Bytes;

fn storage() -> (tempfile::TempDir, FileStorage) {
    // Not the system's temporary directory: that may be a tmpfs.
    let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_string() + "/target").expect("a directory");
    let storage = FileStorage::open(dir.path()).expect("opens");
    (dir, storage)
}

fn data(byte: u8, bytes: usize) -> Gather {
    Gather::from(Bytes::from(vec![byte; bytes]))
}

#[test]
fn written_bytes_are_read_back_padded() {
    let (_dir, mut storage) = storage();
    storage.perform(&FileOp::CreateDirs("a/b".into())).unwrap();
    storage.perform(&FileOp::CreateNew("a/b/f".into(), data(1, 5000))).unwrap();
    storage.perform(&FileOp::Write { path: "a/b/f".into(), offset: 8192, data: data(2, 10) }).unwrap();
    storage.perform(&FileOp::Flush("a/b/f".into())).unwrap();
    storage.perform(&FileOp::SyncDir("a/b".into())).unwrap();
    storage.perform(&FileOp::SyncAll).unwrap();
    assert_eq!(storage.size("a/b/f"), Ok(12288));
    let all = read_file(&mut storage, "a/b/f").unwrap();
    assert_eq!(all.len(), 12288);
    assert!(all[..5000].iter().all(|byte| *byte == 1) && all[5000..8192].iter().all(|byte| *byte == 0));
    assert_eq!(&all[8192..8203], [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]);
    let beyond =
        storage.perform(&FileOp::Read { path: "a/b/f".into(), offset: 8192, bytes: 1 << 20 }).unwrap().unwrap();
    assert_eq!(beyond.len(), 4096);
    assert_eq!(storage.list("a").unwrap(), ["b"]);
    let space = storage.space().unwrap();
    assert!(0 < space.free_bytes && space.free_bytes < space.total_bytes, "{space:?}");
}

#[test]
fn a_list_larger_than_a_piece_is_written_whole() {
    let (_dir, mut storage) = storage();
    let mut list = Gather::new();
    for (index, bytes) in [3 << 20, 1, 4095, 4096, (2 << 20) - 1, 100].into_iter().enumerate() {
        list.append(data(index as u8 + 1, bytes));
    }
    let expected = list.to_vec();
    storage.perform(&FileOp::CreateNew("f".into(), data(9, 9000))).unwrap();
    storage.perform(&FileOp::Write { path: "f".into(), offset: 8192, data: list }).unwrap();
    let all = read_file(&mut storage, "f").unwrap();
    assert_eq!(all.len(), 8192 + expected.len().next_multiple_of(4096));
    assert!(all[..8192].iter().all(|byte| *byte == 9) && all[8192..8192 + expected.len()] == expected);
    assert!(all[8192 + expected.len()..].iter().all(|byte| *byte == 0));
}

#[test]
fn names_are_exclusive_and_missing_ones_are_told() {
    let (_dir, mut storage) = storage();
    storage.perform(&FileOp::CreateNew("f".into(), data(1, 1))).unwrap();
    assert_eq!(storage.perform(&FileOp::CreateNew("f".into(), data(2, 1))).unwrap_err(), StorageError::Exists);
    assert_eq!(storage.perform(&FileOp::Flush("none".into())).unwrap_err(), StorageError::NotFound);
    assert_eq!(storage.size("none"), Err(StorageError::NotFound));
    storage.perform(&FileOp::Unlink("none".into())).unwrap();
    storage.perform(&FileOp::RemoveDirAll("none".into())).unwrap();
    storage.perform(&FileOp::SyncDir("none".into())).unwrap();
    assert!(storage.list("none").unwrap().is_empty());
    storage.perform(&FileOp::CreateDirs("d".into())).unwrap();
    for name in ["a.segment", "b.segment", "c.other"] {
        storage.perform(&FileOp::CreateNew(format!("d/{name}"), data(1, 1))).unwrap();
    }
    let keep = vec!["b.segment".to_string()];
    storage.perform(&FileOp::UnlinkExcept { dir: "d".into(), suffix: ".segment", keep: keep.clone() }).unwrap();
    assert_eq!(storage.list("d").unwrap(), ["b.segment", "c.other"]);
    storage.perform(&FileOp::UnlinkExcept { dir: "none".into(), suffix: ".segment", keep }).unwrap();
}

#[test]
fn a_sized_file_is_zero_or_allocated() {
    let (_dir, mut storage) = storage();
    for zeroed in [true, false] {
        let path = format!("f{zeroed}");
        storage.perform(&FileOp::CreateSized { path: path.clone(), bytes: 3 << 20, zeroed }).unwrap();
        let all = read_file(&mut storage, &path).unwrap();
        assert!(all.len() == 3 << 20 && all.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_replaced_or_remade_file_is_not_the_cached_one() {
    let (_dir, mut storage) = storage();
    storage.perform(&FileOp::CreateDirs("d".into())).unwrap();
    let mut other = storage.clone();
    for round in 0..3_u8 {
        perform_all(&mut storage, &replace_file_ops("d", "slot", data(round, 100))).unwrap();
        assert_eq!(read_file(&mut other, "d/slot").unwrap()[0], round);
        storage.perform(&FileOp::Write { path: "d/slot".into(), offset: 0, data: data(round + 10, 1) }).unwrap();
        assert_eq!(read_file(&mut other, "d/slot").unwrap()[0], round + 10);
    }
    storage.perform(&FileOp::RemoveDirAll("d".into())).unwrap();
    storage.perform(&FileOp::CreateDirs("d".into())).unwrap();
    storage.perform(&FileOp::CreateNew("d/slot".into(), data(42, 1))).unwrap();
    assert_eq!(read_file(&mut other, "d/slot").unwrap()[0], 42);
}

#[test]
fn more_files_than_the_cache_holds() {
    let (_dir, mut storage) = storage();
    for index in 0..300_u32 {
        storage.perform(&FileOp::CreateNew(format!("f{index}"), data(index as u8, 1))).unwrap();
    }
    for index in 0..300_u32 {
        assert_eq!(read_file(&mut storage, &format!("f{index}")).unwrap()[0], index as u8);
    }
}

#[test]
#[should_panic(expected = "not a path inside")]
fn a_path_outside_is_a_bug() {
    let (_dir, storage) = storage();
    storage.full_path("../x");
}
