"""Consumer groups of other people's clients: members join, leave, are killed and come back, also while the broker is stopped
and killed; group_check.py says what must hold of each group, and an admin client that its lag ends at zero."""

import os
import random
import threading
import time

import group_check
from broker import PER_CORE, PER_MACHINE, Broker, free_ports
from member import COOPERATIVE, PROGRAMS, RANGE, SESSION_MS, STATIC, Member, Numbers, lag
from process import WAIT_SECONDS_MAX
from restart import DOWN_SECONDS

TOPIC = "numbers"
PARTITIONS = 6
RECORDS_A_SECOND = 100
# How long members of the long test come and go, if it is asked for.
MINUTES = float(os.environ.get("GROUP_MINUTES", "0"))
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))


class Group:
    """One group: all members that it ever had."""

    def __init__(self, run, name, assignor="range", static=False):
        self.run, self.name, self.assignor, self.static = run, name, assignor, static
        self.members, self.instances = [], 0

    def join(self, client, instance=None):
        if self.static and instance is None:
            self.instances += 1
            instance = f"{self.name}-{self.instances}"
        member = Member(client, self.run.broker, TOPIC, self.name, self.assignor, instance, self.run.session_ms)
        self.members.append(member)
        return member

    def alive(self):
        return [member for member in self.members if member.process.poll() is None]

    def end(self, acknowledged):
        """Waits until all is committed, ends who is left, checks everything."""
        ends = {}
        for partition, offset in acknowledged:
            ends[partition] = max(ends.get(partition, 0), offset + 1)
        until = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            told = lag(self.run.broker, self.name)
            found = {one["Partition"]: one["Committed"] for one in told["Partitions"] if one["Topic"] == TOPIC}
            if all(one["Lag"] == 0 for one in told["Partitions"]) and found == ends:
                break
            alive = "\n".join(map(str, self.alive()))
            assert time.monotonic() < until, f"{self.name} has not committed all after {WAIT_SECONDS_MAX} s: {told}, ends {ends}\n{alive}"
            time.sleep(0.2)
        assert told["State"] == "Stable" and told["Members"] == len(self.alive()), told
        for member in self.alive():
            member.leave()
        for member in self.members:
            assert member.killed or member.process.returncode == 0, f"{member.client} ended by itself: {member}"
        return group_check.check(acknowledged, self.members)


class Run:
    """A broker of two cores, a topic with a producer on it, and groups that consume it."""

    def __init__(self, mode, session_ms=SESSION_MS):
        self.session_ms = session_ms
        sets = {"num.partitions": PARTITIONS}
        self.broker = Broker(cores=2, sets=sets, port=free_ports(2), mode=mode)
        self.numbers = Numbers(self.broker, TOPIC, PARTITIONS, RECORDS_A_SECOND)
        self.numbers.wait_for_lines(PARTITIONS)
        self.groups = []

    def group(self, *how, **more):
        self.groups.append(Group(self, *how, **more))
        return self.groups[-1]

    def all_at_once(self, story, *more):
        """Tells the same story of each group, side by side."""
        faults = []

        def tell(group, arguments):
            try:
                story(group, *arguments)
            except BaseException as fault:
                faults.append(fault)

        threads = [threading.Thread(target=tell, args=(group, arguments)) for group, *arguments in zip(self.groups, *more)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise faults[0]

    def stop(self):
        self.broker.stop()
        self._again()

    def kill(self):
        """kill -9."""
        self.broker.kill()
        self._again()

    def _again(self):
        time.sleep(DOWN_SECONDS)
        self.broker = self.broker.again()

    def end(self):
        acknowledged = self.numbers.stop()
        total = {}
        for group in self.groups:
            for what, count in group.end(acknowledged).items():
                total[what] = total.get(what, 0) + count
        self.broker.stop()
        return ", ".join([f"{len(self.groups)} groups"] + [f"{count} {what}" for what, count in total.items()])


def shared(*members):
    """Whether each has a part and no two the same, all together everything."""
    parts = [member.partitions() for member in members]
    return all(parts) and sum(map(len, parts)) == PARTITIONS and set().union(*parts) == set(range(PARTITIONS))


def settle(*members):
    """Waits until the partitions are shared between these, and each gets records of its own."""
    for member in members:
        member.wait_until(lambda: shared(*members), f"{len(members)} members share all partitions")
    for member in members:
        member.wait_for_records()


def come_and_go(group, clients):
    """Two members; the first is killed, the second takes over; the first comes back, the second leaves and comes back."""
    one, other = clients
    first = group.join(one)
    settle(first)
    second = group.join(other)
    settle(first, second)
    first.kill()
    settle(second)
    first = group.join(one)
    settle(first, second)
    second.leave()
    settle(first)
    second = group.join(other)
    settle(first, second)


def relay(group, clients):
    """At most three members at a time: who was there longest is killed or leaves when the next one comes."""
    members = []
    for number, client in enumerate(clients):
        members.append(group.join(client))
        settle(*members)
        if len(members) == 3:
            gone = members.pop(0)
            gone.kill() if number % 2 else gone.leave()
            settle(*members)


def come_back_unnoticed(group, client):
    """Static members: one is killed, another one ends; both are back before they are missed, and the third notices nothing."""
    members = []
    for _ in range(3):
        members.append(group.join(client))
    settle(*members)
    quiet, ending, killed = members
    noticed = len(quiet.of("assigned")) + len(quiet.of("revoked"))
    ending.leave()
    killed.kill()
    back = [group.join(client, instance=member.instance) for member in (ending, killed)]
    settle(quiet, *back)
    found = len(quiet.of("assigned")) + len(quiet.of("revoked"))
    assert found == noticed, f"{client}: a member that stayed was told of {found - noticed} changes: {quiet}"


def alone(mode, clients, assignor="range"):
    """Each library in a group of its own."""

    def test():
        run = Run(mode)
        for client in clients:
            run.group(client, assignor)
        run.all_at_once(come_and_go, [(client, client) for client in clients])
        return run.end()

    return test


def together(mode, clients, assignor):
    """Members of many libraries in one group, whose assignors agree."""

    def test():
        run = Run(mode)
        run.group("all", assignor)
        run.all_at_once(relay, [clients])
        return run.end()

    return test


def static(mode, clients):
    def test():
        run = Run(mode, session_ms=STATIC_SESSION_MS)
        for client in clients:
            run.group(client, static=True)
        run.all_at_once(come_back_unnoticed, clients)
        return run.end()

    return test


def restarts(mode, clients):
    """Two members of each library; the broker stops and starts, is killed and starts. Nobody tells the members."""

    def test():
        run = Run(mode)
        members = {group: [group.join(client) for _ in range(2)] for group, client in ((run.group(client), client) for client in clients)}
        for end in (None, run.stop, run.kill):
            if end:
                end()
            for pair in members.values():
                settle(*pair)
        return run.end()

    return test


def at_random(minutes):
    """Every library alone and those that agree together, in groups whose members come and go by the dice, and the broker too."""

    def test():
        dice = random.Random(SEED)
        run = Run(PER_MACHINE if dice.random() < 0.5 else PER_CORE)
        kinds = {run.group(client): [client] for client in PROGRAMS}
        kinds[run.group("range")] = RANGE
        kinds[run.group("cooperative", "cooperative-sticky")] = COOPERATIVE
        kinds[run.group("static", static=True)] = STATIC
        print(f"    SEED={SEED}, {run.broker.mode}", flush=True)
        steps, until = 0, time.monotonic() + 60 * minutes
        while time.monotonic() < until:
            step(dice, run, kinds)
            steps += 1
        for group, clients in kinds.items():
            if not group.alive():
                group.join(dice.choice(clients))
        return f"{steps} steps, {run.end()}"

    return test


def step(dice, run, kinds):
    """Something happens to one group, seldom to the broker."""
    time.sleep(dice.uniform(0, 2))
    if dice.random() < 0.03:
        dice.choice([run.stop, run.kill])()
        return
    group = dice.choice(list(kinds))
    alive = group.alive()
    everyone = sum(len(one.alive()) for one in kinds)
    if len(alive) < 3 and everyone < ALIVE_MAX and dice.random() < 0.6:
        group.join(dice.choice(kinds[group]))
        return
    # Only who has begun its work can be ended in order.
    alive = [member for member in alive if member.of("assigned")]
    if alive:
        member = dice.choice(alive)
        member.kill() if dice.random() < 0.5 else member.leave()
        if group.static and dice.random() < 0.7:
            group.join(member.client, instance=member.instance)


# Three libraries at a time: more would measure how fast this machine starts programs.
TRIOS = [
    (PER_CORE, ["java-3.9", "confluent", "kafkajs"]),
    (PER_MACHINE, ["java-4.3", "kafka_python", "franz"]),
    (PER_CORE, ["aiokafka", "sarama", "segmentio"]),
]
STATIC_TRIOS = [(PER_CORE, ["java-4.3", "confluent", "franz"]), (PER_MACHINE, ["kafka_python", "aiokafka", "sarama"])]
RESTARTED = [
    (PER_MACHINE, ["java-3.9", "confluent", "kafkajs", "sarama"]),
    (PER_CORE, ["java-4.3", "kafka_python", "aiokafka", "franz", "segmentio"]),
]
ALIVE_MAX = 12
STATIC_SESSION_MS = 20_000


def tests():
    """Under two minutes; GROUP_MINUTES=n adds everything that agrees with everything, and n minutes by the dice."""
    for mode, clients in TRIOS:
        yield f"members come and go, {mode}, each alone: {', '.join(clients)}", alone(mode, clients)
    agreed = RANGE if MINUTES else ["java-4.3", "kafka_python", "confluent", "sarama", "franz"]
    yield f"one group, range, {PER_CORE}: {', '.join(agreed)}", together(PER_CORE, agreed, "range")
    for mode, clients in STATIC_TRIOS if MINUTES else STATIC_TRIOS[:1]:
        yield f"static members come back unnoticed, {mode}: {', '.join(clients)}", static(mode, clients)
    for mode, clients in RESTARTED:
        yield f"groups through restarts, {mode}: {', '.join(clients)}", restarts(mode, clients)
    if MINUTES:
        trio = ["java-4.3", "confluent", "sarama"]
        yield f"members come and go, {PER_MACHINE}, each alone, cooperative: {', '.join(trio)}", alone(PER_MACHINE, trio, "cooperative-sticky")
        yield f"one group, cooperative-sticky, {PER_MACHINE}: {', '.join(COOPERATIVE)}", together(PER_MACHINE, COOPERATIVE, "cooperative-sticky")
        yield f"groups at random for {MINUTES:g} minutes", at_random(MINUTES)
