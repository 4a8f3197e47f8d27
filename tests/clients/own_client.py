"""Our own commands beside strangers' clients and on strangers' brokers: what one writes the other reads, in the same format, from
the same partitions; and the whole of it against Kafka's own server."""

import filecmp
import json
import os
import subprocess

import text
from broker import MEGABYTES, MODES, PER_CORE, PER_MACHINE, Broker, run
from java import NEW, OLD, process_line
from kafka_server import KafkaServer
from kcat import CODECS
from process import Process
from python_libraries import python

# The same words mean the same to kcat and to us. kcat shows no null header value apart from an empty one, so there is none.
FORMAT = "%t %p %o %T %K %k %S %h %s;\n"
PARTITIONS = 5


def own(address, *arguments, stdin=b"", expect=0):
    line = [Broker.binary, *arguments]
    environment = {**os.environ, "CORELANE_BOOTSTRAP": address}
    done = subprocess.run(line, input=stdin, capture_output=True, timeout=60 + 10 * MEGABYTES, env=environment)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == expect, f"exit code {done.returncode}: {' '.join(map(str, arguments))}\n{said[-3000:]}"
    assert "panicked" not in said, said
    return done.stdout


def as_json(address, *arguments, stdin=b""):
    return json.loads(own(address, *arguments, "-o", "json", stdin=stdin))


def kcat(*arguments, stdin=b""):
    done = subprocess.run(["kcat", *arguments], input=stdin, capture_output=True, timeout=60 + 10 * MEGABYTES)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stderr.decode(errors='replace')[-3000:]}"
    return done.stdout


def records():
    """Keyed lines, among them empty values, bytes that are no UTF-8, and one of 300 kB."""
    lines = [b"key%d:value %d" % (number % 50, number) for number in range(1000)]
    lines += [b"key\xff\xfe:\x80\x81\x00", b"empty:", b":no key bytes", b"large:" + b"x" * 300_000]
    return b"".join(line + b"\n" for line in lines)


def both_ways(address, codec):
    """What kcat wrote we show as kcat does; what we wrote kcat shows as we do."""
    source = text.make(MEGABYTES)
    for topic, write in (
        (f"theirs-{codec}", lambda topic: kcat("-P", "-b", address, "-t", topic, "-z", codec, "-K:", "-H", "a=1", "-H", "b=2", stdin=records())),
        (f"ours-{codec}", lambda topic: own(address, "produce", topic, "-z", codec, "-K:", "-H", "a=1", "-H", "b=2", stdin=records())),
    ):
        own(address, "topic", "create", topic, "-p", str(PARTITIONS))
        write(topic)
        theirs = kcat("-C", "-b", address, "-t", topic, "-o", "beginning", "-e", "-q", "-f", FORMAT)
        ours = own(address, "consume", topic, "-f", FORMAT)
        # The order of partitions among each other is anybody's.
        theirs, ours = (sorted(said.split(b";\n")) for said in (theirs, ours))
        assert len(ours) == records().count(b"\n") + 1, f"{topic}: {len(ours)} records"
        assert ours == theirs, f"{topic}: {[pair for pair in zip(ours, theirs) if pair[0] != pair[1]][:3]}"
    back = f"{Broker.binary}.{os.getpid()}.text"
    try:
        own(address, "produce", f"text-{codec}", "-p", "0", "-z", codec, source)
        kcat_back = kcat("-C", "-b", address, "-t", f"text-{codec}", "-p", "0", "-o", "beginning", "-e", "-q")
        with open(source, "rb") as lines:
            assert kcat_back == lines.read(), "kcat reads something else than we wrote"
        with open(back, "wb") as out:
            out.write(own(address, "consume", f"text-{codec}"))
        assert filecmp.cmp(source, back, shallow=False), "we read something else than we wrote"
    finally:
        if os.path.exists(back):
            os.remove(back)


def beside_kcat(cores, mode, codec):
    def test():
        broker = Broker(cores=cores, sets={"num.partitions": 1}, mode=mode)
        both_ways(broker.address, codec)
        broker.stop()

    return test


def partition_of_keys():
    """Java's producer and ours put each key into the same partition."""
    broker = Broker(cores=2)
    for topic in ("java", "ours"):
        own(broker.address, "topic", "create", topic, "-p", "7")
    typed = b"".join(b"%s:%d\n" % (key, number) for number, key in enumerate([b"", b"a", b"21", b"foobar", "schlüssel".encode(), *(b"key%d" % n for n in range(200))]))
    options = ["--property", "parse.key=true", "--property", "key.separator=:"]
    writer = Process(process_line(NEW, "ConsoleProducer", "--bootstrap-server", broker.address, "--topic", "java", *options))
    writer.feed(typed.splitlines(keepends=True), 0)
    writer.end()
    own(broker.address, "produce", "ours", "-K:", stdin=typed)
    placed = [sorted(own(broker.address, "consume", topic, "-f", "%p %k %v\n").splitlines()) for topic in ("java", "ours")]
    assert len(placed[0]) == 205 and placed[0] == placed[1], [pair for pair in zip(*placed) if pair[0] != pair[1]][:5]
    assert len({line.split()[0] for line in placed[0]}) == 7
    broker.stop()


def everything(address):
    """Each command once and more, on any broker that speaks Kafka."""
    own(address, "topic", "create", "t", "u", "-p", "2", "-c", "retention.ms=100000000")
    own(address, "topic", "create", "t", expect=1)
    own(address, "topic", "create", "t", "v", expect=3)
    assert {row["topic"]: row["partitions"] for row in as_json(address, "topic", "list")} == {"t": 2, "u": 2, "v": 1}
    for acks in ("0", "1", "all"):
        own(address, "produce", "t", "-K:", "--acks", acks, stdin=records())
    whole = 3 * records().count(b"\n")
    assert own(address, "consume", "t", "-f", "x") == b"x" * whole
    assert len(own(address, "consume", "t", "-J", "-n", "10").splitlines()) == 10
    described = as_json(address, "topic", "describe", "t")[0]
    assert sum(row["end"] - row["start"] for row in described["partitions"]) == whole, described["partitions"]
    own(address, "topic", "alter", "t", "--set", "segment.bytes=2097152", "--append", "cleanup.policy=compact", "--delete", "retention.ms")
    configs = {row["name"]: row for row in as_json(address, "topic", "describe", "t")[0]["configs"]}
    assert (configs["segment.bytes"]["value"], configs["segment.bytes"]["source"]) == ("2097152", "DYNAMIC_TOPIC_CONFIG")
    assert configs["cleanup.policy"]["value"] == "delete,compact"
    assert configs["retention.ms"]["value"] == "604800000"
    own(address, "topic", "alter", "t", "--set", "retention.ms=soon", expect=1)
    own(address, "topic", "add-partitions", "u", "--total", "4")
    own(address, "topic", "add-partitions", "u", "--total", "4", expect=1)
    ends = {row["partition"]: row["end"] for row in described["partitions"]}
    trimmed = as_json(address, "topic", "trim", "t", "--to", "-5")
    assert {row["partition"]: row["start"] for row in trimmed} == {partition: end - 5 for partition, end in ends.items()}, trimmed
    own(address, "topic", "trim", "t", "--to", str(ends[0] + 1), "-p", "0", expect=1)
    assert own(address, "consume", "t", "-o", "@2001-01-01", "-f", "x") == b"x" * 10
    assert own(address, "consume", "t", "-o", "@-1h..@-30m", "-f", "x") == b""
    cluster = as_json(address, "cluster", "info", "--api-versions")
    assert cluster["partitions"] >= 7 and len(cluster["brokers"]) >= 1 and cluster["brokers"][0]["api_versions"], cluster
    own(address, "produce", "made-by-asking", stdin=b"hello\n")
    assert own(address, "consume", "made-by-asking") == b"hello\n"
    own(address, "consume", "nope", expect=1)
    own(address, "produce", "t", "--whole", stdin=b"x" * (3 << 20), expect=1)
    own(address, "topic", "delete", "u", "nope", expect=3)
    own(address, "topic", "delete", "*", "--yes")
    assert as_json(address, "topic", "list") == []


def all_commands(mode):
    def test():
        broker = Broker(cores=2, sets={"num.partitions": 1}, mode=mode)
        everything(broker.address)
        broker.stop()

    return test


def on_kafka(version):
    def test():
        server = KafkaServer(version)
        try:
            everything(server.address)
            both_ways(server.address, "zstd")
            if version == NEW:
                transactions(server)
        finally:
            server.stop()

    return test


def transactions(server):
    """What a transaction aborted is left out when that is asked for, and what is behind an open one."""
    own(server.address, "topic", "create", "transactions", "-p", "1")
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "confluent_transactions.py")
    writer = Process([python("confluent"), "-B", program, server.address, "transactions"])
    writer.wait_for_lines(1)
    every = own(server.address, "consume", "transactions").splitlines()
    committed = own(server.address, "consume", "transactions", "--read-committed").splitlines()
    kcats = kcat("-C", "-b", server.address, "-t", "transactions", "-o", "beginning", "-e", "-q", "-X", "isolation.level=read_committed").splitlines()
    words = [line.split()[0] for line in every]
    assert [words.count(word) for word in (b"first", b"gone", b"second", b"open", b"plain")] == [100, 100, 100, 100, 4], words
    assert committed == kcats, (len(committed), len(kcats))
    assert [line for line in every if line in set(committed)] == committed
    words = [line.split()[0] for line in committed]
    assert [words.count(word) for word in (b"first", b"gone", b"second", b"open")] == [100, 0, 100, 0], words
    # From inside the aborted one.
    numbered = own(server.address, "consume", "transactions", "--read-committed", "-f", "%o %v\n").splitlines()
    inside = [line for line in numbered if int(line.split()[0]) >= 150]
    assert own(server.address, "consume", "transactions", "--read-committed", "-o", "150", "-f", "%o %v\n").splitlines() == inside


def tests():
    for number, codec in enumerate(CODECS):
        cores, mode = ((1, PER_CORE), (2, PER_CORE), (2, PER_MACHINE))[number % 3]
        yield f"with kcat, {codec}, {cores} core(s), {mode}", beside_kcat(cores, mode, codec)
    yield "keys go where Java's producer puts them", partition_of_keys
    for mode in MODES:
        yield f"every command, {mode}", all_commands(mode)
    for version in (OLD, NEW):
        yield f"every command on Kafka's own server, {version}", on_kafka(version)
