"""confluent-kafka for Python, in a virtual environment of its own in the user's cache folder."""

import os
import sys

import text
from broker import Broker, run

VERSION = "2.16.1"
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "confluent_client.py")


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
        said = run([python(), "-B", SCRIPT, scenario, broker.address]).decode()
        broker.stop()
        return said.strip()

    return test


def tests():
    for scenario in ("idempotent", "admin", "delete_records", "ends"):
        yield scenario, client(scenario)
