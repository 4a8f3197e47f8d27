"""kcat (librdkafka): a file of text, line by line, in every codec, and back again, byte for byte."""

import filecmp
import os
import subprocess
import threading
import time

import text
from broker import MEGABYTES, MODES, PER_CORE, PER_MACHINE, Broker, free_ports, run
from process import Process
from restart import PRODUCE_SECONDS, create, through_restarts

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def produce(broker, topic, partition, path, codec="none", options=()):
    line = ["kcat", "-P", "-b", broker.address, "-t", topic, "-p", str(partition), "-z", codec, "-l", path]
    return run(line + list(options), seconds=60 + 10 * MEGABYTES)


def consume(broker, topic, partition, path):
    line = ["kcat", "-C", "-b", broker.address, "-t", topic, "-p", str(partition), "-o", "beginning", "-e", "-q"]
    with open(path, "wb") as out:
        done = subprocess.run(line, stdout=out, stderr=subprocess.PIPE, timeout=60 + 10 * MEGABYTES)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]


def round_trip(cores, mode, codec):
    def test():
        broker = Broker(cores=cores, sets={"num.partitions": cores}, mode=mode)
        source = text.make(MEGABYTES)
        back = os.path.join(broker.data_dir, "..", f"{os.path.basename(broker.data_dir)}.text")
        began = time.monotonic()
        try:
            for partition in range(cores):
                produce(broker, codec, partition, source, codec)
            between = time.monotonic()
            for partition in range(cores):
                consume(broker, codec, partition, back)
                assert filecmp.cmp(source, back, shallow=False), f"partition {partition} came back different: {source} {back}"
        finally:
            if os.path.exists(back) and not os.environ.get("KEEP"):
                os.remove(back)
        broker.stop()
        size = cores * os.path.getsize(source) / 1e6
        return f"{size:.0f} MB in {between - began:.1f} s, out {time.monotonic() - between:.1f} s"

    return test


def codec_is_used(codec):
    """librdkafka drops a codec silently that it thinks the broker cannot take."""

    def test():
        broker = Broker()
        line = ["kcat", "-P", "-b", broker.address, "-t", "t", "-p", "0", "-z", codec, "-d", "msg,feature"]
        said = subprocess.run(line, input=b"a line of text\n" * 1000, capture_output=True, timeout=60).stderr.decode()
        assert "not compressing" not in said and "MessageSet" in said, said[-3000:]
        broker.stop()

    return test


def survives_restart(mode):
    """What was produced before kill -9 and before a graceful stop is there afterwards, offsets included."""

    def test():
        broker = Broker(cores=2, sets={"num.partitions": 2}, mode=mode)
        source = text.make(1)
        back = f"{broker.data_dir}.text"
        try:
            produce(broker, "t", 0, source)
            broker.kill()
            broker = Broker(cores=2, data_dir=broker.data_dir, mode=mode)
            produce(broker, "t", 1, source, "lz4")
            broker.stop()
            broker = Broker(cores=2, data_dir=broker.data_dir, mode=mode)
            for partition in range(2):
                consume(broker, "t", partition, back)
                assert filecmp.cmp(source, back, shallow=False), f"partition {partition} came back different"
            lines = sum(1 for _ in open(source, "rb"))
            ends = run(["kcat", "-Q", "-b", broker.address, "-t", "t:0:-1", "-t", "t:1:-1"]).decode()
            assert f"t [0] offset {lines}" in ends and f"t [1] offset {lines}" in ends, ends
        finally:
            if os.path.exists(back):
                os.remove(back)
        broker.stop()

    return test


def through(cores, mode, codec):
    """One kcat types lines while the broker stops, starts, is killed and starts; another one follows from the beginning."""

    def test():
        broker = Broker(cores=cores, sets={"num.partitions": 1}, port=free_ports(cores), mode=mode)
        create(broker, "t")
        with open(text.make(MEGABYTES), "rb") as source:
            typed = source.readlines()
        reader = Process(["kcat", "-C", "-b", broker.address, "-t", "t", "-p", "0", "-o", "beginning", "-q", "-u", "-E"])
        writer = Process(["kcat", "-P", "-b", broker.address, "-t", "t", "-p", "0", "-z", codec, "-E", "-X", "enable.idempotence=true"])
        feeder = threading.Thread(target=writer.feed, args=(typed, PRODUCE_SECONDS), daemon=True)
        feeder.start()
        broker = through_restarts(broker, "t", 1, len(typed))
        feeder.join()
        writer.end()
        reader.wait_for_lines(len(typed))
        assert reader.out == typed, f"{len(typed)} lines typed, {len(reader.out)} read; different or out of order"
        broker.stop()
        return f"{len(typed)} lines, each once and in order"

    return test


def keys_headers_and_idempotence():
    broker = Broker()
    path = f"{broker.data_dir}.keys"
    with open(path, "w") as out:
        out.writelines(f"key{n}:value {n}\n" for n in range(1000))
    options = ["-K:", "-H", "source=test", "-X", "enable.idempotence=true", "-X", "linger.ms=1"]
    try:
        produce(broker, "t", 0, path, "zstd", options)
    finally:
        os.remove(path)
    line = ["kcat", "-C", "-b", broker.address, "-t", "t", "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%o %k %h %s\n"]
    expect = "".join(f"{n} key{n} source=test value {n}\n" for n in range(1000))
    assert run(line).decode() == expect
    broker.stop()


def in_a_group(mode):
    """`-G` joins a group, reads all, commits when it ends; the next one reads what came since."""

    def test():
        broker = Broker(cores=2, sets={"num.partitions": 2}, mode=mode)
        path = f"{broker.data_dir}.lines"
        line = ["kcat", "-G", "readers", "-b", broker.address, "-e", "-q", "-X", "auto.offset.reset=earliest", "t"]
        try:
            for turn in range(2):
                with open(path, "w") as out:
                    out.writelines(f"{turn} {n}\n" for n in range(1000))
                for partition in range(2):
                    produce(broker, "t", partition, path)
                found = run(line).decode().splitlines()
                assert sorted(found) == sorted(2 * [f"{turn} {n}" for n in range(1000)]), f"turn {turn}: {len(found)} lines, {found[:3]}"
        finally:
            os.remove(path)
        broker.stop()

    return test


def tests():
    for cores, mode in ((1, PER_CORE), (2, PER_CORE), (2, PER_MACHINE)):
        for codec in CODECS:
            yield f"{MEGABYTES} MB of lines, {codec}, {cores} core(s), {mode}", round_trip(cores, mode, codec)
    for codec in CODECS[1:]:
        yield f"{codec} is really used", codec_is_used(codec)
    for mode in MODES:
        yield f"records and offsets survive kill -9 and stop, {mode}", survives_restart(mode)
    for cores, mode, codec in ((1, PER_CORE, "gzip"), (2, PER_MACHINE, "lz4")):
        yield f"through restarts, {cores} core(s), {mode}, {codec}", through(cores, mode, codec)
    for mode in MODES:
        yield f"in a group, {mode}", in_a_group(mode)
    yield "keys, headers, idempotent", keys_headers_and_idempotence
