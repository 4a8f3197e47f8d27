"""Every core is a broker: its own port, its own share of the work, and no message to another core for produce and fetch."""

import json
import os

import text
from broker import Broker, run
from kcat import consume, produce

PRODUCE, FETCH = 0, 1


def stop_and_count(broker):
    """Stops the broker; what each core then says that it counted, in core order."""
    broker.stop()
    lines = [line for line in broker.log() if line.get("target") == "stats"]
    found = {int(line["core"]): {**line, "requests": json.loads(line["requests"])} for line in lines}
    assert sorted(found) == list(range(len(broker.listeners))), "not one stats line per core:\n" + "\n".join(broker.stderr[-20:])
    return [found[core] for core in sorted(found)]


def ports_and_leaders():
    broker = Broker(cores=2, sets={"num.partitions": 2})
    produce(broker, "t", 0, text.make(1))
    shown = json.loads(run(["kcat", "-L", "-J", "-b", broker.listeners[1], "-t", "t"]))
    assert {b["name"] for b in shown["brokers"]} == set(broker.listeners), shown
    assert {b["id"] for b in shown["brokers"]} == {0, 1}, shown
    assert len({p["leader"] for p in shown["topics"][0]["partitions"]}) == 2, shown
    broker.stop()


def no_message_for_produce_and_fetch():
    """The same topics, the same restart: once idle, once with load. The cores say equally little to each other."""
    broker = Broker(cores=2, sets={"num.partitions": 2})
    for topic in ("t", "u"):
        produce(broker, topic, 0, text.make(1))
    stop_and_count(broker)
    idle = Broker(cores=2, data_dir=broker.data_dir)
    run(["kcat", "-L", "-b", idle.address])
    idle = stop_and_count(idle)
    busy = Broker(cores=2, data_dir=broker.data_dir)
    back = f"{broker.data_dir}.text"
    try:
        for partition in range(2):
            for topic, codec in (("t", "none"), ("u", "lz4")):
                produce(busy, topic, partition, text.make(2), codec)
                consume(busy, topic, partition, back)
    finally:
        os.remove(back)
    busy = stop_and_count(busy)
    for core in range(2):
        did, sent = busy[core]["requests"], busy[core]["mesh_messages_sent"]
        assert did[PRODUCE] > 0 and did[FETCH] > 0, f"core {core} did nothing: {busy[core]}"
        assert sent == idle[core]["mesh_messages_sent"], f"core {core} sent {sent} messages, idle {idle[core]['mesh_messages_sent']}"
    counts = [f"core {c}: {n['requests'][PRODUCE]} produce, {n['requests'][FETCH]} fetch, {n['mesh_messages_sent']} messages" for c, n in enumerate(busy)]
    return "; ".join(counts)


def tests():
    yield "two brokers, two ports, leaders on both", ports_and_leaders
    yield "produce and fetch send no cross-core message", no_message_for_produce_and_fetch
