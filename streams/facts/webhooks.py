"""Webhooks' endpoints and deliveries. No facts: no event tells of them, and they outlive facts that are made anew.

An endpoint hears of each product in order: of its deliveries about one product, the oldest that has not ended is
`waiting`, and all others are `behind` it. Whoever ends one makes the next `waiting`, in the same transaction. Whoever
adds or ends deliveries of an endpoint holds its row until the transaction ends, so that none is left behind for ever.

Which process sends for an endpoint is settled by a lease in its row. One that outlives its lease, being stopped in the
middle of a request, may send a delivery that another sends as well; the first answer counts.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, func, insert, or_, select, update

from schemas.decoding import prepare
from streams.facts import tables as t
from streams.facts.database import Database

EndpointState = Literal["active", "paused", "disabled"]
DeliveryState = Literal["waiting", "behind", "delivered", "failed"]
LEASE_MS = 60_000  # four times what a request may take
LOG_MAX = 40  # attempts that are kept of a delivery: those of its schedule, and of a few replays
FORGOTTEN_AT_ONCE = 1000  # rows that one statement takes away
_e, _d = t.webhook_endpoints.c, t.webhook_deliveries.c
_OPEN = ("waiting", "behind")


class Secret(msgspec.Struct, frozen=True):
    """A secret that deliveries are signed with, until a Unix time in ms or for ever."""

    secret: str
    until_ms: int | None = None


class Attempt(msgspec.Struct, frozen=True):
    """One attempt at a delivery: its answer's status, None without an answer, and the begin of what it said."""

    at_ms: int
    took_ms: int
    status: int | None
    reason: str


@dataclass(frozen=True)
class Endpoint:
    """Who is told, and of what; since when nothing has succeeded, and until when it is left alone."""

    endpoint: str
    tenant: str
    url: str
    events: tuple[str, ...]
    secrets: tuple[Secret, ...]
    state: EndpointState = "active"
    why: str = ""
    created_at_ms: int = 0
    failing_since_ms: int | None = None
    pauses: int = 0
    not_before_ms: int = 0

    def valid_secrets(self, now_ms: int) -> list[str]:
        """The secrets to sign with, the newest first."""
        return [each.secret for each in self.secrets if each.until_ms is None or each.until_ms > now_ms]


@dataclass(frozen=True)
class Message:
    """What an endpoint is told once; its id is the same in all attempts, and in a replay."""

    message: str
    sku: str
    type: str
    body: str


@dataclass(frozen=True)
class WebhookDelivery:
    """A message on its way to an endpoint, after `tries` attempts."""

    id: int
    endpoint: str
    message: str
    sku: str
    type: str
    body: str
    state: DeliveryState
    tries: int
    due_at_ms: int
    created_at_ms: int
    ended_at_ms: int | None
    log: tuple[Attempt, ...]


@dataclass(frozen=True)
class Settled:
    """How a delivery and its endpoint stand after an attempt; `disabled` says why the endpoint is to be, if it is."""

    state: Literal["delivered", "waiting", "failed"]
    due_at_ms: int
    failing_since_ms: int | None
    pauses: int
    not_before_ms: int
    disabled: str = ""


@dataclass(frozen=True)
class Backlog:
    """How many deliveries have not ended, and how old the oldest of them is."""

    count: int
    oldest_ms: int


class Slots(Protocol):
    """Who may be served now."""

    def full_tenants(self) -> Collection[str]: ...
    def full_endpoints(self) -> Collection[str]: ...
    def busy_endpoints(self) -> Collection[str]: ...
    def tenants_full_of_doubtful(self) -> Collection[str]: ...
    def in_flight(self) -> Collection[int]: ...
    def takes_doubtful(self) -> bool: ...
    def room(self, endpoint: Endpoint) -> int:
        """How many deliveries an endpoint may have beside those in flight."""

    def fill(self, endpoint: Endpoint, delivery: int) -> None: ...


class Webhooks:
    """Each call is a transaction of its own. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, endpoint: Endpoint) -> None:
        """Adds an endpoint."""
        row = {
            "endpoint": endpoint.endpoint,
            "tenant": endpoint.tenant,
            "url": endpoint.url,
            "events": _json(endpoint.events),
            "secrets": _json(endpoint.secrets),
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
            return [_endpoint(row) for row in connection.execute(query)]

    def set_state(self, endpoint: str, state: EndpointState, why: str) -> None:
        """Sets how an endpoint stands; one that is made active is well until it shows otherwise."""
        well = {"failing_since_ms": None, "pauses": 0, "not_before_ms": 0}
        with self._database.transaction() as connection:
            its = update(t.webhook_endpoints).where(_e.endpoint == endpoint)
            connection.execute(its.values(state=state, why=why, **(well if state == "active" else {})))

    def set_secrets(self, endpoint: str, secrets: Sequence[Secret]) -> None:
        """Sets what an endpoint's deliveries are signed with."""
        with self._database.transaction() as connection:
            its = update(t.webhook_endpoints).where(_e.endpoint == endpoint)
            connection.execute(its.values(secrets=_json(secrets)))

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
        free = or_(_e.held_by == holder, _e.held_until_ms <= now_ms)
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
            endpoints = [_endpoint(row) for row in connection.execute(query)]
            return [pair for each in endpoints for pair in _taken(connection, each, holder, now_ms, slots)]

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
            endpoint = _hold(connection, sent.endpoint)
            row = connection.execute(select(t.webhook_deliveries).where(_d.id == sent.id)).first()
            if endpoint is None or row is None or (row.state, row.tries) != ("waiting", sent.tries):
                return None
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


def _servable(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    return _e.state == "active", _e.not_before_ms <= now_ms


def _has_due(now_ms: int, in_flight: Iterable[int]) -> ColumnElement[bool]:
    mine = and_(_d.endpoint == _e.endpoint, _d.state == "waiting", _d.due_at_ms <= now_ms)
    return select(_d.id).where(mine, _d.id.not_in(list(in_flight))).correlate(t.webhook_endpoints).exists()


def _hold(connection: Connection, endpoint: str) -> Endpoint | None:
    """The endpoint, held until the transaction ends; in SQLite there is one writer at a time anyway."""
    query: Select[Any] = select(t.webhook_endpoints).where(_e.endpoint == endpoint).with_for_update()
    row = connection.execute(query).first()
    return None if row is None else _endpoint(row)


def _noted(connection: Connection, message: Message, endpoint: str, now_ms: int, anew: bool) -> bool:
    its = (_d.endpoint == endpoint, _d.message == message.message)
    known = connection.execute(select(t.webhook_deliveries).where(*its)).first()
    if known is not None and not (anew and known.state not in _OPEN):
        return False
    connection.execute(delete(t.webhook_deliveries).where(*its))
    others = select(_d.id).where(_d.endpoint == endpoint, _d.sku == message.sku, _d.state.in_(_OPEN)).limit(1)
    state = "waiting" if connection.execute(others).first() is None else "behind"
    row = {**message.__dict__, "endpoint": endpoint, "state": state, "tries": 0, "due_at_ms": now_ms}
    log = "[]" if known is None else known.log
    connection.execute(insert(t.webhook_deliveries).values(row | {"created_at_ms": now_ms, "log": log}))
    return True


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
    lease = {"held_by": holder, "held_until_ms": now_ms + LEASE_MS, "served_at_ms": now_ms}
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


def _endpoint(row: Row[Any]) -> Endpoint:
    said = {name: getattr(row, name) for name in Endpoint.__dataclass_fields__}
    events = msgspec.json.decode(row.events, type=tuple[str, ...])
    return Endpoint(**said | {"events": events, "secrets": msgspec.json.decode(row.secrets, type=tuple[Secret, ...])})


def _delivery(row: Row[Any]) -> WebhookDelivery:
    said = {name: getattr(row, name) for name in WebhookDelivery.__dataclass_fields__}
    return WebhookDelivery(**said | {"log": msgspec.json.decode(row.log, type=tuple[Attempt, ...])})


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


prepare(Secret, Attempt)
