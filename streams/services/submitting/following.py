"""Following what was submitted, by the events that tell of it.

Nobody asks the database over and over for everything: an event is looked at when a record of one of its products, or of
its campaign, comes by. The facts may be a moment behind such a record, so it is looked at a few times more, ever later,
and then once a minute at most: nothing is missed for good, whatever happened to the records.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from schemas import topics
from schemas.records import CampaignRequested
from streams.consumer import reading
from streams.facts import Database
from streams.runtime.settings import Settings
from streams.services.submitting.fates import Fate
from streams.services.submitting.submission import Submitted, fate

LOOK_AGAIN_S = 0.25  # after a record of it; twice as long after each look that finds nothing new
LOOK_AGAIN_MAX_S = 4.0  # longer than the streams role takes to note what it has read
LOOK_ANYWAY_S = 60.0
NEWS_WITHIN_S = 0.5
TOLD_ON = (
    topics.CATALOG,
    topics.CAMPAIGNS,
    topics.REVIEWS,
    topics.DECISIONS,
    topics.PUBLISH,
    topics.PUBLISHED,
    topics.DEAD,
)

Progress = Callable[[int, int], None]
News = Callable[[float], Collection[bytes]]
"""Waits so many seconds at most; returns the keys of the records that came."""


@contextmanager
def news(settings: Settings) -> Iterator[News]:
    """What is told of products and campaigns from now on. Raises Unavailable."""
    with reading.keys_from_now_on(settings, [topic.name for topic in TOLD_ON]) as within:
        yield within


def follow(
    submitted: Sequence[Submitted],
    database: Database,
    news: News,
    progress: Progress,
    until_s: float,
    quiet_s: float,
    clock: Callable[[], float] = time.monotonic,
) -> list[Fate]:
    """Waits until every event is settled.

    Ends with some that wait at `until_s` of the clock, or when nothing has come of any of them for `quiet_s`.
    """
    watched = [_Watched(each, clock()) for each in submitted]
    moved_at = clock()
    while True:
        now = clock()
        due = [each for each in watched if each.is_waiting and each.look_at <= now]
        if _look(due, database, now):
            moved_at = now
        progress(sum(each.fate.settled for each in watched), sum(each.expected for each in watched))
        left = [each for each in watched if each.is_waiting]
        if not left or now >= min(until_s, moved_at + quiet_s):
            return [each.fate for each in watched]
        keys = news(max(0.0, min(NEWS_WITHIN_S, *(each.look_at - now for each in left))))
        stirred = [each for each in left if not each.keys.isdisjoint(keys)]
        for each in stirred:
            each.stir(clock())
        moved_at = clock() if stirred else moved_at


class _Watched:
    """An event, how it stood when it was last looked at, and when it is looked at again."""

    def __init__(self, submitted: Submitted, now: float) -> None:
        event = submitted.event
        self.submitted = submitted
        self.fate = Fate("waiting")
        self.keys = {topics.key_of(event)}
        if isinstance(event, CampaignRequested):
            self.keys |= {topics.product_key(event.tenant, sku) for sku in event.skus}
        self.stir(now)

    @property
    def is_waiting(self) -> bool:
        return self.fate.state == "waiting"

    @property
    def expected(self) -> int:
        """How many assets come of it, as far as it is known; one for what is not planned yet."""
        return len(self.fate.assets) + (self.is_waiting and not self.fate.assets)

    def stir(self, now: float) -> None:
        """Something was told of it."""
        self.look_at, self._again_s = now, LOOK_AGAIN_S

    def looked(self, fate: Fate, now: float) -> bool:
        """Notes how it stands; returns whether that is news."""
        is_new, self.fate = fate != self.fate, fate
        if is_new:
            self._again_s = LOOK_AGAIN_S
        is_over = self._again_s > LOOK_AGAIN_MAX_S
        self.look_at = now + (LOOK_ANYWAY_S if is_over else self._again_s)
        self._again_s = math.inf if is_over else 2 * self._again_s
        return is_new


def _look(due: Sequence[_Watched], database: Database, now: float) -> bool:
    if not due:
        return False
    with database.read() as facts:
        moved = [each.looked(fate(each.submitted, facts), now) for each in due]
    return any(moved)
