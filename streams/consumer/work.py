"""The working side of the consumer loop: threads that handle deliveries and have the results acknowledged."""

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Collection, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog
from confluent_kafka import KafkaError
from prometheus_client import Counter

from schemas import topics
from schemas.records import Lane
from streams.consumer.clients import NotAcknowledged
from streams.consumer.isolation import Isolation, is_untouchable
from streams.consumer.lanes import Lanes, Turn
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.consumer.poison import poison, with_trace
from streams.consumer.reading import Place
from streams.runtime.clock import Clock
from streams.runtime.errors import Refused, Unavailable
from streams.runtime.waiting import Stopped, wait_out

# What yields to urgent work: the kernel gives a thread 1.25 times less with each step, and lanes' weights are 8 to 1.
YIELDING_NICE = 9
T = TypeVar("T")

log = structlog.get_logger()
untold = Counter(
    "packshot_untold_total", "Deliveries that died without the failure that goes with the letter", ["role"]
)


@dataclass
class Wait:
    """A job's waiting for what other jobs hold, given to whoever handles it: what it says here is not charged to it.

    `aside` is the context of such a wait: for as long as it lasts, urgent work has a thread beside this one.
    """

    aside: Callable[[], AbstractContextManager[None]] = nullcontext
    waited_s: float = 0.0


class Handler(Protocol):
    """What a worker does with deliveries. Both methods are called from several threads at once."""

    def handle(self, delivery: Delivery, wait: Wait) -> Sequence[Outgoing]:
        """Works on a delivery; what it returns is written before the delivery counts as ended.

        Raises Refused for a delivery that cannot be worked on, Unavailable while something that all need is away.
        """

    def give_up(self, delivery: Delivery, refusal: Refused) -> Sequence[Outgoing]:
        """What is to be written, besides the dead letter, for a delivery that no further try will mend."""


class Writer(Protocol):
    """Writes records; see AcknowledgedProducer."""

    def send_later(self, records: Sequence[Outgoing], on_end: Callable[[KafkaError | None], None]) -> None: ...


@dataclass(frozen=True)
class Job:
    """A delivery in its lane, and the assignment that it was read under."""

    delivery: Delivery
    lane: Lane
    epoch: int


@dataclass(frozen=True)
class Ended:
    """A job that ended: done, retried or dead, with its records acknowledged; dropped, to be read again by somebody;
    or with the error that prevents an end. `is_ours` says of a dead one that what was sent may be right."""

    job: Job
    how: str = "done"
    error: BaseException | None = None
    is_ours: bool = False


@dataclass(frozen=True)
class _Outcome:
    """How a job ends once its records are acknowledged; see Ended."""

    how: str
    records: Sequence[Outgoing]
    is_ours: bool = False


class Executor:
    """`threads` workers that take jobs from the lanes and report each in `reports` once it has ended.

    `urgent_threads` more take urgent jobs alone: these wait neither for a thread nor, on Linux, for the processor,
    which the others yield to them.
    """

    def __init__(
        self,
        role: str,
        handler: Handler,
        writer: Writer,
        policy: RetryPolicy,
        isolation: Isolation,
        threads: int,
        clock: Clock = time,
        urgent_threads: int = 0,
    ) -> None:
        self.lanes: Lanes[Job] = Lanes(clock)
        self.reports: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._role = role
        self._handler = handler
        self._writer = writer
        self._policy = policy
        self._isolation = isolation
        self._clock = clock
        self._stopping = threading.Event()
        self._signs: dict[Hashable, object] = {}
        usual = self._yielding if urgent_threads else self._work
        kinds = [(usual, self.lanes.take)] * threads + [(self._work, self.lanes.take_urgent)] * urgent_threads
        self._threads = [
            threading.Thread(target=work, args=[take], name=f"{role}-{number}", daemon=True)
            for number, (work, take) in enumerate(kinds)
        ]

    def start(self) -> None:
        """Starts the workers."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets each worker end what it has in hand, and waits for it."""
        self.abandon()
        for thread in self._threads:
            thread.join()

    def abandon(self) -> None:
        """Gives out nothing any more, and waits for nobody."""
        self._stopping.set()
        self.lanes.close()

    def put(self, job: Job) -> None:
        """Adds a job to its lane. Those of a partition come in its order."""
        self._isolation.read(job.delivery)
        self.lanes.put(job.lane, job, job.delivery.tenant, job.delivery.deadline_ms)

    def left(self, places: Collection[Place]) -> None:
        """Is told which partitions are no longer this worker's."""
        self._isolation.left(places)

    def marks(self) -> dict[Hashable, object]:
        """For each worker that has a job when it last got anywhere with it; waiting for what is away counts."""
        return {**self._signs}

    def work_on(self, turn: Turn[Job]) -> None:
        """Works on one job, and reports it once it has ended."""
        began_s = self._clock.monotonic()
        wait = Wait(self.lanes.aside)
        name = threading.current_thread().name
        try:
            self._signs[name] = began_s
            outcome = self._outcome(turn.item.delivery, wait)
        except Stopped:
            self.reports.put(Ended(turn.item, "dropped"))
        except BaseException as error:
            self.reports.put(Ended(turn.item, error=error))
        else:
            self._write(turn.item, outcome)
        finally:
            del self._signs[name]
            took_s = self._clock.monotonic() - began_s - wait.waited_s
            self.lanes.charge(turn, max(took_s, 0.0) * 1000)

    def _yielding(self, take: Callable[[], Turn[Job] | None]) -> None:
        if sys.platform == "linux":  # elsewhere a process is nice, and no thread of it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), YIELDING_NICE)
        self._work(take)

    def _work(self, take: Callable[[], Turn[Job] | None]) -> None:
        while (turn := take()) is not None:
            self.work_on(turn)

    def _outcome(self, delivery: Delivery, wait: Wait) -> _Outcome:
        try:
            return _Outcome("done", self._when_back(lambda: self._handled(delivery, wait), delivery))
        except Refused as refusal:
            return self._letter(delivery, refusal)
        except Stopped:
            raise
        except Exception as error:
            log.exception("unexpected error", role=self._role, position=delivery.position)
            return self._letter(delivery, self._unexpected(delivery, error))

    def _handled(self, delivery: Delivery, wait: Wait) -> Sequence[Outgoing]:
        try:
            with self._isolation.trying(delivery):
                return self._handler.handle(delivery, wait)
        except Unavailable as away:
            self._isolation.tell(delivery, f"waits: {away}")
            raise

    def _when_back(self, attempt: Callable[[], T], delivery: Delivery) -> T:
        return wait_out(attempt, self._stay, role=self._role, position=delivery.position)

    def _unexpected(self, delivery: Delivery, error: Exception) -> Refused:
        if not self._policy.is_last_try(delivery):
            return Refused("unexpected", f"{type(error).__name__}: {error}", transient=True)
        refusal = poison(error, self._role, delivery.topic)
        refusal.__cause__ = error
        return refusal

    def _stay(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise Stopped("told to stop")
        self._signs[threading.current_thread().name] = self._clock.monotonic()

    def _letter(self, delivery: Delivery, refusal: Refused) -> _Outcome:
        letter = with_trace(self._fitting_letter(delivery, refusal), refusal)
        how = "dead" if letter.topic == topics.DEAD.name else "retried"
        details = {
            "code": refusal.code,
            "field": refusal.field,
            "message": refusal.message,
            "attempt": delivery.attempt,
        }
        log.warning("refused", role=self._role, how=how, position=delivery.position, **details)
        records = [letter, *(self._given_up(delivery, refusal) if how == "dead" else [])]
        return _Outcome(how, records, is_ours=how == "dead" and refusal.kind != "permanent")

    def _fitting_letter(self, delivery: Delivery, refusal: Refused) -> Outgoing:
        """Waits while an original has to be kept and its store is away."""
        return self._when_back(lambda: self._policy.letter(delivery, refusal, int(self._clock.time() * 1000)), delivery)

    def _given_up(self, delivery: Delivery, refusal: Refused) -> Sequence[Outgoing]:
        """What the handler has to say of a dead delivery. Its letter is written whatever becomes of that."""
        if is_untouchable(refusal):
            untold.labels(self._role).inc()
            return []
        try:
            return self._handler.give_up(delivery, refusal)
        except Exception:
            log.exception("it cannot be told that a delivery failed", role=self._role, position=delivery.position)
            untold.labels(self._role).inc()
            return []

    def _write(self, job: Job, outcome: _Outcome) -> None:
        how = outcome.how

        def on_end(error: KafkaError | None) -> None:
            if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE and how != "dead":
                # Not in here: it is the producer's own thread that makes room for what is to be written.
                threading.Thread(target=self._bury, args=[job, str(error)], name=f"{self._role}-letter").start()
            else:
                failed = NotAcknowledged(str(error)) if error is not None else None
                self.reports.put(Ended(job, how, failed, outcome.is_ours))

        self._writer.send_later(outcome.records, on_end)

    def _bury(self, job: Job, why: str) -> None:
        """The end of a delivery whose results no topic takes: another try would make the same."""
        try:
            self._write(job, self._letter(job.delivery, Refused("record_too_large", why, poison=True)))
        except Exception as error:
            self.reports.put(Ended(job, error=error))
