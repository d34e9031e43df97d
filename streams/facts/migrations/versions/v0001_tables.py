"""The tables as they were when revisions began, whatever had been made of them before.

Until then roles made the tables that were missing, and the columns: of those databases each has some of all this.
"""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    inspect,
    text,
)
from sqlalchemy.schema import CreateColumn, CreateIndex

revision = "0001"
down_revision = None
_FIRST_RANK = str(-(2**62))  # of a campaign that was noted before there were ranks

tables = MetaData()  # as they were; streams.facts.tables goes on changing


def upgrade() -> None:
    """Makes the tables that are missing, the columns and indexes that older tables lack, and longer texts."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        _widen(connection)
    tables.create_all(connection)
    _complete(connection)


def _widen(connection: Connection) -> None:
    """Makes `text` of what is `varchar`; nothing is rewritten for it."""
    query = text(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND data_type = 'character varying'"
    )
    ours = {(table.name, column.name) for table in tables.tables.values() for column in table.columns}
    for table, column in sorted(ours.intersection((row[0], row[1]) for row in connection.execute(query))):
        connection.execute(text(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE text'))


def _complete(connection: Connection) -> None:
    """The columns that are missing all may be null or have a value to begin with."""
    known = inspect(connection)
    for table in tables.sorted_tables:
        there = {column["name"] for column in known.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                its = CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {its}"))
        indexed = {index["name"] for index in known.get_indexes(table.name)}
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if index.name not in indexed:
                connection.execute(CreateIndex(index))


Table(
    "products",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

Table(
    "assets",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("campaign", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("verdict", Text),
    Column("live", Text),
    Column("updated_at_ms", BigInteger, nullable=False),
)

Table(
    "tasks",
    tables,
    Column("task_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("operation", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("counted_at_ms", BigInteger),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("tasks_of_product", "tenant", "sku"),
    Index("tasks_that_count", "tenant", "counted_at_ms"),
)

Table(
    "reviews",
    tables,
    Column("review_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("decision", Text),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ix_reviews_state", "state"),
)

Table(
    "campaigns",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("campaign", Text, primary_key=True),
    Column("rank", BigInteger, nullable=False, server_default=_FIRST_RANK),
    Column("cancelled", Boolean, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

Table(
    "campaign_skus",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("campaign", Text, primary_key=True),
    Column("rank", BigInteger, nullable=False, server_default=_FIRST_RANK),
)

Table(
    "campaign_parts",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("campaign", Text, primary_key=True),
    Column("part", BigInteger, primary_key=True),
    Column("rank", BigInteger, nullable=False),
)

Table(
    "campaign_work",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("campaign", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
)

Table(
    "costs",
    tables,
    Column("task_id", Text, primary_key=True),
    Column("result_id", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("engine_ms", Float, nullable=False),
    Column("cpu_ms", Float, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("price_nanos", BigInteger, nullable=False),
    Column("saved_engine_ms", Float, nullable=False),
    Column("saved_price_nanos", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ix_costs_updated_at_ms", "updated_at_ms"),
)

Table(
    "accepted",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("updated_at_ms", BigInteger, nullable=False),
)

Table(
    "models",
    tables,
    Column("model", Text, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

Table(
    "releases",
    tables,
    Column("release_id", Text, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ix_releases_operation", "operation"),
)

Table(
    "shadows",
    tables,
    Column("task_id", Text, primary_key=True),
    Column("result_id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("agreement", Float),
    Column("difference", Float),
    Column("engine_ms", Float),
    Column("failed", Boolean, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ix_shadows_model", "model"),
)

Table(
    "recipes",
    tables,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

Table(
    "refusals",
    tables,
    Column("event_id", Text, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

Table(
    "outbox",
    tables,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("source_partition", BigInteger, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("written_at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

Table(
    "trials",
    tables,
    Column("role", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", BigInteger, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)

Table(
    "replans",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("lane", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

Table(
    "losses",
    tables,
    Column("group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", BigInteger, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("behind", BigInteger, nullable=False),
    Column("seen_at_ms", BigInteger, nullable=False),
    Column("settled_at_ms", BigInteger),
)
