"""Reading and writing facts inside one transaction."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeVar

import msgspec
from sqlalchemy import Connection, CursorResult, Executable, Select, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from schemas.recipes.cookbook import Cookbook, Release, with_releases
from schemas.records import (
    AssetPublished,
    CampaignRequested,
    CatalogChanged,
    DecisionUndone,
    ModelAdded,
    ModelReleased,
    ReviewDecided,
    ReviewRequested,
    Task,
    TaskCompleted,
    TaskFailed,
    Verdict,
)
from schemas.text import MESSAGE_MAX, printable
from streams.facts import costs, models, recipes
from streams.facts import tables as t
from streams.facts.campaigns import Campaigns
from streams.facts.models import Comparison
from streams.facts.outbox import Outbox
from streams.facts.pages import Pages
from streams.facts.replans import Replans

AssetState = Literal["planned", "review", "publishing", "published", "failed", "rejected", "leaving"]
PLANNED_STATES: frozenset[AssetState] = frozenset(
    {"planned", "review", "publishing", "published", "failed", "rejected"}
)
ENDED_BADLY: frozenset[AssetState] = frozenset({"failed", "rejected"})
Word = ReviewDecided | DecisionUndone  # what people say of a review
T = TypeVar("T")
_AT_ONCE_MAX = 500  # values that one statement names


@dataclass(frozen=True)
class Product:
    """The newest known version of a product; `event` is the change that made it so."""

    version: int
    deleted: bool
    event: CatalogChanged


@dataclass(frozen=True)
class Asset:
    """Where one planned asset of a product stands. `live` is its last publication that was not retracted."""

    tenant: str
    sku: str
    asset: str
    version: int
    channel: str
    campaign: str | None
    state: AssetState
    reason: str
    verdict: Verdict | None
    live: AssetPublished | None


@dataclass(frozen=True)
class ProductState:
    """What a publisher must know of a product: its newest version, and the state of each asset of its plan.

    `reasons` says why an asset failed or was rejected.
    """

    version: int
    deleted: bool
    plan: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskFact:
    """How a task stands: queued, done, failed, or dropped as superseded, cancelled or expired."""

    task_id: str
    operation: str
    state: str
    record: Task | TaskCompleted | TaskFailed


@dataclass(frozen=True)
class Review:
    """A review and its state: pending, approved, rejected or superseded. `last` is the newest word on it."""

    review_id: str
    asset: str
    version: int
    state: str
    request: ReviewRequested
    last: Word | None

    @property
    def decision(self) -> ReviewDecided | None:
        """The decision that stands."""
        return self.last if isinstance(self.last, ReviewDecided) else None

    @property
    def rank(self) -> int:
        """The version of the newest word on it; 0 when there is none."""
        return 0 if self.last is None else self.last.version

    def precedes(self, completed: TaskCompleted) -> bool:
        """Whether the result is here because somebody asked for it after it was reviewed: else it is told again."""
        return (completed.task.asked_at_ms or 0) > (self.request.completed.task.asked_at_ms or 0)


@dataclass(frozen=True)
class Refusal:
    """An event that was answered with an error; its bytes lie in the dead letters. `position` is that of its record."""

    event_id: str
    topic: str
    subject: str
    code: str
    field: str
    message: str
    position: str = ""


# What every catalogue event asks is made once: to make a statement costs far more than to run it.
_PRODUCT = select(t.products).where(t.products.c.tenant == bindparam("tenant"), t.products.c.sku == bindparam("sku"))
_LOCKED_PRODUCT = _PRODUCT.with_for_update()
_ASSETS = (
    select(t.assets)
    .where(t.assets.c.tenant == bindparam("tenant"), t.assets.c.sku == bindparam("sku"))
    .order_by(t.assets.c.asset)
)
_CAMPAIGNS = (
    select(t.campaigns.c.record)
    .join(
        t.campaign_skus,
        (t.campaigns.c.tenant == t.campaign_skus.c.tenant) & (t.campaigns.c.campaign == t.campaign_skus.c.campaign),
    )
    .where(
        t.campaign_skus.c.tenant == bindparam("tenant"),
        t.campaign_skus.c.sku == bindparam("sku"),
        t.campaigns.c.cancelled.is_(False),
    )
    .order_by(t.campaigns.c.campaign)
)
_SUPERSEDING = (
    update(t.reviews)
    .where(
        t.reviews.c.tenant == bindparam("of_tenant"),
        t.reviews.c.sku == bindparam("of_sku"),
        t.reviews.c.version < bindparam("before"),
        t.reviews.c.state == "pending",
    )
    .values(state="superseded")
)


class Facts:
    """The facts as one transaction sees and changes them."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._cookbook: Cookbook | None = None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What the block writes is undone when it raises, and the rest of the transaction is not."""
        with self._connection.begin_nested():
            try:
                yield
            except BaseException:
                self._cookbook = None
                raise

    def at(self, now_ms: int) -> None:
        """Sets the time at which what follows is noted, Unix time in ms."""
        self._now_ms = now_ms

    @property
    def outbox(self) -> Outbox:
        """What follows from these facts, to be kept with them."""
        return Outbox(self._connection, self._now_ms)

    @property
    def pages(self) -> Pages:
        """A tenant's rows a page at a time."""
        return Pages(self._connection)

    # products

    def product(self, tenant: str, sku: str, *, lock: bool = False) -> Product | None:
        """The product, or None. `lock` holds off every other transaction that locks it."""
        row = self._execute(_LOCKED_PRODUCT if lock else _PRODUCT, tenant=tenant, sku=sku).first()
        return None if row is None else Product(row.version, row.deleted, _load(row.record, CatalogChanged))

    def every_product(self) -> dict[tuple[str, str], tuple[int, bool]]:
        """For tenant and SKU of each product its newest version, and whether it is deleted."""
        columns = t.products.c
        rows = self._connection.execute(select(columns.tenant, columns.sku, columns.version, columns.deleted))
        return {(row.tenant, row.sku): (row.version, row.deleted) for row in rows}

    def put_product(self, event: CatalogChanged) -> None:
        """Makes `event` the product's newest version."""
        self._upsert(
            t.products,
            {"tenant": event.tenant, "sku": event.sku},
            {"version": event.version, "deleted": event.change == "delete", "record": t.dumped(event)},
        )

    # assets

    def assets_page(self, tenant: str, after: tuple[str, ...], most: int, wanted: Mapping[str, str]) -> list[Asset]:
        """A page of a tenant's assets, by SKU and name; `wanted` names columns and their values."""
        return [_asset(row) for row in self.pages.assets(tenant, after, most, wanted)]

    def assets(self, tenant: str, sku: str) -> list[Asset]:
        """The product's assets by name, those that are about to leave included."""
        return [_asset(row) for row in self._execute(_ASSETS, tenant=tenant, sku=sku)]

    def every_asset(self) -> list[Asset]:
        """The assets of all products."""
        order = (t.assets.c.tenant, t.assets.c.sku, t.assets.c.asset)
        return [_asset(row) for row in self._connection.execute(select(t.assets).order_by(*order))]

    def put_plan(self, tenant: str, sku: str, version: int, plan: Mapping[str, tuple[str, str | None]]) -> None:
        """Makes `plan` (asset: channel and campaign) the product's plan.

        Assets of this version keep their state, new ones are planned, and those that are no longer in the plan leave.
        """
        known = {asset.asset: asset for asset in self.assets(tenant, sku)}
        fresh = [
            {"asset": name, "channel": channel, "campaign": campaign}
            for name, (channel, campaign) in plan.items()
            if (row := known.get(name)) is None or row.version < version or row.state == "leaving"
        ]
        planned = {"tenant": tenant, "sku": sku, "version": version, "state": "planned", "reason": "", "verdict": None}
        self._upsert(t.assets, planned, *fresh)
        for name, row in known.items():
            if name not in plan:
                self.drop_asset(row)

    def drop_asset(self, asset: Asset) -> None:
        """Takes an asset and its reviews out of the plan: gone if it never was live, else leaving until retracted."""
        self.supersede_other_reviews(asset.tenant, asset.sku, asset.asset, "")
        if asset.live is None:
            where = _is_asset(asset.tenant, asset.sku, asset.asset)
            self._connection.execute(delete(t.assets).where(*where))
        else:
            self._put_leaving(asset.live)

    def _put_leaving(self, live: AssetPublished) -> None:
        key = {"tenant": live.tenant, "sku": live.sku, "asset": live.asset}
        values = {"version": live.version, "channel": live.channel, "campaign": live.campaign, "live": t.dumped(live)}
        self._upsert(t.assets, key, {**values, "state": "leaving", "reason": "", "verdict": t.dumped(live.verdict)})

    def move_asset(
        self,
        tenant: str,
        sku: str,
        name: str,
        version: int,
        state: AssetState,
        *,
        reason: str = "",
        verdict: Verdict | None = None,
        only_from: Collection[AssetState] = PLANNED_STATES,
    ) -> bool:
        """Moves an asset of just this version to `state`; False when none in the plan stands as `only_from` says."""
        values: dict[str, Any] = {"state": state, "reason": reason, "updated_at_ms": self._now_ms}
        if verdict is not None:
            values["verdict"] = t.dumped(verdict)
        where = (*_is_asset(tenant, sku, name), t.assets.c.version == version, t.assets.c.state.in_(sorted(only_from)))
        return self._connection.execute(update(t.assets).where(*where).values(values)).rowcount > 0

    def is_live(
        self,
        tenant: str,
        sku: str,
        name: str,
        version: int,
        digest: str,
        models: Sequence[str],
        rules: str | None = None,
    ) -> bool:
        """Whether just the file with this digest, made by these networks, is live as the asset.

        With `rules`, whether it was judged by them, too.
        """
        row = self._first(select(t.assets).where(*_is_asset(tenant, sku, name)))
        live = None if row is None else _asset(row).live
        if live is None or rules not in (None, live.verdict.rules):
            return False
        return (live.version, live.file.sha256, list(live.models)) == (version, digest, list(models))

    def put_live(self, event: AssetPublished) -> None:
        """Notes what is live of an asset; one that has left the plan meanwhile is leaving."""
        where = (*_is_asset(event.tenant, event.sku, event.asset), t.assets.c.state != "leaving")
        if not self._connection.execute(update(t.assets).where(*where).values(live=t.dumped(event))).rowcount:
            self._put_leaving(event)

    def retracted(self, tenant: str, sku: str, name: str) -> None:
        """Notes that nothing of an asset is live; one that was leaving is gone."""
        where = _is_asset(tenant, sku, name)
        self._connection.execute(delete(t.assets).where(*where, t.assets.c.state == "leaving"))
        self._connection.execute(update(t.assets).where(*where).values(live=None))

    def unpublished(self, before_ms: int) -> list[tuple[str, str]]:
        """The products that wait for the publisher since before a Unix time: to publish an asset, or to retract it."""
        columns = t.assets.c
        where = (columns.state.in_(("publishing", "leaving")), columns.updated_at_ms <= before_ms)
        rows = self._connection.execute(select(columns.tenant, columns.sku).where(*where).distinct())
        return sorted((row.tenant, row.sku) for row in rows)

    # tasks

    def put_task(self, record: Task | TaskCompleted | TaskFailed) -> None:
        """Notes how a task stands. A task that is written again starts anew, unless it was done.

        An event that is read again may be cut off between this and the task's record: nothing would end it then.
        """
        task = record if isinstance(record, Task) else record.task
        state = {Task: "queued", TaskFailed: "failed"}.get(type(record)) or getattr(record, "outcome", "")
        values = {
            "tenant": task.tenant,
            "sku": task.sku,
            "version": task.version,
            "operation": task.step.operation,
            "counted_at_ms": task.asked_at_ms if task.source is not None and task.lane != "bulk" else None,
        }
        noted = {**values, "state": state, "record": t.dumped(record)}
        self._upsert(t.tasks, {"task_id": task.task_id}, noted, final="done" if state == "queued" else None)

    def tasks(self, tenant: str, sku: str, version: int) -> list[TaskFact]:
        """The tasks of one version of a product, oldest news first."""
        columns = t.tasks.c
        where = (columns.tenant == tenant, columns.sku == sku, columns.version == version)
        rows = self._connection.execute(select(t.tasks).where(*where).order_by(columns.updated_at_ms, columns.task_id))
        return [
            TaskFact(row.task_id, row.operation, row.state, _load(row.record, Task | TaskCompleted | TaskFailed))
            for row in rows
        ]

    def task(self, task_id: str) -> Task | TaskCompleted | TaskFailed | None:
        """The newest record of a task, or None."""
        row = self._first(select(t.tasks.c.record).where(t.tasks.c.task_id == task_id))
        return None if row is None else _load(row.record, Task | TaskCompleted | TaskFailed)

    def counted_tasks(self, tenant: str, since_ms: int, at_ms: int) -> tuple[int, set[str]]:
        """Of the tasks that count towards a quota: how many from `since_ms` to before `at_ms`, and which then."""
        columns = t.tasks.c
        mine = columns.tenant == tenant
        before = select(func.count()).where(mine, columns.counted_at_ms >= since_ms, columns.counted_at_ms < at_ms)
        then = select(columns.task_id).where(mine, columns.counted_at_ms == at_ms)
        return self._connection.execute(before).scalar_one(), set(self._connection.execute(then).scalars())

    def queued_tasks(self, before_ms: int) -> list[Task]:
        """The tasks that wait for their end since before a Unix time."""
        where = (t.tasks.c.state == "queued", t.tasks.c.updated_at_ms <= before_ms)
        return [_load(row.record, Task) for row in self._connection.execute(select(t.tasks.c.record).where(*where))]

    def forget_tasks(self) -> None:
        """Drops every task."""
        self._connection.execute(delete(t.tasks))

    def task_states(self) -> dict[str, str]:
        """How each task stands, by its id."""
        rows = self._connection.execute(select(t.tasks.c.task_id, t.tasks.c.state))
        return {row.task_id: row.state for row in rows}

    def knows_task(self, task_id: str) -> bool:
        """Whether there is, or was, a task with this id."""
        return self._first(select(t.tasks.c.task_id).where(t.tasks.c.task_id == task_id)) is not None

    # reviews

    def put_review(self, request: ReviewRequested) -> None:
        """Opens a review, or opens it again when it was superseded; one that is pending or decided stays as it is.

        What was said of it before stays known: it may be told again.
        """
        known = self.review(request.review_id)
        if known is not None and known.state != "superseded":
            return
        task = request.completed.task
        values = {
            "tenant": task.tenant,
            "sku": task.sku,
            "asset": task.step.asset or "",
            "version": task.version,
        }
        key = {"review_id": request.review_id}
        last = None if known is None or known.last is None else t.dumped(known.last)
        self._upsert(t.reviews, key, {**values, "state": "pending", "record": t.dumped(request), "decision": last})

    def review(self, review_id: str) -> Review | None:
        """The review with this id, or None."""
        row = self._first(select(t.reviews).where(t.reviews.c.review_id == review_id))
        return None if row is None else _review(row)

    def reviews_page(self, tenant: str, after: tuple[str, ...], most: int, wanted: Mapping[str, str]) -> list[Review]:
        """A page of a tenant's reviews, by id; `wanted` names columns and their values."""
        return [_review(row) for row in self.pages.reviews(tenant, after, most, wanted)]

    def reviews(self, *, pending: bool = True) -> list[Review]:
        """Reviews, oldest first; only those that wait for a person when `pending`."""
        query = select(t.reviews).order_by(t.reviews.c.updated_at_ms, t.reviews.c.review_id)
        return [_review(row) for row in self._connection.execute(_only_pending(query) if pending else query)]

    def pending_reviews(self, tenant: str, sku: str, asset: str) -> list[Review]:
        """The reviews of an asset that wait for a person."""
        columns = t.reviews.c
        where = (columns.tenant == tenant, columns.sku == sku, columns.asset == asset)
        return [_review(row) for row in self._connection.execute(_only_pending(select(t.reviews).where(*where)))]

    def decide_review(self, word: Word, state: str) -> None:
        """Notes the newest word on a review, and how the review stands by it."""
        decision = word if isinstance(word, ReviewDecided) else word.decision
        where = t.reviews.c.review_id == decision.review_id
        values = {"state": state, "decision": t.dumped(word), "updated_at_ms": self._now_ms}
        self._connection.execute(update(t.reviews).where(where).values(values))

    def supersede_reviews(self, tenant: str, sku: str, version: int) -> None:
        """Closes the pending reviews of a product's versions before `version`."""
        self._execute(_SUPERSEDING, of_tenant=tenant, of_sku=sku, before=version)

    def supersede_other_reviews(self, tenant: str, sku: str, asset: str, review_id: str) -> None:
        """Closes the pending reviews of an asset but this one: they are about results that a newer one replaced."""
        columns = t.reviews.c
        where = (
            columns.tenant == tenant,
            columns.sku == sku,
            columns.asset == asset,
            columns.review_id != review_id,
            columns.state == "pending",
        )
        self._connection.execute(update(t.reviews).where(*where).values(state="superseded"))

    # campaigns

    def campaign(self, tenant: str, campaign: str) -> tuple[CampaignRequested, bool] | None:
        """A campaign, with some of its products at least, and whether it was cancelled; or None."""
        known = self.campaigns.standing(tenant, campaign)
        return None if known is None else (known.request, known.cancelled)

    @property
    def campaigns(self) -> Campaigns:
        """The campaigns, and what is left to do for them."""
        return Campaigns(self._connection, self._now_ms)

    def unknown_skus(self, tenant: str, skus: Collection[str]) -> list[str]:
        """Those of `skus` that are no product of the tenant, or of one that is deleted; in order."""
        columns, named = t.products.c, sorted(set(skus))
        known: set[str] = set()
        for first in range(0, len(named), _AT_ONCE_MAX):
            of_these = columns.sku.in_(named[first : first + _AT_ONCE_MAX])
            where = (columns.tenant == tenant, columns.deleted.is_(False), of_these)
            known |= set(self._connection.execute(select(columns.sku).where(*where)).scalars())
        return [sku for sku in named if sku not in known]

    def campaign_assets(self, tenant: str, campaign: str) -> list[Asset]:
        """The assets of a campaign, of all its products."""
        where = (t.assets.c.tenant == tenant, t.assets.c.campaign == campaign)
        rows = self._connection.execute(select(t.assets).where(*where).order_by(t.assets.c.sku, t.assets.c.asset))
        return [_asset(row) for row in rows]

    def campaigns_with(self, tenant: str, sku: str) -> list[CampaignRequested]:
        """The campaigns that want pictures of a product, by name."""
        return [_load(row.record, CampaignRequested) for row in self._execute(_CAMPAIGNS, tenant=tenant, sku=sku)]

    # costs

    def put_costs(self, shares: Sequence[costs.Share]) -> None:
        """Notes what a completed task cost; what is known already stays as it is."""
        costs.put_shares(self._connection, shares, self._now_ms)

    def put_accepted(self, event: AssetPublished) -> None:
        """Notes that an image was accepted, for good: what becomes of it later does not change that."""
        costs.put_accepted(self._connection, event, self._now_ms)

    def spendings(
        self, by: Sequence[costs.Grouping] = (), *, tenant: str | None = None, since_ms: int = 0
    ) -> list[costs.Spending]:
        """What the work that ended since `since_ms` (Unix time) cost, by groups in order; in all when `by` is empty."""
        return costs.spendings(self._connection, by, tenant, since_ms)

    # models

    def put_model(self, event: ModelAdded) -> None:
        """Notes a model that may be released; one that is known stays as it is."""
        models.put_model(self._connection, event, self._now_ms)

    def models(self) -> dict[str, ModelAdded]:
        """The models that were added, by NAME@VERSION."""
        return {event.model: event for event in models.models(self._connection)}

    def put_release(self, event: ModelReleased) -> None:
        """Notes a release; one that is told again changes nothing."""
        models.put_release(self._connection, event, self._now_ms)

    def releases(self, operation: str | None = None) -> list[ModelReleased]:
        """The releases of an operation's models, or of all, oldest first."""
        return models.releases(self._connection, operation)

    def put_shadow(self, event: TaskCompleted) -> None:
        """Notes how a model in the shadow compared; one that is told again changes nothing."""
        models.put_shadow(self._connection, event, self._now_ms)

    def comparisons(self) -> Sequence[Comparison]:
        """How the models in the shadow compared, by name."""
        return models.comparisons(self._connection)

    # recipes

    def cookbook(self) -> Cookbook:
        """The recipes and the defaults that count now; they do until the transaction ends."""
        if self._cookbook is None:
            self._cookbook = with_releases(recipes.releases(self._connection, newest=True))
        return self._cookbook

    def put_recipe(self, event: Release) -> None:
        """Notes a recipe, a tenant's defaults or a channel's rules; a version that is known stays as it is."""
        recipes.put(self._connection, event, self._now_ms)
        self._cookbook = None

    def recipe_releases(self) -> list[Release]:
        """Every recipe, all defaults and channels' rules that were released, by kind, name and version."""
        return recipes.releases(self._connection, newest=False)

    def releases_before(self, event: Release) -> list[Release]:
        """The releases that were noted before this one."""
        return recipes.before(self._connection, event)

    def release(self, kind: type[Release], name: str, version: int) -> Release | None:
        """The release of this recipe, or of this tenant's defaults, in this version; None for an unknown one."""
        return recipes.release(self._connection, kind, name, version)

    def wanting(
        self, tenant: str | None = None, after: tuple[str, str] = ("", ""), most: int | None = None
    ) -> Iterator[tuple[CatalogChanged, list[CampaignRequested]]]:
        """The products that are not deleted, of a tenant or of all, in order, each with the campaigns that want it.

        Of those behind tenant and SKU `after` as many as `most` says, or all.
        """
        return recipes.wanting(self._connection, tenant, after, most)

    # replans

    @property
    def replans(self) -> Replans:
        """The products that are left to be made again."""
        return Replans(self._connection)

    # refusals

    def put_refusal(self, refusal: Refusal) -> None:
        """Notes that an event was refused, and why. What others wrote of it is noted as far as it is fit to be."""
        noted = {name: _fit(name, getattr(refusal, name)) for name in _REFUSAL}
        self._upsert(t.refusals, {"event_id": noted.pop("event_id")}, noted)

    def drop_refusal(self, event_id: str, position: str) -> None:
        """Notes that the record at `position` did what another one of the same event was refused."""
        columns = t.refusals.c
        where = (columns.event_id == _fit("event_id", event_id), columns.position != _fit("position", position))
        self._connection.execute(delete(t.refusals).where(*where))

    def refusal(self, event_id: str) -> Refusal | None:
        """Why the event with this id was refused, or None."""
        row = self._first(select(t.refusals).where(t.refusals.c.event_id == _fit("event_id", event_id)))
        if row is None:
            return None
        return Refusal(row.event_id, row.topic, row.subject, row.code, row.field, row.message, row.position)

    def _execute(self, statement: Executable, **values: Any) -> CursorResult[Any]:
        return self._connection.execute(statement, values)

    def _first(self, query: Select[Any]) -> Any:
        return self._connection.execute(query).first()

    def _upsert(
        self, table: Table, key: Mapping[str, Any], *values: Mapping[str, Any], final: str | None = None
    ) -> None:
        """Writes the row with this key or, with several `values` that complete the key, as many in one statement.

        A row whose state is `final` stays as it is.
        """
        rows = [{**key, **each, "updated_at_ms": self._now_ms} for each in values]
        if rows:
            self._connection.execute(_upserting(self._connection.dialect.name, table, tuple(rows[0]), final), rows)


@cache
def _upserting(dialect_name: str, table: Table, columns: tuple[str, ...], final: str | None) -> Executable:
    dialect = postgresql if dialect_name == "postgresql" else sqlite
    statement = dialect.insert(table)
    keys = [column.name for column in table.primary_key]
    fresh = {name: statement.excluded[name] for name in columns if name not in keys}
    changes = None if final is None else table.c.state != final
    upserting: Executable = statement.on_conflict_do_update(index_elements=keys, set_=fresh, where=changes)
    return upserting


_REFUSAL = {
    column.name: column.type.length_max for column in t.refusals.columns if isinstance(column.type, t.Characters)
}


def _fit(name: str, text: str) -> str:
    """What of a refusal is noted in the column `name`: others may have written it."""
    return printable(text, _REFUSAL[name] or MESSAGE_MAX)


def _is_asset(tenant: str, sku: str, name: str) -> tuple[Any, ...]:
    return (t.assets.c.tenant == tenant, t.assets.c.sku == sku, t.assets.c.asset == name)


def _only_pending(query: Select[Any]) -> Select[Any]:
    return query.where(t.reviews.c.state == "pending")


def _load(text: str, of: Any) -> Any:
    return msgspec.json.decode(text, type=of)


def _asset(row: Any) -> Asset:
    verdict = _load(row.verdict, Verdict) if row.verdict else None
    live = _load(row.live, AssetPublished) if row.live else None
    identity = (row.tenant, row.sku, row.asset, row.version, row.channel, row.campaign)
    return Asset(*identity, row.state, row.reason, verdict, live)


def _review(row: Any) -> Review:
    last = _load(row.decision, Word) if row.decision else None
    request = _load(row.record, ReviewRequested)
    return Review(row.review_id, row.asset, row.version, row.state, request, last)
