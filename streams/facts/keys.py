"""The keys of the API as they are kept: never themselves, only their digests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from sqlalchemy import insert, or_, select, update

from streams.facts import tables
from streams.facts.database import Database

Mode = Literal["live", "test"]
USED_EVERY_MS = 60_000  # when a key was last used is noted no more often
_t = tables.api_keys.c


@dataclass(frozen=True)
class ApiKey:
    """What is known of a key. Times are Unix times in ms; `key_id` is the beginning of its digest, for people."""

    digest: str
    key_id: str
    name: str
    mode: Mode
    scopes: tuple[str, ...]
    tenants: tuple[str, ...]
    created_at_ms: int
    expires_at_ms: int | None = None
    revoked_at_ms: int | None = None
    last_used_at_ms: int | None = None

    def is_valid(self, now_ms: int) -> bool:
        """Whether it opens anything now."""
        return self.revoked_at_ms is None and (self.expires_at_ms is None or now_ms < self.expires_at_ms)


class ApiKeys:
    """Each call is a transaction of its own. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, key: ApiKey, valid_max: int) -> bool:
        """Notes a new key, unless `valid_max` of its name are valid then; returns whether it did."""
        row = {**key.__dict__, "scopes": _json(key.scopes), "tenants": _json(key.tenants)}
        with self._database.transaction() as connection:
            named = connection.execute(select(tables.api_keys).where(_t.name == key.name).with_for_update())
            if sum(_key(each).is_valid(key.created_at_ms) for each in named) >= valid_max:
                return False
            connection.execute(insert(tables.api_keys).values(row))
        return True

    def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, valid or not."""
        with self._database.look() as connection:
            row = connection.execute(select(tables.api_keys).where(_t.digest == digest)).first()
        return None if row is None else _key(row)

    def every(self) -> list[ApiKey]:
        """All keys, oldest first."""
        query = select(tables.api_keys).order_by(_t.created_at_ms, _t.key_id)
        with self._database.look() as connection:
            return [_key(row) for row in connection.execute(query)]

    def used(self, digest: str, now_ms: int) -> None:
        """Notes when a key was used, once in a while."""
        long_ago = or_(_t.last_used_at_ms.is_(None), _t.last_used_at_ms < now_ms - USED_EVERY_MS)
        with self._database.transaction() as connection:
            noting = update(tables.api_keys).where(_t.digest == digest, long_ago)
            connection.execute(noting.values(last_used_at_ms=now_ms))

    def revoke(self, key_id: str, now_ms: int) -> bool:
        """Lets a key open nothing any more; False where none has this id, or it is revoked already."""
        with self._database.transaction() as connection:
            revoking = update(tables.api_keys).where(_t.key_id == key_id, _t.revoked_at_ms.is_(None))
            return connection.execute(revoking.values(revoked_at_ms=now_ms)).rowcount > 0


def _json(texts: Sequence[str]) -> str:
    return msgspec.json.encode(texts).decode()


def _key(row: object) -> ApiKey:
    fields = dict(row._mapping)  # type: ignore[attr-defined]
    lists = {name: tuple(msgspec.json.decode(fields[name], type=list[str])) for name in ("scopes", "tenants")}
    return ApiKey(**fields | lists)
