"""A broker that is stopped and started, then killed and started, while clients are in the middle of their work."""

import re
import subprocess
import time

from broker import run
from process import WAIT_SECONDS_MAX

DOWN_SECONDS = 0.5
# Producers spread their records over so many seconds, so that both restarts fall into the work.
PRODUCE_SECONDS = 6


def ends(broker, topic, partitions):
    """Log end offsets by partition, as kcat learns them; 0 where it learns none."""
    line = ["kcat", "-Q", "-b", broker.address, "-X", "log_level=0"]
    for partition in range(partitions):
        line += ["-t", f"{topic}:{partition}:-1"]
    said = subprocess.run(line, capture_output=True, timeout=60).stdout.decode()
    found = {int(partition): int(offset) for partition, offset in re.findall(rf"^{re.escape(topic)} \[(\d+)\] offset (\d+)$", said, re.M)}
    return [found.get(partition, 0) for partition in range(partitions)]


def wait_for(broker, topic, partitions, records):
    until = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        found = ends(broker, topic, partitions)
        if sum(found) >= records:
            return found
        assert time.monotonic() < until, f"{topic} holds {found} after {WAIT_SECONDS_MAX} s, and not {records} in all"
        time.sleep(0.05)


def through_restarts(broker, topic, partitions, records):
    """A graceful stop when a sixth of the records is there, kill -9 at the half. Gives the broker that runs in the end."""
    for sixths in (1, 3):
        before = sum(wait_for(broker, topic, partitions, records * sixths // 6))
        assert before < records, f"all {records} records were there before the broker ended: nothing was in mid-way"
        if sixths == 1:
            broker.stop()
        else:
            broker.kill()
        time.sleep(DOWN_SECONDS)
        broker = broker.again()
    return broker


def create(broker, topic):
    """Kafka creates a topic that is asked for by name."""
    run(["kcat", "-L", "-b", broker.address, "-t", topic])
