//! The one table of Kafka APIs that this machine speaks: what ApiVersions lists, what frames are decoded.
//!
//! Minima are those of Kafka 4.3, maxima those of 3.9, so that clients that infer a release see one coherent release.

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// Kafka's API key.
    pub key: ApiKey,
    /// Kafka's name of the API.
    pub name: &'static str,
    /// Lowest version that ApiVersions lists.
    pub listed_min: i16,
    /// Lowest version that is served; a listed version below it closes the connection.
    pub min: i16,
    /// Highest version, listed and served.
    pub max: i16,
    /// First version with compact strings and tagged fields, in body and headers.
    pub first_flexible: i16,
}

/// Keys of the APIs in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
#[allow(missing_docs, reason = "the names are Kafka's own")]
pub enum ApiKey {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    DescribeGroups = 15,
    ListGroups = 16,
    ApiVersions = 18,
    CreateTopics = 19,
    DeleteTopics = 20,
    DeleteRecords = 21,
    InitProducerId = 22,
    OffsetForLeaderEpoch = 23,
    DescribeConfigs = 32,
    AlterConfigs = 33,
    DescribeLogDirs = 35,
    CreatePartitions = 37,
    DeleteGroups = 42,
    IncrementalAlterConfigs = 44,
    ListPartitionReassignments = 46,
    OffsetDelete = 47,
    DescribeCluster = 60,
    DescribeProducers = 61,
    DescribeTopicPartitions = 75,
}

impl ApiKey {
    /// The number on the wire.
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The row of this key.
    pub fn api(self) -> &'static Api {
        find(self.number()).expect("every key has a row")
    }
}

impl Api {
    const fn row(key: ApiKey, name: &'static str, min: i16, max: i16, first_flexible: i16) -> Api {
        Api { key, name, listed_min: min, min, max, first_flexible }
    }

    /// True if frames of this version are decoded and answered.
    pub fn serves(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    /// True if this version has compact strings and tagged fields.
    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.first_flexible
    }

    /// True if the response header ends in a tag section (header version 1). The ApiVersions answer never has one, because a
    /// client cannot know yet whether the broker understands it (KIP-511).
    pub fn has_flexible_response_header(&self, version: i16) -> bool {
        self.is_flexible(version) && !matches!(self.key, ApiKey::ApiVersions)
    }
}

/// All APIs, ascending by key.
pub const APIS: [Api; 30] = [
    // Kafka refuses Produce 0-2 since 4.0 but lists them: librdkafka before 2.11.1 turns compression off otherwise (KAFKA-18659).
    Api { key: ApiKey::Produce, name: "Produce", listed_min: 0, min: 3, max: 11, first_flexible: 9 },
    Api::row(ApiKey::Fetch, "Fetch", 4, 17, 12),
    Api::row(ApiKey::ListOffsets, "ListOffsets", 1, 9, 6),
    Api::row(ApiKey::Metadata, "Metadata", 0, 12, 9),
    Api::row(ApiKey::OffsetCommit, "OffsetCommit", 2, 9, 8),
    Api::row(ApiKey::OffsetFetch, "OffsetFetch", 1, 9, 6),
    Api::row(ApiKey::FindCoordinator, "FindCoordinator", 0, 6, 3),
    Api::row(ApiKey::JoinGroup, "JoinGroup", 0, 9, 6),
    Api::row(ApiKey::Heartbeat, "Heartbeat", 0, 4, 4),
    Api::row(ApiKey::LeaveGroup, "LeaveGroup", 0, 5, 4),
    Api::row(ApiKey::SyncGroup, "SyncGroup", 0, 5, 4),
    Api::row(ApiKey::DescribeGroups, "DescribeGroups", 0, 5, 5),
    Api::row(ApiKey::ListGroups, "ListGroups", 0, 5, 3),
    Api::row(ApiKey::ApiVersions, "ApiVersions", 0, 4, 3),
    Api::row(ApiKey::CreateTopics, "CreateTopics", 2, 7, 5),
    Api::row(ApiKey::DeleteTopics, "DeleteTopics", 1, 6, 4),
    Api::row(ApiKey::DeleteRecords, "DeleteRecords", 0, 2, 2),
    Api::row(ApiKey::InitProducerId, "InitProducerId", 0, 5, 2),
    Api::row(ApiKey::OffsetForLeaderEpoch, "OffsetForLeaderEpoch", 2, 4, 4),
    Api::row(ApiKey::DescribeConfigs, "DescribeConfigs", 1, 4, 4),
    Api::row(ApiKey::AlterConfigs, "AlterConfigs", 0, 2, 2),
    Api::row(ApiKey::DescribeLogDirs, "DescribeLogDirs", 1, 4, 2),
    Api::row(ApiKey::CreatePartitions, "CreatePartitions", 0, 3, 2),
    Api::row(ApiKey::DeleteGroups, "DeleteGroups", 0, 2, 2),
    Api::row(ApiKey::IncrementalAlterConfigs, "IncrementalAlterConfigs", 0, 1, 1),
    Api::row(ApiKey::ListPartitionReassignments, "ListPartitionReassignments", 0, 0, 0),
    Api::row(ApiKey::OffsetDelete, "OffsetDelete", 0, 0, i16::MAX),
    Api::row(ApiKey::DescribeCluster, "DescribeCluster", 0, 1, 0),
    Api::row(ApiKey::DescribeProducers, "DescribeProducers", 0, 0, 0),
    Api::row(ApiKey::DescribeTopicPartitions, "DescribeTopicPartitions", 0, 0, 0),
];

/// The row of a key, if this machine speaks that API.
pub fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key.number() == key)
}

const _: () = {
    let mut at = 0;
    while at < APIS.len() {
        let api = &APIS[at];
        assert!(api.listed_min <= api.min && api.min <= api.max);
        assert!(at == 0 || APIS[at - 1].key.number() < api.key.number());
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::ApiKey as Generated;

    #[test]
    fn flexible_versions_agree_with_the_generated_headers() {
        for api in &APIS {
            let generated = Generated::try_from(api.key.number()).expect("known to the crate");
            for version in api.min..=api.max {
                let flexible = generated.request_header_version(version) == 2;
                assert_eq!(api.is_flexible(version), flexible, "{} {version}", api.name);
                let response = generated.response_header_version(version) == 1;
                assert_eq!(api.has_flexible_response_header(version), response, "{} {version}", api.name);
            }
        }
    }

    #[test]
    fn unknown_keys_have_no_row() {
        for key in [-1, 4, 7, 17, 24, i16::MAX, i16::MIN] {
            assert_eq!(find(key), None);
        }
        assert_eq!(ApiKey::Fetch.api().name, "Fetch");
    }
}
