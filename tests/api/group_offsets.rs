//! Committed offsets: who may commit, what comes back, how long it stays.

use crate::client::*;
use crate::groups::*;
use crate::world::{Client, World, per_machine};
use corelane::base::ids::TopicPartition;
use corelane::broker::group_lag::lags;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::*;

/// Topic, partition, offset.
type At<'a> = (&'a str, i32, i64);

pub fn commit_request(group: &str, (member, generation): (&str, i32), offsets: &[At<'_>]) -> OffsetCommitRequest {
    let topic = |(topic, partition, offset): &At<'_>| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("words")));
        OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition])
    };
    OffsetCommitRequest::default()
        .with_group_id(group_id(group))
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(offsets.iter().map(topic).collect())
}

fn codes(response: &OffsetCommitResponse) -> Vec<i16> {
    response.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code).collect()
}

/// Commits as a member; gives a code for each partition.
pub fn commit_as(world: &mut World, client: Client, group: &str, member: (&str, i32), offsets: &[At<'_>]) -> Vec<i16> {
    codes(&world.call(client, 8, &commit_request(group, member, offsets)))
}

/// Commits as a client that belongs to no group.
fn commit(world: &mut World, client: Client, group: &str, offsets: &[At<'_>]) -> Vec<i16> {
    commit_as(world, client, group, ("", -1), offsets)
}

/// Everything that a group has committed.
fn committed(world: &mut World, client: Client, group: &str) -> Vec<(String, i32, i64)> {
    let asked = OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(None);
    let response = world.call(client, 9, &OffsetFetchRequest::default().with_groups(vec![asked]));
    assert_eq!((response.groups.len(), response.groups[0].error_code), (1, 0));
    let mut all = Vec::new();
    for topic in &response.groups[0].topics {
        all.extend(
            topic.partitions.iter().map(|one| (topic.name.to_string(), one.partition_index, one.committed_offset)),
        );
    }
    all
}

fn owned(offsets: &[At<'_>]) -> Vec<(String, i32, i64)> {
    offsets.iter().map(|(topic, partition, offset)| (topic.to_string(), *partition, *offset)).collect()
}

fn world_with_topic(cores: u16, set: &[(&str, &str)]) -> (World, Client) {
    let mut world = World::new(cores, &[&[QUICK], set].concat());
    let client = world.connect(0);
    world.create_topic(client, "t", 3, &[]);
    let client = coordinator(&mut world, "g");
    (world, client)
}

/// C42: clients without a group commit while it is empty (25 with members); 22 for another generation, 25 for strangers, 27 between join and
/// sync; a group that is not there is 22, from version 9 on 69; 3 for partitions that are not there, 12 for too much metadata.
#[test]
fn c42_who_may_commit() {
    let (mut world, client) = world_with_topic(2, &[]);
    assert_eq!(commit(&mut world, client, "g", &[("t", 0, 5), ("t", 3, 1), ("absent", 0, 1)]), [0, 3, 3]);
    assert_eq!(commit(&mut world, client, "", &[("t", 0, 5)]), [if is_here(&mut world, client, "") { 0 } else { 16 }]);
    let at = &[("t", 1, 7)];
    let absent = coordinator(&mut world, "absent");
    assert_eq!(commit_as(&mut world, absent, "absent", ("m", 3), at), [22]);
    assert_eq!(codes(&world.call(absent, 9, &commit_request("absent", ("m", 3), at))), [69]);
    let one = world.connect(client.core);
    let id = first_member(&mut world, one, "g");
    assert_eq!(commit(&mut world, client, "g", at), [25]);
    assert_eq!(commit_as(&mut world, one, "g", (&id, 2), at), [22]);
    assert_eq!(commit_as(&mut world, one, "g", (&id, -1), at), [22]);
    assert_eq!(commit_as(&mut world, one, "g", ("nobody", 1), at), [25]);
    assert_eq!(commit_as(&mut world, one, "g", (&id, 1), at), [0]);
    let two = world.connect(client.core);
    let second = begin_join(&mut world, two, &join("g", ""));
    assert_eq!(commit_as(&mut world, one, "g", (&id, 1), &[("t", 1, 8)]), [0], "a last word before the rebalance");
    world.call(one, 9, &join("g", &id));
    world.receive::<JoinGroupRequest>(two);
    assert_eq!(commit_as(&mut world, two, "g", (&second, 2), at), [27]);
    assert_eq!(committed(&mut world, client, "g"), owned(&[("t", 0, 5), ("t", 1, 8)]));
}

fn is_here(world: &mut World, client: Client, group: &str) -> bool {
    let asked = FindCoordinatorRequest::default().with_key(text(group));
    per_machine() || world.call(client, 3, &asked).node_id.0 == client.core as i32
}

/// C42, C43: offset, leader epoch and metadata come back as they were, in every version and after a restart; 4096 bytes of metadata are
/// enough, 4097 too many. What was not committed is -1, -1 and no metadata, without an error.
#[test]
fn c42_c43_what_was_committed_comes_back() {
    let (mut world, client) = world_with_topic(2, &[]);
    let longest = "ž".repeat(2048);
    let with = |epoch: i32, metadata: Option<&str>| {
        let mut request = commit_request("g", ("", -1), &[("t", 0, 1 << 40), ("t", 1, 2)]);
        let partition = &mut request.topics[0].partitions[0];
        partition.committed_leader_epoch = epoch;
        partition.committed_metadata = metadata.map(text);
        request
    };
    assert_eq!(codes(&world.call(client, 8, &with(9, Some(&format!("{longest}x"))))), [12, 0]);
    for version in 2..=9 {
        let epoch = if version >= 6 { 9 } else { -1 };
        assert_eq!(codes(&world.call(client, version, &with(epoch, None))), [0, 0], "version {version}");
        assert_eq!(codes(&world.call(client, version, &with(epoch, Some(&longest)))), [0, 0], "version {version}");
    }
    for restarts in 0..2 {
        for version in 1..=7 {
            let topic = |name: &str| {
                OffsetFetchRequestTopic::default().with_name(topic_name(name)).with_partition_indexes(vec![0, 2])
            };
            let topics = Some(vec![topic("t"), topic("absent")]);
            let request = OffsetFetchRequest::default().with_group_id(group_id("g")).with_topics(topics);
            let client = coordinator(&mut world, "g");
            let response = world.call(client, version, &request);
            assert_eq!((response.error_code, response.topics.len()), (0, 2), "version {version}");
            let one = &response.topics[0].partitions[0];
            let epoch = if version >= 5 { 9 } else { -1 };
            assert_eq!((one.committed_offset, one.committed_leader_epoch), (1 << 40, epoch), "version {version}");
            assert_eq!(one.metadata.as_deref(), Some(&*longest), "restarted {restarts} times");
            for none in [&response.topics[0].partitions[1], &response.topics[1].partitions[0]] {
                let told =
                    (none.committed_offset, none.committed_leader_epoch, none.metadata.as_deref(), none.error_code);
                assert_eq!(told, (-1, -1, Some(""), 0), "version {version}");
            }
        }
        world = World::on(world.disk, 1, &[QUICK], 5 + restarts);
    }
}

/// C43: version 8 names each group in its answer; null topics are all.
#[test]
fn c43_offsets_of_several_groups() {
    let (mut world, _) = world_with_topic(2, &[]);
    for (group, offset) in [("a", 1), ("b", 2), ("c", 3)] {
        let client = coordinator(&mut world, group);
        assert_eq!(commit(&mut world, client, group, &[("t", 0, offset), ("t", 2, offset)]), [0, 0]);
        assert_eq!(committed(&mut world, client, group), owned(&[("t", 0, offset), ("t", 2, offset)]));
    }
    let client = coordinator(&mut world, "a");
    let topic = OffsetFetchRequestTopics::default().with_name(topic_name("t")).with_partition_indexes(vec![2]);
    let asked = |group: &str| {
        let asked = OffsetFetchRequestGroup::default().with_group_id(group_id(group));
        asked.with_topics(Some(vec![topic.clone()]))
    };
    let request = OffsetFetchRequest::default().with_groups(vec![asked("a"), asked("b"), asked("c"), asked("none")]);
    let mut told: Vec<(String, i16, i64)> = Vec::new();
    for group in world.call(client, 8, &request).groups {
        let offset = group.topics.first().map_or(-9, |topic| topic.partitions[0].committed_offset);
        told.push((group.group_id.to_string(), group.error_code, offset));
    }
    told.sort_unstable();
    let expected = [("a", 1), ("b", 2), ("c", 3), ("none", -1)].map(|(group, offset)| {
        let here = is_here(&mut world, client, group);
        (group.to_string(), if here { 0 } else { 16 }, if here { offset } else { -9 })
    });
    assert_eq!(told, expected);
}

/// A commit is answered when it is durable, and not told before: what a flush never reached was never acknowledged.
#[test]
fn commits_are_told_when_they_are_durable() {
    let (mut world, client) = world_with_topic(1, &[]);
    assert_eq!(commit(&mut world, client, "g", &[("t", 0, 5)]), [0]);
    world.hold_flushes = true;
    world.send(client, 8, &commit_request("g", ("", -1), &[("t", 0, 6)]));
    assert!(world.try_receive::<OffsetCommitRequest>(client).is_none());
    let other = world.connect(0);
    assert_eq!(committed(&mut world, other, "g"), owned(&[("t", 0, 5)]));
    world.hold_flushes = false;
    world.run();
    assert_eq!(codes(&world.receive::<OffsetCommitRequest>(client)), [0]);
    assert_eq!(committed(&mut world, other, "g"), owned(&[("t", 0, 6)]));
}

/// A failed flush leaves nothing of a commit in memory; who waits is told to look for the coordinator again.
#[test]
fn a_failed_flush_leaves_no_trace() {
    let (mut world, client) = world_with_topic(1, &[]);
    assert_eq!(commit(&mut world, client, "g", &[("t", 0, 5)]), [0]);
    let member = world.connect(0);
    let id = begin_join(&mut world, member, &join("h", ""));
    world.receive::<JoinGroupRequest>(member);
    world.hold_flushes = true;
    world.send(client, 8, &commit_request("g", ("", -1), &[("t", 0, 6)]));
    world.send(member, 5, &sync("h", &id, 1, &[(&id, "all")]));
    world.fail_flush = true;
    world.hold_flushes = false;
    world.run();
    assert_eq!(codes(&world.receive::<OffsetCommitRequest>(client)), [15]);
    assert_eq!(world.receive::<SyncGroupRequest>(member).error_code, 15);
    assert_eq!(heartbeat(&mut world, member, "h", &id, 1), 15);
    let mut world = World::on(world.disk, 1, &[QUICK], 9);
    let client = coordinator(&mut world, "g");
    let now = committed(&mut world, client, "g");
    assert!(now == owned(&[("t", 0, 5)]) || now == owned(&[("t", 0, 6)]), "one or the other: {now:?}");
}

/// Offsets of a group without members go after the retention time, those of living groups stay; so does the group itself.
#[test]
fn offsets_of_empty_groups_expire() {
    let set = [("offsets.retention.minutes", "1"), ("offsets.retention.check.interval.ms", "1000")];
    let (mut world, client) = world_with_topic(1, &set);
    let member = world.connect(0);
    let id = first_member(&mut world, member, "g");
    assert_eq!(commit_as(&mut world, member, "g", (&id, 1), &[("t", 0, 5)]), [0]);
    assert_eq!(commit(&mut world, client, "simple", &[("t", 0, 6)]), [0]);
    let mut short = commit_request("short", ("", -1), &[("t", 0, 7)]);
    short.retention_time_ms = 20_000;
    assert_eq!(codes(&world.call(client, 4, &short)), [0]);
    for _ in 0..5 {
        world.advance(9_000);
        assert_eq!(heartbeat(&mut world, member, "g", &id, 1), 0);
    }
    assert_eq!(committed(&mut world, client, "short"), owned(&[]), "its commit said so");
    assert_eq!(committed(&mut world, client, "simple"), owned(&[("t", 0, 6)]));
    for _ in 0..4 {
        world.advance(9_000);
        assert_eq!(heartbeat(&mut world, member, "g", &id, 1), 0);
    }
    assert_eq!(committed(&mut world, client, "simple"), owned(&[]));
    assert_eq!(committed(&mut world, client, "g"), owned(&[("t", 0, 5)]), "it lives");
    leave(&mut world, member, "g", &id);
    world.advance(50_000);
    assert_eq!(committed(&mut world, client, "g"), owned(&[("t", 0, 5)]));
    world.advance(13_000);
    assert_eq!(committed(&mut world, client, "g"), owned(&[]));
    let mut world = World::on(world.disk, 1, &[QUICK], 9);
    let client = coordinator(&mut world, "g");
    for group in ["g", "simple", "short"] {
        assert_eq!(state_of(&mut world, client, group).0, "Dead", "{group}: gone for good");
    }
}

/// What was committed for a topic goes with the topic.
#[test]
fn offsets_go_with_their_topic() {
    let (mut world, client) = world_with_topic(2, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "kept", 1, &[]);
    assert_eq!(commit(&mut world, client, "g", &[("t", 0, 5), ("kept", 0, 6)]), [0, 0]);
    let request = DeleteTopicsRequest::default().with_timeout_ms(1_000).with_topic_names(vec![topic_name("t")]);
    assert_eq!(world.call(admin, 5, &request).responses[0].error_code, 0);
    assert_eq!(committed(&mut world, client, "g"), owned(&[("kept", 0, 6)]));
    world.create_topic(admin, "t", 3, &[]);
    let mut world = World::on(world.disk, 2, &[QUICK], 9);
    let client = coordinator(&mut world, "g");
    assert_eq!(committed(&mut world, client, "g"), owned(&[("kept", 0, 6)]), "the new topic has none");
}

/// A crash between the deletion of a topic and the tombstones of what was committed for it: the metadata log knows of the deletion and of
/// the next topic with that name, the log of the groups does not. The record says which topic it was of.
#[test]
fn offsets_do_not_pass_to_the_next_topic_of_the_name() {
    let (mut world, client) = world_with_topic(1, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "kept", 1, &[]);
    assert_eq!(commit(&mut world, client, "g", &[("t", 0, 5), ("kept", 0, 6)]), [0, 0]);
    world.hold_flushes = true;
    let request = DeleteTopicsRequest::default().with_timeout_ms(1_000).with_topic_names(vec![topic_name("t")]);
    assert_eq!(world.call(admin, 5, &request).responses[0].error_code, 0);
    world.create_topic(admin, "t", 3, &[]);
    assert_eq!(committed(&mut world, client, "g"), owned(&[("kept", 0, 6)]), "not even for a moment");
    // What was not flushed is not on this disk.
    let mut world = World::on(world.disk, 1, &[QUICK], 9);
    let client = coordinator(&mut world, "g");
    assert_eq!(committed(&mut world, client, "g"), owned(&[("kept", 0, 6)]), "nor after the crash");
    assert_eq!(commit(&mut world, client, "g", &[("t", 0, 7)]), [0]);
    let mut world = World::on(world.disk, 1, &[QUICK], 10);
    let client = coordinator(&mut world, "g");
    assert_eq!(committed(&mut world, client, "g"), owned(&[("kept", 0, 6), ("t", 0, 7)]));
}

/// Lag comes out of what the cores have in memory, also where a group and what it reads are on different cores: 1,000 groups that have
/// committed 10 partitions each take a few milliseconds.
#[test]
#[allow(clippy::disallowed_methods, reason = "what it takes is printed, nothing depends on it")]
fn lag_is_known_without_reading() {
    const GROUPS: usize = 1_000;
    const PARTITIONS: i32 = 10;
    let mut world = World::new(2, &[QUICK]);
    let admin = world.connect(0);
    world.create_topic(admin, "t", PARTITIONS, &[]);
    for partition in 0..PARTITIONS {
        let leader = world.leader(admin, "t", partition);
        let client = world.connect(leader);
        world.produce(client, "t", partition, Batch::of(100 + partition));
    }
    for group in 0..GROUPS {
        let name = format!("g{group}");
        let client = coordinator(&mut world, &name);
        // Beyond the end for the last partition.
        let at = |partition: i32| ("t", partition, if partition == 9 { 1_000 } else { group as i64 % 100 });
        let offsets: Vec<At<'_>> = (0..PARTITIONS).map(at).collect();
        assert!(commit(&mut world, client, &name, &offsets).iter().all(|code| *code == 0));
        world.disconnect(client);
    }
    let end = |partition: TopicPartition| world.brokers.iter().find_map(|broker| broker.consumable_end(partition));
    let began = std::time::Instant::now();
    let committed = world.brokers.iter().flat_map(|broker| broker.committed_offsets());
    let (mut found, mut sum) = (0, 0);
    for lag in lags(committed, end) {
        found += 1;
        sum += lag.records.expect("some core leads it");
    }
    println!("the lags of {GROUPS} groups in {PARTITIONS} partitions each: {:?}", began.elapsed());
    let expected = (0..GROUPS as u64).map(|group| (0..9).map(|partition| 100 + partition - group % 100).sum::<u64>());
    assert_eq!((found, sum), (GROUPS * PARTITIONS as usize, expected.sum()));
    assert!(world.brokers.iter().all(|broker| broker.committed_offsets().count() > 2_000), "both cores coordinate");
    let alone = world.brokers[0].committed_offsets();
    let here = lags(alone, |partition| world.brokers[0].consumable_end(partition));
    assert!(
        here.filter(|lag| lag.records.is_none()).count() > 1_000,
        "what another core leads is for whoever joins both"
    );
    let request = DeleteTopicsRequest::default().with_timeout_ms(1_000).with_topic_names(vec![topic_name("t")]);
    assert_eq!(world.call(admin, 5, &request).responses[0].error_code, 0);
    assert_eq!(world.brokers.iter().map(|broker| broker.committed_offsets().count()).sum::<usize>(), 0);
}

/// OffsetDelete: of an empty group any, of a living one what nobody subscribes to (else 86), of other kinds of groups none (68).
#[test]
fn offsets_are_deleted() {
    let (mut world, client) = world_with_topic(1, &[]);
    let delete = |world: &mut World, group: &str| {
        let partition = |index: i32| OffsetDeleteRequestPartition::default().with_partition_index(index);
        let topic = OffsetDeleteRequestTopic::default().with_name(topic_name("t"));
        let topic = topic.with_partitions(vec![partition(0), partition(1), partition(7)]);
        let request = OffsetDeleteRequest::default().with_group_id(group_id(group)).with_topics(vec![topic]);
        let response = world.call(client, 0, &request);
        let codes = response.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code);
        (response.error_code, codes.collect::<Vec<_>>())
    };
    assert_eq!(delete(&mut world, "g"), (69, vec![]));
    assert_eq!(commit(&mut world, client, "", &[("t", 0, 5)]), [0]);
    assert_eq!(delete(&mut world, ""), (24, vec![]));
    assert_eq!(commit(&mut world, client, "g", &[("t", 0, 5), ("t", 2, 6)]), [0, 0]);
    assert_eq!(delete(&mut world, "g"), (0, vec![0, 0, 3]));
    assert_eq!(committed(&mut world, client, "g"), owned(&[("t", 2, 6)]));
    let reader = |topic: &str| {
        let mut metadata = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
        metadata.extend_from_slice(topic.as_bytes());
        metadata.extend_from_slice(&[0xff; 4]);
        metadata
    };
    for (group, kind, topic, expected) in [
        ("reads-t", "consumer", "t", (0, vec![86, 86, 3])),
        ("reads-u", "consumer", "u", (0, vec![0, 0, 3])),
        ("connect", "connect", "t", (68, vec![])),
    ] {
        let member = world.connect(0);
        let mut request = join(group, "").with_protocol_type(text(kind));
        request.protocols[0].metadata = reader(topic).into();
        let joined = world.call(member, 3, &request);
        world.call(member, 5, &sync(group, &joined.member_id, 1, &[]));
        assert_eq!(delete(&mut world, group), expected, "{group}");
    }
}

/// The log of a coordinator stays small whatever is committed, and what it says stays the same over restarts.
#[test]
fn logs_of_coordinators_are_bounded() {
    let (mut world, client) = world_with_topic(1, &[("offsets.topic.num.partitions", "1")]);
    let member = world.connect(0);
    let id = first_member(&mut world, member, "living");
    for round in 0..30_000i64 {
        let group = format!("g{}", round % 50);
        world.post(client, 8, &commit_request(&group, ("", -1), &[("t", (round % 3) as i32, round)]));
        if round % 50 == 49 {
            world.run();
            (0..50).for_each(|_| assert_eq!(codes(&world.receive::<OffsetCommitRequest>(client)), [0]));
        }
    }
    let before: Vec<_> = (0..50).map(|group| committed(&mut world, client, &format!("g{group}"))).collect();
    let topic = world.brokers[0].image().topic_by_name("__consumer_offsets").expect("made").clone();
    let partition = topic.partition_ids().next().expect("one");
    let offsets = world.brokers[0].log().offsets(partition).expect("here");
    let kept = offsets.log_end.0 - offsets.log_start.0;
    assert!(offsets.log_end.0 > 30_000 && kept < 15_000, "{kept} records of {}", offsets.log_end.0);
    let mut world = World::on(world.disk, 1, &[QUICK], 9);
    let client = coordinator(&mut world, "g");
    let after: Vec<_> = (0..50).map(|group| committed(&mut world, client, &format!("g{group}"))).collect();
    assert_eq!(before, after);
    assert_eq!(heartbeat(&mut world, client, "living", &id, 1), 0);
}
