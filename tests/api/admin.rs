//! CreateTopics, DeleteTopics, DeleteRecords, InitProducerId.

use crate::client::*;
use crate::produce::init_request;
use crate::world::{Client, World};
use kafka_protocol::messages::create_topics_request::CreatableReplicaAssignment;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::*;
use std::collections::BTreeSet;

#[test]
fn c44_topics_are_created_through_any_core_in_every_version() {
    let mut world = World::new(2, &[("num.partitions", "3")]);
    for core in 0..2 {
        let client = world.connect(core);
        for version in 2..=7 {
            let name = format!("t-{core}-{version}");
            let count = if version >= 4 { -1 } else { 3 };
            let mut request = create_request(&name, count, &[("segment.bytes", "1100000")]);
            request.topics[0].replication_factor = if version >= 4 { -1 } else { 1 };
            let result = world.call(client, version, &request).topics.remove(0);
            assert_eq!((result.error_code, result.error_message), (0, None));
            if version >= 5 {
                assert_eq!((result.num_partitions, result.replication_factor), (3, 1));
                let configs = result.configs.expect("configs");
                let config = |name: &str| configs.iter().find(|one| &*one.name == name).expect("listed").clone();
                assert_eq!(config("segment.bytes").value.as_deref(), Some("1100000"));
                assert_eq!((config("segment.bytes").config_source, config("cleanup.policy").config_source), (1, 5));
            }
            let again = world.call(client, version, &request).topics.remove(0);
            assert_eq!(again.error_code, 36);
            for other in 0..2 {
                let other = world.connect(other);
                assert_eq!(world.call(other, 9, &metadata_request(&[&name])).topics[0].partitions.len(), 3);
            }
        }
    }
}

#[test]
fn c44_bad_topics_get_their_codes() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    let mut code = |request: &CreateTopicsRequest| {
        let result = world.call(client, 5, request).topics.remove(0);
        assert!(result.error_code == 0 || result.error_message.is_some_and(|message| !message.is_empty()));
        result.error_code
    };
    assert_eq!(code(&create_request("a/b", 1, &[])), 17);
    assert_eq!(code(&create_request("t", 0, &[])), 37);
    assert_eq!(code(&create_request("t", 1, &[("no.such.config", "1")])), 40);
    assert_eq!(code(&create_request("t", 1, &[("max.message.bytes", "x")])), 40);
    let mut replicated = create_request("t", 1, &[]);
    replicated.topics[0].replication_factor = 2;
    assert_eq!(code(&replicated), 38, "two cores are one machine");
    let mut assigned = create_request("t", -1, &[]);
    assigned.topics[0].assignments =
        vec![CreatableReplicaAssignment::default().with_partition_index(0).with_broker_ids(vec![BrokerId(7)])];
    assert_eq!(code(&assigned), 39);
    let mut twice = create_request("t", 1, &[]);
    twice.topics.push(twice.topics[0].clone());
    assert_eq!(code(&twice), 42);
    assert_eq!(code(&create_request("t", 1, &[]).with_validate_only(true)), 0);
    assert_eq!(code(&create_request("t", 1, &[])), 0, "validation made nothing");
    assert_eq!(code(&create_request("t", 1, &[]).with_validate_only(true)), 36);
}

#[test]
fn a_manual_assignment_places_the_leader() {
    let mut world = World::new(3, &[]);
    let client = world.connect(0);
    let mut request = create_request("t", -1, &[]);
    let assignment = |index: i32, broker: i32| {
        CreatableReplicaAssignment::default().with_partition_index(index).with_broker_ids(vec![BrokerId(broker)])
    };
    request.topics[0].assignments = vec![assignment(0, 2), assignment(1, 2), assignment(2, 0)];
    assert_eq!(world.call(client, 7, &request).topics[0].error_code, 0);
    let owners: Vec<_> = (0..3).map(|partition| world.owner("t", partition)).collect();
    assert_eq!(owners, [2, 2, 0]);
}

#[test]
fn a_creation_waits_for_its_record() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    world.hold_metadata = true;
    world.send(client, 7, &create_request("t", 1, &[]));
    assert!(world.raw_answer(client).is_none(), "not durable");
    let other = world.connect(0);
    let seen = world.call(other, 9, &metadata_request(&["t"]).with_allow_auto_topic_creation(false));
    assert_eq!(seen.topics[0].error_code, 3);
    world.hold_metadata = false;
    world.run();
    assert_eq!(world.receive::<CreateTopicsRequest>(client).topics[0].error_code, 0);
}

/// Names and numbers of partitions.
fn all_topics(world: &mut World, client: Client) -> Vec<(String, usize)> {
    let response = world.call(client, 12, &MetadataRequest::default().with_topics(None));
    let facts = |topic: &metadata_response::MetadataResponseTopic| {
        (topic.name.as_ref().expect("a name").to_string(), topic.partitions.len())
    };
    let mut topics: Vec<_> = response.topics.iter().map(facts).collect();
    topics.sort_unstable();
    topics
}

/// C44: an answer that does not come in time is REQUEST_TIMED_OUT, and the work goes on; without any time nothing is begun.
#[test]
fn c44_admin_writes_past_their_timeout() {
    for core in 0..2 {
        let mut world = World::new(2, &[]);
        let (client, other) = (world.connect(core), world.connect(0));
        world.create_topic(client, "gone", 1, &[]);
        world.create_topic(client, "grows", 1, &[]);
        for timeout_ms in [0, -1, i32::MIN] {
            let created =
                world.call(client, 7, &create_request("t", 1, &[]).with_timeout_ms(timeout_ms)).topics.remove(0);
            assert_eq!((created.error_code, &**created.name), (7, "t"));
            assert!(created.error_message.is_some_and(|message| message.contains("nothing")));
            let deleted = world.call(client, 6, &delete_request("gone").with_timeout_ms(timeout_ms));
            assert_eq!(deleted.responses[0].error_code, 7);
            let grown = world.call(client, 3, &crate::describe::grow_request("grows", 2).with_timeout_ms(timeout_ms));
            assert_eq!(grown.results[0].error_code, 7);
        }
        assert_eq!(
            all_topics(&mut world, other),
            [("gone".to_string(), 1), ("grows".to_string(), 1)],
            "nothing happened"
        );
        world.hold_metadata = true;
        world.post(client, 7, &create_request("t", 1, &[]).with_timeout_ms(3_000));
        world.post(client, 6, &delete_request("gone").with_timeout_ms(1_000));
        world.post(client, 3, &crate::describe::grow_request("grows", 2).with_timeout_ms(2_000));
        world.advance(2_800);
        assert!(world.raw_answer(client).is_none(), "the others stand behind the first, which has time");
        world.advance(400);
        let created = world.receive::<CreateTopicsRequest>(client).topics.remove(0);
        assert_eq!(created.error_code, 7);
        assert!(created.error_message.is_some_and(|message| message.contains("goes on")));
        assert_eq!(world.receive::<DeleteTopicsRequest>(client).responses[0].error_code, 7);
        assert_eq!(world.receive::<CreatePartitionsRequest>(client).results[0].error_code, 7);
        world.hold_metadata = false;
        world.run();
        assert!(world.raw_answer(client).is_none(), "answered once");
        assert_eq!(
            all_topics(&mut world, client),
            [("grows".to_string(), 2), ("t".to_string(), 1)],
            "all of it happened"
        );
        // Nobody is late who was answered in time.
        world.create_topic(client, "later", 1, &[]);
        world.advance(6_000);
        assert!(world.raw_answer(client).is_none());
    }
}

/// C44: -1 partitions or replicas mean the broker's default; in versions before 4 too, as Kafka 4.3 does.
#[test]
fn c44_minus_one_is_the_default_in_every_version() {
    let mut world = World::new(1, &[("num.partitions", "3")]);
    let client = world.connect(0);
    for version in 2..=7 {
        let name = format!("t-{version}");
        let created = world.call(client, version, &create_request(&name, -1, &[])).topics.remove(0);
        assert_eq!(created.error_code, 0, "version {version}: {:?}", created.error_message);
        assert_eq!(world.call(client, 9, &metadata_request(&[&name])).topics[0].partitions.len(), 3);
    }
}

#[test]
fn topics_are_deleted_by_name_and_id_and_made_again_empty() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    for version in 1..=6 {
        let id = world.create_topic(client, "t", 2, &[]);
        let leader = world.leader(client, "t", 0);
        let producer = world.connect(leader);
        assert_eq!(world.produce(producer, "t", 0, Batch::of(1)), 0, "a new incarnation begins at 0");
        let request = match version {
            ..6 => DeleteTopicsRequest::default().with_topic_names(vec![topic_name("t"), topic_name("missing")]),
            _ => DeleteTopicsRequest::default().with_topics(vec![
                DeleteTopicState::default().with_name(None).with_topic_id(id),
                DeleteTopicState::default().with_name(Some(topic_name("missing"))),
            ]),
        };
        let response = world.call(client, version, &request.with_timeout_ms(5_000));
        let codes: Vec<_> = response.responses.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [0, 3], "version {version}");
        let refused = world.call(producer, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())]));
        assert_eq!(outcomes(&refused), [(3, -1)]);
    }
    world.advance(5_000);
    let left: BTreeSet<_> = world.brokers.iter().flat_map(|broker| broker.image().deleted().iter().copied()).collect();
    assert!(left.is_empty(), "every core has forgotten the deleted topics, so metadata has: {left:?}");
}

#[test]
fn c46_records_are_deleted_up_to_an_offset() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    world.create_topic(client, "compacted", 1, &[("cleanup.policy", "compact")]);
    for _ in 0..3 {
        world.produce(client, "t", 0, Batch::of(2));
    }
    let mut ask = |version: i16, topic: &str, partition: i32, offset: i64| {
        let response = world.call(client, version, &delete_records_request(topic, partition, offset));
        let result = &response.topics[0].partitions[0];
        (result.error_code, result.low_watermark)
    };
    for version in 0..=2 {
        assert_eq!(ask(version, "t", 0, 3), (0, 3));
    }
    assert_eq!(ask(2, "t", 0, 1), (0, 3), "the log start does not go back");
    assert_eq!(ask(2, "t", 0, 7), (1, -1));
    assert_eq!(ask(2, "t", 0, -2), (1, -1));
    assert_eq!(ask(2, "t", 9, 0), (3, -1));
    assert_eq!(ask(2, "missing", 0, 0), (3, -1));
    assert_eq!(ask(2, "compacted", 0, 0), (44, -1));
    assert_eq!(ask(2, "t", 1, -1), (0, 0), "an empty partition");
    let straddling = world.fetch(client, "t", 0, 3);
    assert_eq!((batches(&straddling), straddling.log_start_offset), (vec![(2, 0), (4, 0)], 3));
    assert_eq!(world.fetch(client, "t", 0, 2).error_code, 1);
    let all = world.call(client, 2, &delete_records_request("t", 0, -1));
    assert_eq!(all.topics[0].partitions[0].low_watermark, 6);
    assert_eq!(world.produce(client, "t", 0, Batch::of(1)), 6);
}

#[test]
fn a_deletion_of_records_is_answered_after_its_flush() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(2));
    world.hold_flushes = true;
    world.send(client, 2, &delete_records_request("t", 0, 1));
    assert!(world.raw_answer(client).is_none());
    world.hold_flushes = false;
    world.run();
    assert_eq!(world.receive::<DeleteRecordsRequest>(client).topics[0].partitions[0].low_watermark, 1);
    world.hold_flushes = true;
    world.send(client, 2, &delete_records_request("t", 0, 2));
    world.advance(5_200);
    let late = world.receive::<DeleteRecordsRequest>(client);
    assert_eq!((late.topics[0].partitions[0].error_code, late.topics[0].partitions[0].low_watermark), (7, -1));
}

#[test]
fn producer_ids_never_repeat_over_cores_and_restarts() {
    let mut seen = BTreeSet::new();
    let mut world = World::new(2, &[]);
    for round in 0..3 {
        for core in 0..2 {
            let client = world.connect(core);
            for version in 0..=5 {
                world.post(client, version, &init_request());
            }
            for _ in 0..300 {
                world.post(client, 4, &init_request());
            }
            world.run();
            for _ in 0..306 {
                let response = world.receive::<InitProducerIdRequest>(client);
                assert_eq!((response.error_code, response.producer_epoch), (0, 0));
                assert!(seen.insert(response.producer_id.0), "round {round}: {} twice", response.producer_id.0);
            }
        }
        world = crate::fetch::restarted(world);
    }
    let client = world.connect(0);
    for id in ["", "payments"] {
        let request = init_request().with_transactional_id(Some(TransactionalId(text(id))));
        let response = world.call(client, 4, &request);
        assert_eq!((response.error_code, response.producer_id.0, response.producer_epoch), (42, -1, -1));
    }
}
