//! ListOffsets: the ends of a partition, and what is refused. By time: `by_time`.

use crate::client::*;
use crate::world::{World, per_machine};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest};

pub fn request(topic: &str, timestamps: &[(i32, i64)]) -> ListOffsetsRequest {
    let partition = |(index, timestamp): &(i32, i64)| {
        ListOffsetsPartition::default().with_partition_index(*index).with_timestamp(*timestamp)
    };
    let partitions = timestamps.iter().map(partition).collect();
    let topic = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(partitions);
    ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic])
}

/// (error, offset, timestamp, epoch) of the only partition.
fn ask(world: &mut World, version: i16, timestamp: i64) -> (i16, i64, i64, i32) {
    let client = world.connect(0);
    let response = world.call(client, version, &request("t", &[(0, timestamp)]));
    let partition = &response.topics[0].partitions[0];
    (partition.error_code, partition.offset, partition.timestamp, partition.leader_epoch)
}

#[test]
fn c18_the_ends_in_every_version() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(5));
    let deleted = world.call(client, 2, &delete_records_request("t", 0, 2));
    assert_eq!(deleted.topics[0].partitions[0].error_code, 0);
    for version in 1..=9 {
        let epoch = if version >= 4 { 0 } else { -1 };
        assert_eq!(ask(&mut world, version, -1), (0, 5, -1, epoch), "version {version}");
        assert_eq!(ask(&mut world, version, -2), (0, 2, -1, epoch));
        let largest = if version >= 7 { (0, 2, 1_600_000_000_000, epoch) } else { (35, -1, -1, -1) };
        assert_eq!(ask(&mut world, version, -3), largest);
        let local = if version >= 8 { (0, 2, -1, epoch) } else { (35, -1, -1, -1) };
        assert_eq!(ask(&mut world, version, -4), local);
        let tiered = if version >= 9 { (0, -1, -1, -1) } else { (35, -1, -1, -1) };
        assert_eq!(ask(&mut world, version, -5), tiered);
        assert_eq!(ask(&mut world, version, -7), (35, -1, -1, -1));
        assert_eq!(ask(&mut world, version, 0), (0, 2, 1_600_000_000_000, epoch));
    }
}

#[test]
fn c18_the_latest_offset_is_the_high_watermark() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.hold_flushes = true;
    world.send(client, 9, &produce_request(-1, &[("t", 0, Batch::of(5).encode())]));
    assert_eq!(ask(&mut world, 7, -1).1, 0);
    world.hold_flushes = false;
    world.run();
    assert_eq!(ask(&mut world, 7, -1).1, 5);
}

#[test]
fn c16_e4_odd_requests_get_their_codes() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    let leader = world.leader(client, "t", 0);
    let client = world.connect(leader);
    let mut codes = |request: &ListOffsetsRequest| -> Vec<i16> {
        let response = world.call(client, 7, request);
        response.topics.iter().flat_map(|topic| topic.partitions.iter().map(|one| one.error_code)).collect()
    };
    assert_eq!(
        codes(&request("t", &[(0, -1), (1, -1), (2, -1), (-1, -1)])),
        [0, if per_machine() { 0 } else { 6 }, 3, 3]
    );
    assert_eq!(codes(&request("t", &[(0, -1), (0, -2)])), [42, 42], "named twice");
    assert_eq!(codes(&request("missing", &[(0, -1)])), [3]);
    assert_eq!(codes(&request("t", &[(0, -1)]).with_replica_id(BrokerId(1))), [42]);
    let mut newer = request("t", &[(0, -1)]);
    newer.topics[0].partitions[0].current_leader_epoch = 9;
    assert_eq!(codes(&newer), [75]);
    assert_eq!(codes(&request("t", &[])), [] as [i16; 0]);
}
