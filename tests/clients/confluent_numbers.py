"""A checked producer: numbers from 0 on to a topic, at an even pace, until it is told to end. Runs inside confluent-kafka's
virtual environment.

usage: BOOTSTRAP TOPIC PARTITIONS RECORDS_A_SECOND
Number n has the key "n" and goes to partition n % PARTITIONS, idempotently. A line for each that is acknowledged: partition,
offset, number. SIGTERM ends it once all is acknowledged.
"""

import signal
import sys
import time

from confluent_kafka import Producer

bootstrap, topic, partitions, rate = sys.argv[1:]
partitions, rate = int(partitions), float(rate)
FLUSH_SECONDS_MAX = 60
told_to_end = []
signal.signal(signal.SIGTERM, lambda *_: told_to_end.append(True))


def delivered(error, message):
    assert error is None, error
    sys.stdout.write(f"{message.partition()} {message.offset()} {message.key().decode()}\n")


producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
number, began = 0, time.monotonic()
while not told_to_end:
    while number < (time.monotonic() - began) * rate:
        try:
            producer.produce(topic, b"a record with a number", b"%d" % number, number % partitions, on_delivery=delivered)
        except BufferError:
            break
        number += 1
    producer.poll(0.01)
    sys.stdout.flush()
assert producer.flush(FLUSH_SECONDS_MAX) == 0, "not all was acknowledged"
