"""Shelves: how a tenant's live pictures look together."""

from alembic import op
from sqlalchemy import BigInteger, Column, MetaData, Table, Text

revision = "0009"
down_revision = "0007"

tables = MetaData()


def upgrade() -> None:
    """Makes the table."""
    tables.create_all(op.get_bind())


Table(
    "shelves",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("shelf", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)
