"""The command line as scripts see it: ready line, exit codes, signals, and the lines that `dev` offers to copy."""

import os
import re
import signal
import subprocess

from broker import Broker, run, scratch


def exit_codes():
    """Whatever is wrong with what was typed: exit 2, nothing on standard output, one line that names it."""
    wrong = [
        (["dev", "--prot", "1"], "--prot"),
        (["dev", "--set", "num.partitionz=1"], "num.partitions"),
        (["dev", "--set", "durability=ram"], "durability=ram"),
        (["start", "--config", "/does/not/exist"], "/does/not/exist"),
        (["start"], "--config"),
        (["launch"], "launch"),
    ]
    for arguments, word in wrong:
        done = subprocess.run([Broker.binary, *arguments], capture_output=True, text=True, timeout=10)
        assert done.returncode == 2, f"{arguments}: exit code {done.returncode}"
        assert done.stdout == "" and done.stderr.count("\n") == 1 and word in done.stderr, f"{arguments}: {done.stderr!r}"
    assert re.fullmatch(rb"corelane \d+\.\d+\.\d+\n", run([Broker.binary, "version"]))


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


def second_process_is_refused():
    broker = Broker()
    line = [Broker.binary, "dev", "--port", "0", "--cores", "1", "--data-dir", broker.data_dir]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stdout == "" and broker.data_dir in done.stderr, f"{done.returncode} {done.stderr}"
    port = broker.address.rsplit(":", 1)[1]
    line = [Broker.binary, "dev", "--port", port, "--cores", "1"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stdout == "" and port in done.stderr, f"{done.returncode} {done.stderr}"
    broker.stop()


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
    yield "wrong usage exits with 2 and one line", exit_codes
    yield "start: file, environment, flags, signals", start_with_a_file
    yield "a second process is refused", second_process_is_refused
    yield "what dev offers to copy works", what_dev_offers_to_copy_works
