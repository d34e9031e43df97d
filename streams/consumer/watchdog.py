"""The liveness watchdog: a process that has work and gets nowhere ends, and is started again."""

import time
from collections.abc import Hashable, Mapping
from typing import Any

from streams.runtime.clock import Clock


class Stalled(Exception):
    """Something has had work to do for too long without getting anywhere; `subject` is what, where it is one thing."""

    def __init__(self, message: str, subject: Hashable = None) -> None:
        super().__init__(message)
        self.subject = subject


class Watchdog:
    """Looks on from time to time. Time in which nobody looked (a process that was paused) counts for nothing."""

    def __init__(self, stalled_after_s: float, clock: Clock = time) -> None:
        self._stalled_after_s = stalled_after_s
        self._clock = clock
        self._since: dict[Hashable, tuple[object, float]] = {}
        self._looked_s = clock.monotonic()

    def look(self, marks: Mapping[Any, object]) -> None:
        """`marks` says, of everything that has work to do, how far it is.

        Raises Stalled for one whose mark was the same for longer than `stalled_after_s`.
        """
        now_s = self._clock.monotonic()
        known = self._since if now_s - self._looked_s <= self._stalled_after_s / 2 else {}
        self._looked_s = now_s
        self._since = {
            subject: known[subject] if subject in known and known[subject][0] == mark else (mark, now_s)
            for subject, mark in marks.items()
        }
        for subject, (mark, since_s) in self._since.items():
            if now_s - since_s > self._stalled_after_s:
                raise Stalled(f"{subject} stood at {mark} for {now_s - since_s:.0f} s with work to do", subject)
