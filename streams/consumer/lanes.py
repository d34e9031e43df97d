"""Which delivery is worked on next: urgent before standard before bulk, and yet none of them starves."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from schemas.records import LANES, Lane

PASSED_OVER_MAX = 15
T = TypeVar("T")


class Lanes(Generic[T]):
    """Waiting work by lane. A lane that was passed over `PASSED_OVER_MAX` times goes first once: its ageing bound.

    Thread-safe; `take` blocks.
    """

    def __init__(self) -> None:
        self._waiting: dict[Lane, deque[T]] = {lane: deque() for lane in LANES}
        self._passed_over: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._changed = threading.Condition()
        self._closed = False

    def put(self, lane: Lane, item: T) -> None:
        """Adds work at the end of its lane."""
        with self._changed:
            self._waiting[lane].append(item)
            self._changed.notify()

    def take(self) -> T | None:
        """The next piece of work; waits for one. None once the lanes are closed."""
        with self._changed:
            while not self._closed:
                lane = self._next_lane()
                if lane is not None:
                    return self._waiting[lane].popleft()
                self._changed.wait()
            return None

    def drop(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Takes out work that is no longer ours, and returns it."""
        with self._changed:
            dropped = [item for items in self._waiting.values() for item in items if unwanted(item)]
            for lane, items in self._waiting.items():
                self._waiting[lane] = deque(item for item in items if not unwanted(item))
            return dropped

    def waiting(self, lane: Lane) -> int:
        """How much waits in a lane."""
        return len(self._waiting[lane])

    def close(self) -> None:
        """Wakes everybody who waits; nothing is given out any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next_lane(self) -> Lane | None:
        filled = [lane for lane in LANES if self._waiting[lane]]
        if not filled:
            return None
        aged = [lane for lane in filled if self._passed_over[lane] >= PASSED_OVER_MAX]
        chosen = aged[0] if aged else filled[0]
        for lane in filled:
            self._passed_over[lane] = 0 if lane == chosen else self._passed_over[lane] + 1
        return chosen
