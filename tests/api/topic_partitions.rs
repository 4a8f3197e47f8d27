//! DescribeTopicPartitions and ListPartitionReassignments, beside what Kafka 4.3.1 and 3.9.1 answered to the same requests.

use crate::client::*;
use crate::world::{Client, World};
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::*;

const EVERYTHING: i32 = 3576;

fn request(limit: i32, cursor: Option<(&str, i32)>, topics: &[&str]) -> DescribeTopicPartitionsRequest {
    let cursor = cursor
        .map(|(topic, partition)| Cursor::default().with_topic_name(topic_name(topic)).with_partition_index(partition));
    DescribeTopicPartitionsRequest::default()
        .with_topics(topics.iter().map(|topic| TopicRequest::default().with_name(topic_name(topic))).collect())
        .with_response_partition_limit(limit)
        .with_cursor(cursor)
}

/// A page as text: each topic with its error or the partitions that were given, then the next cursor.
fn page(world: &mut World, client: Client, request: &DescribeTopicPartitionsRequest) -> String {
    let response = world.call(client, 0, request);
    let topic = |topic: &describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic| {
        let name = topic.name.as_ref().expect("a name").as_str();
        let partitions: Vec<_> = topic.partitions.iter().map(|one| one.partition_index.to_string()).collect();
        match topic.error_code {
            0 => format!("{name}:{}", partitions.join(",")),
            code => format!("{name}!{code}"),
        }
    };
    let mut said: Vec<_> = response.topics.iter().map(topic).collect();
    said.extend(response.next_cursor.map(|next| format!("-> {} {}", next.topic_name.as_str(), next.partition_index)));
    said.join(" ")
}

#[test]
fn topics_are_described_page_by_page_as_kafka_does() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    for (topic, partitions) in [("c.d", 4), ("a", 3), ("b", 2)] {
        world.create_topic(client, topic, partitions, &[]);
    }
    // (limit, cursor, topics) and Kafka's answer; Kafka refuses the whole request for an empty name, with error -1.
    type Asked<'a> = (i32, Option<(&'a str, i32)>, &'a [&'a str]);
    let cases: &[(Asked<'_>, &str)] = &[
        ((2000, None, &[]), "a:0,1,2 b:0,1 c.d:0,1,2,3"),
        ((2000, None, &["c.d", "a"]), "a:0,1,2 c.d:0,1,2,3"),
        ((2000, None, &["nope", "a/b", "a"]), "a:0,1,2 a/b!17 nope!3"),
        ((2000, None, &[""]), "!17"),
        ((2000, None, &["a", "a"]), "a:0,1,2"),
        ((2, None, &[]), "a:0,1 -> a 2"),
        ((3, None, &[]), "a:0,1,2 -> b 0"),
        ((3, None, &["a"]), "a:0,1,2"),
        ((0, None, &[]), "a:0 -> a 1"),
        ((-5, None, &[]), "a:0 -> a 1"),
        ((3, None, &["a", "aa", "b"]), "a:0,1,2 -> aa 0"),
        ((4, None, &["a", "aa", "b"]), "a:0,1,2 aa!3 b:0 -> b 1"),
        ((3, Some(("a", 1)), &[]), "a:1,2 b:0 -> b 1"),
        ((3, Some(("a", 3)), &[]), "a: b:0,1 c.d:0 -> c.d 1"),
        ((3, Some(("a", i32::MAX)), &[]), "a: b:0,1 c.d:0 -> c.d 1"),
        ((3, Some(("a", -1)), &[]), ""),
        ((3, Some(("aa", 1)), &[]), "b:0,1 c.d:0 -> c.d 1"),
        ((3, Some(("b", 1)), &["a", "b"]), "b:1"),
        ((3, Some(("b", 1)), &["a"]), "a!42"),
        ((3, Some(("b", 1)), &["c.d", "a"]), "c.d!42 a!42"),
        ((3, Some(("a", -1)), &["a"]), "a!42"),
        ((3, Some(("zz", 0)), &[]), ""),
        ((3, Some(("nope", 5)), &["nope", "a"]), "nope!3"),
    ];
    for ((limit, cursor, topics), expected) in cases {
        let said = page(&mut world, client, &request(*limit, *cursor, topics));
        assert_eq!(said, *expected, "limit {limit}, cursor {cursor:?}, topics {topics:?}");
    }
}

#[test]
fn a_page_says_what_metadata_says_on_every_core() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 5, &[]);
    let mut world = crate::fetch::restarted(world);
    for core in 0..2 {
        let client = world.connect(core);
        let topic = world.call(client, 0, &request(100, None, &["t", "missing"])).topics;
        let facts = |at: usize| {
            (topic[at].error_code, topic[at].topic_id, topic[at].is_internal, topic[at].topic_authorized_operations)
        };
        assert_eq!(facts(1), (0, id, false, EVERYTHING));
        assert_eq!(facts(0), (3, uuid::Uuid::nil(), false, EVERYTHING), "Kafka says so of unknown topics too");
        let metadata = world.call(client, 12, &metadata_request(&["t"])).topics.remove(0);
        assert_eq!(topic[1].partitions.len(), 5);
        for (page, known) in topic[1].partitions.iter().zip(&metadata.partitions) {
            assert_eq!((page.error_code, page.partition_index), (0, known.partition_index));
            assert_eq!((page.leader_id, page.leader_epoch), (known.leader_id, known.leader_epoch));
            assert_eq!((&page.replica_nodes, &page.isr_nodes), (&known.replica_nodes, &known.isr_nodes));
            assert_eq!((&page.eligible_leader_replicas, &page.last_known_elr), (&Some(vec![]), &Some(vec![])));
            assert!(page.leader_epoch > 0 && page.offline_replicas.is_empty());
        }
    }
}

#[test]
fn no_page_holds_more_than_the_limit() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    for topic in 0..3 {
        world.create_topic(client, &format!("t{topic}"), 1_500, &[]);
    }
    let (mut cursor, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let asked = request(i32::MAX, None, &[]).with_cursor(cursor);
        let response = world.call(client, 0, &asked);
        assert!(response.topics.iter().map(|topic| topic.partitions.len()).sum::<usize>() <= 2_000);
        for topic in &response.topics {
            seen.extend(topic.partitions.iter().map(|one| (topic.name.clone(), one.partition_index)));
        }
        pages += 1;
        let Some(next) = response.next_cursor else { break };
        cursor = Some(Cursor::default().with_topic_name(next.topic_name).with_partition_index(next.partition_index));
    }
    assert_eq!((pages, seen.len()), (3, 4_500));
    assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]), "each partition once, in order");
}

/// There is one machine: no replica can be on the move, whatever is asked about.
#[test]
fn no_partition_is_reassigned() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    world.create_topic(client, "t", 2, &[]);
    let topic = |name: &str, partitions: &[i32]| {
        ListPartitionReassignmentsTopics::default()
            .with_name(topic_name(name))
            .with_partition_indexes(partitions.to_vec())
    };
    let all = ListPartitionReassignmentsRequest::default().with_topics(None);
    let named = vec![topic("t", &[0, 9]), topic("missing", &[0]), topic("a/b", &[-1]), topic("t", &[])];
    for asked in [all.clone(), all.clone().with_topics(Some(named)), all.with_timeout_ms(-1)] {
        let response = world.call(client, 0, &asked);
        assert_eq!((response.error_code, response.error_message, response.topics), (0, None, vec![]));
    }
}
