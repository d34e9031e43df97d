"""What work costs and what is still to be made, as who decides on the number of workers asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Table, and_, func, or_, select

from schemas.records import CampaignRequested
from streams.facts import tables as t
from streams.facts.repository import Repository, load


@dataclass(frozen=True)
class Worked:
    """What the work of an operation took: of so many tasks, which led to so many pictures."""

    tasks: int
    pictures: int
    engine_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class CampaignLeft:
    """A campaign that is not cancelled: its request (of one of its parts), pictures that are planned and not made, and
    products that it names and of which nothing is planned yet: some of them known, the others to come.

    `fresh` are the planned ones that were planned within so many seconds.
    """

    request: CampaignRequested
    planned: int
    not_begun: int
    unknown: int
    fresh: Mapping[float, int] = field(default_factory=dict)


class Workloads(Repository):
    """The work as one transaction sees it."""

    def by_operation(self, since_ms: int) -> Mapping[str, Worked]:
        """What tasks that ended since `since_ms` (Unix time) took, by operation."""
        columns = t.costs.c
        picture = (columns.tenant, columns.sku, columns.version, columns.asset)
        sums = (func.sum(columns.engine_ms), func.sum(columns.cpu_ms))
        recent = columns.updated_at_ms >= since_ms
        totals = select(columns.operation, func.count(columns.task_id.distinct()), *sums).where(recent)
        pictures = select(columns.operation, *picture).where(recent).distinct().subquery()
        counted = select(pictures.c.operation, func.count()).group_by(pictures.c.operation)
        counts = {row[0]: int(row[1]) for row in self._connection.execute(counted)}
        rows = self._connection.execute(totals.group_by(columns.operation))
        return {row[0]: Worked(int(row[1]), counts[row[0]], float(row[2]), float(row[3])) for row in rows}

    def campaigns(self, now_ms: int, within_s: Sequence[float] = ()) -> list[CampaignLeft]:
        """The campaigns whose deadline is ahead of `now_ms` (Unix time) and of which something is left, by deadline.

        What is fresh is counted for each of `within_s`.
        """
        rows = self._connection.execute(select(t.campaigns.c.record).where(t.campaigns.c.cancelled.is_(False)))
        due = [load(row.record, CampaignRequested) for row in rows]
        due = [each for each in due if each.deadline_ms is not None and each.deadline_ms > now_ms]
        if not due:
            return []
        planned, begun = self._planned(due, 0), self._named(due, t.assets)
        fresh = {each_s: self._planned(due, now_ms - round(each_s * 1000)) for each_s in within_s}
        named, known = self._named(due, t.campaign_skus), self._known(due)
        left = [
            CampaignLeft(
                each,
                planned.get(key, 0),
                max(known.get(key, 0) - begun.get(key, 0), 0),
                max(named.get(key, 0) - known.get(key, 0), 0),
                {each_s: counts.get(key, 0) for each_s, counts in fresh.items()},
            )
            for each in sorted(due, key=lambda each: each.deadline_ms or 0)
            for key in [(each.tenant, each.campaign)]
        ]
        return [each for each in left if each.planned or each.not_begun or each.unknown]

    def _planned(self, due: list[CampaignRequested], since_ms: int) -> dict[tuple[str, str], int]:
        """Pictures that were planned since a Unix time and are not made."""
        columns = t.assets.c
        wanted = (_of(t.assets, due), columns.state == "planned", columns.updated_at_ms >= since_ms)
        query = select(columns.tenant, columns.campaign, func.count()).where(*wanted)
        rows = self._connection.execute(query.group_by(columns.tenant, columns.campaign))
        return {(row[0], row[1]): int(row[2]) for row in rows}

    def _named(self, due: list[CampaignRequested], table: Table) -> dict[tuple[str, str], int]:
        """Products of each in a table."""
        columns = table.c
        query = select(columns.tenant, columns.campaign, func.count(columns.sku.distinct())).where(_of(table, due))
        rows = self._connection.execute(query.group_by(columns.tenant, columns.campaign))
        return {(row[0], row[1]): int(row[2]) for row in rows}

    def _known(self, due: list[CampaignRequested]) -> dict[tuple[str, str], int]:
        """Products of each that the catalogue has told of, and that are not deleted."""
        skus, products = t.campaign_skus.c, t.products.c
        same = and_(skus.tenant == products.tenant, skus.sku == products.sku, products.deleted.is_(False))
        joined = t.campaign_skus.join(t.products, same)
        query = select(skus.tenant, skus.campaign, func.count()).select_from(joined).where(_of(t.campaign_skus, due))
        rows = self._connection.execute(query.group_by(skus.tenant, skus.campaign))
        return {(row[0], row[1]): int(row[2]) for row in rows}


def _of(table: Table, due: list[CampaignRequested]) -> ColumnElement[bool]:
    return or_(*(and_(table.c.tenant == each.tenant, table.c.campaign == each.campaign) for each in due))
