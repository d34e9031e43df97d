"""Endpoints, receivers and processes that can be killed at any step, on virtual time; a database outlives them."""

import heapq
import math
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import case, func, select

from streams.facts import Database, Endpoint, Message, Secret, Webhooks, tables
from streams.facts.sealing import Sealer
from streams.webhooks.dispatcher import Dispatcher, Sending
from streams.webhooks.payload import EVENT_TYPES
from streams.webhooks.schedule import Answer
from streams.webhooks.slots import Slots

START_S = 1_700_000_000.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLwQQQQQQQQ=="
_e, _d = tables.webhook_endpoints.c, tables.webhook_deliveries.c
_WAITING = tables.webhook_deliveries.join(tables.webhook_endpoints, _e.endpoint == _d.endpoint)
_MOMENTS = (_d.due_at_ms, _e.not_before_ms, _e.held_until_ms)


class Killed(BaseException):
    """The process is gone."""


def endpoint(name: str, **more: Any) -> Endpoint:
    fields = {"endpoint": name, "tenant": "acme", "url": f"https://{name}.example/", "events": EVENT_TYPES}
    return Endpoint(**{**fields, "secrets": (Secret(SECRET),), **more})


def message(number: int, sku: str = "A", kind: str = "asset.published") -> Message:
    return Message(f"msg_{number:04}", sku, kind, f'{{"n":{number}}}')


class VirtualClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = START_S

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float, /) -> None:
        self.now_s += seconds


class KillableWebhooks(Webhooks):
    """The tables; before and behind each change the process may be killed."""

    def __init__(self, database: Database, step: Callable[[], None]) -> None:
        super().__init__(database, Sealer())
        self._step = step

    def note(self, *args: Any, **kwargs: Any) -> int:
        self._step()
        found = super().note(*args, **kwargs)
        self._step()
        return found

    def take(self, *args: Any, **kwargs: Any) -> Any:
        self._step()
        found = super().take(*args, **kwargs)
        self._step()
        return found

    def settle(self, *args: Any, **kwargs: Any) -> Any:
        self._step()
        found = super().settle(*args, **kwargs)
        self._step()
        return found


@dataclass
class World:
    """A topic of messages for endpoints, one process that notes and sends, and receivers that answer as `answers` says.

    `answers(endpoint, message, time)` is what a receiver says and how long it takes. `kill_at` steps end the process;
    the next one begins with what is in the database, and behind the last committed offset of the topic.
    """

    database: Database
    endpoints: list[Endpoint]
    answers: Callable[[str, str, float], tuple[Answer, float]]
    kill_at: frozenset[int] = frozenset()
    slots: Callable[[], Slots] = Slots
    clock: VirtualClock = field(default_factory=VirtualClock)
    heard: dict[str, list[tuple[str, float, bool]]] = field(default_factory=lambda: defaultdict(list))
    topic: list[tuple[Message, list[str]]] = field(default_factory=list)
    committed: int = 0
    steps: int = 0
    deaths: int = 0

    def __post_init__(self) -> None:
        for each in self.endpoints:
            Webhooks(self.database, Sealer()).add(each)
        self._start()

    def run(self, until_s: float) -> None:
        """Lets time pass, from event to event, until so many seconds after the start."""
        while self.clock.now_s < START_S + until_s and not self.is_done():
            try:
                self._turn()
            except Killed:
                self.deaths += 1
                self._start()
            self.clock.now_s = min(self._next_s(), START_S + until_s)

    def _next_s(self) -> float:
        """When something may happen next: an answer comes, a delivery is due, or a pause or a lease is over."""
        now_ms = round(self.clock.now_s * 1000)
        query = select(*(func.min(case((each > now_ms, each))) for each in _MOMENTS)).select_from(_WAITING)
        with self.database.look() as connection:
            row = connection.execute(query.where(_e.state == "active", _d.state == "waiting")).one()
        moments = [each / 1000 for each in row if each is not None] + [each[0] for each in self._answers[:1]]
        return self.clock.now_s if self._is_new else max(min(moments, default=math.inf), self.clock.now_s)

    def is_done(self) -> bool:
        """Whether nothing of the topic is left to be told; what waits for who is paused or disabled does not count."""
        is_read = self.committed == len(self.topic) and not self._answers
        return is_read and not Webhooks(self.database, Sealer()).backlog(0).count

    def _turn(self) -> None:
        self._is_new = False
        while self.committed < len(self.topic):
            event, names = self.topic[self.committed]
            self.webhooks.note(event, names, round(self.clock.now_s * 1000))
            self._step()
            self.committed += 1
        while self._answers and self._answers[0][0] <= self.clock.now_s:
            _, _, sending, answer = heapq.heappop(self._answers)
            self.dispatcher.end(sending, answer)
        for sending in self.dispatcher.begin():
            self._send(sending)

    def _send(self, sending: Sending) -> None:
        self._step()
        name, sent = sending.endpoint.endpoint, sending.delivery.message
        answer, took_s = self.answers(name, sent, self.clock.now_s - START_S)
        self.heard[name].append((sent, self.clock.now_s - START_S, answer.is_success))
        heapq.heappush(self._answers, (self.clock.now_s + took_s, self.steps, sending, answer))
        self._step()

    def _start(self) -> None:
        self.webhooks = KillableWebhooks(self.database, self._step)
        self.dispatcher = Dispatcher(self.webhooks, self.slots(), self.clock, jitter=lambda: 0.0)
        self._answers: list[tuple[float, int, Sending, Answer]] = []
        self._is_new = True  # it has work at once

    def _step(self) -> None:
        self.steps += 1
        if self.steps in self.kill_at:
            raise Killed


def kills(seed: int, most: int, steps: int) -> frozenset[int]:
    """Some steps at which the process is killed."""
    return frozenset(random.Random(seed).sample(range(1, steps), most))
