use super::*;
use crate::base::gather::Gather;
use bytes::Bytes;

fn asked(index: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition {
        index,
        current_leader_epoch: -1,
        fetch_offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 1 << 20,
    }
}

fn request(id: i32, epoch: i32, partitions: &[FetchPartition]) -> FetchRequest {
    let topic = FetchTopic { name: "t".to_string().into(), id: TopicId::ZERO, partitions: partitions.to_vec() };
    FetchRequest {
        replica_id: -1,
        replica_epoch: -1,
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation_level: 0,
        session_id: id,
        session_epoch: epoch,
        topics: if partitions.is_empty() { Vec::new() } else { vec![topic] },
        forgotten: Vec::new(),
        rack_id: StrBytes::new(),
        cluster_id: None,
    }
}

/// Answers all partitions of a request: records where `records` says so.
fn answer(request: &FetchRequest, high_watermark: i64, records: &[i32]) -> FetchResponse {
    let partition = |asked: &FetchPartition| {
        let some = Gather::from(Bytes::from_static(b"batch"));
        FetchResponsePartition {
            high_watermark,
            log_start_offset: 0,
            records: if records.contains(&asked.index) { some } else { Gather::new() },
            ..FetchResponsePartition::refused(asked.index, ErrorCode::None)
        }
    };
    let topic = |topic: &FetchTopic| FetchResponseTopic {
        name: topic.name.clone(),
        id: topic.id,
        partitions: topic.partitions.iter().map(partition).collect(),
    };
    FetchResponse { topics: request.topics.iter().map(topic).collect(), ..FetchResponse::default() }
}

struct Client {
    sessions: FetchSessions,
    now_ms: u64,
}

impl Client {
    fn new() -> Client {
        Client { sessions: FetchSessions::new(7), now_ms: 1_000 }
    }

    fn fetch(
        &mut self,
        request: FetchRequest,
        high_watermark: i64,
        records: &[i32],
    ) -> Result<FetchResponse, ErrorCode> {
        let mut request = request;
        let using = self.sessions.enter(&mut request, 12, self.now_ms);
        self.sessions.check();
        let mut response = answer(&request, high_watermark, records);
        self.sessions.leave(using?, &mut response);
        self.sessions.check();
        Ok(response)
    }

    fn begin(&mut self, partitions: i32) -> i32 {
        let all: Vec<_> = (0..partitions).map(|index| asked(index, 0)).collect();
        self.fetch(request(0, 0, &all), 0, &[]).expect("begins").session_id
    }
}

fn indexes(response: &FetchResponse) -> Vec<i32> {
    response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.index).collect()
}

#[test]
fn only_what_changed_is_answered() {
    let mut client = Client::new();
    let id = client.begin(3);
    assert!(id > 0);
    assert!(indexes(&client.fetch(request(id, 1, &[]), 0, &[]).expect("known")).is_empty());
    assert_eq!(indexes(&client.fetch(request(id, 2, &[]), 0, &[1]).expect("known")), [1]);
    assert_eq!(indexes(&client.fetch(request(id, 3, &[]), 9, &[]).expect("known")), [0, 2, 1], "fetched ones go last");
    let mut forgets = request(id, 4, &[asked(7, 5)]);
    forgets.forgotten.push(ForgottenTopic { name: "t".to_string().into(), id: TopicId::ZERO, partitions: vec![0, 5] });
    assert_eq!(indexes(&client.fetch(forgets, 9, &[]).expect("known")), [7], "new ones are news");
    assert_eq!(indexes(&client.fetch(request(id, 5, &[]), 10, &[]).expect("known")), [2, 1, 7]);
}

#[test]
fn ids_and_epochs_are_checked() {
    let mut client = Client::new();
    let id = client.begin(1);
    assert_eq!(client.fetch(request(id ^ 1, 1, &[]), 0, &[]).map(drop), Err(ErrorCode::FetchSessionIdNotFound));
    for epoch in [2, 7, -2] {
        assert_eq!(client.fetch(request(id, epoch, &[]), 0, &[]).map(drop), Err(ErrorCode::InvalidFetchSessionEpoch));
    }
    let by_id = client.sessions.enter(&mut request(id, 1, &[]), 13, 1_000).map(drop);
    assert_eq!(by_id, Err(ErrorCode::FetchSessionTopicIdError));
    assert!(client.fetch(request(id, 1, &[]), 0, &[]).is_ok());
    let closed = client.fetch(request(id, -1, &[asked(0, 0)]), 0, &[]).expect("sessionless");
    assert_eq!((closed.session_id, indexes(&closed)), (0, vec![0]));
    assert_eq!(client.fetch(request(id, 2, &[]), 0, &[]).map(drop), Err(ErrorCode::FetchSessionIdNotFound));
    assert_eq!(next_epoch(i32::MAX), 1);
}

#[test]
fn an_error_is_told_each_time_and_so_is_its_end() {
    let mut client = Client::new();
    let id = client.begin(1);
    for (epoch, code, expected) in [
        (1, ErrorCode::KafkaStorageError, 1),
        (2, ErrorCode::KafkaStorageError, 1),
        (3, ErrorCode::None, 1),
        (4, ErrorCode::None, 0),
    ] {
        let mut asked = request(id, epoch, &[]);
        let using = client.sessions.enter(&mut asked, 12, 1_000).expect("known");
        let mut response = answer(&asked, 0, &[]);
        response.topics[0].partitions[0].error_code = code;
        client.sessions.leave(using, &mut response);
        assert_eq!(indexes(&response).len(), expected, "epoch {epoch}");
    }
}

#[test]
fn a_session_that_ended_or_went_on_meanwhile() {
    let mut client = Client::new();
    let id = client.begin(1);
    let mut first = request(id, 1, &[]);
    let using = client.sessions.enter(&mut first, 12, 1_000).expect("known");
    client.fetch(request(id, 2, &[]), 0, &[]).expect("pipelined");
    let mut response = answer(&first, 0, &[0]);
    client.sessions.leave(using, &mut response);
    assert_eq!((response.error_code, response.topics.len()), (ErrorCode::InvalidFetchSessionEpoch, 0));
    let using = client.sessions.enter(&mut request(id, 3, &[]), 12, 1_000).expect("known");
    client.sessions.end(id);
    client.sessions.leave(using, &mut response);
    assert_eq!((response.error_code, response.session_id), (ErrorCode::FetchSessionIdNotFound, 0));
}

#[test]
fn a_session_without_partitions_ends() {
    let mut client = Client::new();
    let id = client.begin(1);
    let mut forgets = request(id, 1, &[]);
    forgets.forgotten.push(ForgottenTopic { name: "t".to_string().into(), id: TopicId::ZERO, partitions: vec![0] });
    assert_eq!(client.fetch(forgets, 0, &[]).expect("empty").session_id, 0);
    assert_eq!(client.begin(0), 0, "nothing to remember");
    assert!(client.sessions.sessions.is_empty());
}

#[test]
fn full_sessions_give_way_as_in_kafka() {
    let mut client = Client::new();
    let ids: Vec<i32> = (0..FETCH_SESSIONS_MAX).map(|_| client.begin(2)).collect();
    assert!(ids.iter().all(|id| *id > 0));
    assert_eq!(client.begin(100), 0, "all are young");
    client.now_ms += FETCH_SESSION_EVICTION_MS;
    for id in &ids[1..] {
        client.fetch(request(*id, 1, &[]), 0, &[]).expect("alive");
    }
    client.now_ms += 1;
    assert!(client.begin(1) > 0, "one is stale");
    assert_eq!(client.begin(1), 0);
    for id in &ids[1..] {
        client.fetch(request(*id, 2, &[]), 0, &[]).expect("alive");
    }
    assert_eq!(client.begin(2), 0, "no larger than the old ones");
    assert!(client.begin(3) > 0, "larger than an old one");
    assert_eq!(client.sessions.sessions.len(), FETCH_SESSIONS_MAX);
}

#[test]
fn partitions_of_all_sessions_are_bounded() {
    let mut client = Client::new();
    let half = FETCH_SESSION_PARTITIONS_MAX as i32 / 2;
    let id = client.begin(half);
    assert!(id > 0 && client.begin(half) > 0);
    assert_eq!(client.begin(1), 0);
    let grown = client.fetch(request(id, 1, &[asked(half, 0)]), 0, &[]).map(drop);
    assert_eq!(grown, Err(ErrorCode::FetchSessionIdNotFound));
    assert!(client.begin(1) > 0);
}
