"""Submitting and looking on through an API elsewhere: a key in the place of a broker and a database."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Submission
from streams.client import Client, calls
from streams.client.problems import NotFound
from streams.client.records import Asset, Letter, LineAnswer
from streams.runtime.settings import Settings, SettingsError
from streams.services.event_files import BadLine, Read

SETTLED = frozenset({"published", "review", "rejected", "failed"})
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
        if isinstance(self.event, CatalogChanged):
            return f"{self.event.sku} v{self.version}"
        return f"campaign {self.event.campaign}"


@dataclass(frozen=True)
class Fate:
    """How an event stands, as far as the API tells."""

    state: Literal["waiting", "done", "failed", "superseded"]
    assets: Sequence[Asset] = field(default_factory=list)
    reason: str = ""

    @property
    def waits_for(self) -> list[str]:
        """The assets that are on their way, each with its state."""
        return [f"{each.sku} {each.asset} ({each.state})" for each in self.assets if each.state not in SETTLED]


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
        for read, answer in zip(mine, clients(tenant).batch(map(_told, mine)), strict=True):
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
    known = client.send(calls.get_assets(event.sku))
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


def _told(read: Read) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(read.event)
    return told


def _bad(line: int, answer: LineAnswer) -> BadLine:
    return BadLine(line, answer.field, f"{answer.code}: {answer.detail}")
