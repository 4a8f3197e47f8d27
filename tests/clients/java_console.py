"""Kafka's console producer and consumer, and ProducerPerformance, as processes of their own: between releases, and through
restarts of the broker in the middle of their work."""

import signal
import threading

import text
from broker import MEGABYTES, PER_CORE, PER_MACHINE, Broker, free_ports, run
from java import NEW, OLD, process_line
from process import Process
from restart import PRODUCE_SECONDS, ends, through_restarts

LINES = 5000
# ProducerPerformance sends the numbers from 0 on, a record each.
NUMBERS = 10_000 * MEGABYTES


def lines(limit=None):
    """MEGABYTES of text in numbered lines, or the first few of them."""
    with open(text.make(MEGABYTES), "rb") as source:
        return [b"%d %s" % (number, line) for number, line in zip(range(limit or 1 << 62), source)]


def consumer(version, broker, topic, partition, *options):
    at = ["--bootstrap-server", broker.address, "--topic", topic, "--partition", str(partition), "--offset", "earliest"]
    return Process(process_line(version, "consumer.ConsoleConsumer", *at, *options))


def between_releases(producer, consuming, codec):
    """The consumers end by themselves; one of them begins in the middle."""

    def test():
        broker = Broker(cores=2, sets={"num.partitions": 2})
        typed = lines(LINES)
        writer = Process(process_line(producer, "ConsoleProducer", "--bootstrap-server", broker.address, "--topic", "t", "--compression-codec", codec))
        writer.feed(typed, 0)
        writer.end()
        counts = ends(broker, "t", 2)
        assert sum(counts) == LINES, counts
        readers = [consumer(consuming, broker, "t", partition, "--max-messages", str(count)) for partition, count in enumerate(counts)]
        for reader, count in zip(readers, counts):
            reader.end()
            assert f"Processed a total of {count} messages\n".encode() in reader.err, reader
        found = readers[0].out + readers[1].out
        assert sorted(found) == sorted(typed), f"{len(found)} of {LINES} lines came back"
        larger = counts.index(max(counts))
        at = ["--bootstrap-server", broker.address, "--topic", "t", "--partition", str(larger), "--offset", str(counts[larger] // 2), "--max-messages", "10"]
        tail = run(process_line(consuming, "consumer.ConsoleConsumer", *at))
        assert tail == b"".join(readers[larger].out[counts[larger] // 2:][:10]), tail
        broker.stop()

    return test


def through(version, cores, mode, codec):
    """Producers and consumers run all the while; the broker stops, starts, is killed and starts."""

    def test():
        broker = Broker(cores=cores, sets={"num.partitions": cores}, port=free_ports(cores), mode=mode)
        typed = lines()
        readers = [consumer(version, broker, "console", partition) for partition in range(cores)]
        writer = Process(process_line(
            version, "ConsoleProducer", "--bootstrap-server", broker.address, "--topic", "console", "--compression-codec", codec))
        numbers = Process(process_line(
            version, "ProducerPerformance", "--topic", "perf", "--num-records", str(NUMBERS), "--payload-monotonic",
            "--throughput", str(NUMBERS // PRODUCE_SECONDS), "--producer-props", f"bootstrap.servers={broker.address}", "linger.ms=5"))
        feeder = threading.Thread(target=writer.feed, args=(typed, PRODUCE_SECONDS), daemon=True)
        feeder.start()
        broker = through_restarts(broker, "console", cores, len(typed))
        feeder.join()
        writer.end()
        numbers.end()
        assert f"{NUMBERS} records sent".encode() in numbers.out[-1], numbers.out
        counts = ends(broker, "console", cores)
        for reader, count in zip(readers, counts):
            reader.wait_for_lines(count)
            reader.end(expect=128 + signal.SIGTERM, with_signal=signal.SIGTERM)
        check_order(typed, [reader.out for reader in readers])
        check_numbers(broker, cores)
        broker.stop()
        return f"{len(typed)} lines and {NUMBERS} numbers, each once and in order"

    return test


def check_order(typed, found):
    """Every line once, rising in each partition."""
    number = {line: at for at, line in enumerate(typed)}
    for partition, lines in enumerate(found):
        order = [number[line] for line in lines]
        assert order == sorted(order), f"partition {partition} is out of order"
    count = sum(map(len, found))
    distinct = len({line for lines in found for line in lines})
    assert count == distinct == len(typed), f"{len(typed)} lines typed, {count} consumed, {distinct} of them distinct"


def check_numbers(broker, partitions):
    found = []
    for partition in range(partitions):
        line = ["kcat", "-C", "-b", broker.address, "-t", "perf", "-p", str(partition), "-o", "beginning", "-e", "-q"]
        part = [int(word) for word in run(line).split()]
        assert part == sorted(part), f"partition {partition} is out of order"
        found += part
    assert len(found) == NUMBERS and set(found) == set(range(NUMBERS)), f"{len(found)} numbers, {len(set(found))} distinct, of {NUMBERS}"


def tests():
    yield f"console producer {NEW}, consumer {OLD}, zstd", between_releases(NEW, OLD, "zstd")
    yield f"console producer {OLD}, consumer {NEW}, gzip", between_releases(OLD, NEW, "gzip")
    for version, codecs in ((OLD, ("lz4", "none", "gzip")), (NEW, ("snappy", "zstd", "lz4"))):
        for (cores, mode), codec in zip(((1, PER_CORE), (2, PER_CORE), (2, PER_MACHINE)), codecs):
            yield f"console and ProducerPerformance {version} through restarts, {cores} core(s), {mode}, {codec}", through(version, cores, mode, codec)
