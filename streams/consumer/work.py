"""The working side of the consumer loop: threads that handle deliveries and have the results acknowledged."""

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from confluent_kafka import KafkaError

from schemas import topics
from schemas.records import Lane
from streams.consumer.clients import AcknowledgedProducer, NotAcknowledged
from streams.consumer.lanes import Lanes
from streams.consumer.ledger import ended
from streams.consumer.letters import Delivery, Outgoing, RetryPolicy
from streams.errors import Refused, Unavailable

AWAY_WAIT_S = 1.0

log = structlog.get_logger()


class Handler(Protocol):
    """What a worker does with deliveries. Both methods are called from several threads at once."""

    def handle(self, delivery: Delivery) -> Sequence[Outgoing]:
        """Works on a delivery; what it returns is written before the delivery counts as ended.

        Raises Refused for a delivery that cannot be worked on, Unavailable while something that all need is away.
        """

    def give_up(self, delivery: Delivery, refusal: Refused) -> Sequence[Outgoing]:
        """What is to be written, besides the dead letter, for a delivery that no further try will mend."""


@dataclass(frozen=True)
class Job:
    """A delivery in its lane, and the assignment that it was read under."""

    delivery: Delivery
    lane: Lane
    epoch: int


@dataclass(frozen=True)
class Ended:
    """A job whose results, retry or dead letter the broker has acknowledged; or the error that prevents that."""

    job: Job
    error: BaseException | None = None


class Crew:
    """`threads` workers that take jobs from the lanes and report each in `reports` once it has ended."""

    def __init__(
        self, role: str, handler: Handler, producer: AcknowledgedProducer, policy: RetryPolicy, threads: int
    ) -> None:
        self.lanes: Lanes[Job] = Lanes()
        self.reports: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._role = role
        self._handler = handler
        self._producer = producer
        self._policy = policy
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"{role}-{n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        """Starts the workers."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets each worker end what it has in hand, and waits for it."""
        self._stopping.set()
        self.lanes.close()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self.lanes.take()) is not None:
            try:
                how, records = self._outcome(job.delivery)
            except BaseException as error:
                self.reports.put(Ended(job, error))
                raise
            self._write(job, how, records)

    def _outcome(self, delivery: Delivery) -> tuple[str, Sequence[Outgoing]]:
        while True:
            try:
                return "done", self._handler.handle(delivery)
            except Unavailable as away:
                log.warning("waiting", role=self._role, reason=str(away), position=delivery.position)
                if self._stopping.wait(AWAY_WAIT_S):
                    raise
            except Refused as refusal:
                return self._letter(delivery, refusal)
            except Exception as error:
                log.exception("unexpected error", role=self._role, position=delivery.position)
                return self._letter(delivery, Refused("unexpected", f"{type(error).__name__}: {error}", transient=True))

    def _letter(self, delivery: Delivery, refusal: Refused) -> tuple[str, Sequence[Outgoing]]:
        letter = self._policy.letter(delivery, refusal, time.time_ns() // 1_000_000)
        how = "dead" if letter.topic == topics.DEAD.name else "retried"
        told = {"code": refusal.code, "field": refusal.field, "message": str(refusal), "attempt": delivery.attempt}
        log.warning("refused", role=self._role, how=how, position=delivery.position, **told)
        return how, [letter, *(self._handler.give_up(delivery, refusal) if how == "dead" else [])]

    def _write(self, job: Job, how: str, records: Sequence[Outgoing]) -> None:
        def on_end(error: KafkaError | None) -> None:
            if error is None:
                ended.labels(self._role, how).inc()
            self.reports.put(Ended(job, NotAcknowledged(str(error)) if error is not None else None))

        self._producer.send_later(records, on_end)
