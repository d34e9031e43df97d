"""Which tables a database has: made whole where there are none, brought forward by Alembic where they are older."""

from importlib import resources
from typing import Any

from sqlalchemy import Connection, Inspector, inspect, text

from streams.facts import case_tables, connector_tables, desk_tables, shelf_tables, tables
from streams.runtime.errors import Unavailable
from streams.runtime.settings import SettingsError

HEAD = "0011"  # the newest of migrations/versions; a test holds it against them
VERSION_TABLE = "packshot_schema"
_APART = connector_tables.connectors.metadata  # those of tables.py, of this, of the cases and the desk
_ALSO = (case_tables, desk_tables, shelf_tables)  # imported so that they are known
_LOCK = 0x9AC54  # any number, the same in all processes


class SchemaMismatch(SettingsError):
    """The database that the settings name has other tables than this version of Packshot works with."""


def lock(connection: Connection) -> None:
    """Keeps everybody else from making tables until the transaction ends."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("BEGIN IMMEDIATE"))
    else:  # CREATE TABLE IF NOT EXISTS fails in PostgreSQL when two do it at once
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def make(connection: Connection) -> None:
    """Makes the tables where there are none. Raises SchemaMismatch for others than this version's."""
    known = inspect(connection)
    if not _has_ours(known):
        tables.metadata.create_all(connection)
        _APART.create_all(connection)
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES ('{HEAD}')"))
        return
    found = _revision(connection, known)
    if found != HEAD:
        raise SchemaMismatch(_mismatch(found))


def check(connection: Connection) -> None:
    """Raises Unavailable where there are no tables or older ones, for who makes them may be under way; SchemaMismatch
    for newer ones.
    """
    known = inspect(connection)
    found = _revision(connection, known)
    if found == HEAD:
        return
    if found not in (None, *_revisions()):
        raise SchemaMismatch(_mismatch(found))
    were = f"at revision {found}" if _has_ours(known) else "not there"
    raise Unavailable(f"the tables are {were}, and {HEAD} is needed: `packshot provision` makes them")


def upgrade(connection: Connection) -> str | None:
    """Brings the tables forward to this version's; the revision that they had, None before there were revisions.

    Raises SchemaMismatch for newer ones.
    """
    from alembic import command  # a tenth of a second, and only those that upgrade need it
    from alembic.config import Config

    found = _revision(connection, inspect(connection))
    if found not in (None, *_revisions()):
        raise SchemaMismatch(_mismatch(found))
    config = Config()
    config.set_main_option("script_location", "streams.facts:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _check_is_head(connection)
    return found


def _check_is_head(connection: Connection) -> None:
    """Raises SchemaMismatch where the revisions led elsewhere; all that they did is undone then."""
    reached = _revision(connection, inspect(connection))
    if reached != HEAD:
        raise SchemaMismatch(_mismatch(reached))


def drop(connection: Connection) -> None:
    """Forgets every table of ours."""
    tables.metadata.drop_all(connection)
    _APART.drop_all(connection)
    connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))


def _has_ours(known: Inspector) -> bool:
    names = {*tables.metadata.tables, *_APART.tables, VERSION_TABLE}
    return not names.isdisjoint(known.get_table_names())


def _revision(connection: Connection, known: Inspector) -> str | None:
    if not known.has_table(VERSION_TABLE):
        return None
    found: Any = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return None if found is None else str(found)


def _revisions() -> list[str]:
    files = (resources.files("streams.facts") / "migrations" / "versions").iterdir()
    return sorted(file.name[1:5] for file in files if file.name.startswith("v"))


def _mismatch(found: str | None) -> str:
    if found in (None, *_revisions()):
        before = "before there were revisions" if found is None else f"at revision {found}"
        return (
            f"the database's tables were made {before}, and this version needs {HEAD}: stop the roles of the version "
            "before, and run `packshot database upgrade`"
        )
    return (
        f"the database is at revision {found}, which this version does not know; it works with {HEAD}. "
        "Start the version that brought it there"
    )
