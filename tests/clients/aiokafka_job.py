"""The job of job.py for aiokafka; runs inside its virtual environment."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import TopicAlreadyExistsError
from python_job import Job

WAITING_MAX = 5000


async def produce(job):
    waiting = asyncio.Semaphore(WAITING_MAX)
    failures = []
    writers = []
    for topic, codec, mode in job.topics:
        codec = None if codec == "none" else codec
        writer = AIOKafkaProducer(
            bootstrap_servers=job.bootstrap, acks="all", compression_type=codec, linger_ms=5, enable_idempotence=mode == "idempotent",
        )
        await writer.start()
        writers.append((topic, writer))

    def delivered(key, value, future):
        waiting.release()
        if future.exception():
            failures.append(future.exception())
        else:
            told = future.result()
            job.acked(told.topic, told.partition, told.offset, key, value)

    for number, value in enumerate(job.lines):
        if number % 100 == 0:
            await asyncio.sleep(job.late(number))
        key = b"%d" % number
        for topic, writer in writers:
            await waiting.acquire()
            future = await writer.send(topic, value, key, partition=number % job.partitions)
            future.add_done_callback(lambda future, key=key, value=value: delivered(key, value, future))
    for _, writer in writers:
        await writer.flush()
        await writer.stop()
    assert not failures, failures[:3]
    job.all_acknowledged = True


async def consume(job):
    reader = AIOKafkaConsumer(bootstrap_servers=job.bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="none")
    await reader.start()
    reader.assign([TopicPartition(topic, partition) for topic, partition in job.places()])
    for topic, partition in job.places():
        reader.seek(TopicPartition(topic, partition), 0)
    while not job.is_done():
        for where, messages in (await reader.getmany(timeout_ms=100, max_records=5000)).items():
            for message in messages:
                job.consumed(where.topic, where.partition, message.offset, message.key, message.value)
    await reader.stop()


async def both(job):
    consumer = asyncio.create_task(consume(job))
    await produce(job)
    await asyncio.wait_for(consumer, job.consume_seconds_max())
    job.close()


async def admin(bootstrap):
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    new = [NewTopic("kept", 2, 1, topic_configs={"retention.ms": "3600000"}), NewTopic("gone", 1, 1)]
    told = await client.create_topics(new)
    assert all(error == 0 for _, error, *_ in told.topic_errors), told
    print("created")
    told = await client.create_topics(new[:1])
    assert [error for _, error, *_ in told.topic_errors] == [TopicAlreadyExistsError.errno], told
    print("refused")
    await client.create_partitions({"kept": NewPartitions(5)})
    print("grown")
    (topic,) = await client.describe_topics(["kept"])
    assert len(topic["partitions"]) == 5, topic
    await client.delete_topics(["gone"])
    print("deleted")
    assert await client.list_topics() == ["kept"]
    await client.close()


asyncio.run(admin(sys.argv[2]) if sys.argv[1] == "admin" else both(Job()))
