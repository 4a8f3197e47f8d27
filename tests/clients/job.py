"""One job that every client library does in a small program of its own, and what must come of it.

usage of the program: BOOTSTRAP PARTITIONS FILE SECONDS OUT TOPIC/CODEC/MODE ...
                  or: admin BOOTSTRAP

It sends every line of FILE to each topic: line n with key "n", to partition n % PARTITIONS, evenly spread over SECONDS, acks=all,
MODE idempotent, or plain (one request in flight). All the while it consumes all partitions from the beginning, by manual
assignment (kafkajs: in a group), and ends when it has consumed what was acknowledged. It writes a line per record into OUT/acked and
OUT/consumed: topic, partition, offset, key, value, between tabs. It does not know that the broker is stopped and killed meanwhile.
"""

import json
import os
import shutil

import text
from broker import MEGABYTES, MODES, PER_CORE, PER_MACHINE, Broker, free_ports, run, scratch
from process import Process
from restart import PRODUCE_SECONDS, create, ends, through_restarts

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def start(program, broker, partitions, seconds, topics):
    out = scratch("job")
    Broker.directories.append(out)
    for topic in topics:
        create(broker, topic.split("/")[0])
    return out, Process([*program, broker.address, str(partitions), text.make(MEGABYTES), str(seconds), out, *topics])


def through(program, cores, mode, codec, idempotent):
    """Two topics at the same time, one produced to by an idempotent producer, through a stop, a start, a kill and a start."""

    def test():
        broker = Broker(cores=cores, sets={"num.partitions": 2 * cores}, port=free_ports(cores), mode=mode)
        first = f"idempotent/{codec}/idempotent" if idempotent else f"plain-too/{codec}/plain"
        names = [first.split("/")[0], "plain"]
        out, client = start(program(), broker, 2 * cores, PRODUCE_SECONDS, [first, "plain/none/plain"])
        lines = read_lines()
        broker = through_restarts(broker, names[0], 2 * cores, len(lines))
        client.end()
        said = check(broker, out, lines, 2 * cores, names, may_repeat=[name for name in names if name.startswith("plain")])
        broker.stop()
        return said

    return test


def round_trip(program, cores, mode, idempotent):
    """Every codec, as fast as it goes."""

    def test():
        broker = Broker(cores=cores, sets={"num.partitions": 2 * cores}, mode=mode)
        producer = "idempotent" if idempotent else "plain"
        names = [f"{codec}-{producer}" for codec in CODECS]
        out, client = start(program(), broker, 2 * cores, 0, [f"{codec}-{producer}/{codec}/{producer}" for codec in CODECS])
        client.end()
        said = check(broker, out, read_lines(), 2 * cores, names)
        broker.stop()
        return said

    return test


def admin(program, mode, can):
    """Topic "kept" is created with two partitions and cannot be created again; it grows to five; "gone" is created and deleted.
    The program prints what it could do of that: created, refused, grown, deleted."""

    def test():
        broker = Broker(cores=2, mode=mode)
        said = run([*program(), "admin", broker.address]).decode().split()
        assert set(said) == can, said
        shown = json.loads(run(["kcat", "-L", "-J", "-b", broker.address]))["topics"]
        assert {topic["topic"]: len(topic["partitions"]) for topic in shown} == {"kept": 5 if "grown" in can else 2}, shown
        broker.stop()

    return test


def matrix(name, program, codecs, idempotent=True, can=("created", "refused", "grown", "deleted")):
    """The tests of one library. Its program is built by `program()`; two codecs go through the restarts, so that all libraries
    together take all; `can`: what its admin client knows."""
    for (cores, mode), codec in zip(((1, PER_CORE), (2, PER_MACHINE)), codecs):
        yield f"{name} through restarts, {cores} core(s), {mode}, {codec}", through(program, cores, mode, codec, idempotent)
    for mode in MODES:
        yield f"{name}, every codec, 2 cores, {mode}", round_trip(program, 2, mode, idempotent)
        yield f"{name}, admin, {mode}", admin(program, mode, set(can))


def read_lines():
    with open(text.make(MEGABYTES), "rb") as source:
        return source.read().split(b"\n")[:-1]


def read(path, topics, partitions):
    """{(topic, partition): [(offset, key, value)]} in the order of the file."""
    found = {(topic, partition): [] for topic in topics for partition in range(partitions)}
    with open(path, "rb") as source:
        for line in source.read().split(b"\n")[:-1]:
            topic, partition, offset, key, value = line.split(b"\t", 4)
            found[topic.decode(), int(partition)].append((int(offset), int(key), value))
    return found


def check(broker, out, lines, partitions, topics, may_repeat=()):
    """What the program wrote down against its lines and the broker's ends."""
    end = {topic: ends(broker, topic, partitions) for topic in topics}
    again = compare(out, lines, partitions, end, may_repeat)
    shutil.rmtree(out)
    return f"{len(topics)} topics, {len(lines)} lines each" + (f", {again} sent again by a plain producer" if again else "")


def compare(out, lines, partitions, end, may_repeat):
    """All lines were acknowledged, and what was acknowledged is consumed where it was said to be; in order and without gaps. Only
    where it `may_repeat`, without idempotence and through restarts, is a line there twice. Gives how many are."""
    acked, consumed = (read(os.path.join(out, name), end, partitions) for name in ("acked", "consumed"))
    again = 0
    for topic in end:
        for partition in range(partitions):
            where = f"{topic} {partition}"
            expect = range(partition, len(lines), partitions)
            found = consumed[topic, partition]
            assert [offset for offset, _, _ in found] == list(range(end[topic][partition])), f"{where}: consumed offsets have gaps, or are out of order"
            assert sorted(key for _, key, _ in acked[topic, partition]) == list(expect), f"{where}: not every line was acknowledged once"
            for offset, key, value in acked[topic, partition]:
                assert found[offset] == (offset, key, value), f"{where}: offset {offset} was acknowledged for {key}, consumed as {found[offset][1]}"
            assert all(lines[key] == value for _, key, value in found), f"{where}: a value came back different"
            first_seen = list(dict.fromkeys(key for _, key, _ in found))
            assert first_seen == list(expect), f"{where}: out of order"
            again += len(found) - len(first_seen)
            assert len(found) == len(first_seen) or topic in may_repeat, f"{where}: {len(found) - len(first_seen)} records twice"
    return again
