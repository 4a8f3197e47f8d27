//! What each frame has to get, by the rules of the protocol: an answer where the frame can be understood, else its
//! connection closed. The decoders that decide are held against another crate's in `tests/round_trip`.

use crate::samples::CORRELATION_ID;
use bytes::{Bytes, BytesMut};
use corelane::wire::api::ApiKey;
use corelane::wire::fetch::FetchRequest;
use corelane::wire::frame::RequestHeader;
use corelane::wire::messages::{self, *};
use corelane::wire::produce::ProduceRequest;
use corelane::wire::reader::DecodeError;
use kafka_protocol::messages as generated;
use kafka_protocol::protocol::Decodable;

/// What a frame has to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An answer of this API and version, with this correlation id.
    Answered { key: ApiKey, version: i16, correlation_id: i32 },
    /// Nothing, and the connection closed.
    Closed,
    /// acks=0: nothing at all if everything was appended, else the connection closed.
    SilentOrClosed,
    /// It may wait for minutes, legally.
    Waiting,
}

/// The fate of a frame without its length.
pub fn fate(frame: &[u8]) -> Fate {
    let (header, body) = match RequestHeader::parse(BytesMut::from(frame)) {
        Ok(parsed) => parsed,
        // KIP-511: version 0 whatever was asked.
        Err(DecodeError::UnsupportedVersion { key: 18, correlation_id, .. }) => {
            return Fate::Answered { key: ApiKey::ApiVersions, version: 0, correlation_id };
        }
        Err(_) => return Fate::Closed,
    };
    let (key, version) = (header.key(), header.version);
    let answered = Fate::Answered { key, version, correlation_id: header.correlation_id };
    let understood = |understood: bool| if understood { answered } else { Fate::Closed };
    match key {
        ApiKey::Produce => match ProduceRequest::decode(body, version) {
            Ok(request) if request.acks == 0 => Fate::SilentOrClosed,
            request => understood(request.is_ok()),
        },
        ApiKey::Fetch => match FetchRequest::decode(body, version) {
            Ok(request) if request.max_wait_ms > 0 && request.min_bytes > 0 => Fate::Waiting,
            request => understood(request.is_ok()),
        },
        ApiKey::ListOffsets => understood(is_legal::<ListOffsetsRequest>(body, version)),
        ApiKey::Metadata => understood(is_legal::<MetadataRequest>(body, version)),
        ApiKey::FindCoordinator => understood(is_legal::<FindCoordinatorRequest>(body, version)),
        ApiKey::JoinGroup => match messages::decode::<JoinGroupRequest>(body, version) {
            // It may wait for other members.
            Ok(request) if request.session_timeout_ms >= 6_000 => Fate::Waiting,
            request => understood(request.is_ok()),
        },
        ApiKey::SyncGroup => understood(is_legal::<SyncGroupRequest>(body, version)),
        ApiKey::Heartbeat => understood(is_legal::<HeartbeatRequest>(body, version)),
        ApiKey::LeaveGroup => understood(is_legal::<LeaveGroupRequest>(body, version)),
        ApiKey::OffsetCommit => understood(is_legal::<OffsetCommitRequest>(body, version)),
        ApiKey::OffsetFetch => understood(is_legal::<OffsetFetchRequest>(body, version)),
        ApiKey::OffsetDelete => understood(is_legal::<OffsetDeleteRequest>(body, version)),
        ApiKey::ListGroups => understood(is_legal::<ListGroupsRequest>(body, version)),
        ApiKey::DescribeGroups => understood(is_legal::<DescribeGroupsRequest>(body, version)),
        ApiKey::DeleteGroups => understood(is_legal::<DeleteGroupsRequest>(body, version)),
        ApiKey::ApiVersions => understood(is_legal::<ApiVersionsRequest>(body, version)),
        ApiKey::CreateTopics => understood(is_legal::<CreateTopicsRequest>(body, version)),
        ApiKey::DeleteTopics => understood(is_legal::<DeleteTopicsRequest>(body, version)),
        ApiKey::DeleteRecords => understood(is_legal::<DeleteRecordsRequest>(body, version)),
        ApiKey::InitProducerId => understood(is_legal::<InitProducerIdRequest>(body, version)),
        ApiKey::OffsetForLeaderEpoch => understood(is_legal::<OffsetForLeaderEpochRequest>(body, version)),
        ApiKey::DescribeConfigs => understood(is_legal::<DescribeConfigsRequest>(body, version)),
        ApiKey::AlterConfigs => understood(is_legal::<AlterConfigsRequest>(body, version)),
        ApiKey::CreatePartitions => understood(is_legal::<CreatePartitionsRequest>(body, version)),
        ApiKey::IncrementalAlterConfigs => understood(is_legal::<IncrementalAlterConfigsRequest>(body, version)),
        ApiKey::DescribeCluster => understood(is_legal::<DescribeClusterRequest>(body, version)),
        ApiKey::DescribeLogDirs => understood(is_legal::<DescribeLogDirsRequest>(body, version)),
        ApiKey::DescribeProducers => understood(is_legal::<DescribeProducersRequest>(body, version)),
        ApiKey::ListPartitionReassignments => understood(is_legal::<ListPartitionReassignmentsRequest>(body, version)),
        ApiKey::DescribeTopicPartitions => understood(is_legal::<DescribeTopicPartitionsRequest>(body, version)),
    }
}

fn is_legal<R: messages::Request>(body: BytesMut, version: i16) -> bool {
    messages::decode::<R>(body, version).is_ok()
}

/// Why an answer is not one of that API and version.
pub fn check_answer(mut answer: Bytes, key: ApiKey, version: i16, correlation_id: i32) -> Result<(), String> {
    let header = key.api().has_flexible_response_header(version).into();
    let header = generated::ResponseHeader::decode(&mut answer, header).map_err(|error| error.to_string())?;
    if header.correlation_id != correlation_id {
        return Err(format!("correlation id {} for {correlation_id}", header.correlation_id));
    }
    match key {
        ApiKey::Produce => whole::<generated::ProduceResponse>(answer, version),
        ApiKey::Fetch => whole::<generated::FetchResponse>(answer, version),
        ApiKey::ListOffsets => whole::<ListOffsetsResponse>(answer, version),
        ApiKey::Metadata => whole::<MetadataResponse>(answer, version),
        ApiKey::FindCoordinator => whole::<FindCoordinatorResponse>(answer, version),
        ApiKey::JoinGroup => whole::<JoinGroupResponse>(answer, version),
        ApiKey::SyncGroup => whole::<SyncGroupResponse>(answer, version),
        ApiKey::Heartbeat => whole::<HeartbeatResponse>(answer, version),
        ApiKey::LeaveGroup => whole::<LeaveGroupResponse>(answer, version),
        ApiKey::OffsetCommit => whole::<OffsetCommitResponse>(answer, version),
        ApiKey::OffsetFetch => whole::<OffsetFetchResponse>(answer, version),
        ApiKey::OffsetDelete => whole::<OffsetDeleteResponse>(answer, version),
        ApiKey::ListGroups => whole::<ListGroupsResponse>(answer, version),
        ApiKey::DescribeGroups => whole::<DescribeGroupsResponse>(answer, version),
        ApiKey::DeleteGroups => whole::<DeleteGroupsResponse>(answer, version),
        ApiKey::ApiVersions => whole::<ApiVersionsResponse>(answer, version),
        ApiKey::CreateTopics => whole::<CreateTopicsResponse>(answer, version),
        ApiKey::DeleteTopics => whole::<DeleteTopicsResponse>(answer, version),
        ApiKey::DeleteRecords => whole::<DeleteRecordsResponse>(answer, version),
        ApiKey::InitProducerId => whole::<InitProducerIdResponse>(answer, version),
        ApiKey::OffsetForLeaderEpoch => whole::<OffsetForLeaderEpochResponse>(answer, version),
        ApiKey::DescribeConfigs => whole::<DescribeConfigsResponse>(answer, version),
        ApiKey::AlterConfigs => whole::<AlterConfigsResponse>(answer, version),
        ApiKey::CreatePartitions => whole::<CreatePartitionsResponse>(answer, version),
        ApiKey::IncrementalAlterConfigs => whole::<IncrementalAlterConfigsResponse>(answer, version),
        ApiKey::DescribeCluster => whole::<DescribeClusterResponse>(answer, version),
        ApiKey::DescribeLogDirs => whole::<DescribeLogDirsResponse>(answer, version),
        ApiKey::DescribeProducers => whole::<DescribeProducersResponse>(answer, version),
        ApiKey::ListPartitionReassignments => whole::<ListPartitionReassignmentsResponse>(answer, version),
        ApiKey::DescribeTopicPartitions => whole::<DescribeTopicPartitionsResponse>(answer, version),
    }
}

fn whole<R: Decodable>(mut answer: Bytes, version: i16) -> Result<(), String> {
    R::decode(&mut answer, version).map_err(|error| error.to_string())?;
    if answer.is_empty() { Ok(()) } else { Err(format!("{} bytes too many", answer.len())) }
}

/// The samples as they are must all be understood: else the rest proves little.
pub fn is_answered(frame: &[u8]) -> bool {
    matches!(fate(frame), Fate::Answered { correlation_id: CORRELATION_ID, .. })
}
