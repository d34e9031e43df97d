"""What images cost: shares of completed tasks by the asset that they lead to, and which images were accepted.

Both are only ever added to, and each row is told by one record, so that neither repeats nor the order of topics matter.
Pictures that were ordered alone are of no product and on no topic: their rows outlive a rebuilding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select

from schemas.records import AssetPublished
from streams.facts import tables as t
from streams.facts.repository import Repository
from streams.facts.states import ENDED, ENDED_BADLY, IN_PLAN

Grouping = Literal["tenant", "channel", "operation"]
Fate = Literal["accepted", "rejected", "failed", "superseded", "open"]
FATES: tuple[Fate, ...] = get_args(Fate)
WASTED: tuple[Fate, ...] = ("rejected", "failed", "superseded")
OF_NO_PRODUCT = 0  # the version of a picture that was ordered alone, whose job's id stands in place of a SKU
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Share:
    """What falls to one asset of what a task cost and of what the cache saved it.

    `digest` is that of the picture where the task made the asset's own, and empty for a step before.
    """

    task_id: str
    result_id: str
    asset: str
    tenant: str
    sku: str
    version: int
    channel: str
    operation: str
    digest: str
    engine_ms: float
    cpu_ms: float
    size_bytes: int
    price_nanos: int
    saved_engine_ms: float
    saved_price_nanos: int


@dataclass(frozen=True)
class Spending:
    """What a group of work cost, in billionths of the currency by what became of it, and how many images it led to."""

    group: Mapping[str, str]
    images: int
    engine_ms: float
    cpu_ms: float
    size_bytes: int
    price_nanos: Mapping[Fate, int]
    saved_engine_ms: float
    saved_price_nanos: int

    @property
    def total_nanos(self) -> int:
        """All that was spent."""
        return sum(self.price_nanos.values())

    @property
    def wasted_nanos(self) -> int:
        """What was spent on what will not be seen."""
        return sum(self.price_nanos[fate] for fate in WASTED)

    @property
    def per_image_nanos(self) -> float | None:
        """What an accepted image cost, with its part of what was wasted; None where none was accepted."""
        return (self.total_nanos - self.price_nanos["open"]) / self.images if self.images else None


class Costs(Repository):
    """The costs as one transaction sees and changes them."""

    def put(self, shares: Sequence[Share]) -> None:
        """Notes what a completed task cost; what is known already stays as it is."""
        self._insert_new(t.costs, [asdict(each) for each in shares])

    def accept(self, event: AssetPublished) -> None:
        """Notes that an image was accepted, for good: what becomes of it later does not change that."""
        image = {"tenant": event.tenant, "sku": event.sku, "version": event.version, "asset": event.asset}
        self._insert_new(t.accepted, [{**image, "digest": event.file.content}])

    def put_ordered(self, shares: Sequence[Share], is_made: bool) -> None:
        """Notes what the steps towards a picture of no product cost; one that is made is accepted, by its last step."""
        self.put(shares)
        if is_made:
            last = asdict(shares[-1])
            self._insert_new(t.accepted, [{column.name: last[column.name] for column in t.accepted.primary_key}])

    def ordered(self) -> Rows:
        """What no topic tells, by table."""
        tables = (t.costs, t.accepted)
        found = {each.name: select(each).where(each.c.version == OF_NO_PRODUCT) for each in tables}
        return {name: [dict(row._mapping) for row in self._connection.execute(query)] for name, query in found.items()}

    def restore(self, rows: Rows) -> None:
        """Writes what `ordered` told, as it was."""
        for name, each in rows.items():
            if each:
                self._connection.execute(t.metadata.tables[name].insert(), each)

    def of_assets(self, tenant: str, skus: Sequence[str]) -> dict[tuple[str, str, int], int]:
        """What the work for each SKU, asset and version cost, in billionths of the currency."""
        columns = t.costs.c
        key = (columns.sku, columns.asset, columns.version)
        where = (columns.tenant == tenant, columns.sku.in_(list(skus)))
        rows = self._connection.execute(select(*key, func.sum(columns.price_nanos)).where(*where).group_by(*key))
        return {(row[0], row[1], row[2]): int(row[3]) for row in rows}

    def spendings(self, by: Sequence[Grouping] = (), *, tenant: str | None = None, since_ms: int = 0) -> list[Spending]:
        """What the work that ended since `since_ms` (Unix time) cost, by groups in order; in all when `by` is empty."""
        wanted = [t.costs.c.updated_at_ms >= since_ms, *([t.costs.c.tenant == tenant] if tenant is not None else [])]
        groups = [t.costs.c[name] for name in by]
        images = {tuple(row[:-1]): int(row[-1]) for row in self._connection.execute(_images(groups, wanted))}
        rows: dict[tuple[str, ...], list[Any]] = {}
        for row in self._connection.execute(_sums(groups, wanted)):
            rows.setdefault(tuple(row[: len(by)]), []).append(row)
        return [_spending(dict(zip(by, key, strict=True)), images.get(key, 0), rows[key]) for key in sorted(rows)]


def _sums(groups: Sequence[ColumnElement[Any]], wanted: Sequence[ColumnElement[bool]]) -> Select[Any]:
    columns = t.costs.c
    fate = _fate().label("fate")
    shares = select(*groups, fate, *(columns[name] for name in _SUMMED)).where(*wanted)
    every = shares.select_from(t.costs.outerjoin(t.assets, _same_asset(t.assets))).subquery()
    keys = [every.c[each.name] for each in groups] + [every.c.fate]
    wholes = (part for name in _WHOLE for part in _halves(every.c[name], name))
    times = (func.sum(every.c[name]).label(name) for name in _TIMES)
    return select(*keys, *times, *wholes).group_by(*keys)


def _halves(column: ColumnElement[int], name: str) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The sums of a whole number's high and low halves: SQLite breaks on a sum of more than 63 bits."""
    return func.sum(column // _HALF).label(f"{name}_high"), func.sum(column % _HALF).label(f"{name}_low")


_HALF = 2**32
_TIMES = ("engine_ms", "cpu_ms", "saved_engine_ms")
_WHOLE = ("size_bytes", "price_nanos", "saved_price_nanos")
_SUMMED = (*_TIMES, *_WHOLE)


def _images(groups: Sequence[ColumnElement[Any]], wanted: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """How many accepted images each group led to."""
    columns = t.accepted.c
    image = (columns.tenant, columns.sku, columns.version, columns.asset, columns.digest)
    labelled = [group.label(f"group_{number}") for number, group in enumerate(groups)]
    joined = t.costs.join(t.accepted, _is_accepted())
    each = select(*labelled, *image).select_from(joined).where(*wanted).distinct().subquery()
    keys = [each.c[label.name] for label in labelled]
    return select(*keys, func.count()).select_from(each).group_by(*keys)


def _same_asset(table: Any) -> ColumnElement[bool]:
    """A cost's asset, in just its version."""
    return and_(*(table.c[name] == t.costs.c[name] for name in ("tenant", "sku", "version", "asset")))


def _is_accepted() -> ColumnElement[bool]:
    """A cost led to an accepted image: its own picture or, for a step before, any of the asset."""
    is_its_picture = or_(t.costs.c.digest == "", t.costs.c.digest == t.accepted.c.digest)
    return and_(_same_asset(t.accepted), is_its_picture)


def _fate() -> ColumnElement[str]:
    state = t.assets.c.state
    return case(
        (exists().where(_is_accepted()), literal("accepted")),
        (t.costs.c.version == OF_NO_PRODUCT, literal("failed")),
        (state.in_(sorted(ENDED_BADLY)), state),
        (state.in_(sorted(IN_PLAN - ENDED)), literal("open")),
        else_=literal("superseded"),
    )


def _spending(group: Mapping[str, str], images: int, rows: Sequence[Any]) -> Spending:
    def added(name: str) -> Any:
        return sum(getattr(row, name) for row in rows)

    def whole(row: Any, name: str) -> int:
        return int(getattr(row, f"{name}_high")) * _HALF + int(getattr(row, f"{name}_low"))

    prices = {row.fate: whole(row, "price_nanos") for row in rows}
    return Spending(
        group=group,
        images=images,
        engine_ms=added("engine_ms"),
        cpu_ms=added("cpu_ms"),
        size_bytes=sum(whole(row, "size_bytes") for row in rows),
        price_nanos={fate: prices.get(fate, 0) for fate in FATES},
        saved_engine_ms=added("saved_engine_ms"),
        saved_price_nanos=sum(whole(row, "saved_price_nanos") for row in rows),
    )
