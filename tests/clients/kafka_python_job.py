"""The job of job.py for kafka-python; runs inside its virtual environment."""

import sys
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import TopicAlreadyExistsError
from python_job import Job


def produce(job):
    failures = []
    writers = []
    for topic, codec, mode in job.topics:
        mode = {"idempotent": {"enable_idempotence": True}, "plain": {"enable_idempotence": False, "max_in_flight_requests_per_connection": 1}}[mode]
        codec = None if codec == "none" else codec
        writers.append((topic, KafkaProducer(bootstrap_servers=job.bootstrap, acks="all", compression_type=codec, linger_ms=5, **mode)))

    def acked(key, value, told):
        job.acked(told.topic, told.partition, told.offset, key, value)

    for number, value in enumerate(job.lines):
        if number % 100 == 0:
            time.sleep(job.late(number))
        key = b"%d" % number
        for topic, writer in writers:
            told = writer.send(topic, value, key, partition=number % job.partitions)
            told.add_callback(acked, key, value)
            told.add_errback(failures.append)
    for _, writer in writers:
        writer.flush(job.consume_seconds_max())
        writer.close()
    assert not failures, failures[:3]


def consume(job):
    reader = KafkaConsumer(bootstrap_servers=job.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="none")
    reader.assign([TopicPartition(topic, partition) for topic, partition in job.places()])
    for topic, partition in job.places():
        reader.seek(TopicPartition(topic, partition), 0)
    while not job.is_done():
        for where, messages in reader.poll(100, max_records=5000).items():
            for message in messages:
                job.consumed(where.topic, where.partition, message.offset, message.key, message.value)
    reader.close()


def admin(bootstrap):
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    client.create_topics([NewTopic("kept", 2, 1, topic_configs={"retention.ms": "3600000"}), NewTopic("gone", 1, 1)])
    print("created")
    try:
        client.create_topics([NewTopic("kept", 2, 1)])
    except TopicAlreadyExistsError:
        print("refused")
    client.create_partitions({"kept": 5})
    print("grown")
    (topic,) = client.describe_topics(["kept"])
    assert len(topic["partitions"]) == 5, topic
    (page,) = client.describe_topic_partitions(["kept"])["topics"]
    assert [one["partition_index"] for one in page["partitions"]] == list(range(5)), page
    kept = ConfigResource(ConfigResourceType.TOPIC, "kept", configs={"retention.ms": "7200000"})
    client.alter_configs([kept])
    told = client.describe_configs([kept])["topic"]["kept"]["retention.ms"]
    assert told["value"] == "7200000" and told["config_source"] == "DYNAMIC_TOPIC_CONFIG", told
    assert client.list_partition_reassignments() == {}
    client.delete_topics(["gone"])
    print("deleted")
    assert client.list_topics() == ["kept"], client.list_topics()
    client.close()


if sys.argv[1] == "admin":
    admin(sys.argv[2])
else:
    job = Job()
    job.run(lambda: produce(job), lambda: consume(job))
