"""Sends what is due, and notes what came of it: `begin` and `end` of each attempt are all that touches the database.

Whoever is killed between the two has sent a delivery that is still noted as due, and sends it again when its lease is
over: at least once, with the same id.
"""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import structlog
from prometheus_client import Counter, Gauge, Histogram

from schemas.text import MESSAGE_MAX, printable
from streams.facts import Attempt, Endpoint, Settled, WebhookDelivery, Webhooks
from streams.runtime.clock import Clock
from streams.runtime.errors import Unavailable
from streams.runtime.health import Turned
from streams.runtime.waiting import AWAY_WAIT_S
from streams.webhooks import signing
from streams.webhooks.posting import Poster
from streams.webhooks.schedule import Answer, Health, ruling
from streams.webhooks.slots import Slots

POLL_S = 0.25
ENDPOINTS_AT_ONCE = 64  # that one look at the database takes
LOOK_EVERY_S = 15.0
LOG_DAYS = 30  # what has ended is kept so long
DAY_MS = 24 * 3600 * 1000

T = TypeVar("T")
log = structlog.get_logger()
attempts = Counter("packshot_webhook_attempts_total", "Attempts to deliver", ["outcome"])
disabled = Counter("packshot_webhook_disabled_total", "Endpoints disabled: gone, or failing for too long")
waiting = Gauge("packshot_webhook_waiting", "Deliveries to active endpoints that have not ended")
oldest = Gauge("packshot_webhook_oldest_seconds", "Age of the oldest of these")
in_flight = Gauge("packshot_webhook_in_flight", "Requests in flight")
took = Histogram("packshot_webhook_attempt_seconds", "Time from an attempt's begin to its answer")


@dataclass(frozen=True)
class Sending:
    """A delivery on its way, begun at a Unix time in ms."""

    endpoint: Endpoint
    delivery: WebhookDelivery
    began_ms: int

    @property
    def headers(self) -> dict[str, str]:
        """Those of the standard, signed with every secret that is valid."""
        secrets = self.endpoint.valid_secrets(self.began_ms)
        return signing.headers(self.delivery.message, self.began_ms // 1000, self.body, secrets)

    @property
    def body(self) -> bytes:
        """What is sent, to the byte what is signed."""
        return self.delivery.body.encode()


class Dispatcher:
    """One process's sender. `jitter` gives numbers from 0 to 1."""

    def __init__(
        self,
        webhooks: Webhooks,
        slots: Slots | None = None,
        clock: Clock = time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._webhooks = webhooks
        self._slots = slots or Slots()
        self._clock = clock
        self._jitter = jitter
        self._holder = uuid4().hex

    @property
    def connections(self) -> int:
        """The most requests in flight."""
        return self._slots.total

    def begin(self) -> list[Sending]:
        """What is to be sent now, each to be ended by `end`. Raises DatabaseUnavailable."""
        begun: list[Sending] = []
        now_ms = self._now_ms()
        if self._slots.left() and self._webhooks.is_due(now_ms):
            with _at_first(begun):
                while taken := self._take(now_ms):
                    begun += [Sending(endpoint, delivery, now_ms) for endpoint, delivery in taken]
        in_flight.set(len(self._slots.in_flight()))
        return begun

    def end(self, sending: Sending, answer: Answer) -> Settled | None:
        """Notes what came of it. Raises DatabaseUnavailable, and may be called again then."""
        now_ms = self._now_ms()
        attempt = Attempt(sending.began_ms, now_ms - sending.began_ms, answer.status, answer.reason)
        settled = self._webhooks.settle(
            sending.delivery, attempt, lambda endpoint: self._settled(endpoint, sending, answer, now_ms), now_ms
        )
        self._slots.free(sending.delivery.id)
        self._tell(sending, answer, settled, attempt.took_ms)
        return settled

    def look(self) -> None:
        """Measures what waits, and forgets what ended long ago. Raises DatabaseUnavailable."""
        now_ms = self._now_ms()
        backlog = self._webhooks.backlog(now_ms)
        waiting.set(backlog.count)
        oldest.set(backlog.oldest_ms / 1000)
        self._webhooks.forget(now_ms - LOG_DAYS * DAY_MS)

    def release(self) -> None:
        """Lets others send at once to the endpoints that were this process's."""
        self._webhooks.release(self._holder)

    def run(self, stop: threading.Event, networks: tuple[str, ...], turned: Turned = lambda: None) -> None:
        """Sends until `stop` is set, then lets what is in flight end; `turned` is called at each turn."""
        asyncio.run(_Running(self, stop, self._clock, turned).run(networks))

    def _take(self, now_ms: int) -> list[tuple[Endpoint, WebhookDelivery]]:
        held = set(self._slots.in_flight())
        try:
            return self._webhooks.take(self._holder, now_ms, self._slots, ENDPOINTS_AT_ONCE)
        except Unavailable:  # so that nothing was taken
            for delivery in set(self._slots.in_flight()) - held:
                self._slots.free(delivery)
            raise

    def _settled(self, endpoint: Endpoint, sending: Sending, answer: Answer, now_ms: int) -> Settled:
        health = Health(endpoint.failing_since_ms, endpoint.pauses, endpoint.not_before_ms)
        ruled = ruling(sending.delivery.tries + 1, health, answer, sending.began_ms, now_ms, self._jitter())
        after = ruled.health
        return Settled(
            ruled.state, ruled.due_at_ms, after.failing_since_ms, after.pauses, after.not_before_ms, ruled.disabled
        )

    def _tell(self, sending: Sending, answer: Answer, settled: Settled | None, took_ms: int) -> None:
        took.observe(took_ms / 1000)
        outcome = "delivered" if answer.is_success else "refused" if answer.status is not None else "no_answer"
        attempts.labels(outcome).inc()
        if settled is None or settled.state == "delivered":
            return
        about = {"endpoint": sending.endpoint.endpoint, "message": sending.delivery.message, "status": answer.status}
        log.warning("not delivered", **about, state=settled.state, tries=sending.delivery.tries + 1)
        if settled.disabled:
            disabled.inc()
            log.error("an endpoint is disabled", endpoint=sending.endpoint.endpoint, reason=settled.disabled)

    def _now_ms(self) -> int:
        return round(self._clock.time() * 1000)


class _Running:
    """The dispatcher on an event loop; the database is waited for on a thread beside it."""

    def __init__(self, dispatcher: Dispatcher, stop: threading.Event, clock: Clock, turned: Turned) -> None:
        self._dispatcher = dispatcher
        self._stop = stop
        self._clock = clock
        self._turned = turned
        # One: the books of the slots have one owner, and SQLite one writer.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="webhooks-database")
        self._look_at_s = 0.0

    async def run(self, networks: tuple[str, ...]) -> None:
        tasks: set[asyncio.Task[None]] = set()
        async with Poster(networks, self._dispatcher.connections) as poster:
            while not self._stop.is_set():
                begun = await self._once_there(self._dispatcher.begin)
                tasks |= {asyncio.create_task(self._deliver(poster, each)) for each in begun or ()}
                tasks = await _some_end(tasks)
                await self._look()
            if tasks:
                await asyncio.wait(tasks)
                _raise_of(tasks)
        with suppress(Unavailable):
            await self._call(self._dispatcher.release)
        self._thread.shutdown()

    async def _deliver(self, poster: Poster, sending: Sending) -> None:
        try:
            answer = await poster.post(sending.endpoint.url, sending.headers, sending.body)
        except Exception as error:  # of nothing that is away, so it counts as a try
            log.exception("unexpected error", endpoint=sending.endpoint.endpoint)
            answer = Answer(None, printable(f"unexpected: {type(error).__name__}: {error}", MESSAGE_MAX))
        await self._once_there(lambda: self._dispatcher.end(sending, answer))

    async def _look(self) -> None:
        if self._clock.monotonic() >= self._look_at_s:
            self._look_at_s = self._clock.monotonic() + LOOK_EVERY_S
            await self._once_there(self._dispatcher.look)

    async def _once_there(self, call: Callable[[], T]) -> T | None:
        """What `call` returns, once the database is there; None when the process is to stop before."""
        while True:
            self._turned()
            try:
                return await self._call(call)
            except Unavailable as away:
                log.warning("waiting", reason=str(away))
                if self._stop.is_set():
                    return None
                await asyncio.sleep(AWAY_WAIT_S)

    async def _call(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


@contextmanager
def _at_first(begun: Sequence[Sending]) -> Iterator[None]:
    """Lets nothing that was begun be forgotten where the database is away behind it."""
    try:
        yield
    except Unavailable:
        if not begun:
            raise


async def _some_end(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Waits a moment, or until one ends; those that have not. Raises what one has raised."""
    if not tasks:
        await asyncio.sleep(POLL_S)
        return tasks
    ended, left = await asyncio.wait(tasks, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
    _raise_of(ended)
    return left


def _raise_of(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.result()
