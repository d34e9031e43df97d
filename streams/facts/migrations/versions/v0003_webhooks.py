"""Webhooks: endpoints, and what they are to be told."""

from alembic import op
from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

revision = "0003"
down_revision = "0002"

tables = MetaData()


def upgrade() -> None:
    """Makes both tables."""
    tables.create_all(op.get_bind())


Table(
    "webhook_endpoints",
    tables,
    Column("endpoint", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
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

Table(
    "webhook_deliveries",
    tables,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("endpoint", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("sku", Text, nullable=False),
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
