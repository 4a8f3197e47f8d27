"""Kafka's admin and performance tools, 3.9 and 4.3, unchanged: what they print, not only how they end."""

import json
import os
import re

from broker import MEGABYTES, MODES, PER_CORE, PER_MACHINE, Broker
from java import NEW, OLD, Jvm
from restart import ends

RECORD_BYTES = 1000
RECORDS = MEGABYTES * 1_000_000 // RECORD_BYTES

# What a Java client of either release can use here: API, lowest and highest version listed, the one that it takes.
APIS_LISTED = {
    "Produce": (0, 11), "Fetch": (4, 17), "ListOffsets": (1, 9), "Metadata": (0, 12), "ApiVersions": (0, 4), "CreateTopics": (2, 7),
    "DeleteTopics": (1, 6), "DeleteRecords": (0, 2), "InitProducerId": (0, 5), "OffsetForLeaderEpoch": (2, 4),
    "DescribeConfigs": (1, 4), "CreatePartitions": (0, 3), "DescribeCluster": (0, 1), "ListPartitionReassignments": (0, 0), "DescribeTopicPartitions": (0, 0),
    "DescribeLogDirs": (1, 4), "DescribeProducers": (0, 0),
}

# Java turns to another partition with every batch: small ones, so that each partition gets records.
SPREAD = "batch.size=1000"


class Tools:
    """Tools of one release, each run with the address of one broker."""

    def __init__(self, version, broker):
        self.jvm, self.broker = Jvm.of(version), broker

    def brokers(self):
        """Ids of what clients see."""
        return range(len(self.broker.listeners))

    def run(self, name, *arguments, **how):
        return self.jvm.run(name, "--bootstrap-server", self.broker.address, *arguments, **how)

    def out(self, name, *arguments, **how):
        return self.run(name, *arguments, **how)[0]

    def topics(self, *arguments, **how):
        return self.out("TopicCommand", *arguments, **how)

    def offsets(self, *arguments):
        """{(topic, partition): offset} as GetOffsetShell prints them."""
        lines = self.out("GetOffsetShell", *arguments).split()
        return {(topic, int(partition)): int(offset) for topic, partition, offset in (line.split(":") for line in lines)}

    def fill(self, topic, records, *settings, size=100):
        """ProducerPerformance; gives what it says in the end."""
        line = ["--topic", topic, "--num-records", str(records), "--record-size", str(size), "--throughput", "-1"]
        line += ["--producer-props", f"bootstrap.servers={self.broker.address}", *settings]
        said, _ = self.jvm.run("ProducerPerformance", *line)
        last = said.strip().splitlines()[-1]
        assert last.startswith(f"{records} records sent, "), said
        assert "ms 99.9th." in last, said
        return last


def topic_command(tools):
    """Create, list, describe, add partitions, delete; and what must be refused is refused in words."""
    create = ["--create", "--topic", "t", "--partitions", "3", "--replication-factor", "1"]
    assert tools.topics(*create, "--config", "retention.ms=1000000") == "Created topic t.\n"
    assert tools.topics("--create", "--topic", "defaults") == "Created topic defaults.\n"
    assert tools.topics("--list").split() == ["defaults", "t"]
    said = tools.topics(*create, expect=1)
    assert "Error while executing topic command : Topic 't' already exists." in said, said
    assert tools.topics(*create, "--if-not-exists") == ""
    said = tools.topics("--create", "--topic", "three", "--replication-factor", "3", expect=1)
    assert "Error while executing topic command :" in said and "replicate the partition 3 time(s)" in said, said
    said = tools.topics("--create", "--topic", "a b", expect=1)
    assert "Error while executing topic command :" in said, said

    topic_id = described(tools, 3)
    tools.topics("--alter", "--topic", "t", "--partitions", "5")
    assert described(tools, 5) == topic_id
    said = tools.topics("--alter", "--topic", "t", "--partitions", "4", expect=1)
    assert "Error while executing topic command : " in said and "5 partition(s)" in said, said
    assert described(tools, 5, "--topic-id", topic_id) == topic_id
    for fault in ("--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions", "--at-min-isr-partitions"):
        lines = tools.topics("--describe", fault).splitlines()
        assert len(lines) == (6 if fault.startswith("--at-min") else 0), f"{fault}: {lines}"
    lines = tools.topics("--describe", "--topics-with-overrides").splitlines()
    assert len(lines) == 1 and "Topic: t\t" in lines[0], lines

    assert tools.topics("--delete", "--topic", "t") == ""
    assert tools.topics("--list").split() == ["defaults"]
    said = tools.topics("--describe", "--topic", "t", expect=1)
    assert re.search(r"Error while executing topic command : Topic '.*t.*' does not exist as expected", said), said
    assert tools.topics("--delete", "--topic", "t", "--if-exists") == ""


def described(tools, partitions, *by):
    """Checks `--describe` of topic t; gives its id."""
    head, *lines = tools.topics("--describe", *(by or ["--topic", "t"])).splitlines()
    form = rf"Topic: t\tTopicId: (\S{{22}})\tPartitionCount: {partitions}\tReplicationFactor: 1\tConfigs: retention.ms=1000000"
    assert re.fullmatch(form, head), head
    leaders = set()
    for partition, line in enumerate(lines):
        found = re.match(rf"\tTopic: t\tPartition: {partition}\tLeader: (\d)\tReplicas: (\d)\tIsr: (\d)(\t|$)", line)
        assert found and found[1] == found[2] == found[3], line
        leaders.add(found[1])
    assert len(lines) == partitions and leaders == {str(broker) for broker in tools.brokers()}, lines
    return re.fullmatch(form, head)[1]


def get_offset_shell(tools):
    """Ends, starts, largest timestamp, by time, and the ways to choose topics."""
    tools.topics("--create", "--topic", "other", "--partitions", "2")
    tools.topics("--create", "--topic", "t", "--partitions", "4")
    tools.fill("t", 4000, SPREAD)
    latest = tools.offsets("--topic", "t")
    assert sorted(latest) == [("t", partition) for partition in range(4)] and sum(latest.values()) == 4000, latest
    for name in ("-1", "latest"):
        assert tools.offsets("--topic", "t", "--time", name) == latest
    for name in ("-2", "earliest", "-4", "earliest-local", "1700000000000"):
        assert tools.offsets("--topic", "t", "--time", name) == {where: 0 for where in latest}, name
    for name in ("-3", "max-timestamp"):
        found = tools.offsets("--topic", "t", "--time", name)
        assert sorted(found) == sorted(latest) and all(0 <= found[where] < latest[where] for where in found), found
    assert tools.offsets("--topic", "t", "--time", "4000000000000") == {}
    assert tools.offsets("--topic", "t", "--partitions", "1,3") == {("t", 1): latest["t", 1], ("t", 3): latest["t", 3]}
    chosen = tools.offsets("--topic-partitions", "t:2,oth.*:0-1")
    assert chosen == {("t", 2): latest["t", 2], ("other", 0): 0}, chosen
    assert tools.offsets() == {**latest, ("other", 0): 0, ("other", 1): 0}
    _, said = tools.run("GetOffsetShell", "--topic", "absent", expect=1)
    assert "Could not match any topic-partitions" in said, said


def delete_records(tools):
    """The start moves, once to an offset and once to the end; an offset beyond the end is refused."""
    tools.topics("--create", "--topic", "t", "--partitions", "3")
    tools.fill("t", 3000, SPREAD)
    latest = tools.offsets("--topic", "t")
    path = os.path.join(tools.broker.data_dir, "delete.json")
    goals = {0: latest["t", 0] // 2, 1: -1, 2: latest["t", 2] + 1}
    with open(path, "w") as out:
        json.dump({"partitions": [{"topic": "t", "partition": p, "offset": o} for p, o in goals.items()], "version": 1}, out)
    said = tools.out("DeleteRecordsCommand", "--offset-json-file", path)
    os.remove(path)
    assert "Records delete operation completed:" in said, said
    starts = {("t", 0): goals[0], ("t", 1): latest["t", 1], ("t", 2): 0}
    for partition in (0, 1):
        assert f"partition: t-{partition}\tlow_watermark: {starts['t', partition]}\n" in said, said
    assert re.search(r"partition: t-2\terror: .*OffsetOutOfRange", said), said
    assert tools.offsets("--topic", "t", "--time", "earliest") == starts
    assert tools.offsets("--topic", "t") == latest


def broker_api_versions(tools):
    """Each core as a broker, with the versions that this client will use."""
    said = tools.out("BrokerApiVersionsCommand")
    parts = re.split(r"^(\S+) \(id: (\d+) rack: null.*\) -> \($", said, flags=re.M)
    found = {int(parts[at + 1]): (parts[at], parts[at + 2]) for at in range(1, len(parts), 3)}
    assert {node: address for node, (address, _) in found.items()} == dict(enumerate(tools.broker.listeners)), said
    for _, lines in found.values():
        for name, (low, high) in APIS_LISTED.items():
            span = str(low) if low == high else f"{low} to {high}"
            assert re.search(rf"^\t{name}\(\d+\): {span} \[usable: {high}\],?$", lines, re.M), f"{name} in {lines}"
        assert "UNKNOWN" not in lines and "AddPartitionsToTxn(24): UNSUPPORTED" in lines, lines


def cluster_tool(tools):
    said, _ = tools.jvm.run("ClusterTool", "cluster-id", "--bootstrap-server", tools.broker.address)
    assert re.fullmatch(r"Cluster ID: [\w-]{22}\n", said), said


def producer_performance(version, cores, mode, codec):
    """MEGABYTES at full speed, idempotent, many requests in flight; every record is there."""

    def test():
        broker = Broker(cores=cores, sets={"num.partitions": 2 * cores}, mode=mode)
        tools = Tools(version, broker)
        said = tools.fill("perf", RECORDS, "acks=all", "linger.ms=5", f"compression.type={codec}", size=RECORD_BYTES)
        assert sum(ends(broker, "perf", 2 * cores)) == RECORDS
        broker.stop()
        return said

    return test


def compatibility(version, cores, mode):
    """Kafka's own check of what a client may rely on; and it is one that can fail."""

    def test():
        broker = Broker(cores=cores, mode=mode)
        tools = Tools(version, broker)

        def line(topic, **other):
            claims = {
                "num_cluster_nodes": len(tools.brokers()), "offsets_for_times_supported": "true", "cluster_id_supported": "true",
                "expect_record_too_large_exception": "false", "create_topics_supported": "true", "describe_acls_supported": "false",
                "describe_configs_supported": "true", "idempotent_producer_supported": "true", **other,
            }
            words = [word for claim, value in claims.items() for word in (f"--{claim.replace('_', '-')}", str(value))]
            return ["ClientCompatibilityTest", "--topic", topic, *words]

        out = tools.out(*line("compatible"))
        assert out.endswith("SUCCESS.\n"), out
        tools.topics("--delete", "--topic", "newtopic")
        for claim in ({"describe_acls_supported": "true"}, {"describe_configs_supported": "false"}):
            out = tools.out(*line("refused", **claim), expect=1)
            assert "SUCCESS" not in out, out
        broker.stop()

    return test


def on_two_cores(version, mode, check):
    def test():
        broker = Broker(cores=2, mode=mode)
        check(Tools(version, broker))
        broker.stop()

    return test


def tests():
    checks = {
        "TopicCommand": topic_command, "GetOffsetShell": get_offset_shell, "DeleteRecordsCommand": delete_records,
        "BrokerApiVersionsCommand": broker_api_versions, "ClusterTool": cluster_tool,
    }
    for version in (OLD, NEW):
        for mode in MODES:
            for name, check in checks.items():
                yield f"{name} {version}, {mode}", on_two_cores(version, mode, check)
        for cores, mode in ((1, PER_CORE), (2, PER_CORE), (2, PER_MACHINE)):
            yield f"ClientCompatibilityTest {version}, {cores} core(s), {mode}", compatibility(version, cores, mode)
            codec = {OLD: "zstd", NEW: "none"}[version] if (cores, mode) == (2, PER_CORE) else "lz4"
            yield f"ProducerPerformance {version}, {cores} core(s), {mode}, {codec}", producer_performance(version, cores, mode, codec)
