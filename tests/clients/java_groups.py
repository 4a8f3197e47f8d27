"""Kafka's tools for groups, 3.9 and 4.3, unchanged: what they show of members that are there, what they change, and that its own
formatters understand the records in which groups are kept."""

import json
import re
import signal
import time

import group_check
from broker import MODES, PER_CORE, PER_MACHINE, Broker, free_ports
from java import NEW, OLD, process_line
from java_tools import Tools, on_two_cores
from member import Member, Numbers
from process import WAIT_SECONDS_MAX, Process
from restart import PRODUCE_SECONDS, through_restarts

PARTITIONS = 3
GROUP_TOOL = "consumer.group.ConsumerGroupCommand"
CONSOLE = "consumer.ConsoleConsumer"


def fill(broker, topic):
    """Numbers to every partition; gives {partition: end}."""
    producer = Numbers(broker, topic, PARTITIONS, 1000)
    producer.wait_for_lines(100 * PARTITIONS)
    ends = {}
    for partition, offset in producer.stop():
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    return ends


def rows(said):
    """What a tool shows as a table: a dictionary per line, by column."""
    lines = [line for line in said.strip().splitlines() if line]
    head = next((at for at, line in enumerate(lines) if line.startswith("GROUP ")), None)
    assert head is not None, said
    columns = [(found[0], found.start()) for found in re.finditer(r"\S+(?: \(ID\))?", lines[head])]
    ends = [start for _, start in columns[1:]] + [None]
    return [{name: line[start:end].strip() for (name, start), end in zip(columns, ends)} for line in lines[head + 1:]]


def offsets(tools, group):
    """{partition: (committed, end, lag)} as `--describe` shows it."""
    shown = rows(tools.out(GROUP_TOOL, "--describe", "--group", group))
    assert all(row["GROUP"] == group and row["TOPIC"] == "t" for row in shown), shown
    found = {int(row["PARTITION"]): tuple(row[name] for name in ("CURRENT-OFFSET", "LOG-END-OFFSET", "LAG")) for row in shown}
    assert len(found) == len(shown), shown
    return found


def all_read(ends):
    return {partition: (str(end), str(end), "0") for partition, end in ends.items()}


def with_members(tools, ends, members):
    """List, describe: partitions, members, state. A group with members is neither deleted nor moved."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while offsets(tools, "live") != all_read(ends):
        assert time.monotonic() < until, offsets(tools, "live")
    assert tools.out(GROUP_TOOL, "--list").split() == ["live"]
    assert rows(tools.out(GROUP_TOOL, "--list", "--state")) == [{"GROUP": "live", "STATE": "Stable"}]
    assert rows(tools.out(GROUP_TOOL, "--list", "--state", "empty")) == []
    shown = rows(tools.out(GROUP_TOOL, "--describe", "--group", "live"))
    ids = {row["CONSUMER-ID"] for row in shown}
    assert len(ids) == 2 and any(one.startswith("fixed") for one in ids), shown
    assert {row["HOST"] for row in shown} == {"/127.0.0.1"} and {row["CLIENT-ID"] for row in shown} == {"kgo"}, shown
    shown = rows(tools.out(GROUP_TOOL, "--describe", "--group", "live", "--members", "--verbose"))
    assert {row["CONSUMER-ID"] for row in shown} == ids and sorted(row["#PARTITIONS"] for row in shown) == ["1", "2"], shown
    assert any("fixed" in row.values() for row in shown), shown
    (state,) = rows(tools.out(GROUP_TOOL, "--describe", "--group", "live", "--state"))
    assert (state["STATE"], state["#MEMBERS"], state["ASSIGNMENT-STRATEGY"]) == ("Stable", "2", "range"), state
    assert state["COORDINATOR (ID)"].split()[0] in tools.broker.listeners, state
    said = "\n".join(tools.run(GROUP_TOOL, "--delete", "--group", "live", expect=None))
    assert "'live' could not be deleted" in said and "GroupNotEmpty" in said, said
    said = "\n".join(tools.run(GROUP_TOOL, "--reset-offsets", "--group", "live", "--topic", "t", "--to-earliest", "--execute", expect=None))
    assert "can only be reset if the group 'live' is inactive" in said, said
    said = "\n".join(tools.run(GROUP_TOOL, "--delete-offsets", "--group", "live", "--topic", "t", expect=None))
    assert "subscribed to" in said, said
    for member in members:
        assert not member.of("refused") and len(member.of("assigned")) <= 2, member


def without_members(tools, ends):
    """Offsets move where they are told to, and go; then the group goes."""
    assert rows(tools.out(GROUP_TOOL, "--list", "--state", "empty")) == [{"GROUP": "live", "STATE": "Empty"}]
    assert offsets(tools, "live") == all_read(ends)

    def reset(*how, topic="t"):
        said = tools.out(GROUP_TOOL, "--reset-offsets", "--group", "live", "--topic", topic, *how)
        found = re.findall(r"live +t +(\d) +(\d+)", said)
        return {int(partition): int(offset) for partition, offset in found}

    def committed():
        return {partition: int(shown[0]) for partition, shown in offsets(tools, "live").items()}

    start = {partition: 0 for partition in ends}
    assert reset("--to-earliest", "--dry-run") == start and committed() == ends
    assert reset("--to-earliest", "--execute") == start and committed() == start
    assert reset("--to-offset", "10", "--execute", topic="t:0,2") == {0: 10, 2: 10} and committed() == {0: 10, 1: 0, 2: 10}
    assert reset("--shift-by", "5", "--execute") == {0: 15, 1: 5, 2: 15} and committed() == {0: 15, 1: 5, 2: 15}
    assert offsets(tools, "live")[0] == ("15", str(ends[0]), str(ends[0] - 15))
    assert reset("--to-latest", "--execute") == ends and committed() == ends
    assert reset("--shift-by", "-5", "--execute") == {partition: end - 5 for partition, end in ends.items()}
    # Who comes next begins there.
    said, _ = tools.run(CONSOLE, "--topic", "t", "--group", "live", "--max-messages", str(5 * PARTITIONS), "--timeout-ms", "20000")
    assert len(said.splitlines()) == 5 * PARTITIONS and committed() == ends, said
    said = tools.out(GROUP_TOOL, "--delete-offsets", "--group", "live", "--topic", "t:1")
    assert re.search(r"t +1 +Successful", said), said
    assert committed() == {partition: end for partition, end in ends.items() if partition != 1}
    said = tools.out(GROUP_TOOL, "--delete", "--group", "live")
    assert "Deletion of requested consumer groups ('live') was successful." in said, said
    assert tools.out(GROUP_TOOL, "--list").strip() == ""
    said = "\n".join(tools.run(GROUP_TOOL, "--describe", "--group", "live", expect=None))
    assert "does not exist" in said or "Group live not found" in said, said
    said = "\n".join(tools.run(GROUP_TOOL, "--delete", "--group", "live", expect=None))
    assert "GroupIdNotFound" in said, said


def consumer_group_command(tools):
    tools.topics("--create", "--topic", "t", "--partitions", str(PARTITIONS))
    ends = fill(tools.broker, "t")
    members = [Member("franz", tools.broker, "t", "live", instance=instance) for instance in (None, "fixed")]
    for member in members:
        member.wait_until(lambda: len(members[0].partitions()) + len(members[1].partitions()) == PARTITIONS and member.partitions(), "they share")
    with_members(tools, ends, members)
    for member in members:
        member.leave()
    # A static member is gone only when it is told to, or missed.
    until = time.monotonic() + WAIT_SECONDS_MAX
    while rows(tools.out(GROUP_TOOL, "--list", "--state")) != [{"GROUP": "live", "STATE": "Empty"}]:
        assert time.monotonic() < until, "a member is still there"
    without_members(tools, ends)


def console_consumer(tools):
    """It joins a group, commits what it read, and reads on from there."""
    tools.topics("--create", "--topic", "t", "--partitions", str(PARTITIONS))
    for turn, how in enumerate((["--from-beginning"], [], [])):
        ends = fill(tools.broker, "t")
        before = 0 if turn == 0 else sum(int(end) for end, _, _ in offsets(tools, "console").values())
        count = sum(ends.values()) - before
        said, errors = tools.run(CONSOLE, "--topic", "t", "--group", "console", "--timeout-ms", "3000", *how, seconds=120)
        assert len(said.splitlines()) == count, f"{len(said.splitlines())} of {count} records: {errors}"
        assert offsets(tools, "console") == all_read(ends)


def formatted(tools, formatter):
    """[(key, value)] of __consumer_offsets as Kafka's formatter shows them."""
    name = f"org.apache.kafka.tools.consumer.{formatter}"
    said, _ = tools.run(CONSOLE, "--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms", "4000", "--formatter", name, seconds=120)
    found, at, decoder = [], 0, json.JSONDecoder()
    while at < len(said.rstrip()):
        one, at = decoder.raw_decode(said, at)
        found.append((one["key"]["data"], one["value"] and one["value"]["data"]))
    return found


def formatters(tools):
    """The records of our groups, as Kafka's own console consumer reads them: the last of each key is what the group is."""
    tools.topics("--create", "--topic", "t", "--partitions", str(PARTITIONS))
    ends = fill(tools.broker, "t")
    began = time.time() * 1000
    tools.run(CONSOLE, "--topic", "t", "--group", "read", "--from-beginning", "--max-messages", str(sum(ends.values())))
    tools.run(CONSOLE, "--topic", "t", "--group", "gone", "--from-beginning", "--max-messages", str(sum(ends.values())))
    tools.out(GROUP_TOOL, "--delete", "--group", "gone")
    last = {}
    for key, value in formatted(tools, "OffsetsMessageFormatter"):
        last[key["group"], key["topic"], key["partition"]] = value
    assert {partition: last["read", "t", partition]["offset"] for partition in ends} == ends, last
    for partition in ends:
        value = last["read", "t", partition]
        # Kafka 3.9 does not know it, and reads the rest.
        assert "topicId" not in value or len(value["topicId"]) == 22, value
        assert value["metadata"] == "" and began - 1000 < value["commitTimestamp"] < time.time() * 1000 + 1000, value
        assert last["gone", "t", partition] is None, last
    states = {"read": [], "gone": []}
    for key, value in formatted(tools, "GroupMetadataMessageFormatter"):
        if key["group"] in states:
            states[key["group"]].append(value)
    assert states["gone"][-1] is None and states["read"][-1]["members"] == [], states
    (with_member,) = [state for state in states["read"] if state["members"]][-1:]
    (member,) = with_member["members"]
    assert (with_member["protocolType"], with_member["protocol"], with_member["leader"]) == ("consumer", "range", member["memberId"]), with_member
    assert (member["clientId"], member["clientHost"], member["sessionTimeout"]) == ("console-consumer", "/127.0.0.1", 45_000), member
    assert states["read"][-1]["generation"] == with_member["generation"] + 1, states


class Verified:
    """What a VerifiableConsumer printed, told as a member (see member.py) tells it; the clock is the test's."""

    def __init__(self, version, broker, number):
        self.client = f"VerifiableConsumer {version}, {number}"
        line = ["--bootstrap-server", broker.address, "--topic", "verified", "--group-id", "verified", "--session-timeout", "6000", "--verbose"]
        self.process = Process(process_line(version, "VerifiableConsumer", *line))

    def said(self):
        return [json.loads(line) for line in list(self.process.out) if line.startswith(b"{")]

    def values(self):
        return {(one["partition"], one["offset"]): int(one["value"]) for one in self.said() if one["name"] == "record_data"}

    def end(self):
        self.process.end(expect=128 + signal.SIGTERM, with_signal=signal.SIGTERM)

    @property
    def events(self):
        """It prints a commit when it is over, so its beginning is unknown: since the one before."""
        told, commit, before = [], 0, 0
        for one in self.said():
            at = one["timestamp"] * 1_000_000
            if one["name"] in ("partitions_assigned", "partitions_revoked"):
                event = one["name"].split("_")[1]
                told.append({"event": event, "at": at, "partitions": [part["partition"] for part in one["partitions"]]})
            elif one["name"] == "record_data":
                told.append({"event": "records", "at": at, "records": [[one["partition"], one["offset"], int(one["value"])]]})
            elif one["name"] == "offsets_committed":
                commit += 1
                parts = {str(part["partition"]): part["offset"] for part in one["offsets"]}
                told.append({"event": "committing", "at": before, "commit": commit, "offsets": parts})
                told.append({"event": "committed" if one["success"] else "refused", "at": at, "commit": commit})
            before = at
        return told


def verifiable(version, mode):
    """Two VerifiableConsumers share a topic while a VerifiableProducer writes to it; the broker stops, starts, is killed and starts."""

    def test():
        records = 1000 * PRODUCE_SECONDS // 2
        broker = Broker(cores=2, sets={"num.partitions": PARTITIONS}, port=free_ports(2), mode=mode)
        consumers = [Verified(version, broker, number) for number in range(2)]
        line = ["--bootstrap-server", broker.address, "--topic", "verified", "--max-messages", str(records), "--throughput", str(records // PRODUCE_SECONDS)]
        producer = Process(process_line(version, "VerifiableProducer", *line))
        broker = through_restarts(broker, "verified", PARTITIONS, records)
        producer.end()
        told = [json.loads(line) for line in producer.out if line.startswith(b"{")]
        acknowledged = {(one["partition"], one["offset"]): int(one["value"]) for one in told if one["name"] == "producer_send_success"}
        # It never tries again: what was under way when the broker went away is an error, and may be there nonetheless.
        errors = sum(one["name"] == "producer_send_error" for one in told)
        assert len(acknowledged) + errors == records and len(acknowledged) > records // 6, f"{len(acknowledged)} acknowledged, {errors} errors"
        until = time.monotonic() + WAIT_SECONDS_MAX
        while not acknowledged.items() <= {**consumers[0].values(), **consumers[1].values()}.items():
            assert time.monotonic() < until, f"not all came: {consumers[0].process}\n{consumers[1].process}"
            time.sleep(0.2)
        for consumer in consumers:
            consumer.end()
        said = group_check.check(acknowledged, consumers)
        broker.stop()
        return str(said)

    return test


def tests():
    for version, mode in ((OLD, PER_MACHINE), (NEW, PER_CORE)):
        yield f"VerifiableConsumer and VerifiableProducer {version} through restarts, {mode}", verifiable(version, mode)
    checks = {
        "ConsumerGroupCommand": consumer_group_command, "ConsoleConsumer in a group": console_consumer, "formatters of __consumer_offsets": formatters,
    }
    for version in (OLD, NEW):
        for (name, check), mode in zip(checks.items(), (*MODES, *MODES)):
            yield f"{name} {version}, {mode}", on_two_cores(version, mode, check)
