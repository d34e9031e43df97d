"""Whether a member's group has told it which partitions are its own, be they none."""

import time

from streams.runtime.clock import Clock

# By the protocol `consumer` nobody is told that they have none. Who was told nothing for as long as a broker keeps a
# silent member (its `group.consumer.session.timeout.ms`, 45 s unless it is set otherwise) has none.
ASSIGNED_WITHIN_S = 45.0


class Joining:
    """One member's; the callbacks of its client tell it."""

    def __init__(self, clock: Clock = time) -> None:
        self._clock = clock
        self._since_s = clock.monotonic()
        self._is_assigned: bool | None = None

    def subscribed(self) -> None:
        """It has asked to be a member."""
        self._since_s = self._clock.monotonic()

    def assigned(self) -> None:
        """Partitions were assigned."""
        self._is_assigned = True

    def lost(self) -> None:
        """It is no member any more."""
        self._is_assigned = False

    @property
    def is_done(self) -> bool:
        """Whether it is a member that knows its share."""
        if self._is_assigned is None:
            return self._clock.monotonic() - self._since_s > ASSIGNED_WITHIN_S
        return self._is_assigned
