"""Who is signed in at the desk, and the links that let them in: both are kept as digests, never themselves."""

from dataclasses import dataclass
from typing import Literal

import msgspec
from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from streams.facts import desk_tables as t
from streams.facts.database import Database

Role = Literal["viewer", "reviewer", "operator"]
EVERY = "*"  # in place of a tenant's name: all of them, for whoever runs the system
SEEN_EVERY_MS = 60_000  # when somebody was last seen is noted no more often
_links, _sessions = t.desk_links.c, t.desk_sessions.c


@dataclass(frozen=True)
class DeskLink:
    """A link that lets somebody in once, until it expires. Times are Unix times in ms."""

    digest: str
    name: str
    role: Role
    tenants: tuple[str, ...]
    created_at_ms: int
    expires_at_ms: int
    used_at_ms: int | None = None


@dataclass(frozen=True)
class DeskSession:
    """Somebody who is signed in: as whom, for which tenants, and what they may do. Times are Unix times in ms."""

    digest: str
    name: str
    role: Role
    tenants: tuple[str, ...]
    created_at_ms: int
    expires_at_ms: int
    seen_at_ms: int
    ended_at_ms: int | None = None

    def is_valid(self, now_ms: int, idle_ms: int) -> bool:
        """Whether it opens anything now: it is neither over, nor ended, nor left alone for `idle_ms`."""
        return self.ended_at_ms is None and now_ms < self.expires_at_ms and now_ms < self.seen_at_ms + idle_ms

    def opens(self, tenant: str) -> bool:
        """Whether a tenant is one of its own."""
        return EVERY in self.tenants or tenant in self.tenants


class DeskSessions:
    """Each call is a transaction of its own. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_link(self, link: DeskLink) -> None:
        """Notes a link, and forgets those that expired."""
        with self._database.transaction() as connection:
            connection.execute(delete(t.desk_links).where(_links.expires_at_ms < link.created_at_ms))
            connection.execute(insert(t.desk_links).values(_row(link)))

    def enter(self, link: str, session: str, now_ms: int, lasts_ms: int) -> DeskSession | None:
        """The session that a link opens, noted under the digest `session`; None for one that is used, over or unknown.

        Of several that use a link at once one gets in. What was never made locks nothing.
        """
        with self._database.look() as connection:
            if _first(connection, t.desk_links, link) is None:
                return None
        with self._database.transaction() as connection:
            free = (_links.digest == link, _links.used_at_ms.is_(None), _links.expires_at_ms > now_ms)
            if not connection.execute(update(t.desk_links).where(*free).values(used_at_ms=now_ms)).rowcount:
                return None
            found = _first(connection, t.desk_links, link)
            assert found is not None
            until_ms = now_ms + lasts_ms
            made = DeskSession(session, found.name, found.role, _tenants(found), now_ms, until_ms, now_ms)
            connection.execute(delete(t.desk_sessions).where(_sessions.expires_at_ms < now_ms))
            connection.execute(insert(t.desk_sessions).values(_row(made)))
        return made

    def find(self, digest: str) -> DeskSession | None:
        """The session with this digest, valid or not."""
        with self._database.look() as connection:
            row = _first(connection, t.desk_sessions, digest)
        return None if row is None else DeskSession(**dict(row._mapping) | {"tenants": _tenants(row)})

    def seen(self, digest: str, now_ms: int) -> None:
        """Notes that somebody is still there, once in a while."""
        long_ago = (_sessions.digest == digest, _sessions.seen_at_ms < now_ms - SEEN_EVERY_MS)
        with self._database.transaction() as connection:
            connection.execute(update(t.desk_sessions).where(*long_ago).values(seen_at_ms=now_ms))

    def end(self, digest: str, now_ms: int) -> None:
        """Lets a session open nothing any more."""
        with self._database.transaction() as connection:
            ending = update(t.desk_sessions).where(_sessions.digest == digest, _sessions.ended_at_ms.is_(None))
            connection.execute(ending.values(ended_at_ms=now_ms))


def _row(kept: DeskLink | DeskSession) -> dict[str, object]:
    return {**kept.__dict__, "tenants": msgspec.json.encode(kept.tenants).decode()}


def _first(connection: Connection, table: Table, digest: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(select(table).where(table.c.digest == digest)).first()


def _tenants(row: Row[tuple[object, ...]]) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(row.tenants, type=list[str]))
