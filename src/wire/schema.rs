//! A look at a request body before the generated decoder sees it.
//!
//! That decoder reserves room for whatever count an array announces, and a failed reservation aborts the process. So the shape of
//! each request is kept here as data, and [`check`] walks a body along it: every length lies within the frame, and all array
//! elements and tagged fields together stay below [`crate::base::limits::REQUEST_ELEMENTS_MAX`].
//! To add a request: write down its fields, and let `tests/round_trip.rs` compare the walk with the generated decoder.
//! None of these requests has tagged fields that the generated decoder knows; one that has would need its own walk of them.

use crate::wire::api::ApiKey;
use crate::wire::reader::{DecodeError, Primitives, SliceReader};

/// One field, with the versions that have it.
#[derive(Clone, Copy, Debug)]
struct Field {
    since: i16,
    until: i16,
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    /// This many bytes.
    Fixed(usize),
    /// A string, null from this version on.
    Text(i16),
    /// A byte string, never null.
    Opaque,
    /// An array of structures, null from this version on; each structure ends in a tag section in flexible versions.
    Structures(i16, &'static [Field]),
    /// A structure, or null; it ends in a tag section in flexible versions.
    NullableStructure(&'static [Field]),
    /// An array of strings, never null.
    Texts,
    /// An array of strings, or null.
    NullableTexts,
    /// An array of values of this many bytes, never null.
    FixedValues(usize),
}

/// For shapes that are null in no version.
const NEVER: i16 = i16::MAX;

const fn all(shape: Shape) -> Field {
    Field { since: 0, until: i16::MAX, shape }
}

const fn since(since: i16, shape: Shape) -> Field {
    Field { since, until: i16::MAX, shape }
}

const fn within(since: i16, until: i16, shape: Shape) -> Field {
    Field { since, until, shape }
}

const API_VERSIONS: &[Field] = &[since(3, Shape::Text(NEVER)), since(3, Shape::Text(NEVER))];

const METADATA: &[Field] = &[
    all(Shape::Structures(1, &[since(10, Shape::Fixed(16)), all(Shape::Text(10))])),
    since(4, Shape::Fixed(1)),
    within(8, 10, Shape::Fixed(1)),
    since(8, Shape::Fixed(1)),
];

const LIST_OFFSETS: &[Field] = &[
    all(Shape::Fixed(4)),
    since(2, Shape::Fixed(1)),
    all(Shape::Structures(
        NEVER,
        &[
            all(Shape::Text(NEVER)),
            all(Shape::Structures(NEVER, &[all(Shape::Fixed(4)), since(4, Shape::Fixed(4)), all(Shape::Fixed(8))])),
        ],
    )),
];

const FIND_COORDINATOR: &[Field] =
    &[within(0, 3, Shape::Text(NEVER)), since(1, Shape::Fixed(1)), since(4, Shape::Texts)];

const JOIN_GROUP: &[Field] = &[
    all(Shape::Text(NEVER)),
    all(Shape::Fixed(4)),
    since(1, Shape::Fixed(4)),
    all(Shape::Text(NEVER)),
    since(5, Shape::Text(0)),
    all(Shape::Text(NEVER)),
    all(Shape::Structures(NEVER, &[all(Shape::Text(NEVER)), all(Shape::Opaque)])),
    since(8, Shape::Text(0)),
];

const SYNC_GROUP: &[Field] = &[
    all(Shape::Text(NEVER)),
    all(Shape::Fixed(4)),
    all(Shape::Text(NEVER)),
    since(3, Shape::Text(0)),
    since(5, Shape::Text(0)),
    since(5, Shape::Text(0)),
    all(Shape::Structures(NEVER, &[all(Shape::Text(NEVER)), all(Shape::Opaque)])),
];

const HEARTBEAT: &[Field] =
    &[all(Shape::Text(NEVER)), all(Shape::Fixed(4)), all(Shape::Text(NEVER)), since(3, Shape::Text(0))];

const LEAVE_GROUP: &[Field] = &[
    all(Shape::Text(NEVER)),
    within(0, 2, Shape::Text(NEVER)),
    since(3, Shape::Structures(NEVER, &[all(Shape::Text(NEVER)), all(Shape::Text(0)), since(5, Shape::Text(0))])),
];

const OFFSET_COMMIT: &[Field] = &[
    all(Shape::Text(NEVER)),
    all(Shape::Fixed(4)),
    all(Shape::Text(NEVER)),
    since(7, Shape::Text(0)),
    within(2, 4, Shape::Fixed(8)),
    all(Shape::Structures(
        NEVER,
        &[
            all(Shape::Text(NEVER)),
            all(Shape::Structures(NEVER, &[all(Shape::Fixed(4 + 8)), since(6, Shape::Fixed(4)), all(Shape::Text(0))])),
        ],
    )),
];

const OFFSET_FETCH: &[Field] = &[
    within(0, 7, Shape::Text(NEVER)),
    within(0, 7, Shape::Structures(2, &[all(Shape::Text(NEVER)), all(Shape::FixedValues(4))])),
    since(
        8,
        Shape::Structures(
            NEVER,
            &[
                all(Shape::Text(NEVER)),
                since(9, Shape::Text(0)),
                since(9, Shape::Fixed(4)),
                all(Shape::Structures(8, &[all(Shape::Text(NEVER)), all(Shape::FixedValues(4))])),
            ],
        ),
    ),
    since(7, Shape::Fixed(1)),
];

const OFFSET_DELETE: &[Field] = &[
    all(Shape::Text(NEVER)),
    all(Shape::Structures(NEVER, &[all(Shape::Text(NEVER)), all(Shape::Structures(NEVER, &[all(Shape::Fixed(4))]))])),
];

const LIST_GROUPS: &[Field] = &[since(4, Shape::Texts), since(5, Shape::Texts)];

const DESCRIBE_GROUPS: &[Field] = &[all(Shape::Texts), since(3, Shape::Fixed(1))];

const DELETE_GROUPS: &[Field] = &[all(Shape::Texts)];

const INIT_PRODUCER_ID: &[Field] =
    &[all(Shape::Text(0)), all(Shape::Fixed(4)), since(3, Shape::Fixed(8)), since(3, Shape::Fixed(2))];

const CREATE_TOPICS: &[Field] = &[
    all(Shape::Structures(
        NEVER,
        &[
            all(Shape::Text(NEVER)),
            all(Shape::Fixed(4 + 2)),
            all(Shape::Structures(NEVER, &[all(Shape::Fixed(4)), all(Shape::FixedValues(4))])),
            all(Shape::Structures(NEVER, &[all(Shape::Text(NEVER)), all(Shape::Text(0))])),
        ],
    )),
    all(Shape::Fixed(4 + 1)),
];

const DELETE_TOPICS: &[Field] = &[
    since(6, Shape::Structures(NEVER, &[all(Shape::Text(6)), all(Shape::Fixed(16))])),
    within(0, 5, Shape::Texts),
    all(Shape::Fixed(4)),
];

const DELETE_RECORDS: &[Field] = &[
    all(Shape::Structures(
        NEVER,
        &[all(Shape::Text(NEVER)), all(Shape::Structures(NEVER, &[all(Shape::Fixed(4 + 8))]))],
    )),
    all(Shape::Fixed(4)),
];

const OFFSET_FOR_LEADER_EPOCH: &[Field] = &[
    since(3, Shape::Fixed(4)),
    all(Shape::Structures(
        NEVER,
        &[all(Shape::Text(NEVER)), all(Shape::Structures(NEVER, &[all(Shape::Fixed(4 + 4 + 4))]))],
    )),
];

const DESCRIBE_CONFIGS: &[Field] = &[
    all(Shape::Structures(NEVER, &[all(Shape::Fixed(1)), all(Shape::Text(NEVER)), all(Shape::NullableTexts)])),
    all(Shape::Fixed(1)),
    since(3, Shape::Fixed(1)),
];

const ALTER_CONFIGS: &[Field] = &[
    all(Shape::Structures(
        NEVER,
        &[
            all(Shape::Fixed(1)),
            all(Shape::Text(NEVER)),
            all(Shape::Structures(NEVER, &[all(Shape::Text(NEVER)), all(Shape::Text(0))])),
        ],
    )),
    all(Shape::Fixed(1)),
];

const INCREMENTAL_ALTER_CONFIGS: &[Field] = &[
    all(Shape::Structures(
        NEVER,
        &[
            all(Shape::Fixed(1)),
            all(Shape::Text(NEVER)),
            all(Shape::Structures(NEVER, &[all(Shape::Text(NEVER)), all(Shape::Fixed(1)), all(Shape::Text(0))])),
        ],
    )),
    all(Shape::Fixed(1)),
];

const CREATE_PARTITIONS: &[Field] = &[
    all(Shape::Structures(
        NEVER,
        &[all(Shape::Text(NEVER)), all(Shape::Fixed(4)), all(Shape::Structures(0, &[all(Shape::FixedValues(4))]))],
    )),
    all(Shape::Fixed(4 + 1)),
];

const DESCRIBE_LOG_DIRS: &[Field] =
    &[all(Shape::Structures(0, &[all(Shape::Text(NEVER)), all(Shape::FixedValues(4))]))];

const DESCRIBE_PRODUCERS: &[Field] =
    &[all(Shape::Structures(NEVER, &[all(Shape::Text(NEVER)), all(Shape::FixedValues(4))]))];

const LIST_PARTITION_REASSIGNMENTS: &[Field] =
    &[all(Shape::Fixed(4)), all(Shape::Structures(0, &[all(Shape::Text(NEVER)), all(Shape::FixedValues(4))]))];

const DESCRIBE_TOPIC_PARTITIONS: &[Field] = &[
    all(Shape::Structures(NEVER, &[all(Shape::Text(NEVER))])),
    all(Shape::Fixed(4)),
    all(Shape::NullableStructure(&[all(Shape::Text(NEVER)), all(Shape::Fixed(4))])),
];

const DESCRIBE_CLUSTER: &[Field] = &[all(Shape::Fixed(1)), since(1, Shape::Fixed(1))];

fn fields(key: ApiKey) -> &'static [Field] {
    match key {
        ApiKey::ApiVersions => API_VERSIONS,
        ApiKey::Metadata => METADATA,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::FindCoordinator => FIND_COORDINATOR,
        ApiKey::JoinGroup => JOIN_GROUP,
        ApiKey::SyncGroup => SYNC_GROUP,
        ApiKey::Heartbeat => HEARTBEAT,
        ApiKey::LeaveGroup => LEAVE_GROUP,
        ApiKey::OffsetCommit => OFFSET_COMMIT,
        ApiKey::OffsetFetch => OFFSET_FETCH,
        ApiKey::OffsetDelete => OFFSET_DELETE,
        ApiKey::ListGroups => LIST_GROUPS,
        ApiKey::DescribeGroups => DESCRIBE_GROUPS,
        ApiKey::DeleteGroups => DELETE_GROUPS,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::OffsetForLeaderEpoch => OFFSET_FOR_LEADER_EPOCH,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::AlterConfigs => ALTER_CONFIGS,
        ApiKey::IncrementalAlterConfigs => INCREMENTAL_ALTER_CONFIGS,
        ApiKey::CreatePartitions => CREATE_PARTITIONS,
        ApiKey::DescribeCluster => DESCRIBE_CLUSTER,
        ApiKey::DescribeLogDirs => DESCRIBE_LOG_DIRS,
        ApiKey::DescribeProducers => DESCRIBE_PRODUCERS,
        ApiKey::ListPartitionReassignments => LIST_PARTITION_REASSIGNMENTS,
        ApiKey::DescribeTopicPartitions => DESCRIBE_TOPIC_PARTITIONS,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteTopics => DELETE_TOPICS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        ApiKey::Produce | ApiKey::Fetch => panic!("{key:?} has a bounded decoder of its own"),
    }
}

/// Walks a body and returns its length; what follows it is ignored, as Kafka does. Strings are not checked for UTF-8.
pub fn check(key: ApiKey, version: i16, body: &[u8]) -> Result<usize, DecodeError> {
    let api = key.api();
    assert!(api.serves(version), "the header was checked");
    let mut reader = SliceReader::new(body);
    walk(&mut reader, fields(key), version, api.is_flexible(version))?;
    Ok(body.len() - reader.left())
}

fn walk(reader: &mut SliceReader<'_>, fields: &[Field], version: i16, flexible: bool) -> Result<(), DecodeError> {
    for field in fields {
        if (field.since..=field.until).contains(&version) {
            walk_shape(reader, field.shape, version, flexible)?;
        }
    }
    if flexible { reader.skip_tags() } else { Ok(()) }
}

fn walk_shape(reader: &mut SliceReader<'_>, shape: Shape, version: i16, flexible: bool) -> Result<(), DecodeError> {
    match shape {
        Shape::Fixed(bytes) => reader.take(bytes).map(drop),
        Shape::Text(null_since) => walk_text(reader, version >= null_since, flexible),
        Shape::Opaque => {
            let length = reader.bytes_length(flexible)?.ok_or(DecodeError::Null)?;
            reader.take(length).map(drop)
        }
        Shape::Structures(null_since, fields) => match reader.count(flexible, 1)? {
            None if version >= null_since => Ok(()),
            None => Err(DecodeError::Null),
            Some(count) => (0..count).try_for_each(|_| walk(reader, fields, version, flexible)),
        },
        // One byte: 1 for a structure; the generated decoder takes any other for null.
        Shape::NullableStructure(fields) => match reader.take(1)? {
            [1] => walk(reader, fields, version, flexible),
            _ => Ok(()),
        },
        Shape::Texts => {
            let count = reader.required_count(flexible, 1)?;
            (0..count).try_for_each(|_| walk_text(reader, false, flexible))
        }
        Shape::NullableTexts => {
            let count = reader.count(flexible, 1)?.unwrap_or(0);
            (0..count).try_for_each(|_| walk_text(reader, false, flexible))
        }
        Shape::FixedValues(bytes) => {
            let count = reader.required_count(flexible, bytes)?;
            reader.take(count * bytes).map(drop)
        }
    }
}

fn walk_text(reader: &mut SliceReader<'_>, nullable: bool, flexible: bool) -> Result<(), DecodeError> {
    match reader.text_length(flexible)? {
        Some(length) => reader.take(length).map(drop),
        None if nullable => Ok(()),
        None => Err(DecodeError::Null),
    }
}
