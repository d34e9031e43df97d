"""The tables. Records are kept as the JSON of the event they came from, so that no column is the only copy."""

from typing import Any, get_args

import msgspec
from msgspec import Meta
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.exc import DontWrapMixin

from schemas.records import (
    AssetName,
    Code,
    EventId,
    FieldPath,
    Label,
    Message,
    ModelRef,
    Name,
    Reason,
    Record,
    Sha256,
    Sku,
)
from streams.runtime.errors import Refused


class Unkept(Refused, DontWrapMixin):
    """A text that is in no record, and that one database would take and another would not."""


class Characters(TypeDecorator[str]):
    """Text as the records have it: no longer than theirs of the same kind may be, and of whole characters but NUL.

    It is the database's `text`, for a length in two places is soon two lengths.
    """

    impl = Text
    cache_ok = True

    def __init__(self, of: Any = None) -> None:
        super().__init__()
        bounds = [meta.max_length for meta in get_args(of) if isinstance(meta, Meta)]
        self.length_max: int | None = bounds[-1] if bounds else None

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """The text as it is. Raises Unkept."""
        if value is None:
            return None
        if self.length_max is not None and len(value) > self.length_max:
            raise Unkept("unkept_text", f"{len(value):,} characters where {self.length_max} may be: {value[:64]!r}")
        if "\0" in value or not (value.isascii() or _is_whole(value)):
            raise Unkept("unkept_text", f"a text with a NUL or half a character: {value[:64]!r}")
        return value


def dumped(record: Record) -> str:
    """A record as JSON, as it is kept. Raises Unkept."""
    try:
        return msgspec.json.encode(record).decode()
    except UnicodeEncodeError as error:
        raise Unkept("unkept_text", f"a {type(record).__name__} with half a character: {error}") from error


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


metadata = MetaData()
apart = MetaData()  # no facts: no event tells of them, and they outlive it when the facts are made anew

products = Table(
    "products",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

assets = Table(
    "assets",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
    Column("asset", Characters(AssetName), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("channel", Characters(Name), nullable=False),
    Column("campaign", Characters(Name)),
    Column("state", Characters(Name), nullable=False),
    Column("reason", Characters(Reason), nullable=False),
    Column("verdict", Characters()),
    Column("live", Characters()),
    Column("updated_at_ms", BigInteger, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", Characters(Sha256), primary_key=True),
    Column("tenant", Characters(Name), nullable=False),
    Column("sku", Characters(Sku), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("operation", Characters(Name), nullable=False),
    Column("state", Characters(Name), nullable=False),
    Column("counted_at_ms", BigInteger),  # when a photograph that counts towards the tenant's quota was asked for
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("tasks_of_product", "tenant", "sku"),
    Index("tasks_that_count", "tenant", "counted_at_ms"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("review_id", Characters(Sha256), primary_key=True),
    Column("tenant", Characters(Name), nullable=False),
    Column("sku", Characters(Sku), nullable=False),
    Column("asset", Characters(AssetName), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("state", Characters(Name), nullable=False, index=True),
    Column("record", Characters(), nullable=False),
    Column("decision", Characters()),
    Column("picture", Characters(Sha256), nullable=False, index=True),  # what was judged, whatever the version
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("reviews_of_asset", "tenant", "sku", "asset"),
)

UNVERSIONED = -(2**62)  # the rank of a campaign's event that has no version is this and its place on its topic
_FIRST_RANK = str(UNVERSIONED)  # of what was noted before there were ranks

campaigns = Table(
    "campaigns",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("campaign", Characters(Name), primary_key=True),
    Column("rank", BigInteger, nullable=False, server_default=_FIRST_RANK),  # of the newest event that told of it
    Column("cancelled", Boolean, nullable=False),
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

campaign_skus = Table(
    "campaign_skus",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
    Column("campaign", Characters(Name), primary_key=True),
    Column("rank", BigInteger, nullable=False, server_default=_FIRST_RANK),  # of the newest request that named it
)

campaign_parts = Table(
    "campaign_parts",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("campaign", Characters(Name), primary_key=True),
    Column("part", BigInteger, primary_key=True),
    Column("rank", BigInteger, nullable=False),  # of the newest request of which it is known
)

campaign_work = Table(  # products to begin, or to take out
    "campaign_work",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("campaign", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
)

costs = Table(
    "costs",
    metadata,
    Column("task_id", Characters(Sha256), primary_key=True),
    Column("result_id", Characters(Label), primary_key=True),
    Column("asset", Characters(AssetName), primary_key=True),
    Column("tenant", Characters(Name), nullable=False),
    Column("sku", Characters(Sku), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("channel", Characters(Name), nullable=False),
    Column("operation", Characters(Name), nullable=False),
    Column("digest", Characters(Sha256), nullable=False),
    Column("engine_ms", Float, nullable=False),
    Column("cpu_ms", Float, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("price_nanos", BigInteger, nullable=False),
    Column("saved_engine_ms", Float, nullable=False),
    Column("saved_price_nanos", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False, index=True),
)

accepted = Table(
    "accepted",
    metadata,
    Column("tenant", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("asset", Characters(AssetName), primary_key=True),
    Column("digest", Characters(Sha256), primary_key=True),
    Column("updated_at_ms", BigInteger, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("model", Characters(ModelRef), primary_key=True),
    Column("operation", Characters(Name), nullable=False),
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("release_id", Characters(Sha256), primary_key=True),
    Column("operation", Characters(Name), nullable=False, index=True),
    Column("place", BigInteger, nullable=False),  # among those of the operation, as they came
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

shadows = Table(
    "shadows",
    metadata,
    Column("task_id", Characters(Sha256), primary_key=True),
    Column("result_id", Characters(Label), primary_key=True),
    Column("model", Characters(ModelRef), nullable=False, index=True),
    Column("agreement", Float),
    Column("difference", Float),
    Column("engine_ms", Float),
    Column("failed", Boolean, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

recipes = Table(
    "recipes",
    metadata,
    Column("kind", Characters(Name), primary_key=True),  # the record's type: of a recipe, or of a tenant's defaults
    Column("name", Characters(Name), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("record", Characters(), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("refusal_id", Characters(Sha256), primary_key=True),  # of the four that follow
    Column("topic", Characters(Label), nullable=False),
    Column("subject", Characters(Label), nullable=False),
    Column("source", Characters(EventId), nullable=False),
    Column("event_id", Characters(EventId), nullable=False),
    Column("code", Characters(Code), nullable=False),
    Column("field", Characters(FieldPath), nullable=False),
    Column("message", Characters(Message), nullable=False),
    Column("position", Characters(EventId), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

# No fact, but what follows from facts and is not known to be written: see outbox.py. Ids never come again.
outbox = Table(
    "outbox",
    apart,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("source", Characters(Label), nullable=False),
    Column("source_partition", BigInteger, nullable=False),
    Column("topic", Characters(Label), nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("written_at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

trials = Table(
    "trials",
    apart,
    Column("role", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", BigInteger, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("kind", Text, primary_key=True),  # start, try
    Column("count", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)

# No facts either: products that are to be made again, see replans.py.
replans = Table(
    "replans",
    apart,
    Column("tenant", Characters(Name), primary_key=True),
    Column("sku", Characters(Sku), primary_key=True),
    Column("lane", Characters(Name), nullable=False),
    Column("reason", Characters(Reason), nullable=False),
)

# The keys of the API, and what it answered where a repeat must not do it again.
api_keys = Table(
    "api_keys",
    apart,
    Column("digest", Characters(Sha256), primary_key=True),  # of the whole key, which is kept nowhere
    Column("key_id", Characters(Name), nullable=False, unique=True),
    Column("name", Characters(Name), nullable=False),
    Column("mode", Characters(Name), nullable=False),  # live, test
    Column("scopes", Characters(), nullable=False),  # JSON arrays, both
    Column("tenants", Characters(), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
    Column("last_used_at_ms", BigInteger),
)

api_answers = Table(
    "api_answers",
    apart,
    Column("tenant", Characters(Name), primary_key=True),
    Column("idempotency_key", Characters(Label), primary_key=True),
    Column("request", Characters(Sha256), nullable=False),
    Column("status", Integer),  # null while the first is at work
    Column("headers", LargeBinary),
    Column("body", LargeBinary),
    Column("since_ms", BigInteger, nullable=False, index=True),
)

losses = Table(
    "losses",
    apart,
    Column("group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", BigInteger, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("behind", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
    Column("settled_at_ms", BigInteger),
)

# No facts either: who is told of what was published, and what is still to be told, see webhooks.py.
webhook_endpoints = Table(
    "webhook_endpoints",
    apart,
    Column("endpoint", Text, primary_key=True),
    Column("tenant", Characters(Name), nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("state", Text, nullable=False),  # active, paused, disabled
    Column("why", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("failing_since_ms", BigInteger),
    Column("pauses", Integer, nullable=False),
    Column("not_before_ms", BigInteger, nullable=False),
    Column("served_at_ms", BigInteger, nullable=False),
    Column("held_by", Text, nullable=False),
    Column("held_until_ms", BigInteger, nullable=False),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    apart,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("endpoint", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("sku", Characters(Sku), nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting, behind, delivered, failed
    Column("tries", Integer, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, index=True),
    Column("log", Text, nullable=False),
    Index("webhook_deliveries_message", "endpoint", "message", unique=True),
    Index("webhook_deliveries_due", "endpoint", "state", "due_at_ms"),
    Index("webhook_deliveries_product", "endpoint", "sku", "state", "id"),
    sqlite_autoincrement=True,
)
