"""Hostile records: of every kind that may stop a role, and how each has to end.

Each has a name of its own, which stands in its key as the SKU or, where the key is what is wrong, in a header: by that
its end is known. It is a dead letter, or the broker takes it from nobody, or nobody's work is to read it.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from infra.servers.raw_kafka import RawRecord
from loadtest.chaos.hosts import ANSWERS
from schemas import codec, topics
from schemas.envelope import as_mapping
from schemas.records import (
    LANES,
    AssetRetracted,
    CampaignRequested,
    CatalogChanged,
    DefaultsReleased,
    Event,
    ModelAdded,
    ModelReleased,
    RecipeReleased,
    RetractionDecided,
    RetractRequested,
    ReviewDecided,
    Source,
    Step,
    Task,
    TaskFailed,
)
from streams.consumer import groups
from streams.consumer.letters import ATTEMPT, DEADLINE, HISTORY, NOT_BEFORE, ORIGIN_TOPIC, ORIGINAL, Delivery

MARK = "chaos-poison"
NOW_MS = 1_700_000_000_000
LEVEL = b"\x0ccutout\x00\x00\x00\x02"  # a step with one step in it, as Avro
LARGE_BYTES = 999_500  # its topic takes it, and no letter would
TOO_LARGE_BYTES = 3 * topics.MIB
PACKED_BYTES = topics.DEAD_BYTES + topics.MIB
PARTS_SKUS = 2500  # so many make three parts of a campaign
RETRY_FIRST_MS = 1000

WORKED_ON = (
    *groups.CONSUMED,
    topics.PUBLISH,
    *topics.TASKS.values(),
    topics.retry(RETRY_FIRST_MS),
)
KEPT = (topics.REPLIES, topics.REVIEWS, topics.LETTERS, topics.DRIFT)  # which no role here works on
HOSTILE_TEXTS = {
    "newline": b"\n",
    "nul": b"\0",
    "escape": b"\x1b[31m",
    "c1": "\x9b2J".encode(),
    "bidi": "\u202e".encode(),
    "surrogate": b"\xed\xa0\x80",
    "no utf-8": b"\xff\xfe",
}
HEADERS: dict[str, list[tuple[bytes, bytes | None]]] = {
    "name no utf-8": [(b"\xff\xfe", b"v")],
    "value no utf-8": [(b"ce_id", b"\xff\xfe")],
    "null": [(b"ce_id", None), (b"traceparent", None)],
    "no name, nul in one": [(b"", b"v"), (b"a\0b", b"v")],
    "500": [(b"h%d" % number, b"v" * 100) for number in range(500)],
    "one 20 times": [(DEADLINE.encode(), b"soon")] * 20,
    "no trace": [(b"traceparent", b"\xff" * 1000), (b"tracestate", b"=,=" * 1000)],
    "letters' own": [(ATTEMPT.encode(), b"9" * 18), (HISTORY.encode(), b"[" * 9000), (ORIGINAL.encode(), b"../x")],
}
TIMES_MS = {"none": -1, "before time": -5, "the first": 0}
GOOD_FILE = "picture-1.png"  # one of the workload's
FILES = ("text.jpg", "blank.png", "missing.png", "bomb.png", "cut.jpg", "empty.png", "rle.bmp")
URIS = ("file:///etc/passwd", "http://169.254.169.254/latest/{}", "http://[::1/{}", "ftp://x.example/{}", "no uri {}")

End = Literal["letter", "refused", "kept"]


@dataclass(frozen=True)
class Poison:
    """A record, and its end: a dead letter, refused by the broker, or kept where nobody works on it.

    `crc` is added to the right one; `packed` by gzip. `event` is what the record asks for all the same.
    """

    name: str
    kind: str
    topic: str
    record: RawRecord
    end: End = "letter"
    crc: int = 0
    packed: bool = False
    event: CatalogChanged | None = None


@dataclass(frozen=True)
class _Named:
    """What is made into poison: a name, whose it is said to be, and numbers of chance."""

    name: str
    tenant: str
    rng: random.Random
    folder: Path
    host: str

    @property
    def key(self) -> bytes:
        return topics.product_key(self.tenant, self.name)

    def poison(self, kind: str, topic: topics.Topic, value: bytes | None, key: bytes | None = None) -> Poison:
        """A record with this value that bears the mark, under its own key unless another is given."""
        mark = (MARK.encode(), self.name.encode())
        return Poison(self.name, kind, topic.name, RawRecord(value, key or self.key, [mark], NOW_MS))


_Maker = Callable[[_Named], Poison]


def poisons(rng: random.Random, tenants: Sequence[str], folder: Path, host: str) -> Iterator[Poison]:
    """Poison without an end: every kind once, in an order of chance, then every kind once more."""
    makers, number = list(_makers()), 0
    while True:
        rng.shuffle(makers)
        for make in makers:
            yield make(_Named(f"poison-{number}", rng.choice(tenants), rng, folder, host))
            number += 1


def kinds() -> int:
    """How many kinds there are."""
    return sum(1 for _ in _makers())


def name_in(letter: Delivery) -> str:
    """The name of the poison that a letter is of; any other text for another's."""
    return as_mapping(letter.headers).get(MARK) or topics.product_of(letter.key)[1]


def unanswered(poison: Sequence[Poison], letters: set[str], codes: dict[str, int]) -> Iterator[str]:
    """Poison that did not end as it has to: its letters are known by name, as is what the broker said, 0 for yes."""
    for each in poison:
        is_taken = codes.get(each.name) == 0
        what = f"{each.name} ({each.kind} on {each.topic})"
        if is_taken == (each.end == "refused"):
            yield f"{what}: the broker answered {codes.get(each.name)}"
        elif is_taken and each.end == "letter" and each.name not in letters:
            yield f"{what} has no dead letter"


def _makers() -> Iterator[_Maker]:
    for topic in WORKED_ON:
        yield partial(_garbage, topic=topic)
        yield partial(_foreign, topic=topic)
        yield partial(_large, topic=topic)
        yield partial(_packed, topic=topic)
        if topic is not topics.CATALOG:  # there it is what some connectors write behind a deletion
            yield partial(_without_value, topic=topic, value=None)
            yield partial(_without_value, topic=topic, value=b"")
    for topic in (*KEPT, topics.INBOUND, topics.DEAD):
        yield partial(_garbage, topic=topic)
    for no_key in (None, b"", b"no-separator", b"\xff|\x80"):
        yield partial(_hook_of_nobody, key=no_key)
    for topic in (topics.CATALOG, topics.TASKS["cutout", "bulk"], topics.PUBLISH):
        yield partial(_too_large, topic=topic)
        yield partial(_corrupt, topic=topic)
    for event in (_change, _campaign, _task, _request, _decision, _retracted):
        for key in ("none", "empty", "another's", "no utf-8", "400 kB"):
            yield partial(_wrong_key, event=event, key=key)
    for name in HOSTILE_TEXTS:
        yield partial(_hostile_text, name=name, of="tenant")
        yield partial(_hostile_text, name=name, of="sku")
    for headers in HEADERS:
        for topic in (
            topics.CATALOG,
            topics.TASKS["compose", "standard"],
            topics.PUBLISH,
            topics.retry(RETRY_FIRST_MS),
        ):
            yield partial(_odd_headers, topic=topic, headers=headers)
    for time in TIMES_MS:
        for topic in (topics.CATALOG, topics.TASKS["cutout", "urgent"], topics.PUBLISH, topics.retry(RETRY_FIRST_MS)):
            yield partial(_odd_time, topic=topic, time=time)
    for levels in (200, 6_000, 80_000):
        yield partial(_nested, levels=levels, topic=topics.TASKS["cutout", "standard"])
        yield partial(_nested, levels=levels, topic=topics.COMPLETED)
    yield from (_wrong_lane, _unknown_channel, _unknown_sku, _unknown_skus, _unknown_review, _unknown_model)
    for text in ("%", "{" * 6000, "a: &a [1]\nb: [*a, *a]\n" * 2, "- 1"):
        yield partial(_no_manifest, text=text)
        yield partial(_no_recipe, text=text)
        yield partial(_no_defaults, text=text)
    for origin in ("", "nowhere", topics.DEAD.name, topics.retry(RETRY_FIRST_MS).name):
        yield partial(_from_nowhere, origin=origin)
    yield _held_for_ever
    yield from (partial(_no_picture, uri=f"file:{file}") for file in FILES)
    yield from (partial(_no_picture, uri=f"host:{name}") for name in ANSWERS)
    yield from (partial(_no_picture, uri=uri) for uri in URIS)
    yield from (partial(_half_good, file=file) for file in FILES)


# bytes that are no record, or none of the topic's


def _garbage(its: _Named, *, topic: topics.Topic) -> Poison:
    """A hook's body is its shop's affair: with a right key, and no connector of that name, nothing is to be done."""
    made = its.poison("garbage", topic, its.rng.randbytes(40))
    return replace(made, end="kept" if topic in (*KEPT, topics.INBOUND) else "letter")


def _foreign(its: _Named, *, topic: topics.Topic) -> Poison:
    event = _request(its) if topic is not topics.PUBLISH else _change(its)
    return its.poison("foreign", topic, codec.encode(event))


def _large(its: _Named, *, topic: topics.Topic) -> Poison:
    return its.poison("large", topic, its.rng.randbytes(LARGE_BYTES))


def _packed(its: _Named, *, topic: topics.Topic) -> Poison:
    """Small as it is sent, and more than a letter may hold; a broker that unpacks it does not take it."""
    made = its.poison("packed", topic, its.rng.randbytes(40) + bytes(PACKED_BYTES))
    return replace(made, packed=True, end="refused" if topic.is_unpacked else "letter")


def _hook_of_nobody(its: _Named, *, key: bytes | None) -> Poison:
    made = its.poison("key: no hook's", topics.INBOUND, its.rng.randbytes(40))
    return replace(made, record=RawRecord(made.record.value, key, made.record.headers, NOW_MS))


def _too_large(its: _Named, *, topic: topics.Topic) -> Poison:
    return replace(its.poison("too large", topic, bytes(TOO_LARGE_BYTES)), end="refused")


def _corrupt(its: _Named, *, topic: topics.Topic) -> Poison:
    return replace(its.poison("corrupt", topic, b"value"), end="refused", crc=1)


def _without_value(its: _Named, *, topic: topics.Topic, value: bytes | None) -> Poison:
    return its.poison("tombstone", topic, value)


def _nested(its: _Named, *, levels: int, topic: topics.Topic) -> Poison:
    task = _task(its, Step(operation="cutout", next=[Step(operation="cutout")]))
    event = task if topic is not topics.COMPLETED else TaskFailed(task=task, kind="permanent", code="x")
    return its.poison("nested", topic, codec.encode(event).partition(LEVEL)[0] + LEVEL * levels)


def _hostile_text(its: _Named, *, name: str, of: str) -> Poison:
    """A record that ours would not write: what is nasty takes the place of as many harmless letters."""
    harmless = b"Q" * len(HOSTILE_TEXTS[name])
    event = _change(its, **{of: (its.name if of == "sku" else "acme") + harmless.decode()})
    return its.poison("names", topics.CATALOG, codec.encode(event).replace(harmless, HOSTILE_TEXTS[name]))


# good records made odd: their keys, headers and times


def _wrong_key(its: _Named, *, event: Callable[[_Named], Event], key: str) -> Poison:
    keys = {"none": None, "empty": b"", "another's": b"west|other", "no utf-8": b"\xff|\x80", "400 kB": b"k" * 400_000}
    made = event(its)
    poison = its.poison(f"key: {key}", topics.topic_of(made), codec.encode(made))
    return replace(poison, record=RawRecord(poison.record.value, keys[key], poison.record.headers, NOW_MS))


def _odd_headers(its: _Named, *, topic: topics.Topic, headers: str) -> Poison:
    made = its.poison(f"headers: {headers}", topic, its.rng.randbytes(40))
    record = RawRecord(made.record.value, made.record.key, [*made.record.headers, *HEADERS[headers]], NOW_MS)
    return replace(made, record=record)


def _odd_time(its: _Named, *, topic: topics.Topic, time: str) -> Poison:
    made = its.poison(f"time: {time}", topic, its.rng.randbytes(40))
    return replace(made, record=RawRecord(made.record.value, made.record.key, made.record.headers, TIMES_MS[time]))


# records of ours that nobody can work on


def _change(its: _Named, **other: str) -> CatalogChanged:
    about = {"tenant": its.tenant, "sku": its.name, **other}
    source = Source(uri="https://x.example/a.jpg")
    return CatalogChanged(**about, version=1, title="Poison", sources=[source], channels=["web"])  # type: ignore[arg-type]


def _campaign(its: _Named) -> CampaignRequested:
    return CampaignRequested(tenant=its.tenant, campaign=its.name, skus=["nobody-has-it"], channels=["instagram"])


def _task(its: _Named, step: Step | None = None) -> Task:
    identity = f"{its.rng.getrandbits(256):064x}"
    made = step or Step(operation="cutout")
    return Task(task_id=identity, tenant=its.tenant, sku=its.name, version=1, lane="standard", step=made)


def _request(its: _Named) -> RetractRequested:
    return RetractRequested(tenant=its.tenant, sku=its.name, version=1, assets=["web-1"], reason="poison")


def _decision(its: _Named) -> RetractionDecided:
    return RetractionDecided(tenant=its.tenant, sku=its.name, version=1, reason="poison")


def _retracted(its: _Named) -> AssetRetracted:
    about = {"tenant": its.tenant, "sku": its.name, "version": 1, "asset": "web-1", "reason": "poison"}
    return AssetRetracted(**about, urls=[], retracted_at_ms=NOW_MS)  # type: ignore[arg-type]


def _wrong_lane(its: _Named) -> Poison:
    return its.poison("wrong lane", topics.TASKS["compose", "urgent"], codec.encode(_task(its)))


def _unknown_channel(its: _Named) -> Poison:
    event = _change(its)
    elsewhere = CatalogChanged(
        tenant=event.tenant, sku=event.sku, version=1, sources=event.sources, channels=["nowhere"]
    )
    return its.poison("unknown: channel", topics.CATALOG, codec.encode(elsewhere))


def _unknown_sku(its: _Named) -> Poison:
    return its.poison("unknown: sku", topics.CAMPAIGNS, codec.encode(_campaign(its)))


def _unknown_skus(its: _Named) -> Poison:
    skus = [f"nobody-has-{number}" for number in range(PARTS_SKUS)]
    event = CampaignRequested(tenant=its.tenant, campaign=its.name, skus=skus, channels=["instagram"])
    return its.poison("unknown: skus", topics.CAMPAIGNS, codec.encode(event))


def _unknown_review(its: _Named) -> Poison:
    identity = f"{its.rng.getrandbits(256):064x}"
    event = ReviewDecided(review_id=identity, tenant=its.tenant, sku=its.name, approved=True)
    return its.poison("unknown: review", topics.DECISIONS, codec.encode(event))


def _unknown_model(its: _Named) -> Poison:
    event = ModelReleased(operation="cutout", model=f"{its.name}@1", stage="stable", released_at_ms=NOW_MS)
    return its.poison("unknown: model", topics.MODELS, codec.encode(event), topics.key_of(event))


def _no_manifest(its: _Named, *, text: str) -> Poison:
    event = ModelAdded(operation="cutout", model=f"{its.name}@1", manifest=text, added_at_ms=NOW_MS)
    return its.poison("yaml: model", topics.MODELS, codec.encode(event), topics.key_of(event))


def _no_recipe(its: _Named, *, text: str) -> Poison:
    event = RecipeReleased(recipe=its.name, version=1, text=text, released_at_ms=NOW_MS)
    return its.poison("yaml: recipe", topics.RECIPES, codec.encode(event), topics.key_of(event))


def _no_defaults(its: _Named, *, text: str) -> Poison:
    event = DefaultsReleased(tenant=its.name, version=1, text=text, released_at_ms=NOW_MS)
    return its.poison("yaml: defaults", topics.RECIPES, codec.encode(event), topics.key_of(event))


# letters that are none of ours


def _from_nowhere(its: _Named, *, origin: str) -> Poison:
    made = its.poison("letter: from nowhere", topics.retry(RETRY_FIRST_MS), its.rng.randbytes(40))
    return _with_headers(made, (ORIGIN_TOPIC, origin))


def _held_for_ever(its: _Named) -> Poison:
    made = its.poison("letter: held for ever", topics.retry(RETRY_FIRST_MS), its.rng.randbytes(40))
    return _with_headers(made, (ORIGIN_TOPIC, topics.CATALOG.name), (NOT_BEFORE, "9" * 18))


def _with_headers(made: Poison, *headers: tuple[str, str]) -> Poison:
    added = [(name.encode(), value.encode()) for name, value in headers]
    return replace(made, record=RawRecord(made.record.value, made.record.key, [*made.record.headers, *added], NOW_MS))


# pictures


def _no_picture(its: _Named, *, uri: str) -> Poison:
    scheme, _, rest = uri.partition(":")
    match scheme:
        case "file" if not rest.startswith("//"):
            uri = (its.folder / rest).as_uri()
        case "host":
            uri = f"{its.host}/{rest}/{its.name}.jpg"
        case _:
            uri = uri.format(its.name)
    priority = its.rng.choice(LANES)
    about = {"tenant": its.tenant, "sku": its.name, "version": 1, "channels": ["web"], "priority": priority}
    event = CatalogChanged(**about, sources=[Source(uri=uri)])  # type: ignore[arg-type]
    return its.poison(f"picture: {rest}", topics.CATALOG, codec.encode(event))


def _half_good(its: _Named, *, file: str) -> Poison:
    """A product of two photographs: what is made of the first goes live beside the letter of the second."""
    sources = [Source(uri=(its.folder / name).as_uri()) for name in (GOOD_FILE, file)]
    lane = its.rng.choice(LANES)
    event = CatalogChanged(tenant=its.tenant, sku=its.name, version=1, sources=sources, channels=["web"], priority=lane)
    return replace(its.poison(f"half good: {file}", topics.CATALOG, codec.encode(event)), event=event)
