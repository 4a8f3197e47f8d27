"""The real binary as a test sees it: arguments, ready line, log lines, signals, exit code."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

READY_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30
MEGABYTES = int(os.environ.get("CLIENT_MB", "3"))


def scratch(name):
    """A new directory on the disk that the binary was built on (never a tmpfs)."""
    parent = os.environ.get("SCRATCH_DIR") or os.path.dirname(os.path.abspath(Broker.binary))
    return tempfile.mkdtemp(prefix=f"clients-{name}-", dir=parent)


def free_ports(count):
    """The first of so many ports in a row that nobody listens on, below those that the kernel gives to clients."""
    while True:
        first = random.randrange(20_000, 30_000)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            pass


# What clients see of a machine: a broker per core, or one for all.
PER_CORE, PER_MACHINE = MODES = ("per-core", "per-machine")


class Broker:
    """One run of `corelane dev` with a data directory."""

    binary = None
    running = []
    directories = []

    def __init__(self, cores=1, data_dir=None, sets=(), port=0, mode=PER_CORE, before=None):
        if data_dir is None:
            data_dir = scratch("data")
            Broker.directories.append(data_dir)
        self.data_dir, self.cores, self.sets, self.port, self.mode = data_dir, cores, dict(sets), port, mode
        line = [Broker.binary, "--log-format", "json", "dev", "--port", str(self.port), "--cores", str(cores), "--data-dir", data_dir]
        line += ["--set", f"advertise={mode}"]
        for key, value in self.sets.items():
            line += ["--set", f"{key}={value}"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CORELANE_", "KAFKA_"))}
        self.process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
            preexec_fn=before,
        )
        Broker.running.append(self)
        self.stderr = []
        self.reader = threading.Thread(target=self._read_stderr, daemon=True)
        self.reader.start()
        self.ready = self._read_ready()
        words = dict(word.split("=", 1) for word in self.ready.split()[1:])
        self.listeners = words["listeners"].split(",")
        self.address = self.listeners[0]
        assert len(self.listeners) == (cores if mode == PER_CORE else 1) and int(words["cores"]) == cores, self.ready

    def _read_stderr(self):
        for line in self.process.stderr:
            self.stderr.append(line.rstrip("\n"))

    def _read_ready(self):
        watchdog = threading.Timer(READY_SECONDS_MAX, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().rstrip("\n")
        watchdog.cancel()
        assert line.startswith("ready "), f"no ready line but {line!r}; standard error:\n" + "\n".join(self.stderr[-40:])
        return line

    def stop(self, with_signal=signal.SIGTERM):
        """Stops it gracefully; whatever is not a clean end fails the test."""
        Broker.running.remove(self)
        if self.process.poll() is not None:
            raise AssertionError(f"the broker ended by itself, code {self.process.returncode}:\n" + "\n".join(self.stderr[-40:]))
        self.process.send_signal(with_signal)
        try:
            code = self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"no stop within {STOP_SECONDS_MAX} s:\n" + "\n".join(self.stderr[-40:]))
        self.reader.join()
        rest = self.process.stdout.read()
        assert code == 0, f"exit code {code}:\n" + "\n".join(self.stderr[-40:])
        assert rest == "", f"standard output holds more than the ready line: {rest!r}"

    def kill(self):
        """kill -9."""
        Broker.running.remove(self)
        self.process.kill()
        self.process.wait()

    def again(self):
        """Starts it once more, after an end of either kind: same data, same ports."""
        assert self.port, "clients find it again only at ports that it was told"
        return Broker(self.cores, self.data_dir, self.sets, self.port, self.mode)

    def log(self):
        """The JSON lines on standard error."""
        lines = []
        for line in self.stderr:
            try:
                lines.append(json.loads(line))
            except ValueError:
                pass
        return lines

    @classmethod
    def stop_all(cls):
        for broker in list(cls.running):
            broker.kill()
        for directory in cls.directories:
            if not os.environ.get("KEEP"):
                shutil.rmtree(directory, ignore_errors=True)
        cls.directories.clear()


def run(line, seconds=120, stdin=None, expect=0):
    """Runs a client; gives its standard output as bytes. Another exit code, or no end in time, fails the test."""
    began = time.monotonic()
    with open(stdin, "rb") if stdin else open(os.devnull, "rb") as source:
        try:
            done = subprocess.run(line, stdin=source, capture_output=True, timeout=seconds)
        except subprocess.TimeoutExpired as late:
            said = (late.stderr or b"")[-2000:].decode(errors="replace")
            raise AssertionError(f"no end within {seconds} s: {' '.join(line)}\n{said}") from None
    if done.returncode != expect:
        said = done.stdout[-1000:].decode(errors="replace") + done.stderr[-3000:].decode(errors="replace")
        raise AssertionError(f"exit code {done.returncode} after {time.monotonic() - began:.1f} s: {' '.join(line)}\n{said}")
    return done.stdout
