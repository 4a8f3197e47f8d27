"""Scenarios for confluent-kafka; run by confluent.py inside the virtual environment. usage: SCENARIO BOOTSTRAP"""

import sys
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec

COUNT = 20_000
SECONDS = 20


def consumer(bootstrap):
    return Consumer({
        "bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False,
        "auto.offset.reset": "earliest", "enable.partition.eof": True,
    })


def read_all(bootstrap, topic, partition, offset=0):
    """(offset, key, value) of every record up to the end."""
    reader = consumer(bootstrap)
    reader.assign([TopicPartition(topic, partition, offset)])
    found = []
    while True:
        message = reader.poll(SECONDS)
        assert message is not None, f"nothing for {SECONDS} s after {len(found)} records"
        if message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            reader.close()
            return found
        found.append((message.offset(), message.key(), message.value()))


def produce(bootstrap, topic, count, settings=()):
    """Offsets by delivery report: {partition: [(offset, value)]}, in the order of production."""
    writer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2, **dict(settings)})
    acked = {}

    def delivered(error, message):
        assert error is None, error
        acked.setdefault(message.partition(), []).append((message.offset(), message.value()))

    for number in range(count):
        writer.produce(topic, f"value {number}".encode(), partition=number % 2, on_delivery=delivered)
        writer.poll(0)
        if number % 5000 == 4999:
            assert writer.flush(SECONDS) == 0
    assert writer.flush(SECONDS) == 0
    return acked


def admin(bootstrap):
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.create_topics([NewTopic("a", 5, 1), NewTopic("b", 1, 1)]).values():
        future.result(SECONDS)
    topics = client.list_topics(timeout=SECONDS).topics
    leaders = {part.leader for part in topics["a"].partitions.values()}
    assert len(topics["a"].partitions) == 5 and len(leaders) == 2, topics["a"].partitions
    try:
        client.create_topics([NewTopic("a", 1, 1)])["a"].result(SECONDS)
        raise AssertionError("a topic was created twice")
    except Exception as error:
        assert error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, error
    try:
        client.create_topics([NewTopic("c", 1, 3)])["c"].result(SECONDS)
        raise AssertionError("three replicas on one machine")
    except Exception as error:
        assert error.args[0].code() == KafkaError.INVALID_REPLICATION_FACTOR, error
    client.create_partitions([NewPartitions("b", 4)])["b"].result(SECONDS)
    (future,) = client.describe_topics(TopicCollection(["b"])).values()
    assert [part.id for part in future.result(SECONDS).partitions] == [0, 1, 2, 3]
    cluster = client.describe_cluster().result(SECONDS)
    assert sorted(node.id for node in cluster.nodes) == [0, 1] and cluster.cluster_id, cluster
    entry = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    kept = ConfigResource(ConfigResource.Type.TOPIC, "b", incremental_configs=[entry])
    (future,) = client.incremental_alter_configs([kept]).values()
    future.result(SECONDS)
    (future,) = client.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, "b")]).values()
    assert future.result(SECONDS)["retention.ms"].value == "3600000"
    for future in client.delete_topics(["a"]).values():
        future.result(SECONDS)
    assert "a" not in client.list_topics(timeout=SECONDS).topics


def delete_records(bootstrap):
    produce(bootstrap, "t", COUNT)
    client = AdminClient({"bootstrap.servers": bootstrap})
    for future in client.delete_records([TopicPartition("t", 0, 7000), TopicPartition("t", 1, -1)]).values():
        future.result(SECONDS)
    assert read_all(bootstrap, "t", 0)[0][0] == 7000
    assert read_all(bootstrap, "t", 1) == []
    earliest = client.list_offsets({TopicPartition("t", part): OffsetSpec.earliest() for part in (0, 1)})
    assert sorted(future.result(SECONDS).offset for future in earliest.values()) == [7000, COUNT // 2]


def ends(bootstrap):
    """Ends as ListOffsets gives them; latest counts up while records arrive."""
    acked = produce(bootstrap, "t", 1000)
    reader = consumer(bootstrap)
    for partition in acked:
        assert reader.get_watermark_offsets(TopicPartition("t", partition), timeout=SECONDS) == (0, 500)
    reader.close()
    assert len(read_all(bootstrap, "t", 0, 499)) == 1


def offsets_topic(bootstrap):
    """Deleting the topic of the coordinators takes all groups with it: a member that runs joins again by itself and commits, as with Kafka."""
    produce(bootstrap, "t", 1000)
    member = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "g", "enable.auto.commit": False, "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000, "heartbeat.interval.ms": 500,
    })
    member.subscribe(["t"])
    message = member.poll(SECONDS)
    member.commit(message=message, asynchronous=False)
    client = AdminClient({"bootstrap.servers": bootstrap})
    client.delete_topics(["__consumer_offsets"])["__consumer_offsets"].result(SECONDS)
    until = time.monotonic() + SECONDS
    while True:
        # What it was given goes with its group, and comes again.
        message = member.poll(0.1) or message
        try:
            member.commit(message=message, asynchronous=False)
            break
        except KafkaException as error:
            assert time.monotonic() < until, error
    told = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions("g")])["g"].result(SECONDS).topic_partitions
    assert [(one.topic, one.partition, one.offset) for one in told] == [("t", message.partition(), message.offset() + 1)], told
    described = client.describe_consumer_groups(["g"])["g"].result(SECONDS)
    assert (described.state.name, len(described.members)) == ("STABLE", 1), described
    member.close()


scenarios = {"offsets_topic": offsets_topic, "admin": admin, "delete_records": delete_records, "ends": ends}
scenarios[sys.argv[1]](sys.argv[2])
