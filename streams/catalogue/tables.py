"""The tables. Records are kept as the JSON of the event they came from, so that no column is the only copy."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

products = Table(
    "products",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sku", String(128), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

assets = Table(
    "assets",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sku", String(128), primary_key=True),
    Column("asset", String(256), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("campaign", String(64)),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("verdict", Text),
    Column("live", Text),
    Column("updated_at_ms", BigInteger, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("sku", String(128), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("operation", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("counted_at_ms", BigInteger),  # when a photograph that counts towards the tenant's quota was asked for
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("tasks_of_product", "tenant", "sku"),
    Index("tasks_that_count", "tenant", "counted_at_ms"),
)

reviews = Table(
    "reviews",
    metadata,
    Column("review_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("sku", String(128), nullable=False),
    Column("asset", String(256), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("record", Text, nullable=False),
    Column("decision", Text),
    Column("updated_at_ms", BigInteger, nullable=False),
)

UNVERSIONED = -(2**62)  # the rank of a campaign's event that has no version is this and its place on its topic
_FIRST_RANK = str(UNVERSIONED)  # of what was noted before there were ranks

campaigns = Table(
    "campaigns",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("campaign", String(64), primary_key=True),
    Column("rank", BigInteger, nullable=False, server_default=_FIRST_RANK),  # of the newest event that told of it
    Column("cancelled", Boolean, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

campaign_skus = Table(
    "campaign_skus",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sku", String(128), primary_key=True),
    Column("campaign", String(64), primary_key=True),
    Column("rank", BigInteger, nullable=False, server_default=_FIRST_RANK),  # of the newest request that named it
)

campaign_parts = Table(
    "campaign_parts",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("campaign", String(64), primary_key=True),
    Column("part", BigInteger, primary_key=True),
    Column("rank", BigInteger, nullable=False),  # of the newest request of which it is known
)

campaign_work = Table(  # products to begin, or to take out
    "campaign_work",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("campaign", String(64), primary_key=True),
    Column("sku", String(128), primary_key=True),
)

costs = Table(
    "costs",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("result_id", String(64), primary_key=True),
    Column("asset", String(256), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("sku", String(128), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("operation", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
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
    Column("tenant", String(64), primary_key=True),
    Column("sku", String(128), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("asset", String(256), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("updated_at_ms", BigInteger, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("model", String(129), primary_key=True),
    Column("operation", String(64), nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("release_id", String(64), primary_key=True),
    Column("operation", String(64), nullable=False, index=True),
    Column("place", BigInteger, nullable=False),  # among those of the operation, in the order of their topic
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

shadows = Table(
    "shadows",
    metadata,
    Column("task_id", String(64), primary_key=True),
    Column("result_id", String(64), primary_key=True),
    Column("model", String(129), nullable=False, index=True),
    Column("agreement", Float),
    Column("difference", Float),
    Column("engine_ms", Float),
    Column("failed", Boolean, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

recipes = Table(
    "recipes",
    metadata,
    Column("kind", String(16), primary_key=True),  # the record's type: of a recipe, or of a tenant's defaults
    Column("name", String(64), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("event_id", String(128), primary_key=True),
    Column("topic", String(128), nullable=False),
    Column("subject", String(256), nullable=False),
    Column("code", String(64), nullable=False),
    Column("field", String(128), nullable=False),
    Column("message", Text, nullable=False),
    Column("position", String(256), nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

# No fact, but what follows from facts and is not known to be written: see outbox.py. Ids never come again.
outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("source", String(128), nullable=False),
    Column("source_partition", BigInteger, nullable=False),
    Column("topic", String(128), nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("written_at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
FACTS = tuple(table for table in metadata.sorted_tables if table is not outbox)
