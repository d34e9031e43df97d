"""Which offset may be committed: the first one that is not finished, whatever order the work ends in."""

from collections import deque


class OffsetTracker:
    """The deliveries of one partition during one assignment, from poll to end.

    Offsets may have gaps (transaction markers, compaction). Not thread-safe: one thread owns it.
    """

    def __init__(self) -> None:
        self._pending: deque[int] = deque()
        self._finished: set[int] = set()
        self._next: int | None = None
        self._committed: int | None = None
        self._ended_count = 0
        self._covered_count = 0

    def track(self, offset: int) -> None:
        """Registers a delivery. Offsets come in rising order."""
        if self._next is not None and offset < self._next:
            raise ValueError(f"offset {offset} after {self._next - 1}")
        self._pending.append(offset)
        self._next = offset + 1

    def finish(self, offset: int) -> None:
        """Registers that a delivery has ended: its results, retry or dead letter are acknowledged by the broker."""
        self._finished.add(offset)
        while self._pending and self._pending[0] in self._finished:
            self._finished.discard(self._pending.popleft())
            self._ended_count += 1

    def committable(self) -> int | None:
        """The offset to commit, when it is ahead of what was committed before."""
        ahead = self._pending[0] if self._pending else self._next
        return None if ahead is None or ahead == self._committed else ahead

    def committed(self, offset: int) -> int:
        """Registers a commit that the broker took; returns how many deliveries it covers that none did before."""
        covered = self._ended_count - self._covered_count
        self._committed = offset
        self._covered_count = self._ended_count
        return covered

    @property
    def in_flight(self) -> int:
        """How many deliveries have not ended."""
        return len(self._pending) - len(self._finished)

    @property
    def span(self) -> int:
        """How many deliveries stand from the first unfinished one on."""
        return len(self._pending)
