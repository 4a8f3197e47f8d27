//! Behaviours by number, over every version that they concern: what the other stories show in one version.

use crate::client::*;
use crate::fetch::restarted;
use crate::world::{Client, World, per_machine};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Request;
use std::ops::RangeInclusive;
use uuid::Uuid;

fn versions(key: i16) -> RangeInclusive<i16> {
    let api = corelane::wire::api::find(key).expect("a row");
    api.min..=api.max
}

/// The partitions of topic "t" in an answer of any version: sessionless, by id where names are gone.
fn fetch_t(
    world: &mut World,
    client: Client,
    version: i16,
    id: Uuid,
    change: impl FnOnce(&mut FetchRequest),
    partitions: &[(i32, i64)],
) -> Vec<PartitionData> {
    let partitions: Vec<_> = partitions.iter().map(|(index, offset)| ("t", *index, *offset)).collect();
    let mut request = fetch_request(1, 0, &partitions);
    for topic in request.topics.iter_mut().filter(|_| version >= 13) {
        (topic.topic, topic.topic_id) = (TopicName::default(), id);
    }
    change(&mut request);
    let response = world.call(client, version, &request);
    assert_eq!((response.error_code, response.session_id), (0, 0), "version {version}");
    fetched(&response)
}

/// C8: empty records have a length of zero and are never null, with an error too; and read_committed has a list of aborted
/// transactions where read_uncommitted has null.
#[test]
fn c8_empty_records_have_a_length() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 2, &[]);
    let leader = world.leader(client, "t", 0);
    let client = world.connect(leader);
    for version in versions(1) {
        for isolation in [0, 1] {
            let set = |request: &mut FetchRequest| request.isolation_level = isolation;
            let partitions = fetch_t(&mut world, client, version, id, set, &[(0, 0), (0, 9), (1, 0), (5, 0)]);
            let codes: Vec<_> = partitions.iter().map(|one| one.error_code).collect();
            let sibling = if per_machine() { 0 } else { 6 };
            assert_eq!(codes, [0, 1, sibling, 3], "version {version}");
            for partition in &partitions {
                assert_eq!(partition.records.as_ref().map(|records| records.len()), Some(0), "version {version}");
            }
            let aborted = partitions[0].aborted_transactions.as_ref().map(Vec::len);
            assert_eq!(aborted, (isolation == 1).then_some(0), "version {version}");
        }
    }
}

/// C9, C10: from memory and from the disk, whatever the version: an offset inside a batch gives the whole batch, and the first
/// partition with data gives one although it is above both bounds.
#[test]
fn c9_c10_whole_batches_in_every_version_from_memory_and_disk() {
    let mut world = World::new(1, &[("journal.files", "3"), ("tail.cache.bytes", "0")]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 3, &[]);
    for _ in 0..60 {
        world.produce(client, "t", 1, Batch { value_bytes: 10_000, ..Batch::of(5) });
        world.advance(20);
    }
    world.produce(client, "t", 2, Batch { value_bytes: 10_000, ..Batch::of(5) });
    for version in versions(1) {
        for offset in [0, 1, 4, 7, 150, 296, 299] {
            let before = world.brokers[0].counters().fetched_disk_bytes;
            let tiny = |request: &mut FetchRequest| {
                request.max_bytes = 1;
                request.topics.iter_mut().for_each(|topic| topic.partitions[0].partition_max_bytes = 1);
            };
            let partitions = fetch_t(&mut world, client, version, id, tiny, &[(0, 0), (1, offset), (2, 3)]);
            let indexes: Vec<_> = partitions.iter().map(|one| one.partition_index).collect();
            assert_eq!(indexes, [0, 1, 2], "all are listed");
            let found = found(&partitions[1]);
            assert_eq!((found.len(), found[0].base_offset), (1, offset / 5 * 5), "version {version}");
            assert_eq!((batches(&partitions[0]).len(), batches(&partitions[2]).len()), (0, 0), "bounds hold again");
            let from_disk = world.brokers[0].counters().fetched_disk_bytes > before;
            assert!(from_disk || offset > 0, "the oldest lie on the disk only");
        }
    }
}

/// C11: whatever the error of one partition, the answer comes at once, although another one has nothing to give.
#[test]
fn c11_every_error_is_answered_at_once() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 2, &[]);
    let mut world = restarted(world);
    let client = world.connect(0);
    let leader = world.leader(client, "t", 0);
    let client = world.connect(leader);
    for version in versions(1) {
        let mut cases = vec![((0, 1), -1, 1), ((2, 0), -1, 3)];
        cases.push(if per_machine() { ((1, 1), -1, 1) } else { ((1, 0), -1, 6) });
        if version >= 9 {
            cases.extend([((0, 0), 0, 74), ((0, 0), 2, 75)]);
        }
        for (partition, epoch, code) in cases {
            let wait = |request: &mut FetchRequest| {
                request.max_wait_ms = 60_000;
                request.topics[1].partitions[0].current_leader_epoch = epoch;
            };
            let partitions = fetch_t(&mut world, client, version, id, wait, &[(0, 0), partition]);
            assert_eq!((partitions[0].error_code, partitions[1].error_code), (0, code), "version {version}");
            assert_eq!(partitions[1].high_watermark, -1, "an error alone");
        }
        let nothing = |request: &mut FetchRequest| (request.max_wait_ms, request.min_bytes) = (60_000, 0);
        assert_eq!(fetch_t(&mut world, client, version, id, nothing, &[(0, 0)])[0].error_code, 0, "asked for nothing");
    }
}

/// C12: below the log start and above the log end; between the high watermark and the log end there is nothing to see yet, but no error.
#[test]
fn c12_out_of_range_on_both_sides_in_every_version() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(5));
    let deleted = world.call(client, 2, &delete_records_request("t", 0, 3));
    assert_eq!(deleted.topics[0].partitions[0].error_code, 0);
    world.hold_flushes = true;
    let producer = world.connect(0);
    world.send(producer, 9, &produce_request(-1, &[("t", 0, Batch::of(5).encode())]));
    for version in versions(1) {
        for (offset, code) in [(2, 1), (3, 0), (5, 0), (7, 0), (10, 0), (11, 1), (-1, 1), (i64::MAX, 1)] {
            let partition = fetch_t(&mut world, client, version, id, |_| {}, &[(0, offset)]).remove(0);
            let start = if version >= 5 { 3 } else { -1 };
            let facts = (partition.error_code, partition.high_watermark, partition.log_start_offset);
            let expected = if code == 0 { (0, 5, start) } else { (1, -1, -1) };
            assert_eq!(facts, expected, "version {version}, offset {offset}");
            assert_eq!(batches(&partition).len(), usize::from(offset == 3), "nothing above the high watermark");
        }
    }
}

/// C16: the current leader epoch is checked by every version that carries it.
#[test]
fn c16_epochs_are_checked_in_every_version_that_has_them() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 1, &[]);
    let mut world = restarted(world);
    let client = world.connect(0);
    for (epoch, code) in [(-1, 0), (-2, 0), (1, 0), (0, 74), (2, 75)] {
        for version in versions(1).filter(|version| *version >= 9) {
            let set = |request: &mut FetchRequest| request.topics[0].partitions[0].current_leader_epoch = epoch;
            assert_eq!(fetch_t(&mut world, client, version, id, set, &[(0, 0)])[0].error_code, code, "Fetch {version}");
        }
        for version in versions(2).filter(|version| *version >= 4) {
            let mut asked = crate::list_offsets::request("t", &[(0, -1)]);
            asked.topics[0].partitions[0].current_leader_epoch = epoch;
            let found = world.call(client, version, &asked).topics[0].partitions[0].clone();
            assert_eq!(found.error_code, code, "ListOffsets {version}");
        }
        for version in versions(23) {
            let response = world.call(client, version, &crate::epochs::request("t", &[(0, epoch, 1)]));
            assert_eq!(response.topics[0].partitions[0].error_code, code, "OffsetForLeaderEpoch {version}");
        }
    }
}

/// C18: with read_committed the latest offset is the last stable one, which without transactions is the high watermark.
#[test]
fn c18_the_last_stable_offset_is_the_end_for_read_committed() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(5));
    world.hold_flushes = true;
    let producer = world.connect(0);
    world.send(producer, 9, &produce_request(-1, &[("t", 0, Batch::of(5).encode())]));
    for version in versions(2).filter(|version| *version >= 2) {
        for isolation in [0, 1] {
            for (timestamp, offset) in [(-1, 5), (-2, 0)] {
                let asked = crate::list_offsets::request("t", &[(0, timestamp)]).with_isolation_level(isolation);
                let found = world.call(client, version, &asked).topics[0].partitions[0].clone();
                assert_eq!((found.error_code, found.offset, found.timestamp), (0, offset, -1), "version {version}");
            }
        }
    }
}

/// C20: a topic is made only if the broker allows it, the request does (from version 4 on it can say no), and it was named.
#[test]
fn c20_a_topic_is_made_only_if_all_agree() {
    for allowed in ["true", "false"] {
        let mut world = World::new(1, &[("auto.create.topics.enable", allowed)]);
        let client = world.connect(0);
        for version in versions(3) {
            for asked in [true, false] {
                let name = format!("t-{version}-{asked}");
                let mut request = metadata_request(&[&name]);
                if version >= 4 {
                    request.allow_auto_topic_creation = asked;
                }
                let made = allowed == "true" && (asked || version < 4);
                let topic = world.call(client, version, &request).topics.remove(0);
                let codes = if made { [0, 5].as_slice() } else { &[3] };
                assert!(codes.contains(&topic.error_code), "version {version}: {}", topic.error_code);
                assert_eq!(topic.partitions.len(), usize::from(made && topic.error_code == 0));
                let illegal = world.call(client, version, &metadata_request(&["no/name"])).topics.remove(0);
                assert_eq!((illegal.error_code, illegal.partitions.len()), (17, 0), "version {version}");
                let all = MetadataRequest::default().with_topics(if version == 0 { Some(vec![]) } else { None });
                let names: Vec<_> = world.call(client, version, &all).topics.into_iter().map(|one| one.name).collect();
                assert_eq!(names.contains(&Some(topic_name(&name))), made, "version {version}");
            }
        }
    }
}

/// C21: the controller of every core's answer is one of the listed brokers and takes an admin's write.
#[test]
fn c21_the_controller_takes_admin_writes() {
    let mut world = World::new(3, &[]);
    for core in 0..3 {
        let client = world.connect(core);
        let response = world.call(client, 12, &metadata_request(&[]));
        assert!(!response.brokers.is_empty());
        let controller = response.brokers.iter().find(|one| one.node_id == response.controller_id).expect("is listed");
        let admin = world.connect((controller.port - 9092) as usize);
        world.create_topic(admin, &format!("t-{core}"), 1, &[]);
        let cluster = world.call(client, 1, &DescribeClusterRequest::default());
        assert_eq!(cluster.controller_id, response.controller_id);
        assert_eq!(response.cluster_id.as_deref(), Some(&*cluster.cluster_id));
    }
}

/// C22: a fetch by an id that names no topic says so for each partition (100), and never 103: a broker that looks ids up in one
/// image has no log under another id. What was read with the old id ends; the new one begins at 0.
#[test]
fn c22_the_id_of_another_incarnation_is_unknown() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let first = world.create_topic(client, "t", 2, &[]);
    world.produce(client, "t", 0, Batch::of(3));
    assert_eq!(world.call(client, 6, &delete_request("t")).responses[0].error_code, 0);
    let second = world.create_topic(client, "t", 2, &[]);
    assert!(first != second && !first.is_nil() && !second.is_nil());
    for version in versions(1).filter(|version| *version >= 13) {
        let wait = |request: &mut FetchRequest| request.max_wait_ms = 60_000;
        for wrong in [first, Uuid::nil(), Uuid::from_bytes([5; 16])] {
            let partitions = fetch_t(&mut world, client, version, wrong, wait, &[(0, 0), (1, 0)]);
            assert_eq!(partitions.iter().map(|one| one.error_code).collect::<Vec<_>>(), [100, 100]);
        }
        let partition = fetch_t(&mut world, client, version, second, |_| {}, &[(0, 0)]).remove(0);
        assert_eq!((partition.error_code, partition.high_watermark), (0, 0), "a new log");
    }
    for version in versions(3).filter(|version| *version >= 10) {
        assert_eq!(world.call(client, version, &metadata_request(&["t"])).topics[0].topic_id, second);
    }
}

/// C23, C24, C27, E1: the codes of refused batches do not depend on the version, but for zstd, which is older versions' 76.
#[test]
fn c23_c24_c27_e1_refusals_in_every_version() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("max.message.bytes", "200")]);
    let batch = Batch::of(1);
    let length = |bytes: i32| {
        let mut encoded = batch.encode();
        encoded[8..12].copy_from_slice(&bytes.to_be_bytes());
        encoded
    };
    let of_bytes = |bytes: usize| {
        let plain = Batch { value_bytes: 100, ..batch }.encode().len();
        Batch { value_bytes: 100 + bytes - plain, ..batch }.encode()
    };
    assert_eq!((of_bytes(200).len(), of_bytes(201).len()), (200, 201));
    let mut accepted = 0;
    for version in versions(0) {
        let cases: Vec<(&str, Vec<u8>, i16)> = vec![
            ("no batch", Vec::new(), 87),
            ("two batches", [batch.encode(), batch.encode()].concat(), 87),
            ("base offset 1", Batch { base_offset: 1, ..batch }.encode(), 87),
            ("no record", Batch { count: 0, ..batch }.encode(), 87),
            ("count above the last delta", Batch { last_offset_delta: Some(3), ..batch }.encode(), 87),
            ("control", Batch { attributes: 0x20, ..batch }.encode(), 87),
            ("a producer without a sequence", batch.by(7, 0, -1).encode(), 87),
            ("magic 0", Batch { magic: 0, ..batch }.encode(), 87),
            ("magic 1", Batch { magic: 1, ..batch }.encode(), 87),
            ("magic 3", Batch { magic: 3, ..batch }.encode(), 2),
            ("checksum", Batch { bad_crc: true, ..batch }.encode(), 2),
            ("length too small", length(13), 2),
            ("negative length", length(-1), 2),
            ("one byte too large", of_bytes(201), 10),
            ("transactional without an id", Batch { attributes: 0x10, ..batch }.by(7, 0, 0).encode(), 53),
        ];
        for (what, records, code) in cases {
            let response = world.call(client, version, &produce_request(-1, &[("t", 0, records)]));
            assert_eq!(outcomes(&response), [(code, -1)], "{what}, version {version}");
        }
        for acks in [-2, 2, i16::MAX, i16::MIN] {
            let response = world.call(client, version, &produce_request(acks, &[("t", 0, batch.encode())]));
            assert_eq!(outcomes(&response), [(21, -1)], "acks {acks}, version {version}");
        }
        for codec in 0..=4 {
            let batch = Batch { attributes: codec, ..batch }.encode();
            let expected = if codec == 4 && version < 7 { (76, -1) } else { (0, accepted) };
            assert_eq!(outcomes(&world.call(client, version, &produce_request(1, &[("t", 0, batch)]))), [expected]);
            accepted += i64::from(expected.0 == 0);
        }
        let largest = produce_request(-1, &[("t", 0, of_bytes(200))]);
        assert_eq!(outcomes(&world.call(client, version, &largest)), [(0, accepted)], "just as large as allowed");
        accepted += 1;
    }
    assert_eq!(world.fetch(client, "t", 0, 0).high_watermark, accepted, "what was refused left nothing behind");
}

/// C28: LogAppendTime in every version; with CreateTime the answer says -1.
#[test]
fn c28_the_append_time_is_in_every_versions_answer() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    world.create_topic(client, "plain", 1, &[]);
    for version in versions(0) {
        world.advance(10);
        for acks in [1, -1] {
            let batch = || Batch::of(2).encode();
            let request = produce_request(acks, &[("stamped", 0, batch()), ("plain", 0, batch())]);
            let times: Vec<_> =
                produced(&world.call(client, version, &request)).iter().map(|one| one.log_append_time_ms).collect();
            assert_eq!(times, [world.now.wall_ms, -1], "version {version}");
        }
    }
    let end = world.fetch(client, "stamped", 0, 0).high_watermark;
    assert_eq!(end, 4 * versions(0).count() as i64);
    let records = world.fetch(client, "stamped", 0, end - 1).records.expect("never null");
    assert_eq!(records[21..23], 8i16.to_be_bytes(), "the attribute bit");
    assert_eq!(records[35..43], world.now.wall_ms.to_be_bytes(), "the largest timestamp");
    assert_eq!(records[17..21], crc32c::crc32c(&records[21..]).to_be_bytes(), "the checksum is that of the new bytes");
}

fn key_of<R: Request>(_: &R) -> i16 {
    R::KEY
}

/// C48: no answer of any version tells a client to hold back.
#[test]
fn c48_nobody_is_throttled_in_any_version() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let mut checked = 0;
    macro_rules! not_throttled {
        ($request:expr) => {
            for version in versions(key_of(&$request)) {
                assert_eq!(world.call(client, version, &$request).throttle_time_ms, 0, "version {version}");
                checked += 1;
            }
        };
    }
    let named = |version: i16| match version {
        3.. => ApiVersionsRequest::default()
            .with_client_software_name(text("test"))
            .with_client_software_version(text("1")),
        _ => ApiVersionsRequest::default(),
    };
    for version in versions(18) {
        assert_eq!(world.call(client, version, &named(version)).throttle_time_ms, 0);
        checked += 1;
    }
    not_throttled!(produce_request(1, &[("t", 0, Batch::of(1).encode())]));
    not_throttled!(fetch_request(0, 0, &[]));
    not_throttled!(crate::list_offsets::request("t", &[(0, -1)]));
    not_throttled!(metadata_request(&["t"]));
    not_throttled!(FindCoordinatorRequest::default());
    not_throttled!(JoinGroupRequest::default());
    not_throttled!(SyncGroupRequest::default());
    not_throttled!(HeartbeatRequest::default());
    not_throttled!(LeaveGroupRequest::default());
    not_throttled!(OffsetCommitRequest::default());
    not_throttled!(OffsetFetchRequest::default());
    not_throttled!(OffsetDeleteRequest::default());
    not_throttled!(ListGroupsRequest::default());
    not_throttled!(DescribeGroupsRequest::default());
    not_throttled!(DeleteGroupsRequest::default());
    not_throttled!(create_request("t", 1, &[]));
    not_throttled!(DeleteTopicsRequest::default().with_timeout_ms(1_000));
    not_throttled!(delete_records_request("t", 0, 0));
    not_throttled!(crate::produce::init_request());
    not_throttled!(crate::epochs::request("t", &[(0, -1, 0)]));
    not_throttled!(DescribeConfigsRequest::default());
    not_throttled!(AlterConfigsRequest::default());
    not_throttled!(IncrementalAlterConfigsRequest::default());
    not_throttled!(crate::describe::grow_request("t", 1));
    not_throttled!(DescribeLogDirsRequest::default());
    not_throttled!(DescribeProducersRequest::default());
    not_throttled!(ListPartitionReassignmentsRequest::default());
    not_throttled!(DescribeClusterRequest::default());
    not_throttled!(DescribeTopicPartitionsRequest::default());
    let served: usize = corelane::wire::api::APIS.iter().map(|api| (api.min..=api.max).count()).sum();
    assert_eq!(checked, served, "an API is missing here");
}
