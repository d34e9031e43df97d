"""Audits: what `packshot audit` found, for pages."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Table, Text

revision = "0008"
down_revision = "0007"

tables = MetaData()


def upgrade() -> None:
    """Makes the table."""
    tables.create_all(op.get_bind())


Table(
    "audits",
    tables,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("begun_at_ms", BigInteger, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("deep", Boolean, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("found", BigInteger, nullable=False),
    Column("figures", Text, nullable=False),
    Column("findings", Text, nullable=False),
    Column("why", Text, nullable=False),
    sqlite_autoincrement=True,
)
