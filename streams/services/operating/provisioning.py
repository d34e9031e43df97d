"""What an installation stands on, made by one job: topics and tables."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from schemas import topics
from streams.consumer import drift
from streams.consumer.drift import Drift
from streams.runtime.clock import Clock
from streams.runtime.errors import Unavailable
from streams.runtime.settings import Settings
from streams.runtime.waiting import wait_out
from streams.services.operating.local import Upgraded, upgraded


@dataclass(frozen=True)
class Provisioned:
    """What was done, and what is left for a person: partitions and replicas are not a job's to move."""

    topics: int
    mended: tuple[Drift, ...]
    left: tuple[Drift, ...]
    tables: Upgraded


def provision(settings: Settings, within_s: float, clock: Clock = time) -> Provisioned:
    """Makes topics and tables, and brings older ones forward; twice does no more than once.

    Waits `within_s` seconds for brokers and a database that are away. Raises Unavailable, Refused, SchemaMismatch.
    """
    stay = _retrying(within_s, clock)
    mended, left = wait_out(lambda: _topics(settings), stay)
    tables = wait_out(lambda: upgraded(settings), stay)
    return Provisioned(len(topics.every(settings.retry_delays)), tuple(mended), tuple(left), tables)


def _topics(settings: Settings) -> tuple[list[Drift], list[Drift]]:
    found = drift.find(settings)
    mended = drift.mend(settings, found)
    return mended, [each for each in found if each not in mended]


def _retrying(within_s: float, clock: Clock) -> Callable[[float], None]:
    """A `stay` of wait_out that raises Unavailable when so many seconds are over."""
    give_up_at = clock.monotonic() + within_s

    def stay(seconds: float) -> None:
        if clock.monotonic() + seconds > give_up_at:
            raise Unavailable(f"the brokers or the database were away for {within_s:.0f} s; the log says which")
        clock.sleep(seconds)

    return stay
