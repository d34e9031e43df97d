"""Secrets that were kept before: all of them sealed by the first of the keys that the settings name now."""

from sqlalchemy import select, update

from streams.facts import tables
from streams.facts.connector_tables import connectors
from streams.facts.database import Database
from streams.facts.sealing import Sealer

_TABLES = (
    (tables.webhook_endpoints, tables.webhook_endpoints.c.endpoint),
    (connectors, connectors.c.connector),
)


def reseal(database: Database, sealer: Sealer) -> int:
    """Seals anew what lies there plain or under a key of before; how many. Many may do so at once.

    Raises Unsealable for what none of the keys opens, DatabaseUnavailable.
    """
    count = 0
    for table, name in _TABLES:
        with database.look() as connection:
            rows = connection.execute(select(name, table.c.secrets)).all()
        for row, kept in rows:
            fresh = sealer.renewed(kept)
            if fresh == kept:
                continue
            with database.transaction() as connection:  # unless somebody has rotated it meanwhile
                its = update(table).where(name == row, table.c.secrets == kept)
                count += connection.execute(its.values(secrets=fresh)).rowcount
    return count
