"""Models: which there are, how they were released, and how those that ran beside the stable one compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Table, bindparam, case, func, select
from sqlalchemy.dialects import postgresql, sqlite

from schemas.identity import content_id
from schemas.records import ModelAdded, ModelReleased, TaskCompleted
from streams.facts import tables as t

_ALL_RELEASES = select(t.releases.c.record).order_by(t.releases.c.operation, t.releases.c.place)
_RELEASES = _ALL_RELEASES.where(t.releases.c.operation == bindparam("operation"))


@dataclass(frozen=True)
class Comparison:
    """How a model in the shadow compared, over `count` pictures, `failed` of which it could not do.

    `agreement` is the intersection over union with what was used, `difference` the mean difference of alpha (0..1).
    """

    model: str
    count: int
    failed: int
    agreement_mean: float
    agreement_min: float
    difference_mean: float
    engine_ms_mean: float


def put_model(connection: Connection, event: ModelAdded, now_ms: int) -> None:
    """Notes a model; one that is known stays as it is."""
    row = {"model": event.model, "operation": event.operation, "record": t.dumped(event)}
    _insert(connection, t.models, {**row, "updated_at_ms": now_ms})


def models(connection: Connection) -> list[ModelAdded]:
    """The models that were added, by name."""
    rows = connection.execute(select(t.models.c.record).order_by(t.models.c.model))
    return [msgspec.json.decode(row.record, type=ModelAdded) for row in rows]


def put_release(connection: Connection, event: ModelReleased, now_ms: int) -> None:
    """Notes a release as the newest of its operation; one that is told again stays where it is."""
    columns, record = t.releases.c, t.dumped(event)
    newest = select(func.coalesce(func.max(columns.place), 0)).where(columns.operation == event.operation)
    row = {
        "release_id": content_id("release", event),
        "operation": event.operation,
        "place": connection.execute(newest).scalar_one() + 1,
        "record": record,
    }
    _insert(connection, t.releases, {**row, "updated_at_ms": now_ms})


def releases(connection: Connection, operation: str | None) -> list[ModelReleased]:
    """The releases of an operation's models, or of all, oldest first: as they were made, not as they came.

    One that had to be tried again comes behind those that were made after it.
    """
    rows = connection.execute(_RELEASES, {"operation": operation}) if operation else connection.execute(_ALL_RELEASES)
    came = [msgspec.json.decode(row.record, type=ModelReleased) for row in rows]
    return sorted(came, key=lambda release: release.released_at_ms)


def put_shadow(connection: Connection, event: TaskCompleted, now_ms: int) -> None:
    """Notes how a model in the shadow compared, where one ran."""
    shadow = event.shadow
    if shadow is None:
        return
    row = {
        "task_id": event.task.task_id,
        "result_id": event.result_id,
        "model": shadow.model,
        "agreement": None if shadow.error else shadow.agreement,
        "difference": None if shadow.error else shadow.difference,
        "engine_ms": None if shadow.error else shadow.engine_ms,
        "failed": bool(shadow.error),
    }
    _insert(connection, t.shadows, {**row, "updated_at_ms": now_ms})


def comparisons(connection: Connection) -> Sequence[Comparison]:
    """How each model that was in the shadow compared, by name."""
    columns = t.shadows.c
    query = (
        select(
            columns.model,
            func.count(),
            func.sum(case((columns.failed, 1), else_=0)),
            func.coalesce(func.avg(columns.agreement), 0.0),
            func.coalesce(func.min(columns.agreement), 0.0),
            func.coalesce(func.avg(columns.difference), 0.0),
            func.coalesce(func.avg(columns.engine_ms), 0.0),
        )
        .group_by(columns.model)
        .order_by(columns.model)
    )
    return [Comparison(*row) for row in connection.execute(query)]


def _insert(connection: Connection, table: Table, row: dict[str, object]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).values(row).on_conflict_do_nothing())
