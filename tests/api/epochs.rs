//! OffsetForLeaderEpoch, and leader epochs in what else tells them.

use crate::client::*;
use crate::fetch::restarted;
use crate::world::{Client, World, per_machine};
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, OffsetForLeaderEpochRequest};

pub fn request(topic: &str, asked: &[(i32, i32, i32)]) -> OffsetForLeaderEpochRequest {
    let partition = |(index, current, epoch): &(i32, i32, i32)| {
        OffsetForLeaderPartition::default()
            .with_partition(*index)
            .with_current_leader_epoch(*current)
            .with_leader_epoch(*epoch)
    };
    let partitions = asked.iter().map(partition).collect();
    let topic = OffsetForLeaderTopic::default().with_topic(topic_name(topic)).with_partitions(partitions);
    OffsetForLeaderEpochRequest::default().with_topics(vec![topic])
}

/// (error, epoch, end offset) of each partition.
fn ends(world: &mut World, client: Client, request: &OffsetForLeaderEpochRequest) -> Vec<(i16, i32, i64)> {
    let response = world.call(client, 2, request);
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|one| (one.error_code, one.leader_epoch, one.end_offset)).collect()
}

#[test]
fn c17_the_end_of_the_largest_epoch_at_or_below() {
    // Records in epochs 0 and 2, none in 1 and 3.
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(5));
    world = restarted(restarted(world));
    let client = world.connect(0);
    world.produce(client, "t", 0, Batch::of(3));
    world = restarted(world);
    let client = world.connect(0);
    for version in 2..=4 {
        let asked = [-1, 0, 1, 2, 3, 4, i32::MAX].map(|epoch| (0, -1, epoch));
        let asked = request("t", &asked).with_replica_id(BrokerId(if version >= 3 { -1 } else { -2 }));
        let response = world.call(client, version, &asked);
        let found: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|one| (one.error_code, one.leader_epoch, one.end_offset))
            .collect();
        let unknown = (0, -1, -1);
        assert_eq!(found, [unknown, (0, 0, 5), (0, 0, 5), (0, 2, 8), (0, 3, 8), unknown, unknown]);
    }
    let epochs: Vec<_> =
        world.read_all(client, "t", 0).iter().map(|batch| (batch.base_offset, batch.leader_epoch)).collect();
    assert_eq!(epochs, [(0, 0), (5, 2)], "every batch carries the epoch of its append");
    // What DeleteRecords removed ended where the log starts now.
    let deleted = world.call(client, 2, &delete_records_request("t", 0, 6));
    assert_eq!(deleted.topics[0].partitions[0].error_code, 0);
    let found = ends(&mut world, client, &request("t", &[(0, -1, 0), (0, -1, 2)]));
    assert!(found[0].2 <= 6 && found[1] == (0, 2, 8), "{found:?}");
}

#[test]
fn c17_a_topic_without_records_ends_at_zero() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world = restarted(world);
    let client = world.connect(0);
    // The consumer's position was taken in epoch 0; it must not be told that its data is gone.
    assert_eq!(ends(&mut world, client, &request("t", &[(0, -1, 0), (0, -1, 1)])), [(0, 0, 0), (0, 1, 0)]);
}

#[test]
fn c16_current_epochs_are_checked_everywhere() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    world = restarted(world);
    let client = world.connect(0);
    let leader = world.leader(client, "t", 0);
    let client = world.connect(leader);
    for (current, code) in [(-1, 0), (-2, 0), (1, 0), (0, 74), (2, 75)] {
        assert_eq!(ends(&mut world, client, &request("t", &[(0, current, 1)]))[0].0, code, "epoch {current}");
        let mut asked: ListOffsetsRequest = crate::list_offsets::request("t", &[(0, -1)]);
        asked.topics[0].partitions[0].current_leader_epoch = current;
        let response = world.call(client, 7, &asked);
        assert_eq!(response.topics[0].partitions[0].error_code, code, "epoch {current}");
    }
    let sibling = if per_machine() { (0, 0, 0) } else { (6, -1, -1) };
    assert_eq!(
        ends(&mut world, client, &request("t", &[(1, -1, 0), (2, -1, 0), (-1, -1, 0)])),
        [sibling, (3, -1, -1), (3, -1, -1)]
    );
    assert_eq!(ends(&mut world, client, &request("missing", &[(0, -1, 0)])), [(3, -1, -1)]);
    let follower = request("t", &[(0, -1, 0)]).with_replica_id(BrokerId(1));
    assert_eq!(world.call(client, 4, &follower).topics[0].partitions[0].error_code, 42);
}
