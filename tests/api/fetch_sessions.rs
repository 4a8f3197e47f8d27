//! Incremental fetch sessions (KIP-227).

use crate::client::*;
use crate::world::{Client, World};
use kafka_protocol::messages::fetch_request::ForgottenTopic;
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use uuid::Uuid;

fn world() -> (World, Client, Client) {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 3, &[]);
    (world, client, producer)
}

fn asked(id: i32, epoch: i32, partitions: &[(&str, i32, i64)]) -> FetchRequest {
    fetch_request(1, 500, partitions).with_session_id(id).with_session_epoch(epoch)
}

/// Begins a session with all three partitions.
fn begin(world: &mut World, client: Client) -> i32 {
    let request = asked(0, 0, &[("t", 0, 0), ("t", 1, 0), ("t", 2, 0)]).with_max_wait_ms(0);
    let response = world.call(client, 12, &request);
    assert_eq!((response.error_code, indexes(&response)), (0, vec![0, 1, 2]), "a full answer names every partition");
    assert!(response.session_id > 0);
    response.session_id
}

fn indexes(response: &FetchResponse) -> Vec<i32> {
    fetched(response).iter().map(|partition| partition.partition_index).collect()
}

#[test]
fn an_empty_incremental_fetch_waits_and_is_answered_with_nothing() {
    let (mut world, client, producer) = world();
    let id = begin(&mut world, client);
    world.send(client, 12, &asked(id, 1, &[]));
    assert!(world.raw_answer(client).is_none(), "no busy loop: it waits for data or its time");
    world.advance(490);
    assert!(world.raw_answer(client).is_none());
    world.advance(20);
    let response = world.receive::<FetchRequest>(client);
    assert_eq!((response.error_code, response.session_id, indexes(&response)), (0, id, vec![]));
    world.send(client, 12, &asked(id, 2, &[]));
    world.produce(producer, "t", 1, Batch::of(2));
    let response = world.receive::<FetchRequest>(client);
    assert_eq!(indexes(&response), [1], "only what changed");
    assert_eq!(batches(&fetched(&response)[0]).len(), 1);
}

#[test]
fn the_session_remembers_offsets_and_forgets_partitions() {
    let (mut world, client, producer) = world();
    let id = begin(&mut world, client);
    for partition in 0..3 {
        world.produce(producer, "t", partition, Batch::of(1));
    }
    let response = world.call(client, 12, &asked(id, 1, &[]));
    assert_eq!(indexes(&response), [0, 1, 2]);
    // What is not fetched again comes again; what was asked for anew does not.
    let response = world.call(client, 12, &asked(id, 2, &[("t", 0, 1), ("t", 1, 1)]));
    assert_eq!(indexes(&response), [2]);
    let forgotten = ForgottenTopic::default().with_topic(topic_name("t")).with_partitions(vec![2]);
    let mut request = asked(id, 3, &[]);
    request.forgotten_topics_data = vec![forgotten];
    world.send(client, 12, &request);
    world.produce(producer, "t", 2, Batch::of(1));
    assert!(world.raw_answer(client).is_none());
    world.produce(producer, "t", 1, Batch::of(1));
    assert_eq!(indexes(&world.receive::<FetchRequest>(client)), [1]);
}

#[test]
fn an_error_is_answered_at_once_and_each_time() {
    let (mut world, client, _) = world();
    let id = begin(&mut world, client);
    for epoch in 1..4 {
        let new = if epoch == 1 { vec![("missing", 0, 0)] } else { Vec::new() };
        let response = world.call(client, 12, &asked(id, epoch, &new));
        assert_eq!(fetched(&response).iter().map(|one| one.error_code).collect::<Vec<_>>(), [3], "epoch {epoch}");
    }
}

#[test]
fn wrong_ids_and_epochs_get_their_codes_and_nothing_else() {
    let (mut world, client, _) = world();
    let id = begin(&mut world, client);
    for (id, epoch, code) in [(id ^ 1, 1, 70), (0, 1, 70), (id, 2, 71), (id, -2, 71)] {
        let response = world.call(client, 12, &asked(id, epoch, &[("t", 0, 0)]));
        assert_eq!((response.error_code, response.session_id, response.responses.len()), (code, 0, 0));
    }
    let by_id = world.call(client, 13, &asked(id, 1, &[]));
    assert_eq!(by_id.error_code, 106, "a session of names");
    let goes_on = asked(id, 1, &[]).with_max_wait_ms(0);
    assert_eq!(world.call(client, 12, &goes_on).error_code, 0, "none of this moved the session");
    // -1 ends it, and so does 0, which begins another.
    let request = asked(id, -1, &[("t", 0, 0)]).with_max_wait_ms(0);
    assert_eq!(world.call(client, 12, &request).session_id, 0);
    assert_eq!(world.call(client, 12, &asked(id, 2, &[])).error_code, 70);
    let first = begin(&mut world, client);
    let request = asked(first, 0, &[("t", 0, 0)]).with_max_wait_ms(0);
    let second = world.call(client, 12, &request).session_id;
    assert!(second > 0 && second != first);
    assert_eq!(world.call(client, 12, &asked(first, 1, &[])).error_code, 70);
}

#[test]
fn a_session_outlives_its_connection_but_not_its_broker() {
    let (mut world, client, producer) = world();
    let id = begin(&mut world, client);
    world.disconnect(client);
    world.produce(producer, "t", 0, Batch::of(1));
    assert_eq!(indexes(&world.call(producer, 12, &asked(id, 1, &[]))), [0]);
    let mut world = crate::fetch::restarted(world);
    let client = world.connect(0);
    assert_eq!(world.call(client, 12, &asked(id, 2, &[])).error_code, 70);
}

#[test]
fn sessions_by_topic_id_tell_a_topic_that_was_made_again() {
    let (mut world, client, _) = world();
    let id = world.create_topic(client, "u", 1, &[]);
    let mut request = asked(0, 0, &[("", 0, 0)]).with_max_wait_ms(0);
    request.topics[0].topic_id = id;
    let session = world.call(client, 17, &request).session_id;
    assert!(session > 0);
    world.send(client, 17, &asked(session, 1, &[]).with_max_wait_ms(60_000));
    let admin = world.connect(0);
    assert_eq!(world.call(admin, 6, &delete_request("u")).responses[0].error_code, 0);
    let response = world.receive::<FetchRequest>(client);
    assert_eq!((fetched(&response)[0].error_code, response.responses[0].topic_id), (100, id));
    assert_ne!(world.create_topic(admin, "u", 1, &[]), id);
    let again = world.call(client, 17, &asked(session, 2, &[]));
    assert_eq!(fetched(&again)[0].error_code, 100);
    let mut forget = asked(session, 3, &[]).with_max_wait_ms(0);
    forget.forgotten_topics_data = vec![ForgottenTopic::default().with_topic_id(id).with_partitions(vec![0])];
    let empty = world.call(client, 17, &forget);
    assert_eq!((empty.session_id, empty.error_code, empty.responses.len()), (0, 0, 0), "a session of nothing ends");
    assert_ne!(id, Uuid::nil());
}

#[test]
fn versions_without_sessions_never_see_one() {
    let (mut world, client, _) = world();
    for version in 4..=17 {
        let mut request = fetch_request(0, 0, &[("t", 0, 0)]);
        if version >= 13 {
            request = fetch_request(0, 0, &[]);
        }
        let response = world.call(client, version, &request.with_session_epoch(-1));
        assert_eq!((response.session_id, response.error_code), (0, 0), "version {version}");
    }
}

#[test]
fn small_answers_give_every_partition_its_turn() {
    let (mut world, client, producer) = world();
    let id = begin(&mut world, client);
    for partition in 0..3 {
        for _ in 0..3 {
            world.produce(producer, "t", partition, Batch { value_bytes: 1000, ..Batch::of(1) });
        }
    }
    let mut turns = Vec::new();
    let mut next: Vec<(&str, i32, i64)> = Vec::new();
    let mut offsets = [0; 3];
    for epoch in 1..=9 {
        let response = world.call(client, 12, &asked(id, epoch, &next).with_max_bytes(100));
        let with_records: Vec<_> = fetched(&response)
            .into_iter()
            .filter(|one| !batches(one).is_empty())
            .map(|one| one.partition_index)
            .collect();
        let [served] = with_records[..] else { panic!("one batch fits: {with_records:?}") };
        offsets[served as usize] += 1;
        next = vec![("t", served, offsets[served as usize])];
        turns.push(served);
    }
    assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}
