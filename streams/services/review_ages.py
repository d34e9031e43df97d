"""How long people have had something to decide, on metrics: for the hours that a shop promises itself.

The retrier looks now and then: waiting is its work, and one is enough for all tenants.
"""

import threading

import structlog
from prometheus_client import Gauge

from streams.facts import Database
from streams.runtime.clock import now_ms
from streams.runtime.errors import Unavailable

LOOK_EVERY_S = 15.0  # promises are of hours

log = structlog.get_logger()
waiting = Gauge("packshot_review_cases", "Review cases that wait for a person")
oldest = Gauge("packshot_review_oldest_seconds", "How long the oldest of them has waited")
overdue = Gauge("packshot_review_overdue_cases", "Those of them that hold up an asset whose deadline is over")


def look_at_intervals(database: Database, stop: threading.Event) -> None:
    """Looks until `stop` is set."""
    while not stop.wait(LOOK_EVERY_S):
        try:
            look(database, now_ms())
        except Unavailable as error:
            log.warning("the ages of reviews are not known", reason=str(error))
        except Exception:  # the retrier goes on; the next look may do better
            log.exception("the ages of reviews are not known")


def look(database: Database, at_ms: int) -> None:
    """Measures what waits at a Unix time in ms. Raises Unavailable."""
    with database.read() as facts:
        ages = facts.cases.ages(at_ms)
    waiting.set(ages.count)
    oldest.set(0 if ages.oldest_ms is None else max(0, at_ms - ages.oldest_ms) / 1000)
    overdue.set(ages.overdue)
