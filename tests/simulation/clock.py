"""Time that passes only when it is told to."""


class VirtualClock:
    """A streams.runtime.clock.Clock; its time of day may be moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.epoch_s = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.epoch_s + self.now_s

    def sleep(self, seconds: float, /) -> None:
        self.now_s += seconds
