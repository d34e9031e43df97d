"""Products and campaigns from applications: checked as intake will, given a version, and sent.

Who sends no version gets one: behind `If-Match` the next one, so that of two who read the same only one is taken in;
else the clock's.
"""

import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec.structs import replace

from schemas.recipes.cookbook import Cookbook
from schemas.records import CampaignCancelled, CampaignRequested, CatalogChanged, Submission
from streams.facts import Database, Facts
from streams.flow.processors.intake import content
from streams.flow.relay import Sender
from streams.runtime.errors import Refused
from streams.services.submitting import event_files, submission
from streams.services.submitting.submission import Submitted

SOURCE = "packshot/api"
REMOTE = frozenset({"http", "https", "s3"})
EVERYTHING = "/"  # what `packshot up` opens to whoever sits at the machine; that is no one who comes by HTTP

VERSION_MAX = 2**63 - 1  # as records have it
CAMPAIGN_VERSION_MAX = 2**62
T = TypeVar("T", bound="Submission | Refused")


class Invalid(Refused):
    """An event is not well formed; `wrong` names every field and why."""

    def __init__(self, wrong: Sequence[tuple[str, str]]) -> None:
        told = "; ".join(f"{at}: {why}" if at else why for at, why in wrong)
        super().__init__("invalid_event", told, field=wrong[0][0])
        self.wrong = wrong


class _Clock:
    """Unix time in ms, each told once."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1_000_000)
            return self._last


next_version = _Clock()


def _numbered(event: CatalogChanged, newest: dict[str, int]) -> CatalogChanged:
    """The event with a version above its product's newest, whoever's clock gave that; `newest` is kept up."""
    version = min(max(next_version(), newest.get(event.sku, 0) + 1), VERSION_MAX)
    newest[event.sku] = version
    return replace(event, version=version)


def _newer(event: T, facts: Facts, newest: dict[str, int]) -> T:
    """A campaign's event without a version with one above its campaign's newest, whoever's clock gave that; `newest` is
    kept up."""
    if not isinstance(event, CampaignRequested | CampaignCancelled) or event.version:
        return event
    if event.campaign not in newest:
        known = facts.campaigns.progress(event.tenant, event.campaign)
        newest[event.campaign] = 0 if known is None else known.rank
    newest[event.campaign] = min(max(next_version(), newest[event.campaign] + 1), CAMPAIGN_VERSION_MAX)
    return replace(event, version=newest[event.campaign])


@dataclass(frozen=True)
class Catalogue:
    """Takes events of one tenant. `file_roots` are the folders that sources may lie in as files."""

    database: Database
    sender: Sender
    file_roots: Sequence[str]

    def change(self, tenant: str, sku: str, fields: dict[str, Any], if_match: int | None = None) -> Submitted:
        """Sends a product's newest state. Raises Refused, NotAcknowledged, Unavailable."""
        with self.database.read() as facts:
            event = self._product(tenant, sku, fields, if_match, facts)
            submission.check_makeable(event, facts.recipes.cookbook())
        return self._sent(event)

    def delete(self, tenant: str, sku: str, if_match: int | None = None) -> Submitted:
        """Takes a product away. Raises Refused for one that is not there."""
        with self.database.read() as facts:
            known = facts.products.get(tenant, sku)
            if known is None:
                raise Refused("unknown_product", f"no product has the SKU {sku!r}", field="sku")
            event = self._product(tenant, sku, {"change": "delete"}, if_match, facts)
        return self._sent(event)

    def request(self, tenant: str, campaign: str, fields: dict[str, Any]) -> Submitted:
        """Asks for a campaign's pictures. Raises Refused."""
        event = parsed({"type": "CampaignRequested", **fields, "tenant": tenant, "campaign": campaign})
        with self.database.read() as facts:
            submission.check_makeable(event, facts.recipes.cookbook())
            event = _newer(event, facts, {})
        return self._sent(event)

    def cancel(self, tenant: str, campaign: str, reason: str) -> Submitted:
        """Takes a campaign back. Raises Refused for one that is not there."""
        with self.database.read() as facts:
            if facts.campaigns.get(tenant, campaign) is None:
                raise Refused("unknown_campaign", f"no campaign is called {campaign!r}", field="campaign")
            fields = {"type": "CampaignCancelled", "tenant": tenant, "campaign": campaign, "reason": reason}
            event = _newer(parsed(fields), facts, {})
        return self._sent(event)

    def checked(self, tenant: str, values: Iterable[object]) -> "list[Submission | Refused]":
        """Each of many events as JSON, or what is wrong with it."""
        with self.database.read() as facts:
            cookbook = facts.recipes.cookbook()
            checked, campaigns = ((value, self._checked(tenant, value, cookbook)) for value in values), dict[str, int]()
            each = [(value, _newer(event, facts, campaigns)) for value, event in checked]
            newest = facts.products.versions(
                tenant, [event.sku for value, event in each if _asks_for_version(event, value)]
            )
        return [_numbered(event, newest) if _asks_for_version(event, value) else event for value, event in each]

    def send(self, events: Sequence[Submission]) -> list[Submitted]:
        """Sends events that were checked. Raises NotAcknowledged."""
        return submission.send(events, self.sender, SOURCE) if events else []

    def _sent(self, event: Submission) -> Submitted:
        return self.send([event])[0]

    def _checked(self, tenant: str, value: object, cookbook: Cookbook) -> Submission | Refused:
        if not isinstance(value, dict):
            return Invalid([("", f"an event is an object, this is {type(value).__name__}")])
        fields = {"type": "CatalogChanged", "tenant": tenant, **value}
        if fields["type"] == "CatalogChanged":
            fields = {"version": 1} | fields
        try:
            event = parsed(fields)
            if event.tenant != tenant:
                raise Refused("tenant_forbidden", f"the key's tenant is {tenant}", field="tenant")
            self._check_sources(event)
            submission.check_makeable(event, cookbook)
        except Refused as refusal:
            return refusal
        return event

    def _product(
        self, tenant: str, sku: str, fields: dict[str, Any], if_match: int | None, facts: Facts
    ) -> CatalogChanged:
        known = facts.products.get(tenant, sku)
        newest = known.version if known else 0
        if if_match not in (None, newest):
            raise Refused("precondition_failed", f"the newest version is {newest}, not {if_match}", field="If-Match")
        version = fields.get("version") or (newest + 1 if if_match is not None else max(next_version(), newest + 1))
        event = parsed({**fields, "type": "CatalogChanged", "tenant": tenant, "sku": sku, "version": version})
        assert isinstance(event, CatalogChanged)
        self._check_sources(event)
        if (
            known is not None
            and "version" not in fields
            and content(replace(event, version=newest)) == content(known.event)
        ):
            return known.event  # said again: nothing is made anew for it
        if known is not None and _conflicts(event, known.version, known.event):
            raise Refused("version_conflict", f"version {newest} of {sku} is known", field="version")
        return event

    def _check_sources(self, event: Submission) -> None:
        for number, source in enumerate(event.sources if isinstance(event, CatalogChanged) else ()):
            self.check_source(source.uri, f"sources[{number}].uri")

    def check_source(self, uri: str, field: str) -> None:
        """Raises Refused for an address that nobody is to fetch; `field` is what the caller calls it."""
        if not self._may_be_fetched(uri):
            raise Refused("source_not_allowed", f"{uri!r}", field=field)

    def _may_be_fetched(self, uri: str) -> bool:
        """Whether workers are to look at an address at all; what it leads to they check themselves."""
        try:
            parts = urlsplit(uri)
        except ValueError:
            return False
        if parts.scheme != "file":
            return parts.scheme in REMOTE
        path = os.path.realpath(unquote(parts.path))
        roots = [os.path.realpath(root) for root in self.file_roots]
        return any(root != EVERYTHING and os.path.commonpath([root, path]) == root for root in roots)


def parsed(fields: dict[str, Any]) -> Submission:
    """An event from JSON. Raises Invalid."""
    wrong = event_files.problems(fields)
    if wrong:
        raise Invalid(wrong)
    return msgspec.convert(fields, Submission)  # type: ignore[no-any-return]


def subject_of(event: Submission) -> tuple[str, int]:
    """What an event is about, and its version."""
    named = event.sku if isinstance(event, CatalogChanged) else event.campaign
    return named, event.version


def _asks_for_version(event: Submission | Refused, value: object) -> TypeGuard[CatalogChanged]:
    return isinstance(event, CatalogChanged) and isinstance(value, dict) and "version" not in value


def _conflicts(event: CatalogChanged, newest: int, known: CatalogChanged) -> bool:
    return newest > event.version or (newest == event.version and content(known) != content(event))
