"""Opinions: what people say of the cases that more than one decides on."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, Table, Text

revision = "0010"
down_revision = "0009"

tables = MetaData()


def upgrade() -> None:
    """Makes the table."""
    tables.create_all(op.get_bind())


Table(
    "opinions",
    tables,
    Column("case_id", Text, primary_key=True),
    Column("decided_by", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("stands", Boolean, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("opinions_of_tenant", "tenant"),
)
