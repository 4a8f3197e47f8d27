"""confluent-kafka for Python, in a virtual environment of its own in the user's cache folder."""

import os
import sys

import job
import text
from broker import Broker, run

VERSION = "2.16.1"
HERE = os.path.dirname(os.path.abspath(__file__))


def python():
    home = os.path.join(text.cache(), f"confluent-kafka-{VERSION}")
    if not os.path.exists(f"{home}/.complete"):
        run([sys.executable, "-m", "venv", "--clear", home], seconds=120)
        run([f"{home}/bin/pip", "install", "-q", "--disable-pip-version-check", f"confluent-kafka=={VERSION}"], seconds=300)
        open(f"{home}/.complete", "w").close()
    return f"{home}/bin/python"


def client(scenario):
    def test():
        broker = Broker(cores=2, sets={"num.partitions": 2})
        said = run([python(), "-B", f"{HERE}/confluent_client.py", scenario, broker.address]).decode()
        broker.stop()
        return said.strip()

    return test


def program():
    return [python(), "-B", f"{HERE}/confluent_job.py"]


def tests():
    for scenario in ("admin", "delete_records", "ends"):
        yield scenario, client(scenario)
    for cores, codec in ((1, "lz4"), (2, "zstd")):
        yield f"through restarts, {cores} core(s), {codec}", job.through(program, cores, codec)
        yield f"every codec, {cores} core(s)", job.round_trip(program, cores)
