"""The topics: the only place where a topic's name, key or retention is spelled."""

from dataclasses import dataclass
from typing import Literal

from schemas.records import (
    LANES,
    AssetPublished,
    AssetRetracted,
    AssetWithheld,
    CampaignCancelled,
    CampaignRequested,
    CatalogChanged,
    DefaultsReleased,
    Event,
    Lane,
    LetterResolved,
    ModelAdded,
    ModelReleased,
    ProductPublished,
    PublicationFailed,
    PublishRequested,
    RecipeReleased,
    ReplanRequested,
    RetractionDecided,
    RetractRequested,
    ReviewDecided,
    ReviewRequested,
    Task,
    TaskCompleted,
    TaskFailed,
)

PREFIX = "imagery."
RETRY_PREFIX = PREFIX + "retry."
Pool = Literal["cutout", "compose"]
POOLS: tuple[Pool, ...] = ("cutout", "compose")
RETENTION_DAYS = 7


@dataclass(frozen=True)
class Topic:
    """A topic and what may be written to it. `retention_days` None keeps records for ever."""

    name: str
    records: tuple[type[Event], ...]
    retention_days: int | None = RETENTION_DAYS


CATALOG = Topic(PREFIX + "catalog", (CatalogChanged, ReplanRequested), retention_days=None)
CAMPAIGNS = Topic(PREFIX + "campaigns", (CampaignRequested, CampaignCancelled), retention_days=None)
COMPLETED = Topic(PREFIX + "completed", (TaskCompleted, TaskFailed, PublicationFailed))
REVIEWS = Topic(PREFIX + "reviews", (ReviewRequested,), retention_days=None)
DECISIONS = Topic(PREFIX + "decisions", (ReviewDecided, RetractionDecided), retention_days=None)
PUBLISH = Topic(PREFIX + "publish", (PublishRequested, AssetWithheld, RetractRequested))
PUBLISHED = Topic(PREFIX + "published", (AssetPublished, ProductPublished, AssetRetracted), retention_days=None)
DEAD = Topic(PREFIX + "dead", (), retention_days=None)
LETTERS = Topic(PREFIX + "letters", (LetterResolved,), retention_days=None)
MODELS = Topic(PREFIX + "models", (ModelAdded, ModelReleased), retention_days=None)
# Every version is kept, for facts that are made anew plan by each in its time.
RECIPES = Topic(PREFIX + "recipes", (RecipeReleased, DefaultsReleased), retention_days=None)

TASKS: dict[tuple[Pool, Lane], Topic] = {
    (pool, lane): Topic(f"{PREFIX}tasks.{pool}.{lane}", (Task,)) for pool in POOLS for lane in LANES
}
POOL_OF_OPERATION: dict[str, Pool] = {
    "cutout": "cutout",
    "source": "cutout",
    "packshot": "compose",
    "transparent": "compose",
    "mockup": "compose",
    "artwork": "compose",
    "style": "compose",
    "upscale": "compose",
}


def retry(delay_ms: int) -> Topic:
    """The topic whose records wait `delay_ms` before they go back to where they came from."""
    return Topic(f"{RETRY_PREFIX}{delay_ms}ms", ())


def tasks(task: Task) -> Topic:
    """The topic of the pool and lane that `task` is for."""
    return TASKS[POOL_OF_OPERATION[task.step.operation], task.lane]


def every(retry_delays_ms: tuple[int, ...]) -> list[Topic]:
    """All topics of an installation."""
    fixed = [CATALOG, CAMPAIGNS, COMPLETED, REVIEWS, DECISIONS, PUBLISH, PUBLISHED, DEAD, LETTERS, MODELS, RECIPES]
    return fixed + list(TASKS.values()) + [retry(delay_ms) for delay_ms in retry_delays_ms]


def records_on(name: str) -> tuple[type[Event], ...]:
    """The records that belong on the topic called `name`; on one of letters any may stand, and none belongs."""
    return _RECORDS_ON.get(name, ())


def belongs(event: Event, name: str) -> bool:
    """Whether `event` belongs on the topic called `name`: a task on that of its pool and lane."""
    if not isinstance(event, Task):
        return type(event) in records_on(name)
    pool = POOL_OF_OPERATION.get(event.step.operation)
    return pool is not None and TASKS[pool, event.lane].name == name


def product_key(tenant: str, sku: str) -> bytes:
    """`tenant|sku`; a tenant holds no `|`, so that the key is unambiguous."""
    return f"{tenant}|{sku}".encode()


def product_of(key: bytes | None) -> tuple[str, str]:
    """Tenant and SKU in the key of a product's record; what is no such key counts as a SKU without a tenant.

    The first `|` parts them: a SKU may hold more.
    """
    tenant, bar, sku = (key or b"").decode(errors="backslashreplace").partition("|")
    return (tenant, sku) if bar else ("", tenant)


def key_of(event: Event) -> bytes:
    """The key that keeps the events of one product, one campaign, one operation's models or one recipe in order."""
    match event:
        case CampaignRequested() | CampaignCancelled():
            return product_key(event.tenant, event.campaign)
        case TaskCompleted() | TaskFailed():
            return product_key(event.task.tenant, event.task.sku)
        case ReviewRequested():
            return product_key(event.completed.task.tenant, event.completed.task.sku)
        case LetterResolved():
            return event.letter.encode()
        case ModelAdded() | ModelReleased():
            return event.operation.encode()
        case RecipeReleased():
            return event.recipe.encode()
        case DefaultsReleased():
            return product_key(event.tenant, "")
        case _:
            return product_key(event.tenant, event.sku)


def topic_of(event: Event) -> Topic:
    """The one topic that `event` belongs on."""
    if isinstance(event, Task):
        return tasks(event)
    return _TOPIC_OF[type(event)]


_RECORDS_ON = {topic.name: topic.records for topic in every(())}
_TOPIC_OF: dict[type, Topic] = {
    record: topic
    for topic in (CATALOG, CAMPAIGNS, COMPLETED, REVIEWS, DECISIONS, PUBLISH, PUBLISHED, LETTERS, MODELS, RECIPES)
    for record in topic.records
}
