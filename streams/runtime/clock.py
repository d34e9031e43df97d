"""The clock that the consumer goes by; the module `time` is one."""

from typing import Protocol


class Clock(Protocol):
    """Time as it passes, time of day, and waiting; all in seconds."""

    def monotonic(self) -> float: ...
    def time(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...
