//! What brokers answer to the client commands: any port may answer anything.

use crate::engine::{Target, bounded, outcome};
use bytes::{Bytes, BytesMut};
use corelane::client::answer_shapes;
use corelane::client::connection::decode_answer;
use corelane::client::versions::SPOKEN;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, Request};
use std::time::Duration;

/// What a decoder may hold per byte of the answer, and beside: the smallest elements take a few bytes on the wire and three words and more
/// of fields that they could have.
const BYTES_PER_BYTE: usize = 128;
const BYTES_BESIDE: usize = 4096;
/// Before the answer: which API, and how many versions above the lowest.
const HEAD_BYTES: usize = 2;

macro_rules! with_request {
    ($key:expr, $work:ident $arguments:tt) => {
        with_request!(@ $key, $work $arguments, Produce ProduceRequest, Fetch FetchRequest, ListOffsets ListOffsetsRequest,
            Metadata MetadataRequest, OffsetCommit OffsetCommitRequest, OffsetFetch OffsetFetchRequest,
            FindCoordinator FindCoordinatorRequest, DescribeGroups DescribeGroupsRequest, ListGroups ListGroupsRequest,
            ApiVersions ApiVersionsRequest, CreateTopics CreateTopicsRequest, DeleteTopics DeleteTopicsRequest,
            DeleteRecords DeleteRecordsRequest, InitProducerId InitProducerIdRequest,
            DescribeConfigs DescribeConfigsRequest, CreatePartitions CreatePartitionsRequest,
            IncrementalAlterConfigs IncrementalAlterConfigsRequest, DeleteGroups DeleteGroupsRequest,
            DescribeCluster DescribeClusterRequest)
    };
    (@ $key:expr, $work:ident $arguments:tt, $($name:ident $request:ident),*) => {
        match $key {
            $(ApiKey::$name => $work::<$request> $arguments,)*
            other => panic!("{other:?} is spoken and not fuzzed"),
        }
    };
}

/// An answer about nothing, and the same with room for what the changes make of it.
fn empty<R: Request>(version: i16) -> Vec<u8>
where
    R::Response: Default,
{
    let mut bytes = BytesMut::new();
    R::Response::default().encode(&mut bytes, version).expect("encodes");
    bytes.to_vec()
}

/// How many bytes of an answer were taken.
fn taken<R: Request>(body: &Bytes, version: i16) -> Result<usize, String> {
    decode_answer::<R>(body.clone(), version).map(|(_, left)| body.len() - left)
}

#[test]
fn answers() {
    let mut corpus = Vec::new();
    for (place, spoken) in (0u8..).zip(SPOKEN) {
        for version in spoken.min..=spoken.max {
            let answer = with_request!(spoken.key, empty(version));
            let head = [place, (version - spoken.min) as u8];
            corpus.push([&head[..], &answer].concat());
            // Zeros are elements of everything; the changes make counts of some.
            corpus.push([&head[..], &answer, &[0; 120]].concat());
        }
    }
    Target {
        name: "answers",
        rounds: 600_000,
        longest: Duration::from_millis(200),
        corpus,
        mend: &|input, prng| {
            if input.len() > HEAD_BYTES && prng.percent(90) {
                input[0] %= SPOKEN.len() as u8;
                input[1] %= 5;
            }
            // Counts that elements follow: chance makes few of them.
            if input.len() > 40 && prng.percent(50) {
                let at = HEAD_BYTES + prng.below(24) as usize;
                input[at] = 1 + prng.below(6) as u8;
            }
        },
        judge: &|input| {
            let Some((head, body)) = input.split_at_checked(HEAD_BYTES) else { return 0 };
            let Some(spoken) = SPOKEN.get(usize::from(head[0])) else { return 1 };
            let version = spoken.min + i16::from(head[1]);
            if version > spoken.max {
                return 2;
            }
            let body = Bytes::copy_from_slice(body);
            let result =
                bounded(body.len(), BYTES_PER_BYTE, BYTES_BESIDE, || with_request!(spoken.key, taken(&body, version)));
            if let Ok(taken) = &result {
                assert_eq!(answer_shapes::check(spoken.key as i16, version, &body), Ok(*taken), "walked as decoded");
            }
            outcome((head, result.map_err(|why| why.len())))
        },
    }
    .run();
}
