"""What a newcomer types: a Kafka file with variables over it, and the lines that `dev` offers to copy."""

import os
import re
import signal
import subprocess

from broker import Broker, run, scratch


def start_with_a_file():
    """`start`, a properties file, environment over file, both signals, a port of its own."""
    for number, stop in enumerate((signal.SIGTERM, signal.SIGINT)):
        home = scratch("start")
        Broker.directories.append(home)
        with open(f"{home}/server.properties", "w") as out:
            out.write(f"node.id=3\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs={home}/log\nnum.network.threads=3\ncores=1\n")
        environment = {**os.environ, "KAFKA_NODE_ID": "4"}
        line = [Broker.binary, "start", "--config", f"{home}/server.properties", "--set", "cores=2"]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        ready = process.stdout.readline()
        process.send_signal(stop)
        out, log = process.communicate(timeout=30)
        assert re.fullmatch(r"ready node=4 cores=2 listeners=127\.0\.0\.1:\d+,127\.0\.0\.1:\d+\n", ready), f"{ready!r}\n{log}"
        assert process.returncode == 0 and out == "", f"{number}: code {process.returncode}, {out!r}\n{log}"
        assert "num.network.threads" in log, log


def what_dev_offers_to_copy_works():
    """`dev` without a directory: the kcat lines work as printed, and the directory is gone afterwards."""
    process = subprocess.Popen([Broker.binary, "dev", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if "kafka-console-consumer" in line:
                break
        assert process.stdout.readline().startswith("ready "), "".join(said)
        data_dir = next(line.split()[1] for line in said if line.split()[:1] == ["data"])
        assert os.path.isdir(data_dir)
        lines = [line.strip() for line in said if "kcat -" in line]
        assert len(lines) == 2, "".join(said)
        run(["bash", "-c", lines[0]])
        assert run(["bash", "-c", lines[1]]).startswith(b"hello\n")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0 and not os.path.exists(data_dir)


def tests():
    yield "start: file, environment, flags, signals", start_with_a_file
    yield "what dev offers to copy works", what_dev_offers_to_copy_works
