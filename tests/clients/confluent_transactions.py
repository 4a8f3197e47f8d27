"""Records of a committed, an aborted, another committed and an open transaction, and of none; runs inside the virtual environment of
confluent-kafka. Prints `ready` and leaves the last transaction open until its input ends."""

import sys

from confluent_kafka import Producer

bootstrap, topic = sys.argv[1:3]
plain = Producer({"bootstrap.servers": bootstrap})
writer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "one", "linger.ms": 1})
writer.init_transactions(30)


def say(word, count=100):
    for number in range(count):
        writer.produce(topic, b"%s %d" % (word, number), partition=0)
    plain.produce(topic, b"plain " + word, partition=0)
    plain.flush(30)
    writer.flush(30)


for word, end in ((b"first", writer.commit_transaction), (b"gone", writer.abort_transaction), (b"second", writer.commit_transaction)):
    writer.begin_transaction()
    say(word)
    end(30)
writer.begin_transaction()
say(b"open")
print("ready", flush=True)
sys.stdin.read()
