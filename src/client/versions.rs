//! What this client asks for, and in which versions: the highest that both sides know.

use kafka_protocol::messages::ApiKey;
use std::collections::BTreeMap;

/// An API as this client speaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Kafka's key.
    pub key: ApiKey,
    /// Lowest version.
    pub min: i16,
    /// Highest version.
    pub max: i16,
}

const fn spoken(key: ApiKey, min: i16, max: i16) -> Spoken {
    Spoken { key, min, max }
}

/// All that is spoken. Produce, Fetch, OffsetCommit and OffsetFetch end before topics go by id alone, DeleteTopics before names move: by name is what people type.
pub const SPOKEN: [Spoken; 19] = [
    spoken(ApiKey::Produce, 3, 12),
    spoken(ApiKey::Fetch, 4, 12),
    spoken(ApiKey::ListOffsets, 1, 9),
    spoken(ApiKey::Metadata, 1, 12),
    spoken(ApiKey::OffsetCommit, 2, 9),
    spoken(ApiKey::OffsetFetch, 2, 9),
    spoken(ApiKey::FindCoordinator, 0, 6),
    spoken(ApiKey::DescribeGroups, 0, 6),
    spoken(ApiKey::ListGroups, 0, 5),
    spoken(ApiKey::ApiVersions, 0, 3),
    spoken(ApiKey::CreateTopics, 2, 7),
    spoken(ApiKey::DeleteTopics, 1, 5),
    spoken(ApiKey::DeleteRecords, 0, 2),
    spoken(ApiKey::InitProducerId, 0, 4),
    spoken(ApiKey::DescribeConfigs, 1, 4),
    spoken(ApiKey::CreatePartitions, 0, 3),
    spoken(ApiKey::IncrementalAlterConfigs, 0, 1),
    spoken(ApiKey::DeleteGroups, 0, 2),
    spoken(ApiKey::DescribeCluster, 0, 1),
];

/// What a broker lists: lowest and highest version by key.
pub type Listed = BTreeMap<i16, (i16, i16)>;

/// The highest version that both sides know; else why there is none.
pub fn agree(key: i16, listed: &Listed) -> Result<i16, String> {
    let ours = SPOKEN.iter().find(|spoken| spoken.key as i16 == key).expect("only what is in the table is asked");
    let Some((min, max)) = listed.get(&key) else {
        return Err(format!("the broker does not offer {:?} (API key {key})", ours.key));
    };
    let version = ours.max.min(*max);
    if version < ours.min || version < *min {
        return Err(format!(
            "no common version of {:?}: the broker has {min} to {max}, this client {} to {}",
            ours.key, ours.min, ours.max
        ));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_of_both_is_taken() {
        let listed = Listed::from([(0, (0, 7)), (1, (13, 18)), (3, (0, 0)), (19, (2, 40))]);
        assert_eq!(agree(0, &listed), Ok(7));
        assert_eq!(agree(19, &listed), Ok(7));
        assert!(agree(1, &listed).expect_err("too new").contains("13 to 18"));
        assert!(agree(3, &listed).expect_err("too old").contains("Metadata"));
        assert!(agree(60, &listed).expect_err("absent").contains("DescribeCluster"));
    }

    #[test]
    fn the_crate_encodes_all_of_them() {
        for ours in SPOKEN {
            let theirs = ours.key.valid_versions();
            assert!(ours.min <= ours.max && ours.max <= theirs.max, "{ours:?}");
        }
    }
}
