"""Leases: who holds what, until when by the clock of whoever took it."""

from sqlalchemy import ColumnElement, or_

CLOCKS_APART_MAX_MS = 60_000  # of machines that share a database
SAID_FOR_MS = 600_000  # a case of which a word is with the broker, the longest of claims; see streams.facts.claims


def is_over(until_ms: ColumnElement[int], now_ms: int, lease_ms: int) -> ColumnElement[bool]:
    """Whether a lease that lasts `lease_ms` at most has ended; both times are Unix time.

    One that would end later than any that began now was taken by a clock that has been set back since: nobody keeps it.
    """
    return or_(until_ms <= now_ms, until_ms > latest(now_ms, lease_ms))


def latest(now_ms: int, lease_ms: int) -> int:
    """The latest end, Unix time in ms, that a lease of `lease_ms` can have."""
    return now_ms + lease_ms + CLOCKS_APART_MAX_MS
