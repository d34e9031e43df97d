"""One worker process of the simulation: production's loop and executor, whose threads' steps the world takes."""

from collections import Counter as Tally
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
from confluent_kafka import KafkaError

from schemas import topics
from schemas.envelope import as_mapping
from schemas.records import LANES, Lane
from streams.consumer.isolation import Isolation, MemoryTrials
from streams.consumer.lanes import AGEING_S, Turn
from streams.consumer.letters import (
    ORIGIN_TOPIC,
    Delivery,
    Outgoing,
    RetryPolicy,
)
from streams.consumer.loop import ConsumerLoop
from streams.consumer.reader import OnCommit, Watermarks
from streams.consumer.work import Executor, Job, Wait
from streams.runtime.errors import Refused
from tests.simulation.broker import Member, Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

PARTITIONS = 2
SLOTS = 2
RETRY_DELAYS_MS = (1000,)
# So small that back-pressure is at work all the time.
WATERMARKS = Watermarks(read_max=4, held_high=10, held_low=4, span_high=8, span_low=4)
# While a lane is overdue: each other lane's turn, and urgent work between them.
OVERDUE_TURNS_MAX = 2 * (len(LANES) - 1) + 1
POSITION = "simulated-position"
Kind = Literal["good", "flaky", "bad", "bug"]


class Work(msgspec.Struct, frozen=True):
    """A task of the simulation."""

    number: int
    sku: str
    version: int
    kind: Kind


@dataclass
class Write:
    """Records under way to the broker."""

    writer: "Process"
    records: Sequence[Outgoing]
    on_end: Callable[[KafkaError | None], None]


class Process:
    """One worker process: the production loop and executor; its threads' steps are taken by the world."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.running: list[Turn[Job]] = []
        self.members: list[Member] = []
        policy, isolation = RetryPolicy(RETRY_DELAYS_MS, world.rng.random), Isolation(name, MemoryTrials())
        self.executor = Executor(name, self, self, policy, isolation, threads=0, clock=world.clock)
        lanes = {lane: (self._open(lane), topic_of(lane)) for lane in LANES}
        self.loop = ConsumerLoop(
            name, lanes, self.executor, world.broker.has_record, clock=world.clock, watermarks=WATERMARKS
        )
        self.is_busy = False
        self._urgent_passed_over = 0
        self._overdue: Tally[Lane] = Tally()
        self._waiting: Tally[Lane] = Tally()
        self._dropped: Tally[Lane] = Tally()
        self._turn_at_s = dict.fromkeys(LANES, world.clock.now_s)
        self.loop.open()

    def handle(self, delivery: Delivery, _wait: Wait) -> Sequence[Outgoing]:
        """See streams.consumer.work.Handler."""
        work = msgspec.json.decode(delivery.value, type=Work)
        self.world.note_worked(delivery)
        self.world.clock.now_s += self.world.rng.choice([0.001, 0.2, 5.0])
        if work.kind == "bug":
            raise ZeroDivisionError("a bug")
        if work.kind == "bad" or (work.kind == "flaky" and delivery.attempt == 0):
            raise Refused("refused", "as it was told", transient=work.kind == "flaky")
        outcome = "done" if work.version == self.world.facts.versions[work.sku] else "superseded"
        return [completion(delivery, outcome)]

    def give_up(self, delivery: Delivery, _refusal: Refused) -> Sequence[Outgoing]:
        """See streams.consumer.work.Handler."""
        return [completion(delivery, "failed")]

    def send_later(self, records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None:
        """See streams.consumer.work.Writer."""
        if records:
            self.world.writes.append(Write(self, records, on_end))
        else:
            on_end(None)

    def begin(self) -> None:
        """A free worker takes what comes next."""
        if len(self.running) >= SLOTS:
            return
        self._note_arrivals()
        waiting = [lane for lane in LANES if self.executor.lanes.waiting(lane)]
        turn = self.executor.lanes.take_now()
        if turn is not None:
            self._check_turn(turn.lane, waiting)
            self.running.append(turn)
        self._note_arrivals()

    def check(self) -> None:
        """Conservation, counted from outside, and the bounds of what is held."""
        self._note_arrivals()
        writing = Tally(_lane_of(write) for write in self.world.writes if write.writer is self)
        running = Tally(turn.lane for turn in self.running)
        for lane, reader in self.loop.readers.items():
            in_flight = self.executor.lanes.waiting(lane) + running[lane] + writing[lane]
            if reader.ledger.polled != reader.ledger.ended.total() + in_flight:
                raise Violation(f"{lane}: {reader.ledger.polled} polled, {reader.ledger.ended}, {in_flight} in flight")
            if reader.in_hand() > WATERMARKS.held_high + WATERMARKS.read_max:
                raise Violation(f"{lane}: {reader.in_hand()} in hand")
            if reader.span() > WATERMARKS.span_high + WATERMARKS.read_max:
                raise Violation(f"{lane}: a span of {reader.span()}")

    def _note_arrivals(self) -> None:
        """What waits waits since it came, or came again after all that waited was dropped."""
        for lane, reader in self.loop.readers.items():
            dropped = reader.ledger.ended["dropped"]
            if not self._waiting[lane] or dropped != self._dropped[lane]:
                self._turn_at_s[lane] = self.world.clock.now_s
                self._overdue[lane] = 0
            self._waiting[lane] = self.executor.lanes.waiting(lane)
            self._dropped[lane] = dropped

    def _check_turn(self, taken: Lane, waiting: list[Lane]) -> None:
        now_s = self.world.clock.now_s
        allowed = [lane for lane in waiting if not self.loop.is_paused(lane)]
        passed_over = "urgent" in allowed and taken != "urgent"
        self._urgent_passed_over = self._urgent_passed_over + 1 if passed_over else 0
        if self._urgent_passed_over > 1:
            raise Violation("urgent work was passed over twice in a row")
        for lane in LANES:
            if lane not in allowed or lane == taken:
                self._overdue[lane] = 0
                self._turn_at_s[lane] = now_s
            elif now_s - self._turn_at_s[lane] > AGEING_S:
                self._overdue[lane] += 1
            if self._overdue[lane] > OVERDUE_TURNS_MAX:
                raise Violation(f"{lane} starves: passed over {self._overdue[lane]} times since it was overdue")

    def _open(self, lane: Lane) -> Callable[[OnCommit], Member]:
        def open_member(on_commit: OnCommit) -> Member:
            self.members.append(self.world.broker.open(topic_of(lane), PARTITIONS, on_commit))
            return self.members[-1]

        return open_member


def topic_of(lane: Lane) -> str:
    return topics.TASKS["cutout", lane].name


def completion(delivery: Delivery, outcome: str) -> Outgoing:
    headers = [(POSITION, delivery.position.encode()), ("outcome", outcome.encode())]
    return Outgoing(topics.COMPLETED.name, delivery.key, delivery.value, headers)


def _lane_of(write: Write) -> Lane:
    headers = as_mapping(write.records[0].headers)
    topic = headers.get(ORIGIN_TOPIC) if POSITION not in headers else headers[POSITION].split("/")[0]
    return next(lane for lane in LANES if topic_of(lane) == topic)
