"""Kafka's own Java clients, oldest and newest supported: console tools from Maven, idempotent as they come."""

import os
import subprocess

import text
from broker import Broker, run

OLD, NEW = "3.9.1", "4.3.1"
LINES = 5000

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>corelane</groupId><artifactId>clients</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""


def jars(version):
    """Kafka's jars, fetched once into the user's cache folder."""
    libs = os.path.join(text.cache(), f"kafka-{version}")
    if not os.path.exists(os.path.join(libs, ".complete")):
        pom = os.path.join(text.cache(), f"pom-{version}")
        os.makedirs(pom, exist_ok=True)
        with open(os.path.join(pom, "pom.xml"), "w") as out:
            out.write(POM.format(version=version))
        line = ["mvn", "-q", "-B", "-f", f"{pom}/pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={libs}", "-DincludeScope=runtime"]
        run(line, seconds=600)
        open(os.path.join(libs, ".complete"), "w").close()
    return f"{libs}/*"


def tool(version, name, *arguments, stdin=None, expect=0):
    where = {(OLD, "ConsoleProducer"): "kafka.tools", (NEW, "ConsoleProducer"): "org.apache.kafka.tools"}
    where = where.get((version, name), "org.apache.kafka.tools")
    line = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", jars(version), f"{where}.{name}", *arguments]
    return run(line, stdin=stdin, expect=expect)


def lines_file(broker, name):
    path = f"{broker.data_dir}/../{os.path.basename(broker.data_dir)}.{name}"
    with open(text.make(1), "rb") as source, open(path, "wb") as out:
        out.writelines(line for _, line in zip(range(LINES), source))
    return path


def console(producer, consumer, codec):
    def test():
        broker = Broker(cores=2, sets={"num.partitions": 2})
        path = lines_file(broker, "lines")
        expect = open(path, "rb").read()
        at = ["--bootstrap-server", broker.address, "--topic", "console"]
        try:
            tool(producer, "ConsoleProducer", *at, "--compression-codec", codec, stdin=path)
        finally:
            os.remove(path)
        found = b""
        for partition in ("0", "1"):
            found += tool(consumer, "consumer.ConsoleConsumer", *at, "--partition", partition, "--offset", "earliest", "--timeout-ms", "4000")
        assert sorted(found.splitlines()) == sorted(expect.splitlines()), f"{len(found.splitlines())} of {LINES} lines came back"
        broker.stop()

    return test


def topics_and_offsets():
    """Admin client: create, list, describe where it needs no more than Metadata, offsets, delete records, delete."""
    broker = Broker(cores=2)
    at = ["--bootstrap-server", broker.address]
    for version in (OLD, NEW):
        topic = f"t-{version}"
        tool(version, "TopicCommand", *at, "--create", "--topic", topic, "--partitions", "3", "--replication-factor", "1")
        listed = tool(version, "TopicCommand", *at, "--list").decode().split()
        assert topic in listed, listed
        ends = tool(version, "GetOffsetShell", *at, "--topic", topic).decode().split()
        assert sorted(ends) == [f"{topic}:{partition}:0" for partition in range(3)], ends
        tool(version, "TopicCommand", *at, "--delete", "--topic", topic)
        assert topic not in tool(version, "TopicCommand", *at, "--list").decode().split()
    broker.stop()


def performance(version):
    """ProducerPerformance: acks=all, idempotent, batches of many requests in flight."""

    def test():
        broker = Broker(cores=2, sets={"num.partitions": 4})
        line = ["--topic", "perf", "--num-records", "50000", "--record-size", "100", "--throughput", "-1", "--producer-props"]
        line += [f"bootstrap.servers={broker.address}", "acks=all", "linger.ms=5"]
        said = tool(version, "ProducerPerformance", *line).decode()
        assert "50000 records sent" in said, said
        ends = tool(version, "GetOffsetShell", "--bootstrap-server", broker.address, "--topic", "perf").decode().split()
        assert sum(int(end.rsplit(":", 1)[1]) for end in ends) == 50000, ends
        broker.stop()
        return said.strip().splitlines()[-1]

    return test


def tests():
    try:
        for version in (OLD, NEW):
            jars(version)
    except (AssertionError, OSError) as error:
        why = f"Kafka's jars cannot be had: {error}"

        def missing():
            raise AssertionError(why)

        yield "jars", missing
        return
    yield f"console producer {NEW}, consumer {OLD}", console(NEW, OLD, "zstd")
    yield f"console producer {OLD}, consumer {NEW}", console(OLD, NEW, "none")
    yield f"console producer {NEW}, consumer {NEW}", console(NEW, NEW, "lz4")
    yield f"ProducerPerformance {OLD}", performance(OLD)
    yield f"ProducerPerformance {NEW}", performance(NEW)
    yield "topics and offsets by the admin tools", topics_and_offsets
