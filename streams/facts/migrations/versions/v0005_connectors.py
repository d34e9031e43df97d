"""Connectors: shops and PIMs, what is known of their products, and what is to be written there."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text

revision = "0005"
down_revision = "0004"

tables = MetaData()


def upgrade() -> None:
    """Makes the five tables."""
    tables.create_all(op.get_bind())


Table(
    "connectors",
    tables,
    Column("connector", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("tenant", Text, nullable=False, index=True),
    Column("url", Text, nullable=False),
    Column("channels", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("swept_at_ms", BigInteger),
    Column("fully_swept_at_ms", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("held_by", Text, nullable=False),
    Column("held_until_ms", BigInteger, nullable=False),
)

Table(
    "connector_products",
    tables,
    Column("connector", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),  # 0 while nothing was told of it
    Column("digest", Text, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("why", Text, nullable=False),  # not taken in
    Column("why_unwritten", Text, nullable=False),
    Column("due_at_ms", BigInteger),  # when its pictures are to be written
    Column("serial", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Index("connector_products_sku", "connector", "sku"),
    Index("connector_products_due", "connector", "due_at_ms"),
    Index("connector_products_seen", "connector", "deleted", "seen_ms"),
)

Table(
    "connector_pictures",
    tables,
    Column("connector", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("asset", Text, primary_key=True),
    Column("file", Text, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

Table(
    "connector_changes",
    tables,
    Column("connector", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("noted_ms", BigInteger, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
)

Table(
    "connector_hooks",
    tables,
    Column("connector", Text, primary_key=True),
    Column("hook", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False, index=True),
)
