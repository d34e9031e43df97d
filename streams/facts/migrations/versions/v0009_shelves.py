"""What is only seen across many pictures: shelves, and words at the same place in a tenant's photographs."""

from alembic import op
from sqlalchemy import BigInteger, Column, MetaData, Table, Text

revision = "0009"
down_revision = "0008"

tables = MetaData()


def upgrade() -> None:
    """Makes the tables."""
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

Table(
    "marks",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("mark", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("updated_at_ms", BigInteger, nullable=False),
)
