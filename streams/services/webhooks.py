"""What the commands do about webhooks: endpoints, their secrets, what was delivered, and sending a range again."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from msgspec.structs import replace

from schemas import topics
from streams.consumer import reading
from streams.consumer.registry import codec_of
from streams.facts import Endpoint, EndpointState, Secret, WebhookDelivery, Webhooks
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.status import open_database
from streams.webhooks.noting import message_in
from streams.webhooks.payload import EVENT_TYPES
from streams.webhooks.posting import check_url
from streams.webhooks.signing import Scheme, new_secret, scheme_of

SECRETS_MAX = 2  # valid at a time: one more would be nobody's

log = structlog.get_logger()


def add(settings: Settings, tenant: str, url: str, events: Sequence[str], scheme: Scheme) -> Endpoint:
    """Adds an endpoint, with its first secret; of all events where none is named. Raises Refused."""
    check_url(url, tuple(settings.webhook_private_networks))
    unknown = sorted(set(events) - set(EVENT_TYPES))
    if unknown:
        message = f"{', '.join(unknown)}: no events of ours; there are {', '.join(EVENT_TYPES)}"
        raise Refused("unknown_event", message, field="events")
    endpoint = Endpoint(
        endpoint=f"ep_{secrets.token_hex(8)}",
        tenant=tenant,
        url=url,
        events=tuple(events) or EVENT_TYPES,
        secrets=(Secret(new_secret(scheme)),),
        created_at_ms=now_ms(),
    )
    with _webhooks(settings) as webhooks:
        webhooks.add(endpoint)
    return endpoint


def endpoints(settings: Settings, tenant: str | None) -> list[tuple[Endpoint, dict[str, int]]]:
    """All endpoints, or a tenant's, each with how many deliveries it has by state."""
    with _webhooks(settings) as webhooks:
        return [(each, webhooks.counts(each.endpoint)) for each in webhooks.endpoints(tenant)]


def endpoint(settings: Settings, name: str) -> tuple[Endpoint, dict[str, int]]:
    """One endpoint, likewise. Raises Refused for one that is not there."""
    with _webhooks(settings) as webhooks:
        return _one(webhooks, name), webhooks.counts(name)


def set_state(settings: Settings, name: str, state: EndpointState, why: str) -> None:
    """Pauses an endpoint, whose deliveries wait then, or has it go on. Raises Refused for one that is not there."""
    with _webhooks(settings) as webhooks:
        webhooks.set_state(_one(webhooks, name).endpoint, state, why)


def remove(settings: Settings, name: str) -> None:
    """Forgets an endpoint and all its deliveries. Raises Refused for one that is not there."""
    with _webhooks(settings) as webhooks:
        webhooks.remove(_one(webhooks, name).endpoint)


def rotate(settings: Settings, name: str, kept_s: float) -> Secret:
    """Gives an endpoint a new secret; the one before signs beside it for so long. Raises Refused."""
    with _webhooks(settings) as webhooks:
        now = now_ms()
        found = _one(webhooks, name)
        valid = [each for each in found.secrets if each.until_ms is None or each.until_ms > now]
        if len(valid) >= SECRETS_MAX:
            raise Refused("rotation_running", "the secret before the last is still valid", field="endpoint")
        if not valid:
            raise Refused(
                "no_secret", "none of its secrets is valid; remove the endpoint and add it anew", field="endpoint"
            )
        new = Secret(new_secret(scheme_of(valid[0].secret)))
        webhooks.set_secrets(name, [new, *(replace(each, until_ms=now + round(kept_s * 1000)) for each in valid)])
    return new


def deliveries(
    settings: Settings, name: str, state: str | None, since_ms: int | None, most: int
) -> list[WebhookDelivery]:
    """The newest deliveries of an endpoint. Raises Refused for one that is not there."""
    with _webhooks(settings) as webhooks:
        return webhooks.deliveries(_one(webhooks, name).endpoint, state=state, since_ms=since_ms or 0, most=most)


def replay(settings: Settings, name: str, since_ms: int, until_ms: int | None) -> int:
    """Sends an endpoint what was published from then on, before `until_ms`, once more; returns how much that is.

    What still waits to be delivered is not doubled. Raises Refused for an endpoint that is not there.
    """
    with _webhooks(settings) as webhooks:
        found = _one(webhooks, name)
        count, codec = 0, codec_of(settings)
        for record in reading.read(settings, [topics.PUBLISHED.name], since_ms=since_ms):
            if until_ms is not None and record.timestamp_ms >= until_ms:
                continue
            try:
                tenant, message = message_in(record, codec)
            except Refused as refusal:
                log.warning("no event", position=record.position, code=refusal.code)
                continue
            if tenant == found.tenant and message.type in found.events:
                count += webhooks.note(message, [name], now_ms(), anew=True)
    return count


def _one(webhooks: Webhooks, name: str) -> Endpoint:
    for each in webhooks.endpoints():
        if each.endpoint == name:
            return each
    raise Refused("unknown_endpoint", f"there is no endpoint {name!r}", field="endpoint")


@contextmanager
def _webhooks(settings: Settings) -> Iterator[Webhooks]:
    with open_database(settings) as database:
        yield Webhooks(database)
