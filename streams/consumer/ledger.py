"""The conservation ledger as metrics: polled = ended + in flight, by role and lane; committed follows ended."""

from collections import Counter as Tally

from prometheus_client import Counter, Gauge

polled = Counter("packshot_polled_total", "Deliveries read", ["role", "lane"])
ended = Counter("packshot_ended_total", "Deliveries that ended: done, retried, dead, dropped", ["role", "lane", "how"])
committed = Counter("packshot_committed_total", "Deliveries whose offset is committed", ["role", "lane"])
in_flight = Gauge("packshot_in_flight", "Deliveries read and not ended", ["role", "lane"])


class Unbalanced(Exception):
    """Deliveries were counted twice or not at all: a bug, and nothing more may be committed."""


class Ledger:
    """The books of one lane of one role. What is dropped at a revocation ends here; whoever has it next polls it."""

    def __init__(self, role: str, lane: str = "-") -> None:
        self._names = (role, lane)
        self._polled = polled.labels(role, lane)
        self._in_flight = in_flight.labels(role, lane)
        self.polled = 0
        self.ended: Tally[str] = Tally()

    def poll(self) -> None:
        """A delivery was read."""
        self.polled += 1
        self._polled.inc()

    def end(self, how: str) -> None:
        """A delivery ended: done, retried, dead or dropped."""
        self.ended[how] += 1
        ended.labels(*self._names, how).inc()

    def commit(self, count: int) -> None:
        """The broker took a commit that covers `count` more deliveries."""
        committed.labels(*self._names).inc(count)

    def balance(self, in_hand: int) -> None:
        """Holds the books against what is in hand. Raises Unbalanced."""
        self._in_flight.set(in_hand)
        if self.polled != self.ended.total() + in_hand:
            books = f"{self.polled} polled, {dict(self.ended)} ended, {in_hand} in hand"
            raise Unbalanced(f"{'/'.join(self._names)}: {books}")
