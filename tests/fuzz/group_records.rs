//! What group coordinators read back of their own topic: batches of keyed records, and the records in Kafka's schemas.

use crate::engine::{Target, bounded, magnitude, outcome};
use bytes::Bytes;
use corelane::base::ids::TopicId;
use corelane::base::prng::Prng;
use corelane::wire::group_records::{GroupRecordKey, GroupValue, MemberValue, OffsetValue, subscribed_topics};
use corelane::wire::keyed_batch::{self, KeyedRecord};
use corelane::wire::record_batch::{HEADER_BYTES, LENGTH_PREFIX_BYTES, crc_matches, parse_header};
use std::time::Duration;

/// A record of nothing takes six bytes on the disk, and two slices here.
const BATCH_BYTES_PER_BYTE: usize = 16;
const LONGEST: Duration = Duration::from_millis(200);

fn offset_value(expire_ms: Option<i64>) -> OffsetValue {
    let leader_epoch = if expire_ms.is_some() { -1 } else { 5 };
    OffsetValue {
        offset: 1 << 40,
        leader_epoch,
        metadata: "žába".into(),
        committed_ms: 1_700_000_000_000,
        expire_ms,
        // Beside a lifetime there is no room for it.
        topic_id: expire_ms.is_none().then_some(TopicId([7; 16])),
    }
}

fn group_value(members: usize) -> GroupValue {
    let member = |number: usize| MemberValue {
        id: format!("consumer-{number}-6f6b2a"),
        instance_id: number.is_multiple_of(2).then(|| format!("static-{number}")),
        client_id: "consumer".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        subscription: Bytes::from_static(b"\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x02bc\xff\xff\xff\xff"),
        assignment: Bytes::from(vec![number as u8; 3 * number]),
    };
    GroupValue {
        protocol_type: "consumer".into(),
        generation: 4,
        protocol: (members > 0).then(|| "range".into()),
        leader: (members > 0).then(|| "consumer-0-6f6b2a".into()),
        since_ms: 1_700_000_000_000,
        members: (0..members).map(member).collect(),
    }
}

/// As older releases of Kafka wrote them: fewer fields, the same from the front.
fn group_value_of_version(version: i16) -> Vec<u8> {
    let mut bytes = version.to_be_bytes().to_vec();
    bytes.extend_from_slice(b"\x00\x08consumer\x00\x00\x00\x04\x00\x05range\x00\x01m");
    if version >= 2 {
        bytes.extend_from_slice(&7i64.to_be_bytes());
    }
    bytes.extend_from_slice(b"\x00\x00\x00\x01\x00\x01m");
    if version >= 3 {
        bytes.extend_from_slice(b"\xff\xff");
    }
    bytes.extend_from_slice(b"\x00\x01c\x00\x02/h");
    if version >= 1 {
        bytes.extend_from_slice(&300_000i32.to_be_bytes());
    }
    bytes.extend_from_slice(b"\x00\x00\x10\x00\x00\x00\x00\x03sub\x00\x00\x00\x02as");
    bytes
}

fn keys() -> Vec<KeyedRecord> {
    let offset = GroupRecordKey::Offset { group: "group".into(), topic: "topic".into(), partition: 7 };
    let group = GroupRecordKey::Group { group: "group".into() };
    let record = |key: &GroupRecordKey, value: Option<Bytes>| KeyedRecord { key: key.encode(), value };
    vec![
        record(&offset, Some(offset_value(None).encode())),
        record(&offset, Some(offset_value(Some(9)).encode())),
        record(&group, Some(group_value(3).encode())),
        record(&offset, None),
        record(&group, None),
    ]
}

#[test]
fn group_record() {
    let mut corpus: Vec<Vec<u8>> =
        keys().into_iter().flat_map(|record| [Some(record.key), record.value]).flatten().map(Vec::from).collect();
    corpus.extend([0, 1, 30].map(|members| group_value(members).encode().to_vec()));
    corpus.extend((0..=3).map(group_value_of_version));
    corpus.push(group_value(1).members[0].subscription.to_vec());
    Target {
        name: "group_record",
        rounds: 600_000,
        longest: LONGEST,
        corpus,
        // Nearly every version is refused.
        mend: &|bytes, prng| {
            if let Some(version) = bytes.first_chunk_mut().filter(|_| prng.percent(80)) {
                *version = (prng.below(5) as i16).to_be_bytes();
            }
        },
        judge: &judge_record,
    }
    .run();
}

/// Nobody says whether it is a key or a value, and of what.
fn judge_record(bytes: &[u8]) -> u64 {
    let (per_byte, beside) = (64, 2048);
    let key = bounded(bytes.len(), per_byte, beside, || GroupRecordKey::decode(bytes));
    if let Ok(Some(key)) = &key {
        assert_eq!(GroupRecordKey::decode(&key.encode()), Ok(Some(key.clone())));
    }
    let offset = bounded(bytes.len(), per_byte, beside, || OffsetValue::decode(bytes));
    if let Ok(offset) = &offset {
        assert_eq!(OffsetValue::decode(&offset.encode()), Ok(offset.clone()));
    }
    let group = bounded(bytes.len(), per_byte, beside, || GroupValue::decode(bytes));
    if let Ok(group) = &group {
        assert_eq!(GroupValue::decode(&group.encode()), Ok(group.clone()));
    }
    let topics = bounded(bytes.len(), per_byte, beside, || subscribed_topics(bytes));
    let error = |error| std::mem::discriminant(&error);
    outcome((
        key.map_err(error).map(|key| std::mem::discriminant(&key)),
        offset.map_err(error).map(|offset| offset.expire_ms.is_some()),
        group.map_err(error).map(|group| magnitude(group.members.len())),
        topics.map(|topics| magnitude(topics.len())),
    ))
}

#[allow(clippy::ptr_arg, reason = "the engine gives what may grow")]
fn mend_batch(batch: &mut Vec<u8>, prng: &mut Prng) {
    if batch.len() < HEADER_BYTES || prng.percent(10) {
        return;
    }
    let length = (batch.len() - LENGTH_PREFIX_BYTES) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[16] = 2;
    if prng.percent(90) {
        batch[21..23].fill(0);
    }
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

#[test]
fn keyed_batch() {
    let one = |records: &[KeyedRecord]| keyed_batch::encode(records, 1_700_000_000_000).0.to_vec();
    let mut corpus: Vec<Vec<u8>> = keys().chunks(1).map(one).collect();
    corpus.push(one(&keys()));
    let many: Vec<KeyedRecord> = (0..40).flat_map(|_| keys()).collect();
    corpus.push(one(&many));
    Target {
        name: "keyed_batch",
        rounds: 600_000,
        longest: LONGEST,
        corpus,
        mend: &mend_batch,
        judge: &|batch| {
            let Ok(header) = parse_header(batch) else { return 0 };
            if header.total_bytes > batch.len() || !crc_matches(batch, &header) {
                return 1;
            }
            let records = bounded(batch.len(), BATCH_BYTES_PER_BYTE, 2048, || keyed_batch::decode(batch, &header));
            if let Ok(records) = records.as_ref()
                && !records.is_empty()
            {
                let (again, header) = keyed_batch::encode(records, header.base_timestamp);
                assert_eq!(keyed_batch::decode(&again, &header).as_ref(), Ok(records));
            }
            outcome(records.map(|records| magnitude(records.len())))
        },
    }
    .run();
}

/// Found by the target above: a count that no batch of its size can have reserved 64 times the batch.
#[test]
fn a_count_reserves_no_more_than_the_batch_can_hold() {
    let (mut batch, header) = keyed_batch::encode(&keys()[..1], 5);
    let garbage = vec![0x7f; 20_000];
    batch.extend_from_slice(&garbage);
    let header = corelane::wire::record_batch::BatchHeader {
        record_count: i32::MAX,
        total_bytes: header.total_bytes + garbage.len(),
        ..header
    };
    let records = bounded(batch.len(), BATCH_BYTES_PER_BYTE, 0, || keyed_batch::decode(&batch, &header));
    assert!(records.is_err());
}
