"""The rate breaker: when most of what ends is dead, the fault is more likely ours than that of every record."""

import time
from collections import deque
from collections.abc import Callable

import structlog
from prometheus_client import Gauge

from streams.runtime.clock import Clock

WINDOW = 100
ENDED_MIN = 20
DEAD_SHARE_MAX = 0.5
PAUSE_S = 30.0
PROBES = 5

log = structlog.get_logger()
breaker_open = Gauge("packshot_breaker_open", "1 while a lane is paused: most of its work ended dead", ["role", "lane"])


class Breaker:
    """Pauses one lane when more than half of what ended lately is dead; `allow` says how much may be given out.

    After `PAUSE_S` it lets `PROBES` deliveries through; the lane goes on when as many end well and none dead.
    """

    def __init__(self, role: str, lane: str, allow: Callable[[int | None], None], clock: Clock = time) -> None:
        self._names = {"role": role, "lane": lane}
        self._allow = allow
        self._clock = clock
        self._dead: deque[bool] = deque(maxlen=WINDOW)
        self._probe_at: float | None = None
        self._probing = False
        self._well = 0
        breaker_open.labels(**self._names).set(0)

    @property
    def is_open(self) -> bool:
        """Whether the lane is paused or on probation."""
        return self._probe_at is not None

    def note(self, how: str) -> None:
        """A delivery ended: done, retried, dead or dropped."""
        if not self.is_open:
            if how != "dropped":
                self._dead.append(how == "dead")
            if len(self._dead) >= ENDED_MIN and sum(self._dead) > DEAD_SHARE_MAX * len(self._dead):
                self._open()
        elif self._probing and how == "dead":
            self._open()
        elif self._probing and how == "done":
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

    def _open(self) -> None:
        share = sum(self._dead) / len(self._dead)
        log.error("breaker open: most of what ends is dead", **self._names, dead_share=round(share, 2))
        breaker_open.labels(**self._names).set(1)
        self._probe_at = self._clock.monotonic() + PAUSE_S
        self._probing = False
        self._allow(0)

    def _close(self) -> None:
        log.warning("breaker closed", **self._names)
        breaker_open.labels(**self._names).set(0)
        self._probe_at = None
        self._probing = False
        self._dead.clear()
        self._allow(None)
