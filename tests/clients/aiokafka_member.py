"""A group member (see member.py) of aiokafka; runs inside its virtual environment."""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from python_member import Member

member = Member()


class Listener(ConsumerRebalanceListener):
    async def on_partitions_assigned(self, assigned):
        member.assigned(one.partition for one in assigned)

    async def on_partitions_revoked(self, revoked):
        member.revoked(one.partition for one in revoked)


async def main():
    assert member.assignor == "range", member.assignor
    consumer = AIOKafkaConsumer(
        bootstrap_servers=member.bootstrap, group_id=member.group, enable_auto_commit=False, auto_offset_reset="earliest",
        partition_assignment_strategy=[RangePartitionAssignor], session_timeout_ms=member.session_ms,
        heartbeat_interval_ms=member.heartbeat_ms, group_instance_id=member.instance, fetch_max_wait_ms=100,
    )
    member.subscribing()
    consumer.subscribe([member.topic], listener=Listener())
    await consumer.start()
    while not member.told_to_end:
        found = await consumer.getmany(timeout_ms=100)
        member.records([(where.partition, one.offset, int(one.key)) for where, batch in found.items() for one in batch])
        if not (offsets := member.committing()):
            continue
        try:
            await consumer.commit({TopicPartition(member.topic, partition): offset for partition, offset in offsets.items()})
            member.committed()
        except KafkaError as error:
            member.refused(error)
    await consumer.stop()


asyncio.run(main())
