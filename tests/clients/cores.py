"""Every core is a broker: its own port, its own share of the work, and no message to another core for produce and fetch."""

import json

import confluent
from broker import Broker, run
from kcat import consume, produce

import text


def stats(broker):
    """What each core counted, logged at stop: {core: fields}."""
    found = {}
    for line in broker.log():
        fields = line.get("fields", line)
        if fields.get("message") == "stats":
            found[int(fields["core"])] = fields
    return found


def ports_and_leaders():
    broker = Broker(cores=2, sets={"num.partitions": 2})
    produce(broker, "t", 0, text.make(1))
    shown = json.loads(run(["kcat", "-L", "-J", "-b", broker.listeners[1], "-t", "t"]))
    assert {b["name"] for b in shown["brokers"]} == set(broker.listeners), shown
    assert {b["id"] for b in shown["brokers"]} == {0, 1}, shown
    assert len({p["leader"] for p in shown["topics"][0]["partitions"]}) == 2, shown
    broker.stop()


def no_message_for_produce_and_fetch():
    broker = Broker(cores=2, sets={"num.partitions": 2})
    back = f"{broker.data_dir}.text"
    run([confluent.python(), "-B", confluent.SCRIPT, "idempotent", broker.address])
    for partition in range(2):
        produce(broker, "t", partition, text.make(1))
        consume(broker, "t", partition, back)
    broker.stop()
    found = stats(broker)
    assert sorted(found) == [0, 1], "no stats line per core:\n" + "\n".join(broker.stderr[-20:])
    for core, fields in found.items():
        assert int(fields["produce_requests"]) > 0 and int(fields["fetch_requests"]) > 0, f"core {core} did nothing: {fields}"
        assert int(fields["mesh_data_messages"]) == 0, f"core {core} sent messages for produce or fetch: {fields}"
    return "; ".join(f"core {core}: {f['produce_requests']} produce, {f['fetch_requests']} fetch" for core, f in sorted(found.items()))


def tests():
    yield "two brokers, two ports, leaders on both", ports_and_leaders
    yield "produce and fetch send no cross-core message", no_message_for_produce_and_fetch
