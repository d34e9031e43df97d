"""The topics: the only place where a topic's name, key or settings are spelled."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.operations import OPERATIONS
from schemas.operations.base import POOLS, Pool
from schemas.records import (
    LANES,
    AssetPublished,
    AssetRetracted,
    AssetWithheld,
    CampaignCancelled,
    CampaignContinued,
    CampaignRequested,
    CatalogChanged,
    ChannelReleased,
    CutoutRetouched,
    DecisionUndone,
    DefaultsReleased,
    DriftFound,
    Event,
    Lane,
    LetterResolved,
    ModelAdded,
    ModelReleased,
    OpinionGiven,
    PictureRated,
    PolicyContinued,
    PolicyReleased,
    ProductPublished,
    PublicationFailed,
    PublishRequested,
    RecipeReleased,
    ReleaseContinued,
    ReplanRequested,
    ReplansContinued,
    ReplansRequested,
    RetractionDecided,
    RetractRequested,
    ReviewDecided,
    ReviewRequested,
    ShelfMeasured,
    Task,
    TaskCompleted,
    TaskFailed,
)

PREFIX = "imagery."
RETRY_PREFIX = PREFIX + "retry."
RETENTION_DAYS = 7
DAY_MS = 24 * 3600 * 1000

# The most bytes of a batch as the broker takes it, each kind with room for what is made of the one before: a task holds
# more than the event that asked for it, a letter its record and the story of it.
MIB = 1024 * 1024
WRITTEN_BY_OTHERS_BYTES = MIB
WRITTEN_BY_US_BYTES = 2 * MIB
RETRY_BYTES = 3 * MIB
DEAD_BYTES = 4 * MIB
# What letters tell in their headers at most, see streams.consumer.letters; a record may go back to its topic with that.
STORY_BYTES = 48 * 1024
TRACE_BYTES = 8 * 1024  # of what poison broke; only a dead letter tells that
# More than the format spends on a batch, a record and a header besides their contents.
BATCH_OVERHEAD_BYTES = 256
HEADER_OVERHEAD_BYTES = 10


@dataclass(frozen=True)
class Topic:
    """A topic, what may be written to it, and what the broker is told of it.

    `retention_days` None keeps records for ever. `max_bytes` bounds a batch, so every record: as it is packed, and
    where others may write, as it is unpacked.
    """

    name: str
    records: tuple[type[Event], ...]
    retention_days: int | None = RETENTION_DAYS
    max_bytes: int = WRITTEN_BY_US_BYTES

    @property
    def retention_ms(self) -> int:
        """How long records are kept at least; -1 for ever."""
        return -1 if self.retention_days is None else self.retention_days * DAY_MS

    @property
    def is_unpacked(self) -> bool:
        """Whether the broker unpacks what it is sent.

        It counts packed bytes: 30 KB may hold a record of 1 GB, which takes the memory of whoever unpacks it, or stands
        before readers for ever that refuse to. Where only we write, producers have a limit of their own.
        """
        return self.max_bytes == WRITTEN_BY_OTHERS_BYTES

    def config(self, replication: int) -> dict[str, str]:
        """The settings that we rely on, as Kafka names them, with `replication` copies of each record.

        Times are the broker's: a sender's may be -1 or years off, and records are counted and expire by them.
        """
        unpacked = {"compression.type": "uncompressed"} if self.is_unpacked else {}
        return unpacked | {
            "cleanup.policy": "delete",
            "max.message.bytes": str(self.max_bytes),
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": "2" if replication >= 3 else "1",
            "retention.bytes": "-1",
            "retention.ms": str(self.retention_ms),
            "unclean.leader.election.enable": "false",
        }


def size_bytes(key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
    """No less than what a record takes in a batch of its own, uncompressed."""
    in_headers = sum(len(name.encode()) + len(held) + HEADER_OVERHEAD_BYTES for name, held in headers)
    return len(key or b"") + len(value) + in_headers + BATCH_OVERHEAD_BYTES


INBOUND = Topic(PREFIX + "inbound", (), max_bytes=WRITTEN_BY_OTHERS_BYTES)  # what shops send, as it came
CATALOG = Topic(
    PREFIX + "catalog",
    (CatalogChanged, ReplanRequested, ReplansRequested, ReplansContinued),
    None,
    WRITTEN_BY_OTHERS_BYTES,
)
CAMPAIGNS = Topic(
    PREFIX + "campaigns", (CampaignRequested, CampaignCancelled, CampaignContinued), None, WRITTEN_BY_OTHERS_BYTES
)
COMPLETED = Topic(PREFIX + "completed", (TaskCompleted, TaskFailed, PublicationFailed))
# What became of a task whose asker waits for it, in the partition that the task names; nobody else is told.
REPLIES = Topic(PREFIX + "replies", (TaskCompleted, TaskFailed))
REVIEWS = Topic(PREFIX + "reviews", (ReviewRequested,), retention_days=None)
DECISIONS = Topic(
    PREFIX + "decisions",
    (ReviewDecided, DecisionUndone, OpinionGiven, RetractionDecided, CutoutRetouched, PictureRated),
    None,
    WRITTEN_BY_OTHERS_BYTES,
)
PUBLISH = Topic(PREFIX + "publish", (PublishRequested, AssetWithheld, RetractRequested))
PUBLISHED = Topic(PREFIX + "published", (AssetPublished, ProductPublished, AssetRetracted), retention_days=None)
DRIFT = Topic(PREFIX + "drift", (DriftFound,))  # what shoppers are served otherwise than it was published
DEAD = Topic(PREFIX + "dead", (), retention_days=None, max_bytes=DEAD_BYTES)
LETTERS = Topic(PREFIX + "letters", (LetterResolved,), None, WRITTEN_BY_OTHERS_BYTES)
MODELS = Topic(PREFIX + "models", (ModelAdded, ModelReleased), None, WRITTEN_BY_OTHERS_BYTES)
# Every version is kept, for facts that are made anew plan by each in its time.
RECIPES = Topic(
    PREFIX + "recipes",
    (
        RecipeReleased,
        DefaultsReleased,
        ChannelReleased,
        PolicyReleased,
        PolicyContinued,
        ReleaseContinued,
        ShelfMeasured,
    ),
    None,
    WRITTEN_BY_OTHERS_BYTES,
)

TASKS: dict[tuple[Pool, Lane], Topic] = {
    (pool, lane): Topic(f"{PREFIX}tasks.{pool}.{lane}", (Task,)) for pool in POOLS for lane in LANES
}


def retry(delay_ms: int) -> Topic:
    """The topic whose records wait `delay_ms` before they go back to where they came from."""
    return Topic(f"{RETRY_PREFIX}{delay_ms}ms", (), max_bytes=RETRY_BYTES)


def tasks(task: Task) -> Topic:
    """The topic of the pool and lane that `task` is for."""
    return TASKS[OPERATIONS[task.step.operation].pool, task.lane]


def every(retry_delays_ms: tuple[int, ...]) -> list[Topic]:
    """All topics of an installation."""
    given = [INBOUND, CATALOG, CAMPAIGNS, COMPLETED, REPLIES, REVIEWS, DECISIONS]
    fixed = [*given, PUBLISH, PUBLISHED, DRIFT, DEAD, LETTERS, MODELS, RECIPES]
    return fixed + list(TASKS.values()) + [retry(delay_ms) for delay_ms in retry_delays_ms]


def find(name: str) -> Topic | None:
    """The topic of ours that has this name; None for another's."""
    if name.startswith(RETRY_PREFIX):
        return Topic(name, (), max_bytes=RETRY_BYTES)
    return next((topic for topic in every(()) if topic.name == name), None)


def records_on(name: str) -> tuple[type[Event], ...]:
    """The records that belong on the topic called `name`; on one of letters any may stand, and none belongs."""
    return _RECORDS_ON.get(name, ())


def belongs(event: Event, name: str) -> bool:
    """Whether `event` belongs on the topic called `name`: a task on that of its pool and lane."""
    if not isinstance(event, Task):
        return type(event) in records_on(name)
    operation = OPERATIONS.get(event.step.operation)
    return operation is not None and TASKS[operation.pool, event.lane].name == name


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
    """The key that keeps the events of one product, one campaign, one operation's models, one recipe or one channel in
    order.
    """
    match event:
        case CampaignRequested() | CampaignCancelled() | CampaignContinued():
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
        case ChannelReleased():
            return event.channel.encode()
        case PolicyReleased() | PolicyContinued():
            return event.policy.encode()
        case DefaultsReleased() | ReplansRequested() | ReplansContinued() | ShelfMeasured():
            return product_key(event.tenant, "")
        case ReleaseContinued():
            return product_key(event.name, "") if event.kind == "defaults" else event.name.encode()
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
    for topic in (
        CATALOG,
        CAMPAIGNS,
        COMPLETED,
        REVIEWS,
        DECISIONS,
        PUBLISH,
        PUBLISHED,
        DRIFT,
        LETTERS,
        MODELS,
        RECIPES,
    )
    for record in topic.records
}
