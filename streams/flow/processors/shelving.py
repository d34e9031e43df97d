"""Shelving: a picture is held against its shelf as that was last looked at, and not as it is at this moment.

A shelf is looked at now and then (`packshot shelf`), and what was seen is an event. So what a picture is held against
is a fact with a version, which the verdict names, and whoever reads the same events in the same order judges the same.
"""

from schemas.records import ShelfMeasured, Verdict
from streams.facts import Facts, Replan
from streams.flow.gates import Measures
from streams.flow.gates.style import against_shelf
from streams.flow.processors import Answers, replanning


def shelf_of(asset: str, channel: str) -> str:
    """The shelf on which an asset lies: its name without the photograph's number."""
    before, found, after = f".{asset}".partition(f".{channel}-")
    return f"{before}.{channel}{after.lstrip('0123456789')}".removeprefix(".") if found else asset


def shelf_measured(event: ShelfMeasured, facts: Facts) -> Answers:
    """Pictures are held against this from now on; products of which one stands out are judged anew."""
    if not facts.shelves.put(event):
        return []
    reason = f"it stands out on the shelf {event.shelf}"
    return replanning.begun([Replan(event.tenant, sku, "bulk", reason) for sku in event.outliers], facts)


def measures_of(tenant: str, asset: str, channel: str, facts: Facts) -> dict[str, float]:
    """What the style gate is told of a picture's shelf; nothing where nobody has looked at it."""
    seen = facts.shelves.get(tenant, shelf_of(asset, channel))
    return {} if seen is None else as_measures(seen)


def as_measures(seen: ShelfMeasured) -> dict[str, float]:
    """A shelf as measures: `shelf.version`, `shelf.pictures`, and of each measure of theirs the median and spread."""
    medians = {f"shelf.{name}.median": value for name, value in seen.medians.items()}
    spreads = {f"shelf.{name}.spread": value for name, value in seen.spreads.items()}
    return {"shelf.version": float(seen.version), "shelf.pictures": float(seen.pictures), **medians, **spreads}


def stands_out(measures: Measures, live: Verdict | None) -> bool:
    """Whether a picture that is live looks otherwise than its shelf, in what nobody was asked about it yet."""
    reviewed = set() if live is None else {check.name for check in live.checks if check.outcome == "review"}
    return any(check.outcome == "review" and check.name not in reviewed for check in against_shelf(measures))
