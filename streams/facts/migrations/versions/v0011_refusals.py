"""Refusals by event: an id is its source's own, and the events of each product are apart.

Those of before do not say their source. They are kept with none, for whoever looks at the database.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, select

from schemas.identity import content_id

revision = "0011"
down_revision = "0010"

ROWS_AT_ONCE = 1000
KEY = ("topic", "subject", "source", "event_id")
TOLD = ("code", "field", "message", "position")

tables = MetaData()
before = MetaData()


def upgrade() -> None:
    """Makes the table anew, and copies its rows."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":  # the name of a table's key stays taken when the table is renamed
        op.execute("ALTER INDEX refusals_pkey RENAME TO refusals_before_pkey")
    op.rename_table("refusals", "refusals_before")
    tables.create_all(connection)
    rows = connection.execute(select(_old), execution_options={"stream_results": True})
    for some in rows.mappings().partitions(ROWS_AT_ONCE):
        connection.execute(_new.insert(), [_row(dict(row)) for row in some])
    _old.drop(connection)


def _row(row: dict[str, object]) -> dict[str, object]:
    event = {name: row.get(name, "") for name in KEY}
    told = {name: row[name] for name in (*TOLD, "updated_at_ms")}
    return {"refusal_id": content_id("refusal", event), **event, **told}


_new = Table(
    "refusals",
    tables,
    Column("refusal_id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in (*KEY, *TOLD)),
    Column("updated_at_ms", BigInteger, nullable=False),
)
_old = Table(
    "refusals_before",
    before,
    Column("event_id", Text, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("topic", "subject", *TOLD)),
    Column("updated_at_ms", BigInteger, nullable=False),
)
