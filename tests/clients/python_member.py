"""What the group members of all Python libraries share (see member.py): arguments, what they print, when they end."""

import json
import signal
import sys
import time

# Rare enough that a killed member leaves records behind that it had got and not committed.
COMMIT_SECONDS = 0.3


class Member:
    def __init__(self):
        self.bootstrap, self.topic, self.group = sys.argv[1:4]
        settings = dict(word.split("=", 1) for word in sys.argv[4:])
        self.assignor, self.instance = settings.get("assignor", "range"), settings.get("instance")
        self.session_ms = int(settings["session"])
        self.heartbeat_ms = self.session_ms // 6
        self.commits, self.committed_at, self.pending = 0, time.monotonic(), {}
        self.told_to_end = False
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_):
        self.told_to_end = True

    def subscribing(self):
        self._say("subscribing")

    def assigned(self, partitions):
        self._say("assigned", partitions=sorted(partitions))

    def revoked(self, partitions):
        """What it has not committed of them is for their next owner."""
        partitions = sorted(partitions)
        for partition in partitions:
            self.pending.pop(partition, None)
        self._say("revoked", partitions=partitions)

    def records(self, records):
        """[(partition, offset, number)], as they came."""
        if records:
            self._say("records", records=records)
            self.pending.update((partition, offset + 1) for partition, offset, _ in records)

    def committing(self):
        """What is to be committed now, {partition: offset}; nothing before its time, unless this is the end."""
        if not self.pending or not self.told_to_end and time.monotonic() < self.committed_at + COMMIT_SECONDS:
            return {}
        offsets, self.pending, self.committed_at = self.pending, {}, time.monotonic()
        self.commits += 1
        self._say("committing", commit=self.commits, offsets=offsets)
        return offsets

    def committed(self):
        self._say("committed", commit=self.commits)

    def refused(self, error):
        self._say("refused", commit=self.commits, error=f"{type(error).__name__}: {error}")

    def trouble(self, error):
        self._say("trouble", error=f"{type(error).__name__}: {error}")

    def _say(self, event, **more):
        """One write, and never held back: what a killed member had printed is there."""
        line = json.dumps({"event": event, "at": time.monotonic_ns(), **more}, separators=(",", ":"))
        sys.stdout.buffer.write(line.encode() + b"\n")
        sys.stdout.buffer.flush()
