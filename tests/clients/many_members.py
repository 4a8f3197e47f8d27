"""Many groups of ten members each, over few connections (go/many): a restart of the broker takes nobody's membership."""

import json
import time

import go_libraries
from broker import MODES, PER_CORE, Broker, free_ports
from groups import MINUTES
from process import WAIT_SECONDS_MAX, Process

GROUPS = 1000 if MINUTES else 100
MEMBERS = 10
HEARTBEAT_SECONDS = 3


def cpu_seconds(broker):
    with open(f"/proc/{broker.process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def heartbeats(client, seen):
    """{error code: answers} of the lines after the first `seen` ones."""
    total = {}
    for line in client.out[seen:]:
        for code, count in json.loads(line)["answers"].items():
            total[int(code)] = total.get(int(code), 0) + count
    return total


def wait_for_all(client, what):
    """Until every member had an answer, and half of them a second one. An answer but that all is well fails the test."""
    seen, until = len(client.out), time.monotonic() + WAIT_SECONDS_MAX
    while True:
        found = heartbeats(client, seen)
        assert set(found) <= {0}, f"{what}: heartbeats were answered with {found}"
        if found.get(0, 0) >= 1.5 * GROUPS * MEMBERS:
            return
        assert time.monotonic() < until, f"{what}: {found} after {WAIT_SECONDS_MAX} s"
        time.sleep(0.2)


def many(mode):
    def test():
        broker = Broker(cores=2, sets={"group.initial.rebalance.delay.ms": 500}, port=free_ports(2), mode=mode)
        client = Process([*go_libraries.program("many")(), broker.address, str(GROUPS), str(MEMBERS)])
        client.wait_for_lines(1)
        assert json.loads(client.out[0])["joined"] == GROUPS * MEMBERS, client.out
        before, began = cpu_seconds(broker), time.monotonic()
        wait_for_all(client, "steady")
        share = (cpu_seconds(broker) - before) / (time.monotonic() - began)
        for end in (Broker.stop, Broker.kill):
            end(broker)
            broker = broker.again()
            wait_for_all(client, f"after {end.__name__}")
        broker.stop()
        return f"{GROUPS * MEMBERS} members, {GROUPS * MEMBERS / HEARTBEAT_SECONDS:.0f} heartbeats a second: {100 * share:.1f} % of a core"

    return test


def tests():
    for mode in MODES if MINUTES else [PER_CORE]:
        yield f"{GROUPS} groups of {MEMBERS} members keep them through stop and kill -9, {mode}", many(mode)
