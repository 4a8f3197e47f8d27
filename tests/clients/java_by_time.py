"""Offsets by time inside batches that Java's encoders compressed: the record itself, before and after restarts."""

from broker import MEGABYTES, Broker
from java import NEW, OLD, Jvm


def by_time(version, codec):
    def test():
        jvm = Jvm.of(version)
        broker = Broker(cores=2)
        said, _ = jvm.run("ByTime", "produce", broker.address, codec, str(MEGABYTES))
        jvm.run("ByTime", "check", broker.address, codec, str(MEGABYTES))
        broker.kill()
        broker = Broker(cores=2, data_dir=broker.data_dir)
        jvm.run("ByTime", "check", broker.address, codec, str(MEGABYTES))
        broker.stop()
        broker = Broker(cores=2, data_dir=broker.data_dir)
        jvm.run("ByTime", "check", broker.address, codec, str(MEGABYTES))
        broker.stop()
        return said

    return test


def tests():
    for codec in ("lz4", "zstd", "gzip", "snappy"):
        yield f"{NEW}, {codec}", by_time(NEW, codec)
    for codec in ("lz4", "zstd"):
        yield f"{OLD}, {codec}", by_time(OLD, codec)
