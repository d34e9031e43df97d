"""What commands and routes do about webhooks: endpoints, their secrets, what was delivered, and a range once more.

`tenant` None stands for whoever runs the system: of another tenant's endpoint nobody else hears that it is there.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
from msgspec.structs import replace

from schemas import topics
from streams.consumer import reading
from streams.consumer.registry import codec_of
from streams.facts import Endpoint, EndpointState, Secret, WebhookDelivery, Webhooks
from streams.facts.sealing import Sealer
from streams.runtime.clock import now_ms
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.reports.status import open_database
from streams.webhooks.noting import message_in
from streams.webhooks.payload import EVENT_TYPES
from streams.webhooks.posting import check_url
from streams.webhooks.signing import Scheme, new_secret, scheme_of

SECRETS_MAX = 2  # valid at a time: one more would be nobody's
ENDPOINTS_MAX = 100  # of a tenant: each is looked at for every event of it

log = structlog.get_logger()


@contextmanager
def opened(settings: Settings) -> Iterator[Webhooks]:
    """The tables, for a command."""
    with open_database(settings) as database:
        yield Webhooks(database, Sealer(settings.sealing_keys))


def add(
    webhooks: Webhooks, networks: Sequence[str], tenant: str, url: str, events: Sequence[str], scheme: Scheme
) -> Endpoint:
    """Adds an endpoint, with its first secret; of all events where none is named. Raises Refused."""
    check_url(url, tuple(networks))
    unknown = sorted(set(events) - set(EVENT_TYPES))
    if unknown:
        message = f"{', '.join(unknown)}: no events of ours; there are {', '.join(EVENT_TYPES)}"
        raise Refused("unknown_event", message, field="events")
    wanted = tuple(dict.fromkeys(events)) or EVENT_TYPES
    _check_is_new(webhooks.endpoints(tenant), url, wanted)
    endpoint = Endpoint(
        endpoint=f"ep_{secrets.token_hex(8)}",
        tenant=tenant,
        url=url,
        events=wanted,
        secrets=(Secret(new_secret(scheme)),),
        created_at_ms=now_ms(),
    )
    webhooks.add(endpoint)
    return endpoint


def _check_is_new(known: Sequence[Endpoint], url: str, events: Sequence[str]) -> None:
    """A repeat of a request whose answer was lost adds nothing; nobody knows the secret, and a rotation gives one."""
    for each in known:
        if each.url == url and set(each.events) == set(events):
            raise Refused("endpoint_exists", f"{each.endpoint} is told of the same at this URL", field="url")
    if len(known) >= ENDPOINTS_MAX:
        raise Refused("too_many_endpoints", f"a tenant has at most {ENDPOINTS_MAX} endpoints", field="url")


def endpoints(webhooks: Webhooks, tenant: str | None) -> list[tuple[Endpoint, dict[str, int]]]:
    """All endpoints, or a tenant's, each with how many deliveries it has by state."""
    return [(each, webhooks.counts(each.endpoint)) for each in webhooks.endpoints(tenant)]


def endpoint(webhooks: Webhooks, name: str, tenant: str | None = None) -> tuple[Endpoint, dict[str, int]]:
    """One endpoint, likewise. Raises Refused for one that is not there."""
    return known(webhooks, name, tenant), webhooks.counts(name)


def set_state(webhooks: Webhooks, name: str, state: EndpointState, why: str, tenant: str | None = None) -> None:
    """Pauses an endpoint, whose deliveries wait then, or has it go on. Raises Refused for one that is not there."""
    webhooks.set_state(known(webhooks, name, tenant).endpoint, state, why)


def remove(webhooks: Webhooks, name: str, tenant: str | None = None) -> None:
    """Forgets an endpoint and all its deliveries. Raises Refused for one that is not there."""
    webhooks.remove(known(webhooks, name, tenant).endpoint)


def rotate(webhooks: Webhooks, name: str, kept_s: float, tenant: str | None = None) -> Secret:
    """Gives an endpoint a new secret; the one before signs beside it for so long. Raises Refused."""
    now, made = now_ms(), list[Secret]()

    def rotated(found: Endpoint) -> list[Secret]:
        valid = [each for each in found.secrets if each.until_ms is None or each.until_ms > now]
        if len(valid) >= SECRETS_MAX:
            raise Refused("rotation_running", "the secret before the last is still valid", field="endpoint")
        if not valid:
            message = "none of its secrets is valid; remove the endpoint and add it anew"
            raise Refused("no_secret", message, field="endpoint")
        made[:] = [Secret(new_secret(scheme_of(valid[0].secret)))]
        return [*made, *(replace(each, until_ms=now + round(kept_s * 1000)) for each in valid)]

    webhooks.change_secrets(known(webhooks, name, tenant).endpoint, rotated)
    if not made:  # it was removed in between
        raise _unknown(name)
    return made[0]


def deliveries(
    webhooks: Webhooks, name: str, state: str | None, since_ms: int | None, most: int, tenant: str | None = None
) -> list[WebhookDelivery]:
    """The newest deliveries of an endpoint. Raises Refused for one that is not there."""
    found = known(webhooks, name, tenant)
    return webhooks.deliveries(found.endpoint, state=state, since_ms=since_ms or 0, most=most)


def replay(
    settings: Settings, webhooks: Webhooks, name: str, since_ms: int, until_ms: int | None, tenant: str | None = None
) -> int:
    """Sends an endpoint what was published from then on, before `until_ms`, once more; returns how much that is.

    What still waits to be delivered is not doubled. Raises Refused for an endpoint that is not there.
    """
    found = known(webhooks, name, tenant)
    count, codec = 0, codec_of(settings)
    for record in reading.read(settings, [topics.PUBLISHED.name], since_ms=since_ms):
        if until_ms is not None and record.timestamp_ms >= until_ms:
            continue
        try:
            its_tenant, message = message_in(record, codec)
        except Refused as refusal:
            log.warning("no event", position=record.position, code=refusal.code)
            continue
        if its_tenant == found.tenant and message.type in found.events:
            count += webhooks.note(message, [name], now_ms(), anew=True)
    return count


def known(webhooks: Webhooks, name: str, tenant: str | None) -> Endpoint:
    """An endpoint. Raises Refused for one that is not there, or is another tenant's."""
    found = webhooks.find(name)
    if found is None or tenant not in (None, found.tenant):
        raise _unknown(name)
    return found


def _unknown(name: str) -> Refused:
    return Refused("unknown_endpoint", f"there is no endpoint {name!r}", field="endpoint")
