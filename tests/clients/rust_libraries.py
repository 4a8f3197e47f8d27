"""Client libraries of Rust: small programs beside this file, built into the user's cache folder."""

import os

import job
import text
from broker import run

HERE = os.path.dirname(os.path.abspath(__file__))


def program(name):
    def build():
        target = os.path.join(text.cache(), f"{name}-target")
        manifest = os.path.join(HERE, name, "Cargo.toml")
        run(["cargo", "build", "-q", "--release", "--locked", "--manifest-path", manifest, "--target-dir", target], seconds=900)
        return [f"{target}/release/{name}-job"]

    return build


def tests():
    # It has no idempotent producer and cannot add partitions.
    yield from job.matrix("rskafka", program("rskafka"), ("gzip", "snappy"), idempotent=False, can=("created", "refused", "deleted"))
