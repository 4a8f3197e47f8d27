"""What the checker of group_check.py must notice: each fault that a coordinator or a client could have, planted in the story of two
members that was right."""

import copy

import group_check

SECOND = 1_000_000_000


class Told:
    """A member as its events tell it."""

    def __init__(self, client, *events):
        self.client = client
        self.events = [{"event": kind, "at": int(at * SECOND), **more} for at, kind, more in events]


def records(first, count):
    return {"records": [[0, offset, 7 * offset] for offset in range(first, first + count)]}


def right():
    """Offsets 0 to 9: the first member gets six, of which four are committed and known to be, and is killed; the second begins at 4."""
    first = Told(
        "first", (1, "assigned", {"partitions": [0]}), (2, "records", records(0, 2)), (3, "committing", {"commit": 1, "offsets": {"0": 2}}),
        (4, "committed", {"commit": 1}), (5, "records", records(2, 2)), (6, "committing", {"commit": 2, "offsets": {"0": 4}}),
        (7, "committed", {"commit": 2}), (8, "records", records(4, 2)))
    second = Told(
        "second", (20, "assigned", {"partitions": [0]}), (21, "records", records(4, 6)),
        (22, "committing", {"commit": 1, "offsets": {"0": 10}}), (23, "committed", {"commit": 1}))
    return {(0, offset): 7 * offset for offset in range(10)}, first, second


def judged(change):
    acknowledged, first, second = copy.deepcopy(right())
    told = change(acknowledged, first, second)
    try:
        return group_check.check(acknowledged, [first, second, *(told or [])])
    except AssertionError as fault:
        return str(fault)


def of(member, at):
    """The event of that second."""
    return next(event for event in member.events if event["at"] == at * SECOND)


def begins(at):
    def change(_, first, second):
        of(second, 21)["records"] = records(at, 10 - at)["records"]

    return change


def not_told(acknowledged, first, second):
    """The end of the second commit did not arrive: the position before it is right as well."""
    first.events = [event for event in first.events if event["at"] != 7 * SECOND]


def faults():
    said = judged(lambda *_: None)
    assert said == {"records": 10, "again": 2, "commits": 3, "not acknowledged": 0}, said
    for at in (2, 4):
        assert not isinstance(judged(lambda *all, at=at: (not_told(*all), begins(at)(*all))[2:]), str), at
    # Who keeps a partition may go on where it was, but not who comes after another one.
    kept = Told("kept", (9, "assigned", {"partitions": [0]}), (10, "records", records(4, 2)), (11, "assigned", {"partitions": [0]}), (12, "records", records(6, 1)))
    assert not isinstance(judged(lambda *_: [kept]), str), judged(lambda *_: [kept])
    between = Told("between", (9, "assigned", {"partitions": [0]}), (10, "records", records(4, 2)), (24, "assigned", {"partitions": [0]}), (25, "records", records(6, 1)))
    planted = {
        "partition 0 began at 3": [begins(3)],
        "partition 0 began at 0": [begins(0)],
        "partition 0 began at 5": [begins(5)],
        "partition 0 began at 6": [begins(6), lambda *_: [between]],
        "partition 0 began at 2": [begins(2)],
        "came to nobody, or changed": [lambda acknowledged, *_: acknowledged.update({(0, 10): 70}), lambda acknowledged, *_: acknowledged.update({(1, 0): 0})],
        "4 and then 6": [lambda _1, _2, second: of(second, 21)["records"].pop(1) and None],
        "4 and then 4": [lambda _1, _2, second: of(second, 21)["records"].insert(0, [0, 4, 28])],
        "two numbers": [lambda _1, _2, second: of(second, 21)["records"].__setitem__(0, [0, 4, 1])],
        "never assigned": [lambda _1, _2, second: second.events.pop(0) and None],
    }
    count = 0
    for word, changes in planted.items():
        for change in changes:
            said = judged(change)
            assert word in str(said), f"planted: {word}; said: {said}"
            count += 1
    return f"{count} faults noticed"


def tests():
    yield "the checker of groups notices every fault", faults
