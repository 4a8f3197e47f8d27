"""What must hold of a group, whatever happened to its members: read from what they printed (see member.py).

1. Whatever was acknowledged to the producer was given to some member, with the number that was sent.
2. A member gets the offsets of a partition one after the other, from the moment that the partition is assigned to it.
3. It begins where the group had committed: at the offset of the last acknowledged commit, or of one that was under way, or at
   0 where there is none. So what was committed comes again to nobody, and nothing is left out. Where it had the partition
   itself before, and nobody between, it may go on where it was (kafka-python does).

Commits are intervals, from before they are sent until they are acknowledged; one that was not may have taken effect up to
UNDER_WAY later. A position is read between the assignment and the first record. It may be that of any commit which is not
older, as a whole, than another one that was over when the position was read.
"""

import collections

NEVER = float("inf")
# Nanoseconds after which a commit that was given up, or whose member was killed, is not on its way any more.
UNDER_WAY = 10_000_000_000

Commit = collections.namedtuple("Commit", "offset began ended acknowledged")
Session = collections.namedtuple("Session", "member assigned records")


def sessions(members):
    """{partition: [Session]}: what one member got of a partition between two assignments. Each record is (at, offset, number)."""
    found = collections.defaultdict(list)
    for member in members:
        mine = {}
        for event in member.events:
            if event["event"] == "assigned":
                for partition in event.get("partitions", ()):
                    mine[partition] = Session(member, event["at"], [])
                    found[partition].append(mine[partition])
            elif event["event"] == "records":
                for partition, offset, number in event["records"]:
                    assert partition in mine, f"{member.client}: a record of partition {partition}, which it was never assigned"
                    mine[partition].records.append((event["at"], offset, number))
    return found


def commits(members):
    """{partition: [Commit]}"""
    found = collections.defaultdict(list)
    for member in members:
        ended = {event["commit"]: event for event in member.events if event["event"] in ("committed", "refused")}
        for event in member.events:
            if event["event"] != "committing":
                continue
            end = ended.get(event["commit"], member.events[-1])
            acknowledged = end["event"] == "committed"
            for partition, offset in event["offsets"].items():
                found[int(partition)].append(Commit(offset, event["at"], end["at"] + (not acknowledged) * UNDER_WAY, acknowledged))
    return found


def may_begin(made, assigned, first):
    """Offsets at which a position may stand that was read between these two times."""
    over = [commit for commit in made if commit.acknowledged and commit.ended < assigned]
    newest = max((commit.began for commit in over), default=-NEVER)
    allowed = {commit.offset for commit in made if commit.ended >= newest and commit.began < first}
    return allowed if over else allowed | {0}


def check(acknowledged, members):
    """Fails with what is wrong; gives what was seen, in numbers."""
    seen, again = {}, 0
    made = commits(members)
    for partition, parts in sorted(sessions(members).items()):
        before, kept = None, set()
        for member, assigned, records in sorted(parts, key=lambda part: part.assigned):
            kept = kept if before is member else set()
            before = member
            if not records:
                continue
            first_at, first, _ = records[0]
            offsets = [offset for _, offset, _ in records]
            assert offsets == list(range(first, first + len(offsets))), f"{member.client}: partition {partition} came as {gap(offsets)}"
            allowed = may_begin(made[partition], assigned, first_at) | kept
            kept = {first + len(offsets)}
            assert first in allowed, f"{member.client}: partition {partition} began at {first}; what was committed allows {sorted(allowed)[-10:]}"
            for _, offset, number in records:
                again += (partition, offset) in seen
                assert seen.setdefault((partition, offset), number) == number, f"partition {partition}, offset {offset}: two numbers"
    lost = [where for where, number in sorted(acknowledged.items()) if seen.get(where) != number]
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged records came to nobody, or changed: {lost[:5]}"
    done = [commit for part in made.values() for commit in part]
    refused = sum(not commit.acknowledged for commit in done)
    return {"records": len(seen), "again": again, "commits": len(done) - refused, "not acknowledged": refused}


def gap(offsets):
    for at, (one, next_one) in enumerate(zip(offsets, offsets[1:])):
        if next_one != one + 1:
            return f"{one} and then {next_one}, after {at + 1} records from {offsets[0]} on"
    return "it should"
