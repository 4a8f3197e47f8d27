//! Metadata and ApiVersions: who is who, and topics that are made by asking.

use crate::client::*;
use crate::world::{World, per_machine};
use bytes::{Buf, Bytes};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};
use kafka_protocol::protocol::Decodable;
use uuid::Uuid;

#[test]
fn c21_every_core_is_a_broker_and_core_0_the_controller() {
    let mut world = World::new(3, &[]);
    let admin = world.connect(1);
    let id = world.create_topic(admin, "t", 6, &[]);
    let mut cluster_id = None;
    for core in 0..3 {
        let client = world.connect(core);
        for version in 0..=12 {
            let response = world.call(client, version, &metadata_request(&["t"]).with_allow_auto_topic_creation(true));
            let brokers: Vec<_> = response.brokers.iter().map(|one| (one.node_id.0, one.port)).collect();
            assert_eq!(brokers, [(0, 9092), (1, 9093), (2, 9094)][..if per_machine() { 1 } else { 3 }]);
            assert!(response.brokers.iter().all(|one| &*one.host == "127.0.0.1" && one.rack.is_none()));
            if version >= 1 {
                assert_eq!(response.controller_id.0, 0);
            }
            if version >= 2 {
                assert_eq!(*cluster_id.get_or_insert(response.cluster_id.clone()), response.cluster_id);
                assert_eq!(response.cluster_id.as_deref().map(|id| id.len()), Some(22));
            }
            let topic = &response.topics[0];
            assert_eq!((topic.error_code, topic.is_internal, topic.partitions.len()), (0, false, 6));
            if version >= 10 {
                assert_eq!(topic.topic_id, id);
            }
            let mut leaders = [0; 3];
            for partition in &topic.partitions {
                leaders[partition.leader_id.0 as usize] += 1;
                assert_eq!(
                    (&partition.replica_nodes[..], &partition.isr_nodes[..]),
                    (&[partition.leader_id][..], &[partition.leader_id][..])
                );
                assert_eq!(partition.leader_epoch, if version >= 7 { 0 } else { -1 });
            }
            assert_eq!(leaders, if per_machine() { [6, 0, 0] } else { [2, 2, 2] }, "leaders are spread evenly");
        }
    }
}

#[test]
fn c20_null_means_all_and_empty_means_none() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "a", 1, &[]);
    world.create_topic(client, "b", 1, &[]);
    let all = MetadataRequest::default().with_topics(None);
    let none = MetadataRequest::default().with_topics(Some(Vec::new()));
    assert_eq!(world.call(client, 0, &none).topics.len(), 2, "version 0 knows no null");
    for version in 1..=12 {
        assert_eq!(world.call(client, version, &all).topics.len(), 2);
        assert_eq!(world.call(client, version, &none).topics.len(), 0);
    }
}

#[test]
fn c20_e5_unknown_and_illegal_names_and_ids() {
    let mut world = World::new(1, &[("auto.create.topics.enable", "false")]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 1, &[]);
    let response = world.call(client, 9, &metadata_request(&["missing", "a/b", "t", "t"]));
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [3, 17, 0], "a topic named twice is answered once");
    let by_id = |id: Uuid| MetadataRequestTopic::default().with_topic_id(id).with_name(None);
    let topics = vec![by_id(id), by_id(Uuid::from_bytes([9; 16])), by_id(Uuid::nil())];
    let response = world.call(client, 12, &MetadataRequest::default().with_topics(Some(topics)));
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [0, 100, 42]);
    assert_eq!(response.topics[0].name.as_deref().map(|name| name.as_str()), Some("t"));
}

/// `kafka-topics --describe --topic-id` failed, "TopicId ... not found": Java's admin client asks by id with an empty name beside
/// it, which was looked up and found illegal. Kafka goes by the id as soon as there is one, and creates nothing.
#[test]
fn e5_an_id_counts_more_than_the_name_beside_it() {
    let mut world = World::new(1, &[("auto.create.topics.enable", "true")]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 1, &[]);
    let asked =
        |id: Uuid, name: &str| MetadataRequestTopic::default().with_topic_id(id).with_name(Some(topic_name(name)));
    let unknown = Uuid::from_bytes([9; 16]);
    let topics = vec![asked(id, ""), asked(unknown, "new"), asked(id, "other")];
    let request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(true);
    let response = world.call(client, 12, &request);
    let found: Vec<_> = response.topics.iter().map(|one| (one.error_code, one.topic_id, one.name.as_ref())).collect();
    assert_eq!(found, [(0, id, Some(&topic_name("t"))), (100, unknown, None)]);
    let all = world.call(client, 12, &MetadataRequest::default().with_topics(None));
    assert_eq!(all.topics.len(), 1, "asking by id creates nothing");
}

#[test]
fn c20_a_missing_topic_is_made_and_the_answer_waits_for_all_cores() {
    let mut world = World::new(2, &[("num.partitions", "4")]);
    for core in 0..2 {
        let client = world.connect(core);
        let name = format!("made-{core}");
        world.hold_mesh = true;
        world.post(client, 9, &metadata_request(&[&name]));
        world.run();
        assert!(world.raw_answer(client).is_none(), "core {core}: not applied everywhere");
        for _ in 0..3 {
            world.run();
        }
        world.hold_mesh = false;
        world.run();
        world.run();
        let response = world.receive::<MetadataRequest>(client);
        assert_eq!((response.topics[0].error_code, response.topics[0].partitions.len()), (0, 4));
        for partition in 0..4 {
            let leader = response.topics[0].partitions[partition as usize].leader_id.0 as usize;
            let producer = world.connect(leader);
            assert_eq!(world.produce(producer, &name, partition, Batch::of(1)), 0, "it can be used at once");
        }
    }
    let client = world.connect(1);
    let mut forbidden = metadata_request(&["not-made"]);
    forbidden.allow_auto_topic_creation = false;
    assert_eq!(world.call(client, 9, &forbidden).topics[0].error_code, 3);
    let codes: Vec<_> = world
        .call(client, 9, &metadata_request(&["__consumer_offsets", "a b"]))
        .topics
        .iter()
        .map(|topic| topic.error_code)
        .collect();
    assert_eq!(codes, [3, 17]);
}

#[test]
fn two_clients_may_ask_for_the_same_missing_topic() {
    let mut world = World::new(2, &[]);
    let clients = [world.connect(0), world.connect(1), world.connect(1)];
    for client in clients {
        world.post(client, 9, &metadata_request(&["t", "u"]));
    }
    world.run();
    let ids: Vec<Vec<Uuid>> = clients
        .iter()
        .map(|client| world.receive::<MetadataRequest>(*client))
        .map(|response| response.topics.iter().map(|topic| topic.topic_id).collect())
        .collect();
    assert!(ids.iter().all(|these| *these == ids[0]));
}

#[test]
fn authorized_operations_only_when_asked_for() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let mut request = metadata_request(&["t"]);
    assert_eq!(world.call(client, 9, &request).topics[0].topic_authorized_operations, i32::MIN);
    request.include_topic_authorized_operations = true;
    request.include_cluster_authorized_operations = true;
    let response = world.call(client, 9, &request);
    assert_eq!((response.topics[0].topic_authorized_operations, response.cluster_authorized_operations), (3576, 8096));
}

#[test]
fn c4_c5_c6_api_versions_lists_the_table_and_knows_its_limits() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let named =
        ApiVersionsRequest::default().with_client_software_name(text("test")).with_client_software_version(text("1.0"));
    for version in 0..=4 {
        let request = if version >= 3 { named.clone() } else { ApiVersionsRequest::default() };
        let response = world.call(client, version, &request);
        assert_eq!(response.error_code, 0);
        let listed: Vec<_> =
            response.api_keys.iter().map(|one| (one.api_key, one.min_version, one.max_version)).collect();
        assert_eq!(listed.len(), corelane::wire::api::APIS.len());
        assert_eq!((listed[0], listed[1]), ((0, 0, 11), (1, 4, 17)));
    }
    let librdkafka = named.clone().with_client_software_name(text("librdkafka"));
    let listed = world.call(client, 3, &librdkafka).api_keys;
    assert_eq!(listed.len(), corelane::wire::api::APIS.len());
    assert!(listed.iter().any(|one| (one.api_key, one.min_version) == (10, 0)), "else it never sends lz4");
    let unnamed = named.clone().with_client_software_name(text("-"));
    assert_eq!(world.call(client, 3, &unnamed).error_code, 42);
    // Too new: version 0 of the answer, which lists ApiVersions alone.
    let mut request = Vec::new();
    for field in [18i16, 99] {
        request.extend_from_slice(&field.to_be_bytes());
    }
    request.extend_from_slice(&77i32.to_be_bytes());
    request.extend_from_slice(b"whatever comes then");
    world.post_frame(client, frame(&request));
    world.run();
    let mut answer: Bytes = world.raw_answer(client).expect("an answer");
    assert_eq!(answer.get_i32(), 77);
    let response = ApiVersionsResponse::decode(&mut answer, 0).expect("version 0");
    assert_eq!((response.error_code, response.api_keys.len(), answer.len()), (35, 1, 0));
    assert_eq!((response.api_keys[0].api_key, response.api_keys[0].max_version), (18, 4));
    assert_eq!(world.closed(client), None);
}

/// C4, C5: whatever version of ApiVersions is not served, the answer is version 0 with error 35 and one key, so that the client
/// asks again with what that key says; the header of every answer is version 0.
#[test]
fn c4_c5_every_other_version_of_api_versions_is_answered_in_version_0() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    for (version, correlation) in [(5i16, 1i32), (6, 2), (i16::MAX, 3), (-1, 4), (i16::MIN, 5)] {
        let header = [&18i16.to_be_bytes()[..], &version.to_be_bytes(), &correlation.to_be_bytes()].concat();
        for body in [&b""[..], &[0xFF; 30], &[0, 1, b'x', 0, 5, b'n', b'a', b'm', b'e', 2, b'1', 0]] {
            world.post_frame(client, frame(&[&header[..], body].concat()));
            world.run();
            let answer = world.raw_answer(client).expect("an answer");
            let expected = [&correlation.to_be_bytes()[..], &[0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4]].concat();
            assert_eq!(answer[..], expected, "version {version}");
        }
    }
    assert_eq!(world.closed(client), None);
    let named = ApiVersionsRequest::default().with_client_software_name(text("a"));
    for version in 0..=4 {
        let request = if version >= 3 { named.clone().with_client_software_version(text("1")) } else { named.clone() };
        let request = if version >= 3 { request } else { ApiVersionsRequest::default() };
        world.send(client, version, &request);
        let correlation = world.last_correlation();
        let answer = world.raw_answer(client).expect("an answer");
        assert_eq!(answer[..4], correlation.to_be_bytes());
        assert_eq!(answer[4..6], [0, 0], "the error follows at once: no tags in the header of version {version}");
    }
}

/// C6: names that are none are INVALID_REQUEST 42, from version 3 on, where they exist; the connection stays open.
#[test]
fn c6_software_names_have_a_form() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    for version in 3..=4 {
        for (name, software, code) in [
            ("a", "1", 0),
            ("a.b-c", "1.0-rc.2", 0),
            ("apache-kafka-java", "4.3.1", 0),
            ("", "1", 42),
            ("a", "", 42),
            ("a b", "1", 42),
            ("-a", "1", 42),
            ("a-", "1", 42),
            ("a", "1_", 42),
            ("a_b", "1", 42),
            ("\u{e4}", "1", 42),
        ] {
            let request = ApiVersionsRequest::default()
                .with_client_software_name(text(name))
                .with_client_software_version(text(software));
            let response = world.call(client, version, &request);
            assert_eq!(response.error_code, code, "version {version}: {name:?} {software:?}");
        }
    }
    assert_eq!(world.closed(client), None);
}

/// A new directory's ids and the ids of its first topics once came out of one stream of random numbers, begun twice: the first
/// topic's id was the cluster's, but for the bits of its version.
#[test]
fn the_first_topics_have_ids_of_their_own() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let cluster = world.call(client, 12, &metadata_request(&[])).cluster_id.expect("an id");
    for topic in ["a", "b", "c"] {
        let id = world.create_topic(client, topic, 1, &[]);
        // Six bytes are eight digits of URL-safe base64, and lie before the bits of the version.
        let bits = id.into_bytes()[..6].iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let text: String = (0..8).rev().map(|at| char::from(digits[(bits >> (6 * at)) as usize & 63])).collect();
        assert_ne!(text, cluster[..8], "topic {topic}");
    }
}
