"""Webhooks' endpoints and deliveries. No facts: no event tells of them, and they outlive facts that are made anew.

An endpoint hears of each product in order: of its deliveries about one product, the oldest that has not ended is
`waiting`, and all others are `behind` it. Whoever ends one makes the next `waiting`, in the same transaction. Whoever
adds or ends deliveries of an endpoint holds its row until the transaction ends, so that none is left behind for ever.

An endpoint has so many deliveries that have not ended and no more: what is published while it is full is not noted for
it. One row a day, `dropped`, tells of that: from when until when, and of how many in `tries`. A replay of that time
brings them.

Which process sends for an endpoint is settled by a lease in its row. One that outlives its lease, being stopped in the
middle of a request, may send a delivery that another sends as well; the first answer counts.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, insert, or_, select, update

from streams.facts import tables as t
from streams.facts.database import Database
from streams.facts.leases import is_over
from streams.facts.sealing import Sealer, Unsealable
from streams.facts.webhook_records import (
    Attempt,
    Backlog,
    Endpoint,
    EndpointState,
    Message,
    Secret,
    Settled,
    Slots,
    WebhookDelivery,
)

DAY_MS = 24 * 3600 * 1000
LEASE_MS = 60_000  # four times what a request may take
SEALED_WAIT_MS = 300_000  # until secrets are tried again that no key opens; it takes an operator, and a restart
LOG_MAX = 40  # attempts that are kept of a delivery: those of its schedule, and of a few replays
OPEN_MAX = 10_000  # deliveries of an endpoint that have not ended: about 200 MB at most, of bodies below 20 kB
FORGOTTEN_AT_ONCE = 1000  # rows that one statement takes away
_e, _d = t.webhook_endpoints.c, t.webhook_deliveries.c
_OPEN = ("waiting", "behind")


class Webhooks:
    """Each call is a transaction of its own. Raises DatabaseUnavailable.

    Secrets are kept sealed where there is a key for it; Unsealable is raised for those that no key of ours opens, where
    they are asked for. Nobody else waits for such an endpoint.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def add(self, endpoint: Endpoint) -> None:
        """Adds an endpoint."""
        row = {
            "endpoint": endpoint.endpoint,
            "tenant": endpoint.tenant,
            "url": endpoint.url,
            "events": _json(endpoint.events),
            "secrets": self._sealer.sealed(_json(endpoint.secrets)),
            "state": endpoint.state,
            "why": endpoint.why,
            "created_at_ms": endpoint.created_at_ms,
        }
        fresh = {"pauses": 0, "not_before_ms": 0, "served_at_ms": 0, "held_by": "", "held_until_ms": 0}
        with self._database.transaction() as connection:
            connection.execute(insert(t.webhook_endpoints).values(row | fresh))

    def endpoints(self, tenant: str | None = None) -> list[Endpoint]:
        """All endpoints, or those of a tenant, as they were added."""
        query = select(t.webhook_endpoints).order_by(_e.created_at_ms, _e.endpoint)
        if tenant is not None:
            query = query.where(_e.tenant == tenant)
        with self._database.look() as connection:
            return [self._endpoint(row) for row in connection.execute(query)]

    def hearing(self, tenant: str) -> list[Endpoint]:
        """The endpoints of a tenant, without their secrets."""
        query = select(t.webhook_endpoints).where(_e.tenant == tenant).order_by(_e.created_at_ms, _e.endpoint)
        with self._database.look() as connection:
            return [_without_secrets(row) for row in connection.execute(query)]

    def find(self, endpoint: str) -> Endpoint | None:
        """The endpoint of that name."""
        with self._database.look() as connection:
            row = connection.execute(select(t.webhook_endpoints).where(_e.endpoint == endpoint)).first()
        return None if row is None else self._endpoint(row)

    def set_state(self, endpoint: str, state: EndpointState, why: str) -> None:
        """Sets how an endpoint stands; one that is made active is well until it shows otherwise."""
        well = {"failing_since_ms": None, "pauses": 0, "not_before_ms": 0}
        with self._database.transaction() as connection:
            its = update(t.webhook_endpoints).where(_e.endpoint == endpoint)
            connection.execute(its.values(state=state, why=why, **(well if state == "active" else {})))

    def change_secrets(self, endpoint: str, change: Callable[[Endpoint], Sequence[Secret]]) -> bool:
        """Gives an endpoint the secrets that `change` makes of those that it has; False for one that is not there.

        It is held meanwhile: of two who change them at once, the second sees what the first has made.
        """
        with self._database.transaction() as connection:
            row = _hold(connection, endpoint)
            if row is None:
                return False
            known, its = self._endpoint(row), update(t.webhook_endpoints).where(_e.endpoint == endpoint)
            connection.execute(its.values(secrets=self._sealer.sealed(_json(change(known)))))
        return True

    def remove(self, endpoint: str) -> None:
        """Forgets an endpoint and all its deliveries."""
        with self._database.transaction() as connection:
            connection.execute(delete(t.webhook_endpoints).where(_e.endpoint == endpoint))
            connection.execute(delete(t.webhook_deliveries).where(_d.endpoint == endpoint))

    def note(self, message: Message, endpoints: Sequence[str], now_ms: int, *, anew: bool = False) -> int:
        """Notes a message for endpoints that are there; returns for how many it is new.

        `anew`: one that has ended is sent again, from the first try on and behind what is there, with its log kept.
        """
        with self._database.transaction() as connection:
            held = [name for name in sorted(endpoints) if _hold(connection, name) is not None]
            return sum(_noted(connection, message, name, now_ms, anew) for name in held)

    def is_due(self, now_ms: int) -> bool:
        """Whether there may be something to take."""
        query = select(_e.endpoint).where(*_servable(now_ms), _has_due(now_ms, ())).limit(1)
        with self._database.look() as connection:
            return connection.execute(query).first() is not None

    def take(self, holder: str, now_ms: int, slots: Slots, most: int) -> list[tuple[Endpoint, WebhookDelivery]]:
        """What is due of up to `most` endpoints, those first that were served longest ago, as far as there is room.

        The endpoints are leased to `holder`; a lease is as long as LEASE_MS from each taking on.
        """
        free = or_(_e.held_by == holder, is_over(_e.held_until_ms, now_ms, LEASE_MS))
        query = (
            select(t.webhook_endpoints)
            .where(*_servable(now_ms), free, _has_due(now_ms, slots.in_flight()))
            .where(_e.tenant.not_in(slots.full_tenants()), _e.endpoint.not_in(slots.full_endpoints()))
            .order_by(_e.served_at_ms, _e.endpoint)
            .limit(most)
            .with_for_update(skip_locked=True, of=t.webhook_endpoints)
        )
        if not slots.takes_doubtful():
            query = query.where(_e.pauses == 0)
        has_room = and_(_e.tenant.not_in(slots.tenants_full_of_doubtful()), _e.endpoint.not_in(slots.busy_endpoints()))
        query = query.where(or_(_e.pauses == 0, has_room))
        with self._database.transaction() as connection:
            endpoints = [self._openable(connection, row, now_ms) for row in connection.execute(query).all()]
            return [pair for each in endpoints if each for pair in _taken(connection, each, holder, now_ms, slots)]

    def release(self, holder: str) -> None:
        """Gives up all leases."""
        with self._database.transaction() as connection:
            its = update(t.webhook_endpoints).where(_e.held_by == holder)
            connection.execute(its.values(held_by="", held_until_ms=0))

    def settle(
        self, sent: WebhookDelivery, attempt: Attempt, rule: Callable[[Endpoint], Settled], now_ms: int
    ) -> Settled | None:
        """Notes an attempt at `sent`, and what `rule` makes of it; None where another's attempt was noted before."""
        with self._database.transaction() as connection:
            held = _hold(connection, sent.endpoint)
            row = connection.execute(select(t.webhook_deliveries).where(_d.id == sent.id)).first()
            if held is None or row is None or (row.state, row.tries) != ("waiting", sent.tries):
                return None
            endpoint = _without_secrets(held)
            settled = rule(endpoint)
            _note_attempt(connection, _delivery(row), attempt, settled, now_ms)
            _note_health(connection, endpoint, settled)
            if settled.state != "waiting":
                _next_of_product(connection, sent, now_ms)
            return settled

    def deliveries(
        self, endpoint: str, *, state: str | None = None, since_ms: int = 0, most: int = 100
    ) -> list[WebhookDelivery]:
        """The newest deliveries of an endpoint first, those noted since then."""
        query = select(t.webhook_deliveries).where(_d.endpoint == endpoint, _d.created_at_ms >= since_ms)
        if state is not None:
            query = query.where(_d.state == state)
        with self._database.look() as connection:
            return [_delivery(row) for row in connection.execute(query.order_by(_d.id.desc()).limit(most))]

    def counts(self, endpoint: str) -> dict[str, int]:
        """How many deliveries of an endpoint there are, by state."""
        query = select(_d.state, func.count()).where(_d.endpoint == endpoint).group_by(_d.state)
        with self._database.look() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}

    def backlog(self, now_ms: int) -> Backlog:
        """What has not ended, of all endpoints that are active."""
        query = (
            select(func.count(), func.min(_d.created_at_ms))
            .join(t.webhook_endpoints, _e.endpoint == _d.endpoint)
            .where(_e.state == "active", _d.state.in_(_OPEN))
        )
        with self._database.look() as connection:
            count, oldest_ms = connection.execute(query).one()
        return Backlog(int(count), max(now_ms - oldest_ms, 0) if count else 0)

    def forget(self, before_ms: int) -> int:
        """Takes away some deliveries that ended before then; returns how many."""
        old = select(_d.id).where(_d.ended_at_ms < before_ms).limit(FORGOTTEN_AT_ONCE)
        with self._database.transaction() as connection:
            return connection.execute(delete(t.webhook_deliveries).where(_d.id.in_(old))).rowcount

    def _endpoint(self, row: Row[Any]) -> Endpoint:
        secrets = msgspec.json.decode(self._sealer.opened(row.secrets), type=tuple[Secret, ...])
        return replace(_without_secrets(row), secrets=secrets)

    def _openable(self, connection: Connection, row: Row[Any], now_ms: int) -> Endpoint | None:
        """The endpoint; None for one whose secrets no key of ours opens, which says why and is left for a while."""
        try:
            return self._endpoint(row)
        except Unsealable as why:
            from structlog import get_logger  # commands that ask the facts start without it

            get_logger().error("an endpoint's secrets cannot be opened", endpoint=row.endpoint, reason=str(why))
            its = update(t.webhook_endpoints).where(_e.endpoint == row.endpoint)
            connection.execute(its.values(why=str(why), not_before_ms=now_ms + SEALED_WAIT_MS))
            return None


def _hold(connection: Connection, endpoint: str) -> Row[Any] | None:
    """The endpoint's row, held until the transaction ends; in SQLite there is one writer at a time anyway."""
    query: Select[Any] = select(t.webhook_endpoints).where(_e.endpoint == endpoint).with_for_update()
    return connection.execute(query).first()


def _without_secrets(row: Row[Any]) -> Endpoint:
    fields = {name: getattr(row, name) for name in Endpoint.__dataclass_fields__}
    return Endpoint(**fields | {"events": msgspec.json.decode(row.events, type=tuple[str, ...]), "secrets": ()})


def _servable(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    return _e.state == "active", _e.not_before_ms <= now_ms


def _has_due(now_ms: int, in_flight: Iterable[int]) -> ColumnElement[bool]:
    mine = and_(_d.endpoint == _e.endpoint, _d.state == "waiting", _d.due_at_ms <= now_ms)
    return select(_d.id).where(mine, _d.id.not_in(list(in_flight))).correlate(t.webhook_endpoints).exists()


def _noted(connection: Connection, message: Message, endpoint: str, now_ms: int, anew: bool) -> bool:
    its = (_d.endpoint == endpoint, _d.message == message.message)
    known = connection.execute(select(t.webhook_deliveries).where(*its)).first()
    if known is not None and not (anew and known.state not in _OPEN):
        return False
    if _is_full(connection, endpoint):
        _drop(connection, endpoint, now_ms)
        return False
    connection.execute(delete(t.webhook_deliveries).where(*its))
    others = select(_d.id).where(_d.endpoint == endpoint, _d.sku == message.sku, _d.state.in_(_OPEN)).limit(1)
    state = "waiting" if connection.execute(others).first() is None else "behind"
    row = {**message.__dict__, "endpoint": endpoint, "state": state, "tries": 0, "due_at_ms": now_ms}
    log = "[]" if known is None else known.log
    connection.execute(insert(t.webhook_deliveries).values(row | {"created_at_ms": now_ms, "log": log}))
    return True


def _is_full(connection: Connection, endpoint: str) -> bool:
    open_ones = select(_d.id).where(_d.endpoint == endpoint, _d.state.in_(_OPEN))
    return connection.execute(open_ones.limit(1).offset(OPEN_MAX - 1)).first() is not None


def _drop(connection: Connection, endpoint: str, now_ms: int) -> None:
    """Counts one that is not noted, in the row of its day."""
    day = f"dropped_{now_ms // DAY_MS}"
    its = (_d.endpoint == endpoint, _d.message == day)
    more = update(t.webhook_deliveries).where(*its).values(tries=_d.tries + 1, ended_at_ms=now_ms)
    if connection.execute(more).rowcount:
        return
    columns = {"message": day, "sku": "", "type": "", "body": "", "state": "dropped", "tries": 1, "log": "[]"}
    at = {"created_at_ms": now_ms, "due_at_ms": now_ms, "ended_at_ms": now_ms}
    connection.execute(insert(t.webhook_deliveries).values(endpoint=endpoint, **columns, **at))


def _taken(
    connection: Connection, endpoint: Endpoint, holder: str, now_ms: int, slots: Slots
) -> list[tuple[Endpoint, WebhookDelivery]]:
    most = slots.room(endpoint)
    if most <= 0:
        return []
    query = (
        select(t.webhook_deliveries)
        .where(_d.endpoint == endpoint.endpoint, _d.state == "waiting", _d.due_at_ms <= now_ms)
        .where(_d.id.not_in(list(slots.in_flight())))
        .order_by(_d.due_at_ms, _d.id)
        .limit(most)
    )
    rows = connection.execute(query).all()
    lease = {"held_by": holder, "held_until_ms": now_ms + LEASE_MS, "served_at_ms": now_ms, "why": ""}
    connection.execute(update(t.webhook_endpoints).where(_e.endpoint == endpoint.endpoint).values(lease))
    for row in rows:
        slots.fill(endpoint, row.id)
    return [(endpoint, _delivery(row)) for row in rows]


def _note_attempt(
    connection: Connection, sent: WebhookDelivery, attempt: Attempt, settled: Settled, now_ms: int
) -> None:
    columns = {
        "state": settled.state,
        "tries": sent.tries + 1,
        "due_at_ms": settled.due_at_ms,
        "ended_at_ms": None if settled.state == "waiting" else now_ms,
        "log": _json([*sent.log, attempt][-LOG_MAX:]),
    }
    connection.execute(update(t.webhook_deliveries).where(_d.id == sent.id).values(columns))


def _note_health(connection: Connection, endpoint: Endpoint, settled: Settled) -> None:
    columns: dict[str, Any] = {name: getattr(settled, name) for name in ("failing_since_ms", "pauses", "not_before_ms")}
    if settled.disabled and endpoint.state == "active":
        columns |= {"state": "disabled", "why": settled.disabled}
    connection.execute(update(t.webhook_endpoints).where(_e.endpoint == endpoint.endpoint).values(columns))


def _next_of_product(connection: Connection, ended: WebhookDelivery, now_ms: int) -> None:
    behind = select(func.min(_d.id)).where(_d.endpoint == ended.endpoint, _d.sku == ended.sku, _d.state == "behind")
    following = connection.execute(behind).scalar()
    if following is not None:
        its = update(t.webhook_deliveries).where(_d.id == following)
        connection.execute(its.values(state="waiting", due_at_ms=now_ms))


def _delivery(row: Row[Any]) -> WebhookDelivery:
    fields = {name: getattr(row, name) for name in WebhookDelivery.__dataclass_fields__}
    return WebhookDelivery(**fields | {"log": msgspec.json.decode(row.log, type=tuple[Attempt, ...])})


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
