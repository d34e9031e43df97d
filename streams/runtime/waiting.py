"""Waiting for what every event needs, and is away: a database, a store, a broker."""

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from streams.runtime.errors import Unavailable

AWAY_WAIT_S = 1.0
T = TypeVar("T")

log = structlog.get_logger()


class Stopped(Exception):
    """The process was told to stop while it waited; what it was at comes again to whoever starts next."""


def wait_out(
    attempt: Callable[[], T],
    stay: Callable[[float], object],
    *,
    also: tuple[type[Exception], ...] = (),
    **about: object,
) -> T:
    """What `attempt` returns, tried again while what it needs is away (Unavailable, or one of `also`).

    `stay` passes the seconds between two tries, and raises when they are not to go on: see `until`. `about` is told in
    the log, with the reason.
    """
    kinds: tuple[type[Exception], ...] = (Unavailable, *also)
    while True:
        try:
            return attempt()
        except kinds as away:
            log.warning("waiting", reason=str(away), **about)
        stay(AWAY_WAIT_S)


def until(stop: threading.Event) -> Callable[[float], None]:
    """A `stay` that raises Stopped as soon as `stop` is set."""

    def stay(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped("told to stop while something was away")

    return stay
