"""The keys of the API, and its answers that a repeat is given again."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

revision = "0002"
down_revision = "0001"

tables = MetaData()


def upgrade() -> None:
    """Makes both tables."""
    tables.create_all(op.get_bind())


Table(
    "api_keys",
    tables,
    Column("digest", Text, primary_key=True),
    Column("key_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("tenants", Text, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
    Column("last_used_at_ms", BigInteger),
)

Table(
    "api_answers",
    tables,
    Column("tenant", Text, primary_key=True),
    Column("idempotency_key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("status", Integer),
    Column("headers", LargeBinary),
    Column("body", LargeBinary),
    Column("since_ms", BigInteger, nullable=False, index=True),
)
