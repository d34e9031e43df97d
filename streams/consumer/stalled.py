"""Partitions that have records for a member and are not read, seen from outside the client that should read them.

A committed offset below a partition's end is no proof of it: the markers of transactions occupy offsets too, and nobody
reads those. So what seems to be stalled is looked into before anything is made of it.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from streams.consumer.reading import Place
from streams.consumer.watchdog import Stalled, Watchdog
from streams.runtime.clock import Clock


class Progress(NamedTuple):
    """How far the group is with a partition, and where what it may read of it ends."""

    committed: int
    end: int


class StalledPartitions:
    """Looks on from time to time. `has_record` says whether a record stands at or behind an offset of a partition."""

    def __init__(self, stalled_after_s: float, has_record: Callable[[Place, int], bool], clock: Clock = time) -> None:
        self._watchdog = Watchdog(stalled_after_s, clock)
        self._has_record = has_record
        self._barren: dict[Place, Progress] = {}

    def look(self, progress: Mapping[Place, Progress]) -> None:
        """`progress` is how each partition of this member stands; none of them where nothing can be said.

        Raises Stalled for one that has had a record for us for longer than that.
        """
        marks = {
            place: its.committed
            for place, its in progress.items()
            if its.committed < its.end and self._barren.get(place) != its
        }
        try:
            self._watchdog.look(marks)
        except Stalled as stalled:
            place = next(place for place in marks if place == stalled.subject)
            if self._has_record(place, marks[place]):
                raise
            self._barren[place] = progress[place]


def unread(progress: Mapping[Place, Progress], handed: Mapping[Place, int]) -> dict[Place, Progress]:
    """Of the partitions those of which no record is being worked on.

    `handed` is the offset behind the last record of each that was handed over to be worked on, where one was.
    """
    return {place: its for place, its in progress.items() if handed.get(place, 0) <= its.committed}
