"""Shelves: a tenant's live pictures of one kind beside each other, as shoppers see them, and which stand out.

What live pictures measure stands in their verdicts, which listing services were told with them.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from schemas.decoding import prepare
from schemas.records import AssetPublished, Check, ShelfMeasured
from streams.consumer.letters import outgoing
from streams.facts import Asset, Database, Facts
from streams.flow.gates.style import LOOKS, SHELF_MIN, against_shelf
from streams.flow.processors.shelving import as_measures, shelf_of, stands_out
from streams.runtime.clock import now_ms
from streams.runtime.settings import Settings
from streams.services.operating import local
from streams.services.reports.status import open_database
from streams.services.reports.views import View

OUTLIERS_MAX = 1000  # products of a shelf that are judged anew at once; the next look finds more
DEVIATION = 1.4826  # median deviations in a standard one
PAGE = 60
LOOKED_AT_MAX = 1000  # of the newest pictures of its channels, however many there are


class ShelfView(View, frozen=True, kw_only=True):
    """A shelf as it was looked at: how many live pictures say how they look, and the products of which one stands out.

    `enough` is whether pictures are held against it.
    """

    tenant: str
    shelf: str
    pictures: int
    enough: bool
    outliers: Sequence[str]
    measured_at_ms: int


@dataclass(frozen=True)
class OnShelf:
    """A live picture; `apart` are the lines of its verdict as its shelf is now, by which it stands out."""

    asset: AssetPublished
    apart: Sequence[Check]


@dataclass(frozen=True)
class Looked:
    """What a look at shelves saw; `noted` is whether pictures are held against it already."""

    shelves: Sequence[ShelfView]
    noted: bool


def look(settings: Settings, tenant: str | None, by: str, *, dry_run: bool) -> Looked:
    """Looks at the shelves of a tenant, or of all; unless `dry_run`, their pictures are held against that from now on.

    Raises Unavailable.
    """
    if dry_run:
        with open_database(settings) as database:
            return Looked([_view(each) for each in _measured(database, tenant, by)], noted=False)
    with local.connect(settings) as (database, producer):
        found = _measured(database, tenant, by)
        producer.send([outgoing(each, "packshot/shelf", codec=producer.codec) for each in found])
        return Looked([_view(each) for each in found], local.noted(lambda: _is_noted(database, found)))


def on_shelf(facts: Facts, tenant: str, shelf: str, most: int = PAGE) -> tuple[int, list[OnShelf]]:
    """How many live pictures lie on a shelf, and `most` of the newest: of these, those that stand out first."""
    named = [
        (asset, channel) for asset, channel in facts.assets.live_names(tenant) if shelf_of(asset, channel) == shelf
    ]
    rows = facts.assets.newest_live(tenant, {channel for _, channel in named}, LOOKED_AT_MAX)
    live = [each for each in _live(rows) if shelf_of(each.asset, each.channel) == shelf]
    seen = facts.shelves.get(tenant, shelf)
    shown = [OnShelf(each, _apart(each, seen)) for each in live]
    return len(named), sorted(shown, key=lambda each: -len(each.apart))[:most]


def names(facts: Facts, tenant: str) -> list[str]:
    """The shelves on which a tenant has live pictures."""
    return sorted({shelf_of(asset, channel) for asset, channel in facts.assets.live_names(tenant)})


def _measured(database: Database, tenant: str | None, by: str) -> list[ShelfMeasured]:
    with database.read() as facts:
        assets = facts.assets.every() if tenant is None else facts.assets.of_tenant(tenant)
    shelves: dict[tuple[str, str], list[AssetPublished]] = defaultdict(list)
    for each in _live(assets):
        if _looks(each):
            shelves[each.tenant, shelf_of(each.asset, each.channel)].append(each)
    version = now_ms()
    return [_of(*name, version, by, live) for name, live in sorted(shelves.items())]


def _of(tenant: str, shelf: str, version: int, by: str, live: Sequence[AssetPublished]) -> ShelfMeasured:
    values: dict[str, list[float]] = defaultdict(list)
    for each in live:
        for name, value in _looks(each).items():
            values[name].append(value)
    known = {name: of for name, of in values.items() if len(of) >= SHELF_MIN}
    medians = {name: statistics.median(of) for name, of in known.items()}
    seen = ShelfMeasured(
        tenant=tenant,
        shelf=shelf,
        version=version,
        pictures=len(live),
        medians=medians,
        spreads={name: _spread(of, medians[name]) for name, of in known.items()},
        measured_by=by,
    )
    outliers = dict.fromkeys(each.sku for each in live if stands_out(_looks(each) | as_measures(seen), each.verdict))
    return replace(seen, outliers=list(outliers)[:OUTLIERS_MAX])


def _spread(values: Sequence[float], median: float) -> float:
    return DEVIATION * statistics.median(abs(value - median) for value in values)


def _live(assets: Iterable[Asset]) -> Iterator[AssetPublished]:
    return (each.live for each in assets if each.live is not None and each.state != "leaving")


def _looks(live: AssetPublished) -> dict[str, float]:
    """What a live picture measures of how it looks; nothing of one that was judged before that was measured."""
    wanted = {look.measure for look in LOOKS}
    return {
        check.name: check.measured
        for check in live.verdict.checks
        if check.name in wanted and check.measured is not None
    }


def _apart(live: AssetPublished, seen: ShelfMeasured | None) -> list[Check]:
    if seen is None:
        return []
    return [check for check in against_shelf(_looks(live) | as_measures(seen)) if check.outcome == "review"]


def _is_noted(database: Database, found: Sequence[ShelfMeasured]) -> bool:
    with database.read() as facts:
        known = [facts.shelves.get(each.tenant, each.shelf) for each in found]
    return all(one is not None and one.version >= each.version for one, each in zip(known, found, strict=True))


def _view(seen: ShelfMeasured) -> ShelfView:
    return ShelfView(
        tenant=seen.tenant,
        shelf=seen.shelf,
        pictures=seen.pictures,
        enough=seen.pictures >= SHELF_MIN,
        outliers=seen.outliers,
        measured_at_ms=seen.version,
    )


prepare(ShelfView)
