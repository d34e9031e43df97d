"""Which delivery is worked on next: urgent before standard before bulk, and yet none of them starves.

Between lanes: deficit round-robin by the milliseconds that a lane's work is measured to take: of a worker and, for what
goes through an engine together with other work, its share of the engine's. Each round gives a lane as much credit as
its weight; the first lane with credit goes next, so urgent work goes at once until it has had `URGENT_AHEAD_MS` more
than its share. Then every other lane gets its turns, one at a time: waiting urgent work is never passed over twice in a
row. Work whose deadline is near goes right behind urgent, every second time at most. A lane that had no turn for
`AGEING_S` goes first once.

Urgent work has threads of its own besides the usual ones, for as long as it has had no more than its share, and while a
job stands aside that waits for what others hold. While one of those is free, the usual ones leave urgent work to it.

Within a lane: the tenant whose work has taken the least time; its own work in the order it came.
"""

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.records import LANES, Lane
from streams.runtime.clock import Clock

WEIGHTS: dict[Lane, int] = {"urgent": 8, "standard": 2, "bulk": 1}
URGENT_AHEAD_MS = 10_000
AGEING_S = 60.0
NEAR_DEADLINE_MS = 60_000
FIRST_GUESS_MS = 100.0
GUESS_GAIN = 0.2
GONE_KEPT_MAX = 64
T = TypeVar("T")


@dataclass(frozen=True)
class Turn(Generic[T]):
    """A piece of work that was given out, and what its lane and tenant were charged for it beforehand."""

    item: T
    lane: Lane
    tenant: str
    charged_ms: float


class Lanes(Generic[T]):
    """Waiting work by lane and tenant. Thread-safe; `take` blocks."""

    def __init__(self, clock: Clock = time) -> None:
        self._clock = clock
        self._lanes: dict[Lane, _Waiting[T]] = {lane: _Waiting(lane) for lane in LANES}
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._urgent_changed = threading.Condition(lock)  # its own: `put` wakes but one thread, and any must do
        self._aside = 0
        self._urgent_idle = 0  # threads of urgent work that wait for some
        self._closed = False
        self._urgent_passed_over = False
        self._boosted = False

    def put(self, lane: Lane, item: T, tenant: str = "", deadline_ms: int | None = None) -> None:
        """Adds work at the end of its tenant's queue. `deadline_ms` is Unix time."""
        with self._changed:
            waiting = self._lanes[lane]
            if not len(waiting):
                waiting.since_s = self._clock.monotonic()
            waiting.put(item, tenant, deadline_ms)
            self._changed.notify()
            if lane == "urgent":
                self._urgent_changed.notify()

    def take(self) -> Turn[T] | None:
        """The next piece of work; waits for one. None once the lanes are closed."""
        with self._changed:
            while not self._closed:
                turn = self._next(LANES[1:] if self._is_urgent_left() else LANES)
                if turn is not None:
                    return turn
                self._changed.wait()
            return None

    def take_urgent(self) -> Turn[T] | None:
        """The next piece of urgent work, where its share or a job that stands aside leaves room for it; waits for that.

        None once the lanes are closed.
        """
        with self._changed:
            while not self._closed:
                turn = self._next(LANES[:1]) if self._aside or self._urgent_has_credit() else None
                if len(self._lanes["urgent"]):
                    self._changed.notify()  # what is left is for the others
                if turn is not None:
                    return turn
                self._urgent_idle += 1
                self._urgent_changed.wait()
                self._urgent_idle -= 1
            return None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """For as long as a job holds its thread and can do nothing until others end."""
        self._stand_aside(1)
        try:
            yield
        finally:
            self._stand_aside(-1)

    def take_now(self) -> Turn[T] | None:
        """The next piece of work, or None when there is none."""
        with self._changed:
            return None if self._closed else self._next()

    def charge(self, turn: Turn[T], took_ms: float) -> None:
        """Tells how long a piece of work took."""
        with self._changed:
            self._lanes[turn.lane].correct(turn, took_ms)

    def drop(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Takes out work that is no longer ours, and returns it."""
        with self._changed:
            return [item for waiting in self._lanes.values() for item in waiting.drop(unwanted)]

    def allow(self, lane: Lane, count: int | None) -> None:
        """Gives out no more than `count` pieces of a lane's work from now on; None lifts that."""
        with self._changed:
            self._lanes[lane].allowed = count
            self._changed.notify_all()
            self._urgent_changed.notify_all()

    def waiting(self, lane: Lane) -> int:
        """How much waits in a lane."""
        return len(self._lanes[lane])

    def close(self) -> None:
        """Wakes everybody who waits; nothing is given out any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._urgent_changed.notify_all()

    def _stand_aside(self, change: int) -> None:
        with self._changed:
            self._aside += change
            self._urgent_changed.notify_all()

    def _is_urgent_left(self) -> bool:
        """Whether urgent work is left to a thread of its own; that is woken: its lane's credit comes back untold."""
        if not self._urgent_idle or not self._urgent_has_credit():
            return False
        if len(self._lanes["urgent"]):
            self._urgent_changed.notify()
        return True

    def _urgent_has_credit(self) -> bool:
        return self._lanes["urgent"].credit_ms > 0

    def _next(self, of: Sequence[Lane] = LANES) -> Turn[T] | None:
        open_lanes = [waiting for lane in of if len(waiting := self._lanes[lane]) and waiting.allowed != 0]
        if not open_lanes:
            return None
        now_ms = int(self._clock.time() * 1000)
        chosen = self._choose(open_lanes, now_ms)
        self._urgent_passed_over = open_lanes[0].lane == "urgent" and chosen.lane != "urgent"
        chosen.since_s = self._clock.monotonic()
        if chosen.allowed is not None:
            chosen.allowed -= 1
        return chosen.take(now_ms, for_deadline=self._boosted)

    def _choose(self, open_lanes: "list[_Waiting[T]]", now_ms: int) -> "_Waiting[T]":
        boosted, self._boosted = self._boosted, False
        first = open_lanes[0]
        if first.lane == "urgent" and self._urgent_passed_over:
            return first
        longest = min(open_lanes, key=lambda waiting: waiting.since_s)
        if self._clock.monotonic() - longest.since_s >= AGEING_S:
            return longest
        if all(waiting.credit_ms <= 0 for waiting in open_lanes):
            self._refill(open_lanes)
        if first.lane == "urgent" and first.credit_ms > 0:
            return first
        near = [waiting for waiting in open_lanes if waiting.is_near(now_ms)]
        if near and not boosted:
            self._boosted = True
            return near[0]
        return next(waiting for waiting in open_lanes if waiting.credit_ms > 0)

    def _refill(self, open_lanes: "list[_Waiting[T]]") -> None:
        """As many rounds as it takes until one of those that wait has credit."""
        rounds = min(int(-waiting.credit_ms // waiting.weight) + 1 for waiting in open_lanes)
        for waiting in self._lanes.values():
            waiting.earn(rounds)


class _Entry(Generic[T]):
    __slots__ = ("gone", "item", "tenant")

    def __init__(self, item: T, tenant: str) -> None:
        self.item = item
        self.tenant = tenant
        self.gone = False


class _Waiting(Generic[T]):
    """One lane's waiting work and its credit.

    An entry with a deadline stands in two queues; `gone` says in the second that it was taken from the first.
    """

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.weight = WEIGHTS[lane]
        self.credit_ms = float(URGENT_AHEAD_MS if lane == "urgent" else self.weight)
        self.since_s = 0.0
        self.allowed: int | None = None
        self._credit_max_ms = self.credit_ms
        self._guess_ms = FIRST_GUESS_MS
        self._tenants = _Tenants[T]()
        self._deadlines: list[tuple[int, int, _Entry[T]]] = []
        self._order = itertools.count()
        self._count = 0
        self._gone = 0
        self._hurried = False

    def __len__(self) -> int:
        return self._count

    def put(self, item: T, tenant: str, deadline_ms: int | None) -> None:
        entry = _Entry(item, tenant)
        self._tenants.put(entry)
        if deadline_ms is not None:
            heapq.heappush(self._deadlines, (deadline_ms, next(self._order), entry))
        self._count += 1

    def take(self, now_ms: int, for_deadline: bool) -> Turn[T]:
        """By deadline where one is near, but not twice in a row: tenants without deadlines have their turns too."""
        self._hurried = self.is_near(now_ms) and (for_deadline or not self._hurried)
        entry = heapq.heappop(self._deadlines)[2] if self._hurried else self._tenants.fairest()
        entry.gone = True
        self._left(1)
        self.credit_ms -= self._guess_ms
        self._tenants.charge(entry.tenant, self._guess_ms)
        return Turn(entry.item, self.lane, entry.tenant, self._guess_ms)

    def is_near(self, now_ms: int) -> bool:
        """Whether a deadline is near."""
        while self._deadlines and self._deadlines[0][2].gone:
            heapq.heappop(self._deadlines)
        return bool(self._deadlines) and self._deadlines[0][0] - now_ms <= NEAR_DEADLINE_MS

    def correct(self, turn: Turn[T], took_ms: float) -> None:
        self._guess_ms += GUESS_GAIN * (took_ms - self._guess_ms)
        self.credit_ms += turn.charged_ms - took_ms
        if self.lane == "urgent":
            self.credit_ms = max(self.credit_ms, float(-URGENT_AHEAD_MS))
        self._tenants.charge(turn.tenant, took_ms - turn.charged_ms)

    def earn(self, rounds: int) -> None:
        self.credit_ms = min(self.credit_ms + rounds * self.weight, self._credit_max_ms)

    def drop(self, unwanted: Callable[[T], bool]) -> list[T]:
        dropped = [entry for entry in self._tenants.entries() if unwanted(entry.item)]
        for entry in dropped:
            entry.gone = True
        self._left(len(dropped))
        return [entry.item for entry in dropped]

    def _left(self, count: int) -> None:
        """Keeps count of entries that are gone, and lets go of them before they outnumber those that wait."""
        self._count -= count
        self._gone += count
        if self._gone > self._count + GONE_KEPT_MAX:
            self._gone = 0
            self._tenants.tidy()
            self._deadlines = [each for each in self._deadlines if not each[2].gone]
            heapq.heapify(self._deadlines)


class _Tenants(Generic[T]):
    """One lane's waiting work by tenant, and for how long each tenant's work has held workers."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[_Entry[T]]] = {}
        self._turns: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._held_ms: dict[str, float] = {}
        self._level_ms = 0.0

    def put(self, entry: _Entry[T]) -> None:
        if entry.tenant not in self._queues:
            self._join(entry.tenant)
        self._queues[entry.tenant].append(entry)

    def entries(self) -> list[_Entry[T]]:
        """All that wait."""
        return [entry for queue in self._queues.values() for entry in queue if not entry.gone]

    def charge(self, tenant: str, ms: float) -> None:
        self._held_ms[tenant] = self._held_ms.get(tenant, self._level_ms) + ms

    def fairest(self) -> _Entry[T]:
        """The first entry of the tenant that has had the least. There is one that waits."""
        while True:
            held_ms, _, tenant = heapq.heappop(self._turns)
            queue = self._queues[tenant]
            while queue and queue[0].gone:
                queue.popleft()
            if not queue:
                del self._queues[tenant]
                continue
            heapq.heappush(self._turns, (self._held_ms[tenant], next(self._order), tenant))
            if held_ms >= self._held_ms[tenant]:  # else it was charged since it took its place
                self._level_ms = max(self._level_ms, held_ms)
                return queue.popleft()

    def tidy(self) -> None:
        """Forgets entries that are gone; of tenants that have no work here it remembers those that owe the most."""
        kept = {tenant: deque(entry for entry in queue if not entry.gone) for tenant, queue in self._queues.items()}
        self._queues = {tenant: queue for tenant, queue in kept.items() if queue}
        owing = [(ms, tenant) for tenant, ms in self._held_ms.items() if ms > self._level_ms]
        kept_ms = {tenant: ms for ms, tenant in heapq.nlargest(GONE_KEPT_MAX, owing)}
        self._held_ms = kept_ms | {tenant: self._held_ms[tenant] for tenant in self._queues}
        self._turns = [(self._held_ms[tenant], next(self._order), tenant) for tenant in self._queues]
        heapq.heapify(self._turns)

    def _join(self, tenant: str) -> None:
        """A tenant that comes begins where the others are: it has saved up nothing, and what it owes it still owes."""
        self._held_ms[tenant] = max(self._held_ms.get(tenant, 0.0), self._level_ms)
        self._queues[tenant] = deque()
        heapq.heappush(self._turns, (self._held_ms[tenant], next(self._order), tenant))
