"""Pruning the cache on every store: what goes, what stays, and that nothing is lost by it."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from gpu_workers.results import Result, Results
from schemas.records import Blob, ReviewRequested, Step, Task, TaskCompleted, TaskFailed, Verdict
from streams.blobs import Blobs, FolderStore, Journal, ObjectStore
from streams.commands.cli import packshot
from streams.facts import Database
from streams.publishing.signing.signer import SIGNED
from streams.runtime.clock import now_ms
from streams.services.operating.pruning import Prune, Pruned
from tests.memory_store import MemoryStore
from tests.streams.flow import upsert

DAY_S = 86_400
GOOD = Verdict(outcome="pass", rules="amazon@2026-05", checks=[])


def later_ms() -> int:
    """Forty days on: whatever the test wrote is old."""
    return now_ms() + 40 * DAY_S * 1000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.create_tables()
    yield opened
    opened.close()


def picture(digest: str) -> Blob:
    return Blob(role="x", digest=digest, media_type="image/png", width_px=1, height_px=1, size_bytes=1)


def made(store: ObjectStore, result_id: str, *pixels: bytes) -> list[Blob]:
    """A result with these pictures."""
    pictures = [picture(Blobs(store).put(each)) for each in pixels]
    result = Result(outputs=pictures, measures={}, engine="test", timings_ms={})
    Blobs(store).put_result(result_id, msgspec.json.encode(result))
    return pictures


def task(version: int = 1, inputs: list[Blob] | None = None) -> Task:
    step = Step(operation="packshot", channel="amazon", asset="amazon-1")
    return Task(task_id="a" * 64, tenant="demo", sku="A", version=version, lane="bulk", step=step, inputs=inputs or [])


def done(of: Task, outputs: list[Blob]) -> TaskCompleted:
    return TaskCompleted(task=of, outcome="done", outputs=outputs, measures={}, result_id="b" * 64, engine="test")


def pruned(
    store: ObjectStore,
    database: Database,
    bytes_max: int | None = None,
    clock: Callable[[], int] = later_ms,
    **how: bool,
) -> Pruned:
    return Prune(store, database, clock, 30 * DAY_S, **how).run(bytes_max)


def test_signed_files_go_once_no_publisher_can_look_for_them(store: ObjectStore, database: Database) -> None:
    store.put(f"{SIGNED}ab/abcd", b"signed")
    store.put("journal/ab/abcd", b"a note")
    assert pruned(store, database, clock=now_ms).signed == 0
    done = pruned(store, database)
    assert (done.signed, done.results, done.size_bytes) == (1, 0, len(b"signed"))
    assert list(store.keys("")) == ["journal/ab/abcd"]


def test_what_nobody_used_for_long_goes_with_its_pictures(store: ObjectStore, database: Database) -> None:
    made(store, "cafe01", b"one", b"two")
    assert pruned(store, database, clock=now_ms).results == 0
    done = pruned(store, database)
    assert (done.results, done.pictures, done.needed, done.left_bytes) == (1, 2, 0, 0)
    assert list(store.keys()) == []


def test_a_dry_run_takes_nothing_away(store: ObjectStore, database: Database) -> None:
    made(store, "cafe01", b"one")
    before = list(store.keys())
    counted = pruned(store, database, dry_run=True)
    assert list(store.keys()) == before
    assert pruned(store, database) == counted
    assert counted.pictures == 1


def test_what_is_no_cache_stays(store: ObjectStore, database: Database) -> None:
    made(store, "cafe01", b"one")
    kept = {
        "original": Blobs(store).put(b"a record that is too large for a letter"),
        "weights": Blobs(store).put(b"a network"),
    }
    Journal(store).write("beef01", b"[]")
    Blobs(store).put_result("beef02", b'[{"event": "a retraction, as older versions noted it"}]')
    assert pruned(store, database).foreign == 1
    assert Journal(store).read("beef01") == b"[]"
    assert Journal(store).read("beef02") is not None
    assert all(Blobs(store).exists(digest) for digest in kept.values())
    assert Blobs(store).get_result("cafe01") is None


@pytest.mark.parametrize("named_by", ["queued", "done", "failed", "review"])
def test_pictures_of_products_as_they_are_stay(store: ObjectStore, database: Database, named_by: str) -> None:
    [before, after] = made(store, "cafe01", b"cutout", b"packshot")
    of = task(inputs=[before])
    with database.begin() as facts:
        facts.products.put(upsert(1))
        if named_by == "review":
            facts.reviews.put(
                ReviewRequested(review_id="c" * 64, completed=done(of, [after]), verdict=GOOD, reason="x")
            )
        else:
            failed = TaskFailed(task=of, kind="permanent", code="no_subject")
            records: dict[str, Task | TaskCompleted | TaskFailed]
            records = {"queued": of, "done": done(of, [after]), "failed": failed}
            facts.tasks.put(records[named_by])
    pruned(store, database)
    assert Blobs(store).get_result("cafe01") is None, "to make it again is all that costs"
    assert Blobs(store).get(before.digest) == b"cutout"
    assert Blobs(store).exists(after.digest) is (named_by in ("done", "review"))


def test_pictures_of_older_versions_and_of_deleted_products_go(store: ObjectStore, database: Database) -> None:
    [old] = made(store, "cafe01", b"old")
    [now] = made(store, "cafe02", b"now")
    with database.begin() as facts:
        facts.products.put(upsert(2))
        facts.tasks.put(done(replace(task(1), task_id="d" * 64), [old]))
        facts.tasks.put(done(task(2), [now]))
    assert pruned(store, database).needed == 1
    assert (Blobs(store).exists(old.digest), Blobs(store).exists(now.digest)) == (False, True)
    made(store, "cafe02", b"now")
    with database.begin() as facts:
        facts.products.put(replace(upsert(3), change="delete"))
    pruned(store, database)
    assert not Blobs(store).exists(now.digest)


def test_the_oldest_goes_until_it_is_small_enough(database: Database) -> None:
    times = iter((*range(1, 7), *[7] * 9))
    store = MemoryStore(lambda: next(times))
    for name in ("first", "second", "third"):
        made(store, f"cafe-{name}", name.encode() * 1000)
    done = pruned(store, database, 8_000 + 6_000)
    assert (done.results, done.pictures) == (1, 1)
    assert not store.exists("results/ca/cafe-first")
    assert store.exists("results/ca/cafe-second")
    assert done.left_bytes == sum(size for _, size in store.sizes())
    assert pruned(store, database, done.left_bytes).results == 0


def test_a_picture_that_is_used_meanwhile_stays(
    store: ObjectStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prune has listed what is old; then a worker uses the picture for another result."""
    [shared] = made(store, "cafe01", b"shared")
    prune = Prune(store, database, later_ms, 30 * DAY_S)
    evict = prune._evict

    def used(*arguments: object) -> None:
        Blobs(store, lambda: later_ms() + 2 * DAY_S * 1000).put(b"shared")
        evict(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(prune, "_evict", used)
    prune._before_ms = store.written_at_ms("results/ca/cafe01") or 0
    _until_later(store, prune._before_ms)
    prune.run()
    assert Blobs(store).get(shared.digest) == b"shared"


def _until_later(store: ObjectStore, than_ms: int) -> None:
    """Waits until what is put now is later by the store's clock: S3 knows whole seconds."""
    tick = threading.Event()
    while True:
        store.put("tick", b"")
        if (store.written_at_ms("tick") or 0) > than_ms:
            store.delete("tick")
            return
        tick.wait(0.05)


def test_what_was_pruned_is_made_again(store: ObjectStore) -> None:
    """A prune may be killed anywhere: neither a lost record nor lost pictures keep a worker from its work."""
    blobs = Blobs(store)

    def make() -> Result:
        return Result(outputs=[picture(blobs.put(b"one"))], measures={}, engine="test", timings_ms={})

    first, _ = Results(blobs).get_or_make("cafe01", make)
    assert Results(blobs).get_or_make("cafe01", make) == (first, True)
    for gone in (f"sha256/{first.outputs[0].digest[:2]}/{first.outputs[0].digest}", "results/ca/cafe01"):
        store.delete(gone)
        assert Results(blobs).get_or_make("cafe01", make) == (first, False)
        assert blobs.exists(first.outputs[0].digest)


@pytest.mark.parametrize("unused_s", [0.0, 2 * DAY_S - 1])
def test_what_may_be_in_use_is_never_pruned(store: ObjectStore, database: Database, unused_s: float) -> None:
    with pytest.raises(ValueError, match="may be in use"):
        Prune(store, database, now_ms, unused_s)


def test_where_nothing_was_ever_made_nothing_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSHOT_DATA_FOLDER", str(tmp_path / "none"))
    ended = CliRunner().invoke(packshot, ["cache", "prune", "--json"])
    assert (ended.exit_code, json.loads(ended.output)["results"]) == (0, 0)


def test_the_command_tells_what_goes(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path / "blobs")
    monkeypatch.setenv("PACKSHOT_BLOBS_URL", store.url)
    monkeypatch.setenv("PACKSHOT_DATABASE_URL", database.url)
    made(store, "cafe01", b"one")
    monkeypatch.setattr("streams.services.operating.pruning.now_ms", later_ms)

    def run(*arguments: str) -> tuple[int, str]:
        ended = CliRunner().invoke(packshot, ["cache", "prune", *arguments])
        return ended.exit_code, ended.output

    code, shown = run("--dry-run", "--json")
    assert (code, json.loads(shown)["results"], json.loads(shown)["pictures"]) == (0, 1, 1)
    assert run("--max-size", "1")[1].startswith("0 results, 0 pictures and 0 signed files")
    assert run("--older-than", "50d")[1].startswith("0 results")
    code, shown = run()
    assert (code, shown.startswith("1 results, 1 pictures and 0 signed files, 0.000 GB, are gone")) == (0, True)
    assert list(store.keys()) == []
    for wrong in ("1d", "soon"):
        code, shown = run("--older-than", wrong)
        assert (code, "--older-than" in shown) == (2, True)
