"""A group member (see member.py) of kafka-python; runs inside its virtual environment."""

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from python_member import Member

ASSIGNORS = {"range": RangePartitionAssignor, "cooperative-sticky": CooperativeStickyAssignor}

member = Member()


class Listener(ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        member.assigned(one.partition for one in assigned)

    def on_partitions_revoked(self, revoked):
        member.revoked(one.partition for one in revoked)


consumer = KafkaConsumer(
    bootstrap_servers=member.bootstrap, group_id=member.group, enable_auto_commit=False, auto_offset_reset="earliest",
    partition_assignment_strategy=[ASSIGNORS[member.assignor]], session_timeout_ms=member.session_ms,
    heartbeat_interval_ms=member.heartbeat_ms, group_instance_id=member.instance, fetch_max_wait_ms=100,
)
# A leader that has not heard of the topic yet gives nobody anything; in about one of ten first joins this library never joins again after
# that, sends no heartbeat, and polls for ever. So with Kafka 4.3 too.
assert consumer.partitions_for_topic(member.topic), "the topic is there"
member.subscribing()
consumer.subscribe([member.topic], listener=Listener())
while not member.told_to_end:
    try:
        found = consumer.poll(100)
    except KafkaError as error:
        # So it tells that the broker is away; it goes on when it is asked again.
        member.trouble(error)
        continue
    member.records([(where.partition, one.offset, int(one.key)) for where, batch in found.items() for one in batch])
    if not (offsets := member.committing()):
        continue
    try:
        consumer.commit({TopicPartition(member.topic, partition): OffsetAndMetadata(offset) for partition, offset in offsets.items()})
        member.committed()
    except KafkaError as error:
        member.refused(error)
consumer.close(autocommit=False)
