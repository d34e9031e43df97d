"""What keeps a number of replicas from going up and down, and how long a start is measured to take."""

from collections import deque

HELD_MIN_S = 60.0
COLD_STARTS_KEPT = 5
COLD_START_MAX_S = 1800.0  # beyond that there is no room for the replica, and not a slow start


class Steady:
    """Goes up at once, and down to the most that was wanted within the last cold start.

    Who ends a replica and wants it again sooner pays a start for less than a start's time: holding it for as long as a
    start takes costs at most twice what the best choice had cost (ski rental).
    """

    def __init__(self) -> None:
        self._wanted: deque[tuple[float, int]] = deque()

    def step(self, now_s: float, wanted: int, cold_start_s: float) -> int:
        """The number to tell for one that is wanted now; never below it, nor above what was wanted lately."""
        while self._wanted and self._wanted[-1][1] <= wanted:
            self._wanted.pop()  # a greater number behind it decides for longer
        self._wanted.append((now_s, wanted))
        while self._wanted[0][0] < now_s - max(cold_start_s, HELD_MIN_S):
            self._wanted.popleft()
        return self._wanted[0][1]


class ColdStarts:
    """Measures how long it takes from telling a greater number until a replica more works."""

    def __init__(self, assumed_s: float) -> None:
        self._assumed_s = assumed_s
        self._measured_s: deque[float] = deque(maxlen=COLD_STARTS_KEPT)
        self._starting: tuple[float, int] | None = None

    @property
    def cold_start_s(self) -> float:
        """The longest of the last that were measured; what was assumed, until there is one."""
        return max(self._measured_s, default=self._assumed_s)

    def step(self, now_s: float, wanted: int, ready: int) -> None:
        """Notes how many were wanted, and how many work."""
        if self._starting is not None:
            since_s, had = self._starting
            took_s = now_s - since_s
            if ready > had and took_s <= COLD_START_MAX_S:
                self._measured_s.append(took_s)
            if ready > had or wanted <= ready or took_s > COLD_START_MAX_S:
                self._starting = None
        elif wanted > ready:
            self._starting = now_s, ready
