"""What the API answered to requests with an idempotency key, for as long as a repeat may come."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from streams.facts import tables
from streams.facts.database import Database

KEPT_MS = 24 * 3600 * 1000
LEFT_AFTER_MS = 60_000  # far longer than a request takes: whoever was at work on it is gone
_t = tables.api_answers.c


@dataclass(frozen=True)
class ApiAnswer:
    """The answer to the `request` (a digest) that came first with a key; `status` None while it is at work."""

    request: str
    status: int | None
    headers: bytes = b""
    body: bytes = b""


class ApiAnswers:
    """Each call is a transaction of its own. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, tenant: str, key: str, request: str, now_ms: int) -> ApiAnswer | None:
        """Notes that a request is at work; the one that came before it with the same key, if one did."""
        with self._database.transaction() as connection:
            left = _t.status.is_(None) & (_t.since_ms < now_ms - LEFT_AFTER_MS)
            connection.execute(delete(tables.api_answers).where((_t.since_ms < now_ms - KEPT_MS) | left))
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            row = {"tenant": tenant, "idempotency_key": key, "request": request, "since_ms": now_ms}
            noting = dialect.insert(tables.api_answers).values(row).on_conflict_do_nothing()
            if connection.execute(noting).rowcount:
                return None
            known = connection.execute(select(tables.api_answers).where(*_of(tenant, key))).one()
        return ApiAnswer(known.request, known.status, known.headers or b"", known.body or b"")

    def end(self, tenant: str, key: str, answer: ApiAnswer) -> None:
        """Keeps an answer for those who repeat the request."""
        columns = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        with self._database.transaction() as connection:
            connection.execute(update(tables.api_answers).where(*_of(tenant, key)).values(columns))

    def forget(self, tenant: str, key: str) -> None:
        """Lets the next request with the key be worked on anew."""
        with self._database.transaction() as connection:
            connection.execute(delete(tables.api_answers).where(*_of(tenant, key), _t.status.is_(None)))


def _of(tenant: str, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _t.tenant == tenant, _t.idempotency_key == key
