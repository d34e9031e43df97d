"""A broker whose every move is the simulation's: logs with gaps, groups that rebalance, members that are cut off.

It has the habits of the real ones that have cost others records: a paused partition stays paused when it is revoked and
comes back; a batch may hold records of a partition that is revoked while it is read; a member that was thrown out goes
on fetching until it notices, and its commits are refused.
"""

from collections import Counter as Tally
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Literal, overload

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from loadtest.benchmarks.message import Message
from streams.consumer.letters import Outgoing
from streams.consumer.reader import OnCommit, OnRebalance

Place = tuple[str, int]
CREATE_TIME = 1


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass
class Log:
    """One partition. Offsets rise and have gaps."""

    records: list[tuple[int, Outgoing, int]] = field(default_factory=list)
    end: int = 0


@dataclass
class Group:
    """A consumer group of one topic."""

    topic: str
    partitions: int
    committed: dict[int, int] = field(default_factory=dict)
    owner: "dict[int, Member]" = field(default_factory=dict)
    members: "list[Member]" = field(default_factory=list)
    handovers: Tally[int] = field(default_factory=Tally)

    def give_out(self, rng: Random) -> None:
        """Assigns what nobody has."""
        for partition in range(self.partitions):
            if partition not in self.owner and self.members:
                member = rng.choice(self.members)
                self.owner[partition] = member
                self.handovers[partition] += 1
                member.pending.append(("assign", [partition]))


class Broker:
    """Logs and groups. `on_commit` is told of every commit that is taken, before it is."""

    def __init__(self, rng: Random, on_commit: "Callable[[Group, int, int], None]") -> None:
        self.rng = rng
        self.logs: dict[Place, Log] = {}
        self.groups: dict[str, Group] = {}
        self.written: dict[str, list[Outgoing]] = {}
        self._on_commit = on_commit

    def append(self, record: Outgoing, partitions: int, now_ms: int) -> str:
        """Writes a record to the partition of its key, now and then behind a gap; returns its position."""
        place = (record.topic, sum(record.key or b"") % partitions)
        log = self.logs.setdefault(place, Log())
        log.end += self.rng.choice([0, 0, 0, 1, 5])
        log.records.append((log.end, record, now_ms))
        position = f"{record.topic}/{place[1]}/{log.end}"
        log.end += 1 + self.rng.choice([0, 0, 0, 1])  # a marker's, which nobody reads
        self.written.setdefault(record.topic, []).append(record)
        return position

    def has_record(self, place: Place, offset: int) -> bool:
        """See streams.consumer.reading.has_record."""
        return any(each[0] >= offset for each in self.logs.get(place, Log()).records)

    def log(self, topic: str) -> list[Outgoing]:
        """All records of a topic in the order in which they were written."""
        return self.written.get(topic, [])

    def open(self, topic: str, partitions: int, on_commit: OnCommit) -> "Member":
        """A consumer of the group of `topic`."""
        group = self.groups.setdefault(topic, Group(topic, partitions))
        return Member(self, group, on_commit)

    def revoke(self, group: Group, partition: int) -> None:
        """Asks for a partition back, to give it to whoever."""
        owner = group.owner.get(partition)
        if owner is not None and partition in owner.positions:
            owner.pending.append(("revoke", [partition]))

    def throw_out(self, member: "Member") -> None:
        """The member was silent for too long: others get its partitions; it learns of that when it next looks."""
        group = member.group
        if member not in group.members:
            return
        group.members.remove(member)
        for partition in [partition for partition, owner in group.owner.items() if owner is member]:
            del group.owner[partition]
        member.pending.clear()
        if member.positions:
            member.pending.append(("lost", list(member.positions)))
        else:
            member.pending.append(("rejoin", []))
        group.give_out(self.rng)

    def commit(self, member: "Member", offsets: list[TopicPartition]) -> KafkaError | None:
        """Takes a commit of the owner of its partitions."""
        group = member.group
        if member.closed or any(group.owner.get(place.partition) is not member for place in offsets):
            return KafkaError(KafkaError.ILLEGAL_GENERATION)
        for place in offsets:
            self._on_commit(group, place.partition, place.offset)
            group.committed[place.partition] = place.offset
        return None


class Member:
    """A streams.consumer.reader.LaneConsumer of one member."""

    def __init__(self, broker: Broker, group: Group, on_commit: OnCommit) -> None:
        self.broker = broker
        self.group = group
        self.positions: dict[int, int] = {}
        self.paused: set[int] = set()
        self.pending: deque[tuple[Literal["assign", "revoke", "lost", "rejoin"], list[int]]] = deque()
        self.closed = False
        self._on_commit = on_commit
        self._answers: deque[tuple[KafkaError | None, list[TopicPartition]]] = deque()
        self._callbacks: dict[str, OnRebalance] = {}

    def subscribe(
        self, topics: list[str], on_assign: OnRebalance, on_revoke: OnRebalance, on_lost: OnRebalance
    ) -> None:
        assert topics == [self.group.topic]
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}
        self._join()

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        assert not self.closed
        assert timeout < 1, "whoever polls three lanes waits for none"
        rng = self.broker.rng
        while self._answers and rng.random() < 0.7:
            self._on_commit(*self._answers.popleft())
        messages = self._fetch(rng.randint(0, num_messages))
        if self.pending and rng.random() < 0.7:
            self._rebalance()  # after the records were fetched: some may be of partitions that go now
        return messages

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= self._ours(partitions)

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= self._ours(partitions)

    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[True]) -> None: ...
    @overload
    def commit(self, *, offsets: list[TopicPartition], asynchronous: Literal[False]) -> list[TopicPartition]: ...
    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition] | None:
        if asynchronous and self.broker.rng.random() < 0.05:
            self._answers.append((KafkaError(KafkaError.REQUEST_TIMED_OUT), offsets))
            return None
        error = self.broker.commit(self, offsets)
        if asynchronous:
            self._answers.append((error, offsets))
            return None
        if error is not None:
            raise KafkaException(error)
        return offsets

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:  # noqa: ARG002
        known = self.group.committed
        return [TopicPartition(place.topic, place.partition, known.get(place.partition, -1001)) for place in partitions]

    def get_watermark_offsets(self, partition: TopicPartition, timeout: float) -> tuple[int, int] | None:  # noqa: ARG002
        return 0, self._log(partition.partition).end

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        for place in partitions:
            assert place.partition not in self.positions
            self.positions[place.partition] = self.group.committed.get(place.partition, 0)

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        for place in partitions:
            del self.positions[place.partition]
            if self.group.owner.get(place.partition) is self:
                del self.group.owner[place.partition]

    def close(self) -> None:
        if self.positions:
            kind = "revoke" if self in self.group.members else "lost"
            self._callbacks[kind](self, self._places(list(self.positions)))
        self.vanish()

    def vanish(self) -> None:
        """The process is gone; the group notices."""
        self.closed = True
        self.broker.throw_out(self)

    def _join(self) -> None:
        self.group.members.append(self)
        self.group.give_out(self.broker.rng)
        owned = Tally(id(owner) for owner in self.group.owner.values())
        for partition, owner in list(self.group.owner.items()):
            if owner is not self and owned[id(owner)] > owned[id(self)] + 1:
                self.broker.revoke(self.group, partition)
                owned[id(owner)] -= 1
                owned[id(self)] += 1

    def _rebalance(self) -> None:
        kind, partitions = self.pending.popleft()
        if kind == "assign":
            partitions = [partition for partition in partitions if self.group.owner.get(partition) is self]
        elif kind == "revoke":
            partitions = [partition for partition in partitions if partition in self.positions]
        if partitions:
            self._callbacks[kind](self, self._places(partitions))
        if kind in ("lost", "rejoin"):
            self._join()
        elif kind == "revoke":
            self.group.give_out(self.broker.rng)

    def _fetch(self, count: int) -> list[Message]:
        messages: list[Message] = []
        for partition in self.broker.rng.sample(sorted(self.positions), len(self.positions)):
            if partition in self.paused:
                continue
            ahead = [each for each in self._log(partition).records if each[0] >= self.positions[partition]]
            for offset, record, timestamp_ms in ahead[: count - len(messages)]:
                self.positions[partition] = offset + 1
                messages.append(_message(record, partition, offset, timestamp_ms))
        return messages

    def _log(self, partition: int) -> Log:
        return self.broker.logs.setdefault((self.group.topic, partition), Log())

    def _ours(self, places: list[TopicPartition]) -> set[int]:
        partitions = {place.partition for place in places}
        assert partitions <= set(self.positions), "librdkafka refuses what is not assigned"
        return partitions

    def _places(self, partitions: list[int]) -> list[TopicPartition]:
        return [TopicPartition(self.group.topic, partition) for partition in partitions]


def _message(record: Outgoing, partition: int, offset: int, timestamp_ms: int) -> Message:
    return Message(
        topic=record.topic,
        partition=partition,
        offset=offset,
        key=record.key,
        value=record.value,
        headers=[(name, value) for name, value in record.headers],
        timestamp=(CREATE_TIME, timestamp_ms),
    )
