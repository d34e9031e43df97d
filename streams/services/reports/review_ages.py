"""How long people have had something to decide, on metrics: for the hours that a shop promises itself."""

from prometheus_client import Gauge

from streams.facts import Database
from streams.services.reports.looking import Look

LOOK_EVERY_S = 15.0  # promises are of hours

waiting = Gauge("packshot_review_cases", "Review cases that wait for a person")
oldest = Gauge("packshot_review_oldest_seconds", "How long the oldest of them has waited")
overdue = Gauge("packshot_review_overdue_cases", "Those of them that hold up an asset whose deadline is over")


def look(database: Database, at_ms: int) -> None:
    """Measures what waits at a Unix time in ms. Raises Unavailable."""
    with database.read() as facts:
        ages = facts.cases.ages(at_ms)
    waiting.set(ages.count)
    oldest.set(0 if ages.oldest_ms is None else max(0, at_ms - ages.oldest_ms) / 1000)
    overdue.set(ages.overdue)


LOOK = Look("review ages", LOOK_EVERY_S, look)
