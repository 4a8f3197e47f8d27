"""A member of a consumer group: a small program per client library, which says line by line what happens to it.

usage of the program: BOOTSTRAP TOPIC GROUP session=MILLISECONDS [assignor=range|cooperative-sticky] [instance=ID]

It subscribes, begins at the start of the log where nothing is committed, commits every 300 ms what it got since and still has,
and ends when SIGTERM tells it to. Each line is a JSON object, written at once: {"event": ..., "at": nanoseconds of the machine's
clock}. "subscribing" comes first; with "assigned" and "revoked" come the partitions; with "records" [[partition, offset, number], ...]
as they came; with "committing" the number of the commit and its offsets by partition, before it is sent; with "committed" or
"refused" that number again, once it is acknowledged or not; with "trouble" what a user would find in the log.
"""

import json
import os
import signal
import subprocess
import threading
import time

import go_libraries
import javascript_libraries
import python_libraries
from java import NEW, OLD, member_line
from process import WAIT_SECONDS_MAX, Process

HERE = os.path.dirname(os.path.abspath(__file__))
# The shortest that a broker allows by default: so long a killed member's partitions stand still.
SESSION_MS = 6000


def python_member(library):
    return lambda: [python_libraries.python(library), "-B", f"{HERE}/{library}_member.py"]


def go_member(library):
    return lambda: [*go_libraries.program(library)(), "member"]


# Each library's member, and what it knows of assignors and of static membership.
PROGRAMS = {
    "java-3.9": lambda: member_line(OLD),
    "java-4.3": lambda: member_line(NEW),
    "confluent": python_member("confluent"),
    "kafka_python": python_member("kafka_python"),
    "aiokafka": python_member("aiokafka"),
    "kafkajs": lambda: javascript_libraries.program("member.js"),
    "franz": go_member("franz"),
    "sarama": go_member("sarama"),
    "segmentio": go_member("segmentio"),
}
# kafkajs brings a round robin under a name of its own, and no range. What kafka-go says of itself says that it is of version 1 and
# lacks what that has: a leader that is Java's ends with BufferUnderflowException.
RANGE = [client for client in PROGRAMS if client not in ("kafkajs", "segmentio")]
COOPERATIVE = ["java-3.9", "java-4.3", "confluent", "kafka_python", "franz", "sarama"]
STATIC = ["java-3.9", "java-4.3", "confluent", "kafka_python", "aiokafka", "franz", "sarama"]


class Member(Process):
    lines = {}

    def __init__(self, client, broker, topic, group, assignor="range", instance=None, session_ms=SESSION_MS):
        if client not in Member.lines:
            Member.lines[client] = PROGRAMS[client]()
        line = [*Member.lines[client], broker.address, topic, group, f"session={session_ms}", f"assignor={assignor}"]
        if instance:
            line.append(f"instance={instance}")
        self.client, self.instance, self.killed = client, instance, False
        self.events = []
        super().__init__(line)

    def _read(self, stream, into):
        if stream is not self.process.stdout:
            return super()._read(stream, into)
        reader = threading.Thread(target=lambda: self.events.extend(map(json.loads, whole_lines(stream))), daemon=True)
        reader.start()
        return reader

    def of(self, kind):
        return [event for event in list(self.events) if event["event"] == kind]

    def partitions(self):
        """What is assigned to it now."""
        mine = set()
        for event in list(self.events):
            if event["event"] == "assigned":
                mine |= set(event.get("partitions", ()))
            elif event["event"] == "revoked":
                mine -= set(event.get("partitions", ()))
        return mine

    def wait_until(self, holds, what):
        until = time.monotonic() + WAIT_SECONDS_MAX
        while not holds():
            assert self.process.poll() is None, f"{self.client} ended before {what}: {self}"
            assert time.monotonic() < until, f"{self.client}: not {what} after {WAIT_SECONDS_MAX} s: {self}"
            time.sleep(0.05)

    def wait_for_records(self):
        """From each partition that it has, since it has them."""
        seen = len(self.events)
        self.wait_until(lambda: any(event["event"] == "records" for event in self.events[seen:]), "another record came")

    def leave(self):
        """SIGTERM: it ends by itself, and in order."""
        self.end(with_signal=signal.SIGTERM)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.killed = True
        for reader in self.readers:
            reader.join()

    def __str__(self):
        troubles = "\n".join(event["error"] for event in self.of("trouble")[-10:])
        return f"{super().__str__()}\n{troubles}\nlast events: {[str(event)[:200] for event in self.events[-5:]]}"


def whole_lines(stream):
    """A killed program's last line may be half a line."""
    return (line for line in stream if line.endswith(b"\n"))


class Numbers(Process):
    """The checked producer; what was acknowledged to it."""

    def __init__(self, broker, topic, partitions, rate):
        program = [python_libraries.python("confluent"), "-B", f"{HERE}/confluent_numbers.py"]
        super().__init__([*program, broker.address, topic, str(partitions), str(rate)])

    def acknowledged(self):
        """{(partition, offset): number}"""
        found = {}
        for line in list(self.out):
            partition, offset, number = (int(word) for word in line.split())
            found[partition, offset] = number
        return found

    def stop(self):
        self.end(with_signal=signal.SIGTERM)
        return self.acknowledged()


def lag(broker, group):
    """What franz-go's admin client sees of the group: {"State": ..., "Members": ..., "Partitions": [...]}."""
    done = subprocess.run([*go_libraries.program("franz")(), "lag", broker.address, group], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout)
