"""Two publishers and the sweep, each stopped before any one of its calls until the others have ended.

A zombie is no more than that: a process that goes on with what it was about to do when everybody else has moved on.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, cast
from unittest.mock import patch

import pytest

from schemas.records import (
    AssetRetracted,
    Blob,
    PublishRequested,
    RetractRequested,
    Verdict,
)
from streams.blobs import Blobs
from streams.facts import ProductState
from streams.publishing import manifest as manifests
from streams.publishing import publication
from streams.publishing.manifest import Manifest, load, manifest_key
from streams.publishing.publication import Announcement, Publication, Request
from streams.publishing.renditions import Encoded
from streams.publishing.sweep import Sweep
from streams.runtime.errors import Refused
from streams.services.audit.announcements import Announcements
from tests.memory_store import MemoryStore

GRACE_S = 60.0
DAY_MS = 24 * 3600 * 1000


class Gate:
    """Runs `meanwhile` before the call number `at` of whoever passes through it."""

    def __init__(self, at: int, meanwhile: Callable[[], None]) -> None:
        self.calls = 0
        self._at = at
        self._meanwhile = meanwhile

    def pass_(self) -> None:
        self.calls += 1
        if self.calls - 1 == self._at:
            self._meanwhile()


FREE = Gate(-1, lambda: None)


class Watched:
    """Anything, each of whose calls passes the gate first."""

    def __init__(self, inner: object, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._gate.pass_()
            return found(*arguments, **options)

        return call


@dataclass
class World:
    """One product on one origin; its facts; what was announced, and what must be gone."""

    now_ms: int = 1_000_000
    facts: dict[str, ProductState] = field(default_factory=dict)
    announced: Announcements = field(default_factory=Announcements)
    gone: set[str] = field(default_factory=set)
    committed: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.origin = MemoryStore(lambda: self.now_ms)
        self.blobs = MemoryStore()

    def state_of(self, _tenant: str, sku: str) -> ProductState | None:
        return self.facts.get(sku)

    def publisher(self, gate: Gate) -> Publication:
        origin, blobs = cast(MemoryStore, Watched(self.origin, gate)), cast(MemoryStore, Watched(self.blobs, gate))
        facts = cast(World, Watched(self, gate))
        made = Publication(origin, Blobs(blobs), facts, "http://cdn", lambda: self.now_ms, GRACE_S)
        made._transfers = cast(Any, _Inline())
        return made

    def sweep(self, gate: Gate) -> None:
        origin = cast(MemoryStore, Watched(self.origin, gate))
        Sweep(origin, lambda: self.now_ms, unnamed_s=0.0).run()  # the worst that an operator can ask for

    def manifest(self) -> Manifest:
        manifest, _ = load(self.origin, "acme", "mug")
        return manifest or Manifest(tenant="acme", sku="mug")

    def commit(self, step: "Step") -> None:
        """A request is carried out and its transaction committed: it does not come again."""
        self.committed.add(step.offset)
        for event in step.apply(self, FREE):
            self.announced.note(event)
            if isinstance(event, AssetRetracted) and not event.urls_until_ms:
                self.gone |= {url.removeprefix("http://cdn/") for url in event.urls}
                self.check_gone()

    def check_gone(self) -> None:
        assert not self.gone & self.origin.objects.keys(), "what was said to be gone answers"

    def check_whole(self) -> None:
        """Whatever the newest manifest names is there, as it was written."""
        for asset in self.manifest().assets.values():
            for file in (asset.file, *asset.renditions):
                assert file.key in self.origin.objects, f"{file.key} is live, and gone"
                assert hashlib.sha256(self.origin.objects[file.key].data).hexdigest() == file.sha256


class _Inline:
    """An executor that is none."""

    def map(self, do: Callable[..., Any], *arguments: Any) -> list[Any]:
        return list(map(do, *arguments))


def request(version: int, asset: str = "web-1", shade: str = "") -> PublishRequested:
    data = (shade or f"v{version}").encode()
    digest = hashlib.sha256(data).hexdigest()
    file = Blob(role="asset", digest=digest, media_type="image/png", width_px=9, height_px=9, size_bytes=len(data))
    verdict = Verdict(outcome="pass", checks=[], rules="web-1")
    return PublishRequested(
        tenant="acme",
        sku="mug",
        version=version,
        asset=asset,
        channel="web",
        file=file,
        verdict=verdict,
        engine="e",
        result_id=digest,
    )


def made(event: Request) -> list[Encoded] | None:
    """What would be encoded: the file, whose pixels are its own name, and one rendition."""
    if not isinstance(event, PublishRequested):
        return None
    return [Encoded("image/png", 9, 9, _PIXELS[event.file.digest]), Encoded("image/webp", 9, 9, b"webp")]


_PIXELS = {hashlib.sha256(data).hexdigest(): data for data in (b"v1", b"v2", b"v3", b"same")}
LIVE = {"web-1": "publishing"}
BOTH = {"web-1": "publishing", "web-2": "publishing"}


@dataclass(frozen=True)
class Step:
    """A request, and the facts that are there before it is on the topic. `offset` is its place there."""

    request: Request
    facts: ProductState
    offset: int

    def apply(self, world: World, gate: Gate) -> list[Announcement]:
        publisher = world.publisher(gate)
        position = f"publish/0/{self.offset}"
        try:
            return publisher.apply(self.request, position, made(self.request), world.now_ms)
        except Refused:
            return []


def upsert(version: int, offset: int, asset: str = "web-1", shade: str = "", plan: dict[str, str] = LIVE) -> Step:
    return Step(request(version, asset, shade), ProductState(version, deleted=False, plan=plan), offset)


def delete(version: int, offset: int) -> Step:
    request = RetractRequested(tenant="acme", sku="mug", version=version, reason="the product was deleted")
    return Step(request, ProductState(version, deleted=True, plan={}), offset)


def retract(version: int, offset: int, plan: dict[str, str], *assets: str) -> Step:
    request = RetractRequested(tenant="acme", sku="mug", version=version, assets=list(assets), reason="illegal")
    return Step(request, ProductState(version, deleted=False, plan=plan), offset)


# What is there before, what the one that is stopped does, and what the other one does meanwhile.
SCHEDULES: dict[str, tuple[list[Step], Step, list[Step]]] = {
    "a first version, and a second": ([], upsert(1, 0), [upsert(2, 1)]),
    "a second version, and a third": ([upsert(1, 0)], upsert(2, 1), [upsert(3, 2)]),
    "the same picture in each version": (
        [upsert(1, 0, shade="same")],
        upsert(2, 1, shade="same"),
        [upsert(3, 2, shade="same")],
    ),
    "there and back": ([upsert(1, 0, shade="v1")], upsert(2, 1, shade="v2"), [upsert(3, 2, shade="v1")]),
    "a deletion, and the product comes back": ([upsert(1, 0)], delete(2, 1), [upsert(3, 2, shade="v1")]),
    "a deletion, twice, and the product comes back": (
        [upsert(1, 0, shade="same")],
        delete(2, 1),
        [delete(2, 2), upsert(3, 3, shade="same")],
    ),
    "a first version, and a deletion": ([], upsert(1, 0), [delete(2, 1)]),
    "a version, and a deletion": ([upsert(1, 0)], upsert(2, 1), [delete(3, 2)]),
    "a version of what was deleted": ([upsert(1, 0), delete(2, 1)], upsert(3, 2), [delete(4, 3)]),
    "a retraction, and the next version": (
        [upsert(1, 0, shade="same")],
        retract(1, 1, {}, "web-1"),
        [upsert(2, 2, shade="same")],
    ),
    "an asset, and its retraction": (
        [upsert(1, 0, "web-2", plan=BOTH)],
        upsert(1, 1, plan=BOTH),
        [retract(1, 2, {"web-2": "published"}, "web-1")],
    ),
    "two assets": ([], upsert(1, 0, plan=BOTH), [upsert(1, 1, "web-2", plan=BOTH)]),
    "a smaller plan, and a larger again": (
        [upsert(1, 0, plan=BOTH), upsert(1, 1, "web-2", plan=BOTH)],
        upsert(2, 2),
        [upsert(3, 3, plan=BOTH), upsert(3, 4, "web-2", plan=BOTH)],
    ),
    "a request, twice": ([upsert(1, 0)], upsert(2, 1), [upsert(2, 2)]),
    "a deletion, twice": ([upsert(1, 0)], delete(2, 1), [delete(2, 2)]),
}
PUBLISHER, SWEEP = "a publisher", "the sweep"
Order = tuple[str, ...]
ORDERS: tuple[Order, ...] = ((PUBLISHER, SWEEP), (SWEEP, PUBLISHER), (PUBLISHER,), (SWEEP,))


@dataclass(frozen=True)
class Case:
    """Who is held before which call, who works meanwhile, and whether the facts are ahead of the topic by then."""

    schedule: str
    stopped: str
    order: Order
    facts_ahead: bool
    at: int

    def run(self) -> bool:
        """False when there is no such call."""
        before, first, then = SCHEDULES[self.schedule]
        world = World()
        for step in before:
            world.facts["mug"] = step.facts
            world.commit(step)
        world.facts["mug"] = first.facts
        gate = Gate(self.at, lambda: self._others(world))
        if self.stopped == SWEEP:
            world.sweep(gate)
        else:
            first.apply(world, gate)  # and its transaction is fenced
        if gate.calls <= self.at:
            return False
        world.check_whole()
        world.check_gone()
        self._successor(world, (first, *then))
        _come_to_rest(world, then[-1])
        return True

    def _others(self, world: World) -> None:
        _, first, then = SCHEDULES[self.schedule]
        for who in self.order:
            if who == SWEEP:
                world.sweep(FREE)
            else:
                self._successor(world, (first, *then))
            world.check_whole()

    def _successor(self, world: World, steps: Sequence[Step]) -> None:
        """What was in hand comes again, and then what follows it."""
        for step in (each for each in steps if each.offset not in world.committed):
            world.facts["mug"] = steps[-1].facts if self.facts_ahead else step.facts
            world.commit(step)


def _come_to_rest(world: World, last: Step) -> None:
    """A sweep after every grace: just what is live is there, it is what was announced, and what is newest."""
    world.now_ms += DAY_MS
    world.sweep(FREE)
    world.check_whole()
    manifest = world.manifest()
    assert world.origin.objects.keys() == manifest.keys() | {manifest_key("acme", "mug")}
    announced = world.announced.live.get(("acme", "mug"), {})
    assert {name: (a.version, a.file.key) for name, a in manifest.assets.items()} == {
        name: (event.version, event.file.key) for name, event in announced.items()
    }
    assert world.announced.findings == []
    if isinstance(last.request, PublishRequested):
        assert manifest.assets[last.request.asset].version == last.request.version
    else:
        assert manifest.assets.keys() == last.facts.plan.keys()


def every(schedule: str) -> Iterator[Case]:
    """Every interleaving of a course, each run."""
    for stopped, order, facts_ahead in product((PUBLISHER, SWEEP), ORDERS, (False, True)):
        case = Case(schedule, stopped, order, facts_ahead, 0)
        while _run(case):
            yield case
            case = replace(case, at=case.at + 1)


def _run(case: Case) -> bool:
    try:
        return case.run()
    except AssertionError as error:
        error.add_note(str(case))
        raise


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_is_live_is_whole_wherever_somebody_stalled(schedule: str) -> None:
    assert len(list(every(schedule))) > 50


def _names_by_content(*arguments: Any) -> Any:
    """As names were before they had a serial: the same picture lies under the same key each time."""
    named = manifests.rendition_of(*arguments)
    head, _, tail = named.key.rpartition("/")
    key = f"{head}/{tail.split('.')[0]}.{tail.split('.')[-1]}"
    return cast(Any, named).__class__(**{**_fields(named), "key": key, "url": f"http://cdn/{key}"})


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _facts_before_the_manifest(self: Publication, event: Request, position: str, requested_at_ms: int) -> Any:
    """As a look was before: a manifest that is newer than the facts beside it."""
    state = self._facts.state_of(event.tenant, event.sku)
    with patch.object(self, "_facts", _Noted(state)):
        return real_look(self, event, position, requested_at_ms)


real_look = Publication._look


class _Noted:
    def __init__(self, state: ProductState | None) -> None:
        self._state = state

    def state_of(self, _tenant: str, _sku: str) -> ProductState | None:
        return self._state


MUTANTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "names by content": lambda: patch.object(publication, "rendition_of", _names_by_content),
    "facts before the manifest": lambda: patch.object(Publication, "_look", _facts_before_the_manifest),
    "no fence": lambda: patch.object(Sweep, "_fence", lambda *_: True),
    "a retraction of nothing moves nothing": lambda: patch.object(
        publication,
        "save",
        lambda store, moved, etag: manifests.save(store, moved, etag) if _is_news(store, moved) else "",
    ),
}


def _is_news(store: Any, moved: Manifest) -> bool:
    before, _ = load(store, moved.tenant, moved.sku)
    return before is None or before.assets != moved.assets or not before.serial or bool(moved.assets)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_bug_is_found(mutant: str) -> None:
    with MUTANTS[mutant](), pytest.raises(AssertionError):
        sum(len(list(every(schedule))) for schedule in SCHEDULES)
