"""Ratings: what people say of pictures that are live."""

from alembic import op
from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text

revision = "0007"
down_revision = "0006"

tables = MetaData()


def upgrade() -> None:
    """Makes the table."""
    tables.create_all(op.get_bind())


Table(
    "ratings",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("picture", Text, primary_key=True),
    Column("rated_by", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("sku", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index("ratings_of_product", "tenant", "sku"),
)
