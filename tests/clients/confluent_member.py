"""A group member (see member.py) of confluent-kafka; runs inside its virtual environment."""

from confluent_kafka import Consumer, KafkaException, TopicPartition
from python_member import Member

RECORDS_AT_ONCE = 500

member = Member()
settings = {
    "bootstrap.servers": member.bootstrap, "group.id": member.group, "enable.auto.commit": False, "auto.offset.reset": "earliest",
    "partition.assignment.strategy": member.assignor, "session.timeout.ms": member.session_ms,
    "heartbeat.interval.ms": member.heartbeat_ms, "fetch.wait.max.ms": 100,
}
if member.instance:
    settings["group.instance.id"] = member.instance
consumer = Consumer(settings)


def numbers(partitions):
    return [one.partition for one in partitions]


def poll():
    """What is there, at most RECORDS_AT_ONCE. One by one: a rebalance in between is then seen where it happened."""
    records = []
    message = consumer.poll(0.1)
    while message is not None:
        if message.error():
            member.trouble(KafkaException(message.error()))
        else:
            records.append((message.partition(), message.offset(), int(message.key())))
        if len(records) == RECORDS_AT_ONCE:
            break
        message = consumer.poll(0)
    return records


def commit(offsets):
    try:
        for one in consumer.commit(offsets=[TopicPartition(member.topic, *one) for one in offsets.items()], asynchronous=False):
            if one.error:
                raise KafkaException(one.error)
        member.committed()
    except KafkaException as error:
        member.refused(error)


member.subscribing()
consumer.subscribe(
    [member.topic],
    on_assign=lambda _, partitions: member.assigned(numbers(partitions)),
    on_revoke=lambda _, partitions: member.revoked(numbers(partitions)),
    on_lost=lambda _, partitions: member.revoked(numbers(partitions)),
)
while not member.told_to_end:
    member.records(poll())
    if offsets := member.committing():
        commit(offsets)
consumer.close()
