//! A look at an answer before the generated decoder sees it, as `wire::schema` has for requests.
//!
//! That decoder reserves room for whatever count an array announces, and a failed reservation aborts the process: any port that
//! answers could end the program. So the shapes of the answers are kept here as data, and [`check`] walks a body along them: each count
//! is compared with what is left of the body, divided by the least that an element takes. What null may stand for is left to the
//! decoder.

use crate::wire::reader::{DecodeError, Primitives, SliceReader};
use kafka_protocol::messages::ApiKey;

/// One field, with the versions that have it.
#[derive(Clone, Copy, Debug)]
struct Field {
    since: i16,
    until: i16,
    /// Of a tagged field.
    tag: Option<u32>,
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    /// This many bytes.
    Fixed(usize),
    /// A string or null.
    Text,
    /// A byte string or null.
    Opaque,
    /// A structure; it ends in a tag section in flexible versions.
    Structure(&'static [Field]),
    /// An array of structures, or null.
    Structures(&'static [Field]),
    /// An array of values of this many bytes, or null.
    FixedValues(usize),
}

const fn all(shape: Shape) -> Field {
    within(0, i16::MAX, shape)
}

const fn since(since: i16, shape: Shape) -> Field {
    within(since, i16::MAX, shape)
}

const fn within(since: i16, until: i16, shape: Shape) -> Field {
    Field { since, until, tag: None, shape }
}

const fn tagged(tag: u32, since: i16, shape: Shape) -> Field {
    Field { since, until: i16::MAX, tag: Some(tag), shape }
}

use Shape::{Fixed, FixedValues, Opaque, Structure, Structures, Text};

const ENDPOINT: &[Field] = &[all(Fixed(4)), all(Text), all(Fixed(4)), all(Text)];

const PRODUCE: &[Field] = &[
    all(Structures(&[
        all(Text),
        all(Structures(&[
            all(Fixed(4 + 2 + 8 + 8)),
            since(5, Fixed(8)),
            since(8, Structures(&[all(Fixed(4)), all(Text)])),
            since(8, Text),
            tagged(0, 10, Structure(&[all(Fixed(4 + 4))])),
        ])),
    ])),
    all(Fixed(4)),
    tagged(0, 10, Structures(ENDPOINT)),
];

const FETCH: &[Field] = &[
    all(Fixed(4)),
    since(7, Fixed(2 + 4)),
    all(Structures(&[
        all(Text),
        all(Structures(&[
            all(Fixed(4 + 2 + 8 + 8)),
            since(5, Fixed(8)),
            all(Structures(&[all(Fixed(8 + 8))])),
            since(11, Fixed(4)),
            all(Opaque),
            tagged(0, 12, Structure(&[all(Fixed(4 + 8))])),
            tagged(1, 12, Structure(&[all(Fixed(4 + 4))])),
            tagged(2, 12, Structure(&[all(Fixed(8 + 4))])),
        ])),
    ])),
];

const LIST_OFFSETS: &[Field] = &[
    since(2, Fixed(4)),
    all(Structures(&[all(Text), all(Structures(&[all(Fixed(4 + 2 + 8 + 8)), since(4, Fixed(4))]))])),
];

const METADATA: &[Field] = &[
    since(3, Fixed(4)),
    all(Structures(&[all(Fixed(4)), all(Text), all(Fixed(4)), since(1, Text)])),
    since(2, Text),
    since(1, Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        since(10, Fixed(16)),
        since(1, Fixed(1)),
        all(Structures(&[
            all(Fixed(2 + 4 + 4)),
            since(7, Fixed(4)),
            all(FixedValues(4)),
            all(FixedValues(4)),
            since(5, FixedValues(4)),
        ])),
        since(8, Fixed(4)),
    ])),
    within(8, 10, Fixed(4)),
];

const OFFSET_COMMIT: &[Field] =
    &[since(3, Fixed(4)), all(Structures(&[all(Text), all(Structures(&[all(Fixed(4 + 2))]))]))];

const OFFSET_FETCH: &[Field] = &[
    since(3, Fixed(4)),
    within(0, 7, Structures(&[all(Text), all(Structures(COMMITTED))])),
    within(2, 7, Fixed(2)),
    since(8, Structures(&[all(Text), all(Structures(&[all(Text), all(Structures(COMMITTED))])), all(Fixed(2))])),
];

const COMMITTED: &[Field] = &[all(Fixed(4 + 8)), since(5, Fixed(4)), all(Text), all(Fixed(2))];

const FIND_COORDINATOR: &[Field] = &[
    since(1, Fixed(4)),
    within(0, 3, Fixed(2)),
    within(1, 3, Text),
    within(0, 3, Fixed(4)),
    within(0, 3, Text),
    within(0, 3, Fixed(4)),
    since(4, Structures(&[all(Text), all(Fixed(4)), all(Text), all(Fixed(4 + 2)), all(Text)])),
];

const DESCRIBE_GROUPS: &[Field] = &[
    since(1, Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        since(6, Text),
        all(Text),
        all(Text),
        all(Text),
        all(Text),
        all(Structures(&[all(Text), since(4, Text), all(Text), all(Text), all(Opaque), all(Opaque)])),
        since(3, Fixed(4)),
    ])),
];

const LIST_GROUPS: &[Field] =
    &[since(1, Fixed(4)), all(Fixed(2)), all(Structures(&[all(Text), all(Text), since(4, Text), since(5, Text)]))];

const API_VERSIONS: &[Field] = &[
    all(Fixed(2)),
    all(Structures(&[all(Fixed(2 + 2 + 2))])),
    since(1, Fixed(4)),
    tagged(0, 3, Structures(&[all(Text), all(Fixed(2 + 2))])),
    tagged(1, 3, Fixed(8)),
    tagged(2, 3, Structures(&[all(Text), all(Fixed(2 + 2))])),
    tagged(3, 3, Fixed(1)),
];

const CREATE_TOPICS: &[Field] = &[
    all(Fixed(4)),
    all(Structures(&[
        all(Text),
        since(7, Fixed(16)),
        all(Fixed(2)),
        since(1, Text),
        since(5, Fixed(4 + 2)),
        since(5, Structures(&[all(Text), all(Text), all(Fixed(1 + 1 + 1))])),
        tagged(0, 5, Fixed(2)),
    ])),
];

const DELETE_TOPICS: &[Field] = &[all(Fixed(4)), all(Structures(&[all(Text), all(Fixed(2)), since(5, Text)]))];

const DELETE_RECORDS: &[Field] =
    &[all(Fixed(4)), all(Structures(&[all(Text), all(Structures(&[all(Fixed(4 + 8 + 2))]))]))];

const INIT_PRODUCER_ID: &[Field] = &[all(Fixed(4 + 2 + 8 + 2))];

const DESCRIBE_CONFIGS: &[Field] = &[
    all(Fixed(4)),
    all(Structures(&[
        all(Fixed(2)),
        all(Text),
        all(Fixed(1)),
        all(Text),
        all(Structures(&[
            all(Text),
            all(Text),
            all(Fixed(1 + 1 + 1)),
            all(Structures(&[all(Text), all(Text), all(Fixed(1))])),
            since(3, Fixed(1)),
            since(3, Text),
        ])),
    ])),
];

const CREATE_PARTITIONS: &[Field] = &[all(Fixed(4)), all(Structures(&[all(Text), all(Fixed(2)), all(Text)]))];

const INCREMENTAL_ALTER_CONFIGS: &[Field] =
    &[all(Fixed(4)), all(Structures(&[all(Fixed(2)), all(Text), all(Fixed(1)), all(Text)]))];

const DELETE_GROUPS: &[Field] = &[all(Fixed(4)), all(Structures(&[all(Text), all(Fixed(2))]))];

const DESCRIBE_CLUSTER: &[Field] = &[
    all(Fixed(4 + 2)),
    all(Text),
    since(1, Fixed(1)),
    all(Text),
    all(Fixed(4)),
    all(Structures(&[all(Fixed(4)), all(Text), all(Fixed(4)), all(Text)])),
    all(Fixed(4)),
];

fn fields(key: ApiKey) -> Option<&'static [Field]> {
    Some(match key {
        ApiKey::Produce => PRODUCE,
        ApiKey::Fetch => FETCH,
        ApiKey::ListOffsets => LIST_OFFSETS,
        ApiKey::Metadata => METADATA,
        ApiKey::OffsetCommit => OFFSET_COMMIT,
        ApiKey::OffsetFetch => OFFSET_FETCH,
        ApiKey::FindCoordinator => FIND_COORDINATOR,
        ApiKey::DescribeGroups => DESCRIBE_GROUPS,
        ApiKey::ListGroups => LIST_GROUPS,
        ApiKey::ApiVersions => API_VERSIONS,
        ApiKey::CreateTopics => CREATE_TOPICS,
        ApiKey::DeleteTopics => DELETE_TOPICS,
        ApiKey::DeleteRecords => DELETE_RECORDS,
        ApiKey::InitProducerId => INIT_PRODUCER_ID,
        ApiKey::DescribeConfigs => DESCRIBE_CONFIGS,
        ApiKey::CreatePartitions => CREATE_PARTITIONS,
        ApiKey::IncrementalAlterConfigs => INCREMENTAL_ALTER_CONFIGS,
        ApiKey::DeleteGroups => DELETE_GROUPS,
        ApiKey::DescribeCluster => DESCRIBE_CLUSTER,
        _ => return None,
    })
}

/// Walks the body of an answer and gives its length.
pub fn check(key: i16, version: i16, body: &[u8]) -> Result<usize, DecodeError> {
    let api = ApiKey::try_from(key).map_err(|()| DecodeError::UnknownApi { key })?;
    let fields = fields(api).ok_or(DecodeError::UnknownApi { key })?;
    // A client cannot know yet whether the broker understands flexible headers when it asks for versions (KIP-511).
    let flexible = api.response_header_version(version) > 0 || (api == ApiKey::ApiVersions && version >= 3);
    let mut reader = SliceReader::unlimited(body);
    walk(&mut reader, fields, version, flexible)?;
    Ok(body.len() - reader.left())
}

/// The fields of this version.
fn present(fields: &[Field], version: i16) -> impl Iterator<Item = &Field> {
    fields.iter().filter(move |field| (field.since..=field.until).contains(&version))
}

/// The least bytes that these fields take.
fn least(fields: &[Field], version: i16, flexible: bool) -> usize {
    let of = |field: &Field| match field.shape {
        Fixed(bytes) => bytes,
        Structure(fields) => least(fields, version, flexible),
        Text => {
            if flexible {
                1
            } else {
                2
            }
        }
        Opaque | Structures(_) | FixedValues(_) => {
            if flexible {
                1
            } else {
                4
            }
        }
    };
    let untagged = present(fields, version).filter(|field| field.tag.is_none());
    untagged.map(of).sum::<usize>() + usize::from(flexible)
}

fn walk(reader: &mut SliceReader<'_>, fields: &[Field], version: i16, flexible: bool) -> Result<(), DecodeError> {
    for field in present(fields, version).filter(|field| field.tag.is_none()) {
        walk_shape(reader, field.shape, version, flexible)?;
    }
    if !flexible {
        return Ok(());
    }
    for _ in 0..reader.tag_count()? {
        let (tag, size) = reader.tag()?;
        let Some(known) = present(fields, version).find(|field| field.tag == Some(tag)) else {
            reader.take(size)?;
            continue;
        };
        // The decoder reads what it knows wherever it ends: the size has to agree.
        let left = reader.left() - size;
        walk_shape(reader, known.shape, version, flexible)?;
        if reader.left() != left {
            return Err(DecodeError::BadLength);
        }
    }
    Ok(())
}

fn walk_shape(reader: &mut SliceReader<'_>, shape: Shape, version: i16, flexible: bool) -> Result<(), DecodeError> {
    match shape {
        Fixed(bytes) => reader.take(bytes).map(drop),
        Text => {
            let length = reader.text_length(flexible)?.unwrap_or(0);
            reader.take(length).map(drop)
        }
        Opaque => {
            let length = reader.bytes_length(flexible)?.unwrap_or(0);
            reader.take(length).map(drop)
        }
        Structure(fields) => walk(reader, fields, version, flexible),
        Structures(fields) => {
            let count = reader.count(flexible, least(fields, version, flexible))?.unwrap_or(0);
            (0..count).try_for_each(|_| walk(reader, fields, version, flexible))
        }
        FixedValues(bytes) => {
            let count = reader.count(flexible, bytes)?.unwrap_or(0);
            reader.take(count * bytes).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use crate::client::connection::decode_answer;
    use crate::client::versions::SPOKEN;
    use bytes::{BufMut, Bytes};
    use kafka_protocol::messages::*;

    /// A body that the shapes allow, without null.
    fn body(fields: &[Field], version: i16, flexible: bool, prng: &mut Prng, out: &mut Vec<u8>) {
        for field in present(fields, version).filter(|field| field.tag.is_none()) {
            value(field.shape, version, flexible, prng, out);
        }
        if !flexible {
            return;
        }
        let tagged: Vec<_> = present(fields, version).filter(|field| field.tag.is_some()).collect();
        let some = prng.below(tagged.len() as u64 + 1) as usize;
        out.push(some as u8 + 1);
        for field in &tagged[..some] {
            let mut bytes = Vec::new();
            value(field.shape, version, flexible, prng, &mut bytes);
            out.push(field.tag.expect("tagged") as u8);
            // Two bytes of a varint hold every size here.
            out.extend([bytes.len() as u8 | 0x80, (bytes.len() >> 7) as u8]);
            out.extend(bytes);
        }
        // One that nobody knows.
        out.extend([99, 3, 1, 2, 3]);
    }

    fn value(shape: Shape, version: i16, flexible: bool, prng: &mut Prng, out: &mut Vec<u8>) {
        let count = prng.below(4) as usize;
        let mut put_count = |wide: bool| match (flexible, wide) {
            (true, _) => out.push(count as u8 + 1),
            (false, true) => out.put_i32(count as i32),
            (false, false) => out.put_i16(count as i16),
        };
        match shape {
            Fixed(bytes) => out.extend(std::iter::repeat_n(1, bytes)),
            Text => {
                put_count(false);
                out.extend(std::iter::repeat_n(b'a', count));
            }
            Opaque => {
                put_count(true);
                out.extend(std::iter::repeat_n(0, count));
            }
            Structure(fields) => body(fields, version, flexible, prng, out),
            Structures(fields) => {
                put_count(true);
                (0..count).for_each(|_| body(fields, version, flexible, prng, out));
            }
            FixedValues(bytes) => {
                put_count(true);
                out.extend(std::iter::repeat_n(1, count * bytes));
            }
        }
    }

    /// Bytes that the generated decoder took, without a header.
    fn taken(key: ApiKey, version: i16, body: &[u8]) -> Result<usize, String> {
        macro_rules! by_key {
            ($($key:ident => $request:ident),* $(,)?) => {
                match key {
                    $(ApiKey::$key => decode_answer::<$request>(Bytes::copy_from_slice(body), version).map(|(_, left)| body.len() - left),)*
                    other => panic!("{other:?} is spoken and not tested"),
                }
            };
        }
        by_key!(
            Produce => ProduceRequest, Fetch => FetchRequest, ListOffsets => ListOffsetsRequest,
            Metadata => MetadataRequest, OffsetCommit => OffsetCommitRequest, OffsetFetch => OffsetFetchRequest,
            FindCoordinator => FindCoordinatorRequest, DescribeGroups => DescribeGroupsRequest,
            ListGroups => ListGroupsRequest, ApiVersions => ApiVersionsRequest, CreateTopics => CreateTopicsRequest,
            DeleteTopics => DeleteTopicsRequest, DeleteRecords => DeleteRecordsRequest,
            InitProducerId => InitProducerIdRequest, DescribeConfigs => DescribeConfigsRequest,
            CreatePartitions => CreatePartitionsRequest, IncrementalAlterConfigs => IncrementalAlterConfigsRequest,
            DeleteGroups => DeleteGroupsRequest, DescribeCluster => DescribeClusterRequest,
        )
    }

    #[test]
    fn the_decoder_takes_what_the_shapes_say_in_every_version_that_is_spoken() {
        let mut prng = Prng::new(5);
        for spoken in SPOKEN {
            for version in spoken.min..=spoken.max {
                let flexible = spoken.key.response_header_version(version) > 0
                    || (spoken.key == ApiKey::ApiVersions && version >= 3);
                for _ in 0..30 {
                    let mut bytes = Vec::new();
                    body(
                        fields(spoken.key).expect("what is spoken has a shape"),
                        version,
                        flexible,
                        &mut prng,
                        &mut bytes,
                    );
                    let words = format!("{:?} {version}: {bytes:02x?}", spoken.key);
                    assert_eq!(check(spoken.key as i16, version, &bytes), Ok(bytes.len()), "{words}");
                    assert_eq!(taken(spoken.key, version, &bytes), Ok(bytes.len()), "{words}");
                    for cut in 0..bytes.len() {
                        assert!(check(spoken.key as i16, version, &bytes[..cut]).is_err(), "cut at {cut}: {words}");
                    }
                }
            }
        }
    }

    /// Each of these ended the process: the decoder reserved room for what was announced.
    #[test]
    fn counts_that_the_answer_cannot_hold_are_refused() {
        let huge = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        let brokers = taken(ApiKey::Metadata, 1, &huge).expect_err("two thousand million brokers");
        assert!(brokers.contains("ends before"), "{brokers}");
        let keys = taken(ApiKey::ApiVersions, 0, &[&[0, 0], &huge[..]].concat()).expect_err("as many APIs");
        assert!(keys.contains("ends before"), "{keys}");
        // Version 3: no APIs, and as many features in a tagged field.
        let features = [0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x0f];
        let features = taken(ApiKey::ApiVersions, 3, &features).expect_err("as many features");
        assert!(features.contains("ends before"), "{features}");
    }
}
