"""The clock that the consumer goes by; the module `time` is one."""

import time
from typing import Protocol


class Clock(Protocol):
    """Time as it passes, time of day, and waiting; all in seconds."""

    def monotonic(self) -> float: ...
    def time(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


def now_ms() -> int:
    """Unix time in ms."""
    return time.time_ns() // 1_000_000
