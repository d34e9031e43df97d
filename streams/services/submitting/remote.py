"""Submitting and looking on through an API elsewhere: a key in the place of a broker and a database."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.decoding import prepare
from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Submission
from streams.client import Client, calls
from streams.client.problems import NotFound
from streams.client.records import Asset, KnownProduct, Letter, LineAnswer
from streams.runtime.settings import Settings, SettingsError
from streams.services.submitting.event_files import BadLine, Read
from streams.services.submitting.fates import SETTLED, Fate, subject_of

LOOK_AGAIN_S = 1.0  # twice as long after each look that finds nothing new
LOOK_AGAIN_MAX_S = 30.0

Clients = Callable[[str | None], Client]
"""The client for a tenant; for the key's own without a name."""


@dataclass(frozen=True)
class Sent:
    """An event that the API has taken, under the id and the version that it was given."""

    tenant: str
    event_id: str
    version: int
    event: Submission

    @property
    def subject(self) -> str:
        """What the event is about, for people."""
        return subject_of(self.event, self.version)


class RemoteStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A product with all its assets, as an API tells it, which tells of no tasks."""

    tenant: str
    sku: str
    version: int
    deleted: bool
    assets: Sequence[Asset]


def remote_status(product: KnownProduct, assets: Sequence[Asset]) -> RemoteStatus:
    """A product's status as it is told."""
    known = {name: getattr(product, name) for name in ("tenant", "sku", "version", "deleted")}
    return RemoteStatus(**known, assets=assets)


@contextmanager
def clients(settings: Settings, url: str, key: str | None) -> Iterator[Clients]:
    """Clients of the API at `url`. Raises SettingsError without a key."""
    given = key or (settings.remote_key.get_secret_value() if settings.remote_key else None)
    if given is None:
        raise SettingsError("no key: name it in PACKSHOT_REMOTE_KEY, or by --key")
    made: dict[str | None, Client] = {}
    with ExitStack() as stack:

        def client(tenant: str | None) -> Client:
            if tenant not in made:
                made[tenant] = stack.enter_context(Client(url, given, tenant))
            return made[tenant]

        yield client


def submit(clients: Clients, events: Sequence[Read]) -> tuple[list[Sent], list[BadLine]]:
    """Sends events, each tenant's together; those that were taken, and what is wrong with the others."""
    taken: list[tuple[int, Sent]] = []
    bad: list[BadLine] = []
    for tenant in sorted({each.event.tenant for each in events}):
        mine = [each for each in events if each.event.tenant == tenant]
        for read, answer in zip(mine, clients(tenant).batch(map(_body, mine)), strict=True):
            if answer.status == 202:
                taken.append((read.line, Sent(tenant, answer.event_id, answer.version, read.event)))
            else:
                bad.append(_bad(read.line, answer))
    return [sent for _, sent in sorted(taken, key=lambda each: each[0])], bad


def follow(
    clients: Clients, sent: Sequence[Sent], timeout_s: float, since_ms: int, progress: Callable[[int, int], None]
) -> list[Fate]:
    """Looks at every event until it is settled, or the time is over."""
    ends_s, wait_s = time.monotonic() + timeout_s, LOOK_AGAIN_S
    fates = [Fate("waiting") for _ in sent]
    while True:
        before = list(fates)
        letters = _letters(clients, {each.tenant for each in sent}, since_ms)
        fates = [
            fate_of(each, clients(each.tenant), letters) if fate.state == "waiting" else fate
            for each, fate in zip(sent, fates, strict=True)
        ]
        progress(sum(each.state != "waiting" for each in fates), len(fates))
        left_s = ends_s - time.monotonic()
        if left_s <= 0 or all(each.state != "waiting" for each in fates):
            return fates
        wait_s = LOOK_AGAIN_S if fates != before else min(2 * wait_s, LOOK_AGAIN_MAX_S)
        time.sleep(min(wait_s, left_s))


def fate_of(sent: Sent, client: Client, letters: Mapping[str, Letter]) -> Fate:
    """How an event stands now."""
    refused = letters.get(sent.event_id)
    try:
        if isinstance(sent.event, CatalogChanged):
            found = _product_fate(sent.event, sent.version, client)
        else:
            found = _campaign_fate(sent.event, sent.version, client)
    except NotFound:
        found = Fate("waiting")
    is_over = found.state == "waiting" and not found.waits_for
    if refused is not None and (is_over or isinstance(sent.event, CatalogChanged)):
        return Fate("failed", found.assets, f"{refused.code} ({refused.field}): {refused.message}")
    return found


def _product_fate(event: CatalogChanged, version: int, client: Client) -> Fate:
    known = client.send(calls.get_product_assets(event.sku))
    if known.version < version:
        return Fate("waiting")
    if known.version > version:
        return Fate("superseded", reason=f"version {known.version} is newer")
    assets = [each for each in known.assets if each.campaign is None]
    if event.change == "delete":
        return Fate("waiting" if any(each.live is not None for each in assets) else "done")
    return _of_assets(assets) if assets else Fate("done")


def _campaign_fate(event: CampaignRequested | CampaignCancelled, version: int, client: Client) -> Fate:
    known = client.send(calls.get_campaign(event.campaign))
    if known.version != version:
        newer = Fate("superseded", reason=f"campaign {event.campaign} was asked for otherwise since")
        return newer if known.version > version else Fate("waiting")
    if isinstance(event, CampaignCancelled):
        return Fate("waiting" if known.assets else "done")
    is_planned = {each.sku for each in known.assets}.issuperset(event.skus)
    return _of_assets(known.assets) if is_planned else Fate("waiting", known.assets)


def _of_assets(assets: Sequence[Asset]) -> Fate:
    if any(each.state not in SETTLED for each in assets):
        return Fate("waiting", assets)
    failed = [each for each in assets if each.state == "failed"]
    return Fate("failed", assets, f"{failed[0].asset}: {failed[0].reason}") if failed else Fate("done", assets)


def _letters(clients: Clients, tenants: Iterable[str], since_ms: int) -> dict[str, Letter]:
    """The open letters since then by the event's id; a part of a campaign's event stands for all of it."""
    found = (each for name in tenants for each in clients(name).send(calls.list_letters(since_ms=since_ms)).items)
    return {each.event_id.partition("/")[0]: each for each in found}


def _body(read: Read) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(read.event)
    return body


def _bad(line: int, answer: LineAnswer) -> BadLine:
    return BadLine(line, answer.field, f"{answer.code}: {answer.detail}")


prepare(RemoteStatus)
