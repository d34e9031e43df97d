"""A publisher process that is stopped by SIGSTOP before each of its writes, on a folder and on a real S3 server."""

import hashlib
import multiprocessing
import os
import signal
import uuid
from pathlib import Path
from typing import cast

import pytest

from loadtest.chaos.stopping import Stopping
from schemas.records import AssetPublished, Blob, PublishRequested, RetractRequested, Verdict
from streams.blobs import Blobs, ObjectStore, open_store
from streams.facts import ProductState
from streams.publishing.manifest import load, manifest_key
from streams.publishing.publication import Announcement, Publication, Request
from streams.publishing.renditions import Encoded
from streams.publishing.sweep import Sweep

NOW_MS = 1_800_000_000_000
DAY_MS = 24 * 3600 * 1000
CHANGES_MAX = 12  # of one request: four of its files, two moves, two removals, and notes
LIVE = {"web-1": "publishing"}
Place = tuple[str, str | None, Path]
_SPAWN = multiprocessing.get_context("spawn")


class Facts:
    """Facts in a file, so that whoever goes on sees the newest."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, event: Request) -> None:
        self._file.write_text(f"{event.version} {isinstance(event, RetractRequested)}")

    def state_of(self, _tenant: str, _sku: str) -> ProductState:
        version, deleted = self._file.read_text().split()
        return ProductState(int(version), deleted=deleted == "True", plan={} if deleted == "True" else LIVE)


def request(version: int) -> PublishRequested:
    digest = hashlib.sha256(b"same").hexdigest()
    file = Blob(role="asset", digest=digest, media_type="image/png", width_px=9, height_px=9, size_bytes=4)
    verdict = Verdict(outcome="pass", checks=[], rules="web-1")
    where = {"tenant": "acme", "sku": "mug", "version": version, "asset": "web-1", "channel": "web"}
    return PublishRequested(**where, file=file, verdict=verdict, engine="e", result_id=digest)  # type: ignore[arg-type]


def deletion(version: int) -> RetractRequested:
    return RetractRequested(tenant="acme", sku="mug", version=version, reason="the product was deleted")


def carry_out(origin: ObjectStore, blobs: ObjectStore, facts: Facts, event: Request, offset: int) -> list[Announcement]:
    publication = Publication(origin, Blobs(blobs), facts, "http://cdn", lambda: NOW_MS, 0.0)
    prepared = [Encoded("image/png", 9, 9, b"same"), Encoded("image/webp", 9, 9, b"webp")]
    return publication.apply(event, f"publish/0/{offset}", prepared, NOW_MS)


def _stopped_publisher(places: list[Place], event: Request, offset: int) -> None:
    """Stops before its first write in the first place, before its second in the second, until there is none."""
    for spared, (url, endpoint, file) in enumerate(places):
        store = open_store(url, s3_endpoint=endpoint)
        origin = Stopping(store)
        origin.arm(spared)
        carry_out(cast(ObjectStore, origin), store, Facts(file), event, offset)
        if origin.is_armed:
            return


@pytest.fixture(params=["folder", "s3"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> list[Place]:
    """Empty stores, each with the file of its facts."""
    endpoint = request.getfixturevalue("s3_endpoint") if request.param == "s3" else None
    names = [uuid.uuid4().hex for _ in range(CHANGES_MAX)]
    root = "s3://packshot" if endpoint else tmp_path.as_uri()
    return [(f"{root}/{name}", endpoint, tmp_path / f"{name}.facts") for name in names]


SCHEDULES: dict[str, tuple[list[Request], Request, list[Request]]] = {
    "a deletion, and the product comes back with the same picture": ([request(1)], deletion(2), [request(3)]),
    "a first version, and a second with the same picture": ([], request(1), [request(2)]),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_publisher_that_stalled_before_a_write_takes_away_nothing_that_is_live(
    places: list[Place], schedule: str
) -> None:
    before, stopped, after = SCHEDULES[schedule]
    for place in places:
        _carry_out_all(place, before, 0)
        Facts(place[2]).note(stopped)
    zombie = _SPAWN.Process(target=_stopped_publisher, args=(places, stopped, len(before)))
    zombie.start()
    stops, announced = 0, list[Announcement]()
    while _is_stopped(zombie.pid):
        if stops:
            _check_live(places[stops - 1], announced)
        announced = _carry_out_all(places[stops], [stopped, *after], len(before))
        _sweep(places[stops])
        stops += 1
        os.kill(cast(int, zombie.pid), signal.SIGCONT)
    _check_live(places[stops - 1], announced)
    assert 2 < stops < CHANGES_MAX


def _carry_out_all(place: Place, events: list[Request], first: int) -> list[Announcement]:
    """What the last of them announces."""
    url, endpoint, file = place
    store, facts = open_store(url, s3_endpoint=endpoint), Facts(file)
    found: list[Announcement] = []
    for offset, event in enumerate(events, start=first):
        facts.note(event)
        found = carry_out(store, store, facts, event, offset)
    return found


def _sweep(place: Place) -> None:
    """As one that a day passed for, and every upload is old to."""
    Sweep(open_store(place[0], s3_endpoint=place[1]), lambda: NOW_MS + DAY_MS, unnamed_s=-1e9).run("acme/")


def _is_stopped(pid: int | None) -> bool:
    """Whether the process came to stand still; False when it ended, and well."""
    assert pid is not None
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSTOPPED(status)


def _check_live(place: Place, announced: list[Announcement]) -> None:
    store = open_store(place[0], s3_endpoint=place[1])
    event = next(each for each in announced if isinstance(each, AssetPublished))
    manifest, _ = load(store, "acme", "mug")
    assert manifest is not None
    assert manifest.assets["web-1"].file == event.file
    for file in (event.file, *event.renditions):
        assert hashlib.sha256(store.get(file.key).data).hexdigest() == file.sha256
    _sweep(place)
    assert set(store.keys("acme/")) == manifest.keys() | {manifest_key("acme", "mug")}
