"""The rate breaker: when most of what ends dies of what may be our fault, whoever sent it, the lane is paused.

A store that refuses, a network that does not open, or a release of ours would else make dead letters of all there is.
What was sent is at fault for most that dies: it was answered, and pauses nothing, however much of it there is. Nor does
what dies of one tenant while that of others ends well, or one would stop the others.
"""

import time
from collections import Counter, deque
from collections.abc import Callable

import structlog
from prometheus_client import Gauge

from streams.runtime.clock import Clock

WINDOW = 100
ENDED_MIN = 20
SHARE_MAX = 0.5  # of what ended, and of the tenants whose it was
PAUSE_S = 30.0
PROBES = 5

log = structlog.get_logger()
breaker_open = Gauge(
    "packshot_breaker_open", "1 while a lane is paused: most of its work died of our fault", ["role", "lane"]
)


class Breaker:
    """Pauses one lane when most of what ended lately died of what may be our fault; `allow` says how much may be given
    out.

    After `PAUSE_S` it lets `PROBES` deliveries through; the lane goes on when as many end well and none dies so.
    """

    def __init__(self, role: str, lane: str, allow: Callable[[int | None], None], clock: Clock = time) -> None:
        self._names = {"role": role, "lane": lane}
        self._allow = allow
        self._clock = clock
        self._ended: deque[tuple[str, bool]] = deque(maxlen=WINDOW)
        self._probe_at: float | None = None
        self._probing = False
        self._well = 0
        breaker_open.labels(**self._names).set(0)

    @property
    def is_open(self) -> bool:
        """Whether the lane is paused or on probation."""
        return self._probe_at is not None

    def note(self, how: str, tenant: str, *, is_ours: bool = False) -> None:
        """A delivery of a tenant ended: done, retried, dead or dropped; `is_ours` where what was sent may be right."""
        died = how == "dead" and is_ours
        if how == "dropped" or (self.is_open and not self._probing):
            return
        self._ended.append((tenant, died))
        if died:
            self._settle()
        elif self._probing and how != "retried":
            self._well += 1
            if self._well >= PROBES:
                self._close()

    def look(self) -> None:
        """Lets probes through when it is time."""
        if self._probe_at is not None and self._clock.monotonic() >= self._probe_at:
            self._probing = True
            self._well = 0
            self._probe_at = self._clock.monotonic() + PAUSE_S  # probes that are dropped or retried tell nothing
            self._allow(PROBES)

    def _settle(self) -> None:
        """Opens it where most dies; on probation, closes it where it was one tenant's alone."""
        if self._is_most():
            self._open()
        elif self._probing:
            self._close()

    def _is_most(self) -> bool:
        ended = Counter(tenant for tenant, _ in self._ended)
        died = Counter(tenant for tenant, has_died in self._ended if has_died)
        tenants = sum(died[tenant] > SHARE_MAX * count for tenant, count in ended.items())
        is_most = died.total() > SHARE_MAX * ended.total() and tenants > SHARE_MAX * len(ended)
        return ended.total() >= ENDED_MIN and is_most

    def _open(self) -> None:
        share = sum(has_died for _, has_died in self._ended) / len(self._ended)
        log.error("breaker open: most of what ends dies of our fault", **self._names, dead_share=round(share, 2))
        breaker_open.labels(**self._names).set(1)
        self._probe_at = self._clock.monotonic() + PAUSE_S
        self._probing = False
        self._allow(0)

    def _close(self) -> None:
        log.warning("breaker closed", **self._names)
        breaker_open.labels(**self._names).set(0)
        self._probe_at = None
        self._probing = False
        self._ended.clear()
        self._allow(None)
