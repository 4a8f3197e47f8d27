//! The job of job.py for rskafka: a client per partition, for producing and for consuming. It has no idempotent producer.

use rskafka::BackoffConfig;
use rskafka::chrono::Utc;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

const LINES_A_BATCH: usize = 500;
/// After all is acknowledged: a minute, and longer where there is more text than the test command's.
const CONSUME_SECONDS_MAX: usize = 60;
const LINES_A_SECOND: usize = 2_000;

/// What each task of the job knows.
struct Job {
    client: Client,
    partitions: usize,
    lines: Vec<Vec<u8>>,
    seconds: f64,
    began: Instant,
    acked: Mutex<BufWriter<File>>,
    consumed: Mutex<BufWriter<File>>,
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments[0] == "admin" {
        return admin(&arguments[1]).await;
    }
    let text = std::fs::read(&arguments[2]).expect("the text");
    let create = |name: &str| Mutex::new(BufWriter::new(File::create(format!("{}/{name}", arguments[4])).expect(name)));
    let job = Arc::new(Job {
        client: connect(&arguments[0]).await,
        partitions: arguments[1].parse().expect("a number"),
        lines: text
            .strip_suffix(b"\n")
            .expect("whole lines")
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect(),
        seconds: arguments[3].parse().expect("seconds"),
        began: Instant::now(),
        acked: create("acked"),
        consumed: create("consumed"),
    });
    let (mut producers, mut consumers) = (JoinSet::new(), JoinSet::new());
    for word in &arguments[5..] {
        let [topic, codec, _] = word.split('/').collect::<Vec<_>>()[..] else { panic!("{word}") };
        for partition in 0..job.partitions {
            // The end of the partition, once all of it is acknowledged.
            let (sender, receiver) = watch::channel(None);
            producers.spawn(produce(job.clone(), topic.to_string(), partition, compression(codec), sender));
            consumers.spawn(consume(job.clone(), topic.to_string(), partition, receiver));
        }
    }
    producers.join_all().await;
    let most = Duration::from_secs((CONSUME_SECONDS_MAX + job.lines.len() / LINES_A_SECOND) as u64);
    timeout(most, consumers.join_all()).await.expect("all that was acknowledged is consumed");
    for file in [&job.acked, &job.consumed] {
        file.lock().expect("no panic").flush().expect("written");
    }
}

async fn connect(bootstrap: &str) -> Client {
    // By default it waits up to 500 s between two attempts.
    let backoff = BackoffConfig { max_backoff: Duration::from_millis(500), ..BackoffConfig::default() };
    ClientBuilder::new(vec![bootstrap.to_string()]).backoff_config(backoff).build().await.expect("connects")
}

fn compression(codec: &str) -> Compression {
    match codec {
        "none" => Compression::NoCompression,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        other => panic!("{other}"),
    }
}

async fn partition_client(job: &Job, topic: &str, partition: usize) -> PartitionClient {
    job.client.partition_client(topic, partition as i32, UnknownTopicHandling::Retry).await.expect("a partition")
}

fn write(out: &Mutex<BufWriter<File>>, topic: &str, partition: usize, offset: i64, key: &[u8], value: &[u8]) {
    let mut out = out.lock().expect("no panic");
    write!(out, "{topic}\t{partition}\t{offset}\t").expect("written");
    out.write_all(&[key, b"\t", value, b"\n"].concat()).expect("written");
}

async fn produce(
    job: Arc<Job>,
    topic: String,
    partition: usize,
    compression: Compression,
    end: watch::Sender<Option<i64>>,
) {
    let client = partition_client(&job, &topic, partition).await;
    let numbers: Vec<usize> = (partition..job.lines.len()).step_by(job.partitions).collect();
    let mut last = -1;
    for numbers in numbers.chunks(LINES_A_BATCH) {
        let due = job.seconds * numbers[0] as f64 / job.lines.len() as f64;
        sleep_until(job.began + Duration::from_secs_f64(due)).await;
        let record = |number: &usize| Record {
            key: Some(number.to_string().into_bytes()),
            value: Some(job.lines[*number].clone()),
            headers: BTreeMap::new(),
            timestamp: Utc::now(),
        };
        let offsets = client.produce(numbers.iter().map(record).collect(), compression).await.expect("acknowledged");
        for (number, offset) in numbers.iter().zip(offsets) {
            write(&job.acked, &topic, partition, offset, number.to_string().as_bytes(), &job.lines[*number]);
            last = offset;
        }
    }
    end.send(Some(last + 1)).expect("the consumer waits for it");
}

async fn consume(job: Arc<Job>, topic: String, partition: usize, end: watch::Receiver<Option<i64>>) {
    let client = partition_client(&job, &topic, partition).await;
    let mut at = 0;
    while *end.borrow() != Some(at) {
        match client.fetch_records(at, 1..1_000_000, 100).await {
            Ok((records, _)) => {
                for found in records {
                    let (key, value) = (found.record.key.expect("a key"), found.record.value.expect("a value"));
                    write(&job.consumed, &topic, partition, found.offset, &key, &value);
                    at = found.offset + 1;
                }
            }
            Err(error) => {
                eprintln!("{topic} {partition}: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn admin(bootstrap: &str) {
    let client = connect(bootstrap).await;
    let controller = client.controller_client().expect("a controller");
    controller.create_topic("kept", 2, 1, 5_000).await.expect("created");
    controller.create_topic("gone", 1, 1, 5_000).await.expect("created");
    println!("created");
    match controller.create_topic("kept", 2, 1, 5_000).await {
        Err(Error::ServerError { protocol_error: ProtocolError::TopicAlreadyExists, .. }) => println!("refused"),
        other => panic!("{other:?}"),
    }
    controller.delete_topic("gone", 5_000).await.expect("deleted");
    println!("deleted");
    let topics = client.list_topics().await.expect("a list");
    let names: Vec<_> = topics.iter().map(|topic| (topic.name.as_str(), topic.partitions.len())).collect();
    assert_eq!(names, [("kept", 2)]);
}
