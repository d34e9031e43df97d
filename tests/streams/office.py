"""A loop with a clock and a broker of its own."""

import os
import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from confluent_kafka import KafkaError

from schemas import topics
from schemas.records import LANES, Lane
from streams.consumer import work
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.loop import STALLED_AFTER_S, ConsumerLoop
from streams.consumer.reader import OnCommit, Watermarks
from streams.consumer.work import Executor
from streams.runtime.errors import Refused, Unavailable
from tests.simulation.broker import Broker, Group, Member
from tests.simulation.clock import VirtualClock

PARTITIONS = 2


WATERMARKS = Watermarks(read_max=8, held_high=20, held_low=8, span_high=6, span_low=3)


WITHIN_S = 60.0


class NoChance(Random):
    """Everything that may happen happens at once."""

    def random(self) -> float:
        return 0.5

    def randint(self, _a: int, b: int) -> int:
        return b

    def choice(self, seq: Any) -> Any:
        return seq[0]

    def sample(self, population: Any, k: int, *, counts: Any = None) -> list[Any]:
        assert counts is None
        return list(population)[:k]


class Clock(VirtualClock):
    """Calls `meanwhile` whenever somebody sleeps."""

    meanwhile: Callable[[], None] = staticmethod(lambda: None)

    def sleep(self, seconds: float, /) -> None:
        super().sleep(seconds)
        self.meanwhile()


class Office:
    """One loop with its broker; it is handler and writer too. What happens to a delivery is written in it."""

    def __init__(self, threads: int = 0, retry_delays_ms: Sequence[int] = (), urgent_threads: int = 0) -> None:
        self.clock = Clock()
        self.broker = Broker(NoChance(), lambda *_: None)
        self.members: dict[Lane, Member] = {}
        self.handled: list[bytes] = []
        self.nice: list[int] = []  # of the threads that worked
        self.unacknowledged: set[str] = set()
        self.gate = threading.Event()
        self.trials = MemoryTrials()
        isolation = Isolation("test", self.trials)
        policy = RetryPolicy(retry_delays_ms)
        self.executor = Executor("test", self, self, policy, isolation, threads, self.clock, urgent_threads)
        lanes = {lane: (self._open(lane), _topic(lane)) for lane in LANES}
        self.loop = ConsumerLoop(
            "test", lanes, self.executor, self.broker.has_record, STALLED_AFTER_S, self.clock, WATERMARKS
        )

    def handle(self, delivery: Delivery, wait: work.Wait) -> Sequence[Outgoing]:
        self.handled.append(delivery.value)
        match delivery.value:
            case b"bad":
                raise Refused("bad", "no")
            case b"bug":
                raise ZeroDivisionError
            case b"away":
                raise Unavailable("the database is away")
            case b"nice":
                self.nice.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            case b"slow":
                self.gate.wait(WITHIN_S)
            case b"aside":
                with wait.aside():
                    self.gate.wait(WITHIN_S)
            case b"batched":
                self.clock.now_s += 5.0
                wait.waited_s += 4.0
            case b"by a helper":
                self.clock.now_s += 5.0
                helper = threading.Thread(target=lambda: setattr(wait, "waited_s", wait.waited_s + 4.0))
                helper.start()
                helper.join()
            case b"refused after a wait":
                self.clock.now_s += 5.0
                wait.waited_s += 4.0
                raise Refused("bad", "no")
        return [Outgoing("done", delivery.key, delivery.value, [])]

    def give_up(self, delivery: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        if delivery.headers == [("untellable", b"")]:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return []

    def send_later(self, records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None:
        if any(record.topic == "done" and record.value == b"large" for record in records):
            on_end(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
            return
        refused = any(record.topic in self.unacknowledged for record in records)
        for record in [] if refused else records:
            self.broker.append(record, 1, 0)
        on_end(KafkaError(KafkaError._MSG_TIMED_OUT) if refused else None)

    def write(self, lane: Lane, *values: bytes, partition: int = 0) -> None:
        for value in values:
            self.broker.append(Outgoing(_topic(lane), bytes([partition]), value, []), PARTITIONS, 0)

    def work(self, count: int = 1000) -> None:
        """The executor takes up to `count` jobs, one after the other."""
        while count and (turn := self.executor.lanes.take_now()) is not None:
            self.executor.work_on(turn)
            count -= 1

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.loop.turn()
            self.clock.now_s += 1.0

    def group(self, lane: Lane) -> Group:
        return self.broker.groups[_topic(lane)]

    def committed(self, lane: Lane) -> int:
        """The committed offset of the first partition."""
        return self.group(lane).committed.get(0, 0)

    def outcomes(self, topic: str) -> list[bytes]:
        return [record.value for record in self.broker.log(topic)]

    def _open(self, lane: Lane) -> Callable[[OnCommit], Member]:
        def open_member(on_commit: OnCommit) -> Member:
            self.members[lane] = self.broker.open(_topic(lane), PARTITIONS, on_commit)
            return self.members[lane]

        return open_member


def _topic(lane: Lane) -> str:
    return topics.TASKS["cutout", lane].name
