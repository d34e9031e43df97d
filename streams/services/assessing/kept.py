"""Assessments that a tenant's page on the desk shows: objects beside the pictures, which no prune takes away.

Each is a folder of the store, `assessments/TENANT/TIME/`, and its figures are written last: one that a kill left half
has none, and is no assessment.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import structlog

from schemas.decoding import prepare
from schemas.records import Name
from schemas.text import explained
from streams.blobs import NotFound, ObjectStore, open_store
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.assessing.assess import Assessment, Row
from streams.services.assessing.estimate import Business, Estimate
from streams.services.assessing.page import small

KEPT = 20  # of a tenant; the oldest go
ROOT, FIGURES = "assessments", "figures.json"
PAGE, PAPER = "assessment.html", "assessment.pdf"
TYPES = {PAGE: "text/html", PAPER: "application/pdf"}
PICTURE = "image/webp"

log = structlog.get_logger()


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was really made, or why there is none; `before` and `after` say whether there is a picture."""

    sku: str
    channel: str
    outcome: str
    why: str
    before: bool
    after: bool


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment's figures, without its pictures."""

    made_at_ms: int
    source: str
    products: int
    pictures: int
    wrong: int
    mendable: int
    faults: list[Row]
    made: list[Made]
    estimate: Estimate
    business: Business
    unread: int
    seconds: float


def check_tenant(tenant: str) -> None:
    """Raises Refused for a name that no tenant can have."""
    try:
        msgspec.convert(tenant, Name)
    except msgspec.ValidationError as error:
        raise Refused("bad_tenant", f"{tenant!r}: {explained(str(error))}", field="tenant") from error


def place(settings: Settings) -> ObjectStore:
    """Where assessments are kept. Raises BadUrl."""
    return open_store(settings.blobs, s3_endpoint=settings.s3_endpoint)


def keep(store: ObjectStore, tenant: str, found: Assessment, files: dict[str, bytes], made_at_ms: int) -> None:
    """Keeps an assessment, its files by their names, and forgets the oldest. Raises StoreError."""
    folder, pairs = _folder(tenant, made_at_ms), dict(_pairs(found))
    for name, data in (files | pairs).items():
        store.put(folder + name, data, content_type=TYPES.get(name, PICTURE))
    figures = msgspec.json.encode(_figures(found, made_at_ms, pairs))
    store.put(folder + FIGURES, figures, content_type="application/json")
    for at_ms in _times(store, tenant)[:-KEPT]:
        store.delete_prefix(_folder(tenant, at_ms))


def newest(store: ObjectStore, tenant: str) -> list[Kept]:
    """A tenant's assessments, the newest first; one that another version wrote otherwise is told of in the log. Raises
    StoreError."""
    found = (_read(store, _folder(tenant, at_ms) + FIGURES) for at_ms in reversed(_times(store, tenant)))
    return [each for each in found if each is not None]


def file(store: ObjectStore, tenant: str, made_at_ms: int, name: str) -> bytes:
    """A file of an assessment. Raises Refused `unknown_assessment`, StoreError."""
    try:
        return store.get(_folder(tenant, made_at_ms) + name).data
    except NotFound as error:
        raise Refused("unknown_assessment", "there is no such assessment", field="at") from error


def picture_name(number: int, side: str) -> str:
    """The name of the picture `before` or `after` of what was made as the `number`th."""
    return f"{side}-{number}.webp"


def _folder(tenant: str, made_at_ms: int) -> str:
    return f"{ROOT}/{tenant}/{made_at_ms:013d}/"


def _times(store: ObjectStore, tenant: str) -> Sequence[int]:
    """When those that are whole were made, the oldest first."""
    return [int(key.split("/")[-2]) for key in store.keys(f"{ROOT}/{tenant}/") if key.endswith(f"/{FIGURES}")]


def _read(store: ObjectStore, key: str) -> Kept | None:
    try:
        return msgspec.json.decode(store.get(key).data, type=Kept)
    except NotFound:  # forgotten a moment ago
        return None
    except msgspec.DecodeError as error:
        log.warning("an assessment cannot be read", key=key, reason=str(error))
        return None


def _figures(found: Assessment, made_at_ms: int, pairs: Mapping[str, bytes]) -> Kept:
    made = [
        Made(
            sku=each.sku,
            channel=each.channel,
            outcome=each.outcome,
            why=each.why,
            before=picture_name(number, "before") in pairs,
            after=picture_name(number, "after") in pairs,
        )
        for number, each in enumerate(found.mended)
    ]
    return Kept(
        made_at_ms=made_at_ms,
        source=found.source,
        products=found.products,
        pictures=found.pictures,
        wrong=found.wrong,
        mendable=found.mendable,
        faults=found.rows,
        made=made,
        estimate=found.estimate,
        business=found.business,
        unread=len(found.unread),
        seconds=found.seconds,
    )


def _pairs(found: Assessment) -> Iterator[tuple[str, bytes]]:
    for number, each in enumerate(found.mended):
        for side, data in (("before", each.before), ("after", each.after)):
            if (shrunk := small(data)) is not None:
                yield picture_name(number, side), shrunk


prepare(Kept)
