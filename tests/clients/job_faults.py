"""What the checker of job.py must notice: each fault a broker or client could have, planted in records that were right."""

import os

import job
from broker import Broker, scratch

LINES = [b"line %d" % number for number in range(12)]
PARTITIONS = 2


def right():
    """(acked, consumed) of partition 0: lines 0, 2, 4, ... at offsets 0, 1, 2, ..."""
    records = [(offset, 2 * offset, LINES[2 * offset]) for offset in range(6)]
    return list(records), list(records)


def judged(acked, consumed, end, may_repeat=()):
    """What the checker says, with nothing wrong in partition 1."""
    out = scratch("faults")
    Broker.directories.append(out)
    other = [(offset, 2 * offset + 1, LINES[2 * offset + 1]) for offset in range(6)]
    for name, records in (("acked", acked), ("consumed", consumed)):
        with open(os.path.join(out, name), "wb") as file:
            for partition, part in ((0, records), (1, other)):
                file.writelines(b"t\t%d\t%d\t%d\t%s\n" % (partition, *record) for record in part)
    try:
        return job.compare(out, LINES, PARTITIONS, {"t": [end, 6]}, may_repeat)
    except (AssertionError, IndexError) as fault:
        return str(fault)


def faults():
    acked, consumed = right()
    assert judged(acked, consumed, 6) == 0
    again = consumed + [(6, 10, LINES[10])]
    assert judged(acked, again, 7, ["t"]) == 1
    changed = consumed[:3] + [(3, 6, b"line 7")] + consumed[4:]
    swapped = [(0, 2, LINES[2]), (1, 0, LINES[0]), *consumed[2:]]
    planted = {
        "consumed offsets have gaps, or are out of order": [
            (acked, consumed[:2] + consumed[3:], 6), (acked, consumed[1:2] + consumed[:1] + consumed[2:], 6), (acked, consumed, 7),
            (acked, consumed[:5], 6), (acked, consumed + consumed[5:], 6),
        ],
        "not every line was acknowledged once": [(acked[1:], consumed, 6), (acked + acked[:1], consumed, 6)],
        "was acknowledged for": [(acked, changed, 6), ([(1, 0, LINES[0]), *acked[1:]], consumed, 6)],
        "out of order": [(swapped, swapped, 6)],
        "a value came back different": [(changed, changed, 6)],
        "1 records twice": [(acked, again, 7)],
    }
    count = 0
    for word, cases in planted.items():
        for case in cases:
            said = judged(*case)
            assert word in str(said), f"planted: {word}; said: {said}"
            count += 1
    return f"{count} faults noticed"


def tests():
    yield "the checker notices every fault", faults
