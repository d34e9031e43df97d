"""What is kept of webhooks: endpoints with their secrets, deliveries with their attempts; see webhooks.py."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from schemas.decoding import prepare

EndpointState = Literal["active", "paused", "disabled"]
DeliveryState = Literal["waiting", "behind", "delivered", "failed", "dropped"]


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


prepare(Secret, Attempt)
