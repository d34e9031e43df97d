"""The desk: the links that let people in, and who is signed in."""

from alembic import op
from sqlalchemy import BigInteger, Column, MetaData, Table, Text

revision = "0006"
down_revision = "0005"

tables = MetaData()


def upgrade() -> None:
    """Makes both tables."""
    tables.create_all(op.get_bind())


Table(
    "desk_links",
    tables,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),  # viewer, reviewer, operator
    Column("tenants", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
    Column("used_at_ms", BigInteger),
)

Table(
    "desk_sessions",
    tables,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("tenants", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
    Column("seen_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger),
)
