"""A publisher process that is stopped by SIGSTOP before each of its writes, on a folder and on a real S3 server."""

import hashlib
import multiprocessing
import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from loadtest.chaos.stopping import Stopping
from schemas.records import AssetPublished, Blob, PublishRequested, RetractRequested, Verdict
from streams.blobs import Blobs, ObjectStore, open_store
from streams.catalogue import Standing
from streams.publishing.manifest import load, manifest_key
from streams.publishing.publication import Announcement, Publication, Request
from streams.publishing.renditions import Encoded
from streams.publishing.sweep import Sweep

NOW_MS = 1_800_000_000_000
DAY_MS = 24 * 3600 * 1000
CHANGES_MAX = 20
LIVE = {"web-1": "publishing"}
_SPAWN = multiprocessing.get_context("spawn")


class Facts:
    """Facts in a file, so that whoever goes on sees the newest."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def note(self, event: Request) -> None:
        self._file.write_text(f"{event.version} {isinstance(event, RetractRequested)}")

    def standing(self, _tenant: str, _sku: str) -> Standing:
        version, deleted = self._file.read_text().split()
        return Standing(int(version), deleted=deleted == "True", plan={} if deleted == "True" else LIVE)


def asked(version: int) -> PublishRequested:
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


def _stopped_publisher(url: str, endpoint: str | None, file: Path, event: Request, offset: int, spared: int) -> None:
    store = open_store(url, s3_endpoint=endpoint)
    origin = Stopping(store)
    origin.arm(spared)
    carry_out(cast(ObjectStore, origin), store, Facts(file), event, offset)


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], tuple[str, str | None]]:
    """Gives the URL of an empty store and its endpoint."""
    if request.param == "folder":
        return lambda: ((tmp_path / uuid.uuid4().hex).as_uri(), None)
    endpoint = request.getfixturevalue("s3_endpoint")
    return lambda: (f"s3://packshot/run-{uuid.uuid4().hex}", endpoint)


COURSES: dict[str, tuple[list[Request], Request, list[Request]]] = {
    "a deletion, and the product comes back with the same picture": ([asked(1)], deletion(2), [asked(3)]),
    "a first version, and a second with the same picture": ([], asked(1), [asked(2)]),
}


@pytest.mark.parametrize("course", COURSES)
def test_a_publisher_that_stood_still_before_a_write_takes_away_nothing_that_is_live(
    place: Callable[[], tuple[str, str | None]], course: str, tmp_path: Path
) -> None:
    before, stopped, after = COURSES[course]
    facts = Facts(tmp_path / "facts")
    for spared in range(CHANGES_MAX):
        url, endpoint = place()
        store = open_store(url, s3_endpoint=endpoint)
        for offset, event in enumerate(before):
            facts.note(event)
            carry_out(store, store, facts, event, offset)
        facts.note(stopped)
        zombie = _SPAWN.Process(
            target=_stopped_publisher, args=(url, endpoint, tmp_path / "facts", stopped, len(before), spared)
        )
        zombie.start()
        if not _is_stopped(zombie):
            assert spared > 2
            return
        told: list[Announcement] = []
        for offset, event in enumerate([stopped, *after], start=len(before)):
            facts.note(event)
            told = carry_out(store, store, facts, event, offset)
        Sweep(store, lambda: NOW_MS + DAY_MS, unnamed_s=-1e9).run("acme/")
        assert zombie.pid is not None
        os.kill(zombie.pid, signal.SIGCONT)
        zombie.join()
        _check_live(store, told, spared)
    pytest.fail(f"it changed something more than {CHANGES_MAX} times")


def _is_stopped(process: "multiprocessing.context.SpawnProcess") -> bool:
    """Whether the process came to stand still; False when it ended."""
    assert process.pid is not None
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    return os.WIFSTOPPED(status)


def _check_live(store: ObjectStore, told: list[Announcement], spared: int) -> None:
    event = next(each for each in told if isinstance(each, AssetPublished))
    manifest, _ = load(store, "acme", "mug")
    assert manifest is not None
    assert manifest.assets["web-1"].file == event.file, spared
    for file in (event.file, *event.renditions):
        assert hashlib.sha256(store.get(file.key).data).hexdigest() == file.sha256, spared
    Sweep(store, lambda: NOW_MS + DAY_MS, unnamed_s=-1e9).run("acme/")
    assert set(store.keys("acme/")) == manifest.keys() | {manifest_key("acme", "mug")}
