"""Models: which there are, how they were released, and how those that ran beside the stable one compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, case, func, select

from schemas.identity import content_id
from schemas.records import ModelAdded, ModelReleased, TaskCompleted
from schemas.releases import AHEAD_MAX_MS
from streams.facts import tables as t
from streams.facts.repository import Repository, load

_ALL_RELEASES = select(t.releases.c.record, t.releases.c.updated_at_ms).order_by(
    t.releases.c.operation, t.releases.c.place
)
_RELEASES = _ALL_RELEASES.where(t.releases.c.operation == bindparam("operation"))
_COMPARISONS = (
    select(
        t.shadows.c.model,
        func.count(),
        func.sum(case((t.shadows.c.failed, 1), else_=0)),
        func.coalesce(func.avg(t.shadows.c.agreement), 0.0),
        func.coalesce(func.min(t.shadows.c.agreement), 0.0),
        func.coalesce(func.avg(t.shadows.c.difference), 0.0),
        func.coalesce(func.avg(t.shadows.c.engine_ms), 0.0),
    )
    .group_by(t.shadows.c.model)
    .order_by(t.shadows.c.model)
)


def _made_at_ms(noted: tuple[ModelReleased, int]) -> int:
    release, noted_at_ms = noted
    return min(release.released_at_ms, noted_at_ms + AHEAD_MAX_MS)


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


@dataclass(frozen=True)
class Shadowed:
    """A picture on which a `model` ran in the shadow of what is used; see Comparison for the figures."""

    completed: TaskCompleted
    model: str
    agreement: float
    difference: float


class Models(Repository):
    """The models as one transaction sees and changes them."""

    def put(self, event: ModelAdded) -> None:
        """Notes a model that may be released; one that is known stays as it is."""
        self._insert_new(t.models, [{"model": event.model, "operation": event.operation, "record": t.dumped(event)}])

    def every(self) -> dict[str, ModelAdded]:
        """The models that were added, by NAME@VERSION."""
        rows = self._connection.execute(select(t.models.c.record).order_by(t.models.c.model))
        return {event.model: event for event in (load(row.record, ModelAdded) for row in rows)}

    def put_release(self, event: ModelReleased) -> None:
        """Notes a release as the newest of its operation; one that is told again stays where it is."""
        columns, record = t.releases.c, t.dumped(event)
        newest = select(func.coalesce(func.max(columns.place), 0)).where(columns.operation == event.operation)
        row = {
            "release_id": content_id("release", event),
            "operation": event.operation,
            "place": self._connection.execute(newest).scalar_one() + 1,
            "record": record,
        }
        self._insert_new(t.releases, [row])

    def releases(self, operation: str | None = None) -> list[ModelReleased]:
        """The releases of an operation's models, or of all, oldest first: as they were made, not as they came.

        One that had to be tried again comes behind those that were made after it. One that was noted before those from
        the future were refused counts as made when it was noted.
        """
        rows = self._execute(_RELEASES, operation=operation) if operation else self._execute(_ALL_RELEASES)
        came = [(load(row.record, ModelReleased), row.updated_at_ms) for row in rows]
        return [release for release, _ in sorted(came, key=_made_at_ms)]

    def put_shadow(self, event: TaskCompleted) -> None:
        """Notes how a model in the shadow compared, where one ran; one that is told again changes nothing."""
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
        self._insert_new(t.shadows, [row])

    def shadowed(self, tenant: str, model: str, most: int) -> list[Shadowed]:
        """The pictures of a tenant on which a model in the shadow agreed the least with what is used, of those whose
        tasks are still noted, the worst first."""
        its, tasks = t.shadows.c, t.tasks.c
        query = select(its.agreement, its.difference, tasks.record).join(t.tasks, tasks.task_id == its.task_id)
        where = (tasks.tenant == tenant, tasks.state == "done", its.model == model, its.failed.is_(False))
        rows = self._connection.execute(query.where(*where).order_by(its.agreement, its.task_id).limit(most))
        return [Shadowed(load(row.record, TaskCompleted), model, row.agreement, row.difference) for row in rows]

    def comparisons(self) -> Sequence[Comparison]:
        """How each model that was in the shadow compared, by name."""
        return [Comparison(*row) for row in self._connection.execute(_COMPARISONS)]
