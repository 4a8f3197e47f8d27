"""What the jobs of all Python libraries share (see job.py): arguments, pace, files. Runs inside their virtual environments."""

import sys
import threading
import time

# After all is acknowledged: a minute, and longer where there is more text than the test command's.
CONSUME_SECONDS_MAX = 60
LINES_A_SECOND = 2_000


class Job:
    def __init__(self):
        self.bootstrap, partitions, path, seconds, self.out = sys.argv[1:6]
        self.partitions, self.seconds = int(partitions), float(seconds)
        self.topics = [word.split("/") for word in sys.argv[6:]]
        with open(path, "rb") as source:
            self.lines = source.read().split(b"\n")[:-1]
        self.files = {name: open(f"{self.out}/{name}", "wb") for name in ("acked", "consumed")}
        # Offset up to which each partition must be consumed, once all is acknowledged; offset that it was consumed up to.
        self.ends, self.at = {}, {}
        self.all_acknowledged = False
        self.began = time.monotonic()

    def places(self):
        return [(topic, partition) for topic, _, _ in self.topics for partition in range(self.partitions)]

    def late(self, number):
        """Seconds until line `number` is due."""
        return max(0, self.began + self.seconds * number / len(self.lines) - time.monotonic())

    def acked(self, topic, partition, offset, key, value):
        self._write("acked", topic, partition, offset, key, value)
        self.ends[topic, partition] = max(self.ends.get((topic, partition), 0), offset + 1)

    def consumed(self, topic, partition, offset, key, value):
        self._write("consumed", topic, partition, offset, key, value)
        self.at[topic, partition] = offset + 1

    def _write(self, name, topic, partition, offset, key, value):
        self.files[name].write(b"%s\t%d\t%d\t%s\t%s\n" % (topic.encode(), partition, offset, key, value))

    def is_done(self):
        return self.all_acknowledged and self.at == self.ends

    def run(self, produce, consume):
        """Both at the same time, each in a thread; `consume` ends by is_done."""
        consumer = threading.Thread(target=consume, daemon=True)
        consumer.start()
        produce()
        self.all_acknowledged = True
        consumer.join(self.consume_seconds_max())
        assert not consumer.is_alive(), "not all that was acknowledged is consumed"
        self.close()

    def consume_seconds_max(self):
        return CONSUME_SECONDS_MAX + len(self.lines) / LINES_A_SECOND

    def close(self):
        assert self.is_done()
        for file in self.files.values():
            file.close()
