"""Which offset may be committed: the first one that is not finished, whatever order the work ends in."""

from collections import deque


class OffsetTracker:
    """The deliveries of one partition during one assignment, from poll to end; `epoch` tells assignments apart.

    Offsets may have gaps (transaction markers, compaction). Not thread-safe: one thread owns it.
    """

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self._span: deque[int] = deque()
        self._unfinished: set[int] = set()
        self._uncommitted: deque[int] = deque()
        self._next: int | None = None
        self._committed: int | None = None

    def track(self, offset: int) -> None:
        """Registers a delivery. Offsets come in rising order."""
        if self._next is not None and offset < self._next:
            raise ValueError(f"offset {offset} after {self._next - 1}")
        self._span.append(offset)
        self._unfinished.add(offset)
        self._next = offset + 1

    def finish(self, offset: int, epoch: int) -> None:
        """Registers that a delivery has ended: its results, retry or dead letter are acknowledged by the broker.

        What was read under another assignment counts for nothing here.
        """
        if epoch != self.epoch:
            return
        self._unfinished.remove(offset)
        while self._span and self._span[0] not in self._unfinished:
            self._uncommitted.append(self._span.popleft())

    def committable(self) -> int | None:
        """The offset to commit, when it is ahead of what was committed before."""
        ahead = self._span[0] if self._span else self._next
        return None if ahead is None or ahead == self._committed else ahead

    def committed(self, offset: int) -> int:
        """Registers a commit that the broker took; returns how many deliveries it covers that none did before."""
        self._committed = offset
        covered = 0
        while self._uncommitted and self._uncommitted[0] < offset:
            self._uncommitted.popleft()
            covered += 1
        return covered

    @property
    def next(self) -> int | None:
        """The offset behind the last delivery; None before the first."""
        return self._next

    @property
    def in_flight(self) -> int:
        """How many deliveries have not ended."""
        return len(self._unfinished)

    @property
    def span(self) -> int:
        """How many deliveries stand from the first unfinished one on; after a crash all of them come again."""
        return len(self._span)
