"""The job of job.py for confluent-kafka; runs inside its virtual environment."""

import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition

bootstrap, partitions, path, seconds, out = sys.argv[1:6]
partitions, seconds = int(partitions), float(seconds)
topics = [word.split("/") for word in sys.argv[6:]]
with open(path, "rb") as source:
    lines = source.read().split(b"\n")[:-1]
# A minute, and longer where there is more text than the test command's.
CONSUME_SECONDS_MAX = 60 + len(lines) / 2_000
# Offset up to which each partition must be consumed, once all is acknowledged.
ends = {}
acknowledged = threading.Event()


def record_line(message):
    where = b"%s\t%d\t%d\t" % (message.topic().encode(), message.partition(), message.offset())
    return where + message.key() + b"\t" + message.value() + b"\n"


def produce():
    acked = open(f"{out}/acked", "wb")

    def delivered(error, message):
        assert error is None, error
        acked.write(record_line(message))
        where = (message.topic(), message.partition())
        ends[where] = max(ends.get(where, 0), message.offset() + 1)

    writers = []
    for topic, codec, mode in topics:
        mode = {"idempotent": {"enable.idempotence": True}, "plain": {"max.in.flight": 1}}[mode]
        writers.append((topic, Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 5, **mode})))
    began = time.monotonic()
    for number, value in enumerate(lines):
        if number % 100 == 0:
            time.sleep(max(0, began + seconds * number / len(lines) - time.monotonic()))
        for topic, writer in writers:
            while True:
                try:
                    writer.produce(topic, value, b"%d" % number, number % partitions, on_delivery=delivered)
                    break
                except BufferError:
                    writer.poll(0.1)
            writer.poll(0)
    for _, writer in writers:
        assert writer.flush(CONSUME_SECONDS_MAX) == 0, "not all was acknowledged"
    acked.close()


def consume():
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error"})
    reader.assign([TopicPartition(topic, partition, 0) for topic, _, _ in topics for partition in range(partitions)])
    at = {}
    with open(f"{out}/consumed", "wb") as consumed:
        while not acknowledged.is_set() or at != ends:
            for message in reader.consume(1000, 0.1):
                if message.error():
                    assert not message.error().fatal(), message.error()
                    print(message.error(), file=sys.stderr)
                    continue
                consumed.write(record_line(message))
                at[message.topic(), message.partition()] = message.offset() + 1
    reader.close()


consumer = threading.Thread(target=consume)
consumer.start()
produce()
acknowledged.set()
consumer.join(CONSUME_SECONDS_MAX)
assert not consumer.is_alive(), "not all that was acknowledged is consumed"
