"""Kafka's tools that look into a broker or change its configuration, 3.9 and 4.3, unchanged: what they print."""

import json
import re

from broker import MODES
from java import NEW, OLD
from java_tools import SPREAD, on_two_cores

RECORDS = 3000


def log_dirs(tools):
    """Every partition once, at the broker that leads it, with the size of its records; chosen by broker and by topic."""
    tools.topics("--create", "--topic", "t", "--partitions", "4")
    tools.topics("--create", "--topic", "idle")
    tools.fill("t", RECORDS, SPREAD, "compression.type=none")
    found = {}
    for broker in log_dirs_of(tools):
        (log_dir,) = broker["logDirs"]
        assert (log_dir["logDir"], log_dir["error"]) == (tools.broker.data_dir, None), log_dir
        for one in log_dir["partitions"]:
            assert (one["offsetLag"], one["isFuture"]) == (0, False) and one["partition"] not in found, one
            found[one["partition"]] = (broker["broker"], one["size"])
    assert sorted(found) == ["idle-0", "t-0", "t-1", "t-2", "t-3"] and found["idle-0"][1] == 0, found
    sizes = [size for name, (_, size) in found.items() if name != "idle-0"]
    assert all(sizes) and RECORDS * 100 < sum(sizes) < RECORDS * 150, found
    for broker in tools.brokers():
        chosen = log_dirs_of(tools, "--broker-list", str(broker), "--topic-list", "t")
        names = {one["partition"] for one in chosen[0]["logDirs"][0]["partitions"]}
        here = {name for name, (at, _) in found.items() if at == broker and name != "idle-0"}
        assert len(chosen) == 1 and names == here and here, chosen


def log_dirs_of(tools, *how):
    said = tools.out("LogDirsCommand", "--describe", *how).strip().splitlines()
    return json.loads(said[-1])["brokers"]


def describe_producers(tools):
    """One idempotent producer wrote to every partition: where its sequence numbers stand."""
    tools.topics("--create", "--topic", "t", "--partitions", "2")
    tools.fill("t", RECORDS, SPREAD, "enable.idempotence=true")
    latest = tools.offsets("--topic", "t")
    ids = set()
    for partition in range(2):
        head, line = producers_of(tools, partition)
        columns = "ProducerId ProducerEpoch LatestCoordinatorEpoch LastSequence LastTimestamp CurrentTransactionStartOffset"
        assert head.split() == columns.split(), head
        producer, epoch, coordinator, sequence, timestamp, start = line.split()
        ids.add(producer)
        assert (epoch, coordinator, start) == ("0", "-1", "None"), line
        assert int(sequence) == latest["t", partition] - 1 and int(timestamp) > 1_600_000_000_000, line
    assert len(ids) == 1, ids
    tools.fill("t", 10, SPREAD, "enable.idempotence=false", "acks=1")
    assert all(len(producers_of(tools, partition)) == 2 for partition in range(2)), "who is not idempotent is not told of"


def producers_of(tools, partition):
    return tools.out("TransactionsCommand", "describe-producers", "--topic", "t", "--partition", str(partition)).strip().splitlines()


def reassign_partitions(tools):
    """Nothing is on the move."""
    tools.topics("--create", "--topic", "t", "--partitions", "3")
    assert tools.out("ReassignPartitionsCommand", "--list").strip() == "No partition reassignments found."


def pages(tools):
    """More partitions than DescribeTopicPartitions gives in one answer."""
    for topic in ("big-1", "big-2"):
        tools.topics("--create", "--topic", topic, "--partitions", "1500")
    for how in ((), ("--partition-size-limit-per-response", "700")):
        said = tools.topics("--describe", *how)
        found = re.findall(r"^\tTopic: (\S+)\tPartition: (\d+)\tLeader: [01]\t", said, re.M)
        assert sorted((topic, int(index)) for topic, index in found) == [(f"big-{n}", index) for n in (1, 2) for index in range(1500)]


def configs(tools):
    """Topics and brokers: described, changed live, changed back; refused in words."""
    tools.topics("--create", "--topic", "t", "--config", "segment.ms=600000")
    topic = ("--entity-type", "topics", "--entity-name", "t")
    broker = ("--entity-type", "brokers", "--entity-name", str(tools.brokers()[-1]))
    brokers = ("--entity-type", "brokers", "--entity-default")
    assert described(tools, *topic) == {"segment.ms": "600000"}
    change(tools, *topic, "--add-config", "max.message.bytes=20000,cleanup.policy=[compact,delete]", "--delete-config", "segment.ms")
    assert described(tools, *topic) == {"max.message.bytes": "20000", "cleanup.policy": "compact,delete"}
    change(tools, *topic, "--delete-config", "max.message.bytes,cleanup.policy")
    assert described(tools, *topic) == {}
    everything = described(tools, *topic, "--all")
    assert everything["retention.ms"] == "604800000" and len(everything) > 30, everything

    change(tools, *broker, "--add-config", "log.retention.ms=70000")
    assert described(tools, *broker)["log.retention.ms"] == "70000"
    change(tools, *brokers, "--add-config", "log.retention.ms=80000,log.segment.bytes=2000000")
    assert described(tools, *brokers) == {"log.retention.ms": "80000", "log.segment.bytes": "2000000"}
    assert described(tools, *topic, "--all")["segment.bytes"] == "2000000", "topics follow"
    change(tools, *broker, "--delete-config", "log.retention.ms")
    change(tools, *brokers, "--delete-config", "log.retention.ms,log.segment.bytes")
    assert described(tools, *brokers) == {} == described(tools, *broker)

    for entity, setting, why in (
        (topic, "nonsense=3", "Unknown topic config name: nonsense"),
        (topic, "retention.ms=-5", "Invalid value -5 for configuration retention.ms"),
        (broker, "num.io.threads=3", "Cannot update these configs dynamically"),
        (("--entity-type", "topics", "--entity-name", "absent"), "retention.ms=5", "absent"),
    ):
        said, error = tools.run("ConfigCommand", "--alter", *entity, "--add-config", setting, expect=1)
        assert why in said + error, f"{setting}: {said} {error}"


def change(tools, *how):
    said = tools.out("ConfigCommand", "--alter", *how)
    assert said.startswith("Completed updating "), said


def described(tools, *how):
    """{key: value} of what is told, under one heading."""
    head, *lines = tools.out("ConfigCommand", "--describe", *how).splitlines()
    assert re.match(r"(Dynamic|All|Default) configs for ", head), head
    found = [re.match(r"  (\S+?)=(.*?) sensitive=false synonyms=\{", line) for line in lines]
    assert all(found), lines
    return {one[1]: one[2] for one in found}


def tests():
    checks = {
        "LogDirsCommand": log_dirs, "TransactionsCommand describe-producers": describe_producers,
        "ReassignPartitionsCommand": reassign_partitions, "TopicCommand, pages": pages, "ConfigCommand": configs,
    }
    for version in (OLD, NEW):
        for mode in MODES:
            for name, check in checks.items():
                yield f"{name} {version}, {mode}", on_two_cores(version, mode, check)
