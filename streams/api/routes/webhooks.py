"""Webhooks: who is told of what is published, how that went, and what is to be told once more."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from litestar import delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from schemas.decoding import prepare
from schemas.records import Milliseconds, Text
from streams.api.callers import Asking, Caller
from streams.api.paging import Limit
from streams.api.problems import Problem
from streams.facts import Webhooks
from streams.facts.sealing import Sealer
from streams.services.integrations import webhooks as desk
from streams.services.integrations.webhook_views import (
    WebhookDeliveryView,
    WebhookSecret,
    WebhookView,
    delivery_view,
    secret_view,
    webhook_view,
)
from streams.webhooks.signing import Scheme

READ, OPERATE = {"scope": "read"}, {"scope": "operate"}
KEPT_MAX_S = 30 * 24 * 3600
DeliveryState = Literal["waiting", "behind", "delivered", "failed", "dropped"]
Url = Annotated[str, Meta(min_length=1, max_length=2048)]


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to send which events, all when none is named; `v1` signs by HMAC-SHA256, `v1a` by Ed25519."""

    url: Url
    events: Annotated[list[Text], Meta(max_length=32)] = msgspec.field(default_factory=list)
    scheme: Scheme = "v1"


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`paused`: what is published waits; `active`: it goes on, also after it was disabled."""

    state: Literal["active", "paused"]
    why: Text = ""


class RotationBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many seconds the secret before signs as well."""

    keep_s: Annotated[int, Meta(ge=0, le=KEPT_MAX_S)] = 24 * 3600


class ReplayBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A range of times, Unix in ms, of what was published; without an end up to now."""

    since_ms: Milliseconds
    until_ms: Milliseconds | None = None


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant's endpoints, as they were added."""

    items: Sequence[WebhookView]


class WebhookDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first."""

    items: Sequence[WebhookDeliveryView]


class WebhookReplay(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are to be sent again."""

    endpoint: str
    sent_again: int


@get("/v1/webhooks", opt=READ, sync_to_thread=True)
def list_webhooks(caller: Asking) -> WebhookList:
    """The tenant's endpoints."""
    return WebhookList(items=[webhook_view(*each) for each in desk.endpoints(_webhooks(caller), caller.tenant)])


@post("/v1/webhooks", opt=OPERATE, status_code=201, sync_to_thread=True)
def add_webhook(caller: Asking, data: JSONBody[WebhookBody]) -> WebhookSecret:
    """Have events of the tenant sent to a URL; shows once what receivers verify them with."""
    _check_is_live(caller)
    networks = caller.settings.webhook_private_networks
    added = desk.add(_webhooks(caller), networks, caller.tenant, data.url, data.events, data.scheme)
    return secret_view(added.endpoint, added.secrets[0])


@get("/v1/webhooks/{endpoint:str}", opt=READ, sync_to_thread=True)
def get_webhook(caller: Asking, endpoint: FromPath[str]) -> WebhookView:
    """One endpoint."""
    return webhook_view(*desk.endpoint(_webhooks(caller), endpoint, caller.tenant))


@patch("/v1/webhooks/{endpoint:str}", opt=OPERATE, sync_to_thread=True)
def change_webhook(caller: Asking, endpoint: FromPath[str], data: JSONBody[WebhookChange]) -> WebhookView:
    """Pause an endpoint, or have it go on."""
    _check_is_live(caller)
    desk.set_state(_webhooks(caller), endpoint, data.state, data.why, caller.tenant)
    return webhook_view(*desk.endpoint(_webhooks(caller), endpoint, caller.tenant))


@delete("/v1/webhooks/{endpoint:str}", opt=OPERATE, status_code=204, sync_to_thread=True)
def remove_webhook(caller: Asking, endpoint: FromPath[str]) -> None:
    """Forget an endpoint and all its deliveries."""
    _check_is_live(caller)
    desk.remove(_webhooks(caller), endpoint, caller.tenant)


@post("/v1/webhooks/{endpoint:str}/rotation", opt=OPERATE, status_code=201, sync_to_thread=True)
def rotate_webhook(caller: Asking, endpoint: FromPath[str], data: JSONBody[RotationBody]) -> WebhookSecret:
    """Give an endpoint a new secret, shown this once; both sign until the one before is over."""
    _check_is_live(caller)
    new = desk.rotate(_webhooks(caller), endpoint, data.keep_s, caller.tenant)
    return secret_view(endpoint, new)


@get("/v1/webhooks/{endpoint:str}/deliveries", opt=READ, sync_to_thread=True)
def list_deliveries(
    caller: Asking,
    endpoint: FromPath[str],
    where: Annotated[DeliveryState | None, QueryParameter(name="state", description="Those in this state.")] = None,
    since_ms: FromQuery[Milliseconds] = 0,
    limit: Limit = 100,
) -> WebhookDeliveries:
    """What an endpoint was told, is to be told, and how each attempt went; the newest first."""
    found = desk.deliveries(_webhooks(caller), endpoint, where, since_ms, limit, caller.tenant)
    return WebhookDeliveries(items=[delivery_view(each) for each in found])


@post("/v1/webhooks/{endpoint:str}/replay", opt=OPERATE, status_code=202, sync_to_thread=True)
def replay_webhook(caller: Asking, endpoint: FromPath[str], data: JSONBody[ReplayBody]) -> WebhookReplay:
    """Send what was published in a range of time once more, each with the id that it had."""
    _check_is_live(caller)
    given = caller.settings, _webhooks(caller), endpoint, data.since_ms, data.until_ms, caller.tenant
    return WebhookReplay(endpoint=endpoint, sent_again=desk.replay(*given))


def _webhooks(caller: Caller) -> Webhooks:
    return Webhooks(caller.gateway.database, Sealer(caller.settings.sealing_keys))


def _check_is_live(caller: Caller) -> None:
    if caller.key.mode == "test":
        raise Problem("scope_missing", "a test key changes no webhooks")


prepare(WebhookBody, WebhookChange, RotationBody, ReplayBody, WebhookDeliveries, WebhookList, WebhookReplay)

ROUTES: tuple[Any, ...] = (
    list_webhooks,
    add_webhook,
    get_webhook,
    change_webhook,
    remove_webhook,
    rotate_webhook,
    list_deliveries,
    replay_webhook,
)
