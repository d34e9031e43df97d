"""What the last day brought, on metrics: images, what they cost, and what people said of them; by tenant.

For boards and alerts; `packshot costs` has the same of any time.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import Gauge

from streams.facts import Database
from streams.services.reports.looking import Look

DAY_MS = 86_400_000
LOOK_EVERY_S = 300.0  # it reads a day's costs, which moves little in minutes

images = Gauge(
    "packshot_day_images", "Images that work of the last 24 hours led to, and that were accepted", ["tenant"]
)
spent = Gauge(
    "packshot_day_price", "What that work cost, but for what is open, in the currency of the prices", ["tenant"]
)
wasted = Gauge("packshot_day_wasted_price", "What of it went into what will not be seen", ["tenant"])
decided = Gauge("packshot_day_decisions", "Reviews that people settled in the last 24 hours", ["tenant", "state"])


def look(database: Database, at_ms: int) -> None:
    """Measures the 24 hours before a Unix time in ms. Raises Unavailable."""
    since_ms = at_ms - DAY_MS
    with database.read() as facts:
        spendings = facts.costs.spendings(["tenant"], since_ms=since_ms)
        decisions = facts.reviews.decided(since_ms)
    by_tenant = {(each.group["tenant"],): each for each in spendings}
    _tell(images, {key: each.images for key, each in by_tenant.items()})
    _tell(spent, {key: (each.total_nanos - each.price_nanos["open"]) / 1e9 for key, each in by_tenant.items()})
    _tell(wasted, {key: each.wasted_nanos / 1e9 for key, each in by_tenant.items()})
    _tell(decided, {tuple(key): count for key, count in decisions.items()})


def _tell(gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
    """Sets these, and zero for those that were told before: a series that ends is no figure."""
    for labels in _told(gauge) - values.keys():
        gauge.labels(*labels).set(0)
    for labels, value in values.items():
        gauge.labels(*labels).set(value)


def _told(gauge: Gauge) -> set[tuple[str, ...]]:
    samples: Iterable[Mapping[str, str]] = (sample.labels for family in gauge.collect() for sample in family.samples)
    return {tuple(labels.values()) for labels in samples}


LOOK = Look("last day", LOOK_EVERY_S, look)
