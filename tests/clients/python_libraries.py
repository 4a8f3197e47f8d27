"""Client libraries of Python, each in a virtual environment of its own in the user's cache folder."""

import os
import sys

import job
import text
from broker import Broker, run

HERE = os.path.dirname(os.path.abspath(__file__))
# What codecs need beside the library itself is pinned too.
LIBRARIES = {
    "confluent": ["confluent-kafka==2.16.1"],
    "kafka_python": ["kafka-python==3.0.12", "crc32c==2.9.post0", "lz4==4.4.5", "python-snappy==0.7.3", "cramjam==2.14.0", "zstandard==0.25.0"],
    "aiokafka": ["aiokafka==0.14.0", "cramjam==2.14.0"],
}


def python(library):
    packages = LIBRARIES[library]
    home = os.path.join(text.cache(), packages[0].replace("==", "-"))
    if not os.path.exists(f"{home}/.complete"):
        run([sys.executable, "-m", "venv", "--clear", home], seconds=120)
        run([f"{home}/bin/pip", "install", "-q", "--disable-pip-version-check", *packages], seconds=300)
        open(f"{home}/.complete", "w").close()
    return f"{home}/bin/python"


def program(library):
    return lambda: [python(library), "-B", f"{HERE}/{library}_job.py"]


def confluent(scenario):
    def test():
        broker = Broker(cores=2, sets={"num.partitions": 2})
        said = run([python("confluent"), "-B", f"{HERE}/confluent_client.py", scenario, broker.address]).decode()
        broker.stop()
        return said.strip()

    return test


def tests():
    for scenario in ("admin", "delete_records", "ends", "offsets_topic"):
        yield f"confluent-kafka, {scenario}", confluent(scenario)
    codecs = {"confluent": ("lz4", "zstd"), "kafka_python": ("gzip", "lz4"), "aiokafka": ("zstd", "snappy")}
    for library, pair in codecs.items():
        # What confluent-kafka's admin client does is above.
        yield from (test for test in job.matrix(library, program(library), pair) if library != "confluent" or "admin" not in test[0])
