"""A client that runs beside the test, with all that it says."""

import contextlib
import subprocess
import threading
import time

from broker import MEGABYTES

WAIT_SECONDS_MAX = 90 + 20 * MEGABYTES


class Process:
    running = []

    def __init__(self, line):
        self.line = line
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.err = [], []
        self.readers = [self._read(self.process.stdout, self.out), self._read(self.process.stderr, self.err)]
        Process.running.append(self)

    def _read(self, stream, into):
        reader = threading.Thread(target=lambda: into.extend(stream), daemon=True)
        reader.start()
        return reader

    def feed(self, lines, seconds):
        """Types the lines at an even pace, then ends the input."""
        began = time.monotonic()
        with contextlib.closing(self.process.stdin) as stdin:
            for at in range(0, len(lines), 100):
                stdin.write(b"".join(lines[at:at + 100]))
                stdin.flush()
                time.sleep(max(0, began + seconds * at / len(lines) - time.monotonic()))

    def end(self, expect=0, with_signal=None):
        """Waits for its end, or brings it about; another exit code fails the test."""
        if with_signal:
            self.process.send_signal(with_signal)
        try:
            code = self.process.wait(WAIT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end within {WAIT_SECONDS_MAX} s: {self}") from None
        for reader in self.readers:
            reader.join()
        assert code == expect, f"exit code {code}: {self}"

    def wait_for_lines(self, count):
        until = time.monotonic() + WAIT_SECONDS_MAX
        while len(self.out) < count:
            assert self.process.poll() is None, f"it ended after {len(self.out)} of {count} lines: {self}"
            assert time.monotonic() < until, f"{len(self.out)} of {count} lines after {WAIT_SECONDS_MAX} s: {self}"
            time.sleep(0.05)

    def __str__(self):
        return " ".join(word for word in self.line if ".jar" not in word) + "\n" + b"".join(self.err[-20:]).decode(errors="replace")

    @classmethod
    def stop_all(cls):
        for one in cls.running:
            one.process.kill()
            one.process.wait()
        cls.running.clear()
