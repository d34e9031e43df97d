"""What is too far ahead: times and versions that a sender tells, and by which the newest counts.

One that is far ahead would count for ever, whatever came after it. A time is held against that at which the broker took
the record, so that facts which are made anew refuse the same; the version of a decision against the newest known.
"""

from schemas.records import Event, ModelReleased, ShelfMeasured
from schemas.releases import AHEAD_MAX_MS
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused

VERSIONS_AHEAD_MAX = 1000  # of the newest that is known: so many a person never says before the flow has read the first
_TOLD: dict[type[Event], str] = {ModelReleased: "released_at_ms", ShelfMeasured: "version"}


def check_time(event: Event, taken_at_ms: int) -> None:
    """Raises Refused for a time that lies further ahead than clocks are apart; 0 where the broker told no time."""
    field = _TOLD.get(type(event))
    if field is None:
        return
    ahead_ms = getattr(event, field) - (taken_at_ms or now_ms())
    if ahead_ms > AHEAD_MAX_MS:
        message = f"it is {ahead_ms / 1000:.0f} s ahead of the broker's clock; {AHEAD_MAX_MS // 1000} s are let pass"
        raise Refused("from_the_future", message, field=field)


def check_version(version: int, newest: int) -> None:
    """Raises Refused for a decision's version so far ahead that, taken, it would leave none for later ones."""
    if version > newest + VERSIONS_AHEAD_MAX:
        message = f"{version} is too far ahead of {newest}, the newest that is known"
        raise Refused("version_ahead", message, field="version")
