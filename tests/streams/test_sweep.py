"""The sweep on a folder store: what goes, what stays, whose turn it is, and the command."""

import os
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from streams.blobs import FolderStore, ObjectStore, StoreUnavailable
from streams.commands.cli import packshot
from streams.publishing.manifest import Manifest, load, manifest_key, rendition_of, save
from streams.publishing.renditions import Encoded
from streams.publishing.sweep import LEASE, Sweep, Swept, sweep_at_intervals, take_turn

HOUR_S = 3600.0
WITHIN_S = 60.0


@pytest.fixture
def origin(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "origin")


def uploaded(origin: FolderStore, manifest: Manifest, *, age_s: float = 0.0) -> str:
    """A file that a publisher uploaded from `manifest`, so long ago."""
    key = rendition_of(Encoded("image/webp", 9, 9, b"webp"), manifest, "web-1", "https://cdn.example").key
    origin.put(key, b"webp")
    then_s = time.time() - age_s
    os.utime(origin.root / key, (then_s, then_s))
    return key


def swept(origin: ObjectStore, **options: bool | float) -> Swept:
    return Sweep(origin, lambda: round(time.time() * 1000), **options).run()  # type: ignore[arg-type]


def test_what_no_manifest_names_goes_when_it_is_old(origin: FolderStore) -> None:
    start = Manifest(tenant="acme", sku="mug", serial=3)
    save(origin, replace(start, serial=4), None)
    old, young = uploaded(origin, start, age_s=2 * HOUR_S), uploaded(origin, start)
    assert swept(origin).removed == (old,)
    assert set(origin.keys()) == {young, manifest_key("acme", "mug")}
    assert swept(origin, unnamed_s=0.0).removed == (young,)


def test_an_upload_that_was_given_up_goes_behind_a_move_that_shuts_it_out(origin: FolderStore) -> None:
    manifest = Manifest(tenant="acme", sku="mug", serial=3)
    etag = save(origin, manifest, None)
    old = uploaded(origin, manifest, age_s=2 * HOUR_S)
    assert swept(origin).removed == (old,)
    assert load(origin, "acme", "mug")[0] == replace(manifest, serial=4)
    assert load(origin, "acme", "mug")[1] != etag


def test_what_was_replaced_goes_when_its_grace_is_over(origin: FolderStore) -> None:
    start, now_ms = Manifest(tenant="acme", sku="mug", serial=3), round(time.time() * 1000)
    over, lasts = uploaded(origin, start), uploaded(origin, start, age_s=9 * HOUR_S)
    save(origin, replace(start, serial=4, retired={over: now_ms - 1, lasts: now_ms + 60_000}), None)
    assert swept(origin) == Swept((over,), in_grace=1)
    assert origin.exists(lasts)


def test_a_dry_run_takes_and_moves_nothing(origin: FolderStore) -> None:
    manifest = Manifest(tenant="acme", sku="mug", serial=3)
    etag = save(origin, manifest, None)
    old = uploaded(origin, manifest, age_s=2 * HOUR_S)
    assert swept(origin, dry_run=True).removed == (old,)
    assert origin.exists(old)
    assert load(origin, "acme", "mug")[1] == etag


def test_a_lost_manifest_does_not_cost_the_pictures(origin: FolderStore) -> None:
    key = uploaded(origin, Manifest(tenant="acme", sku="mug"), age_s=99 * HOUR_S)
    assert swept(origin, unnamed_s=0.0) == Swept(unclaimed=1)
    assert origin.exists(key)


def test_a_broken_manifest_is_named_and_the_others_are_swept(origin: FolderStore) -> None:
    broken = uploaded(origin, Manifest(tenant="acme", sku="broken"), age_s=2 * HOUR_S)
    origin.put(manifest_key("acme", "broken"), b"{")
    save(origin, Manifest(tenant="acme", sku="mug", serial=1), None)
    old = uploaded(origin, Manifest(tenant="acme", sku="mug"), age_s=2 * HOUR_S)
    done = swept(origin)
    assert done.removed == (old,)
    assert "acme/broken/manifest.json is no manifest" in done.faults[0]
    assert origin.exists(broken)


@pytest.mark.parametrize("key", ["logo.png", "acme/mug/hero.jpg", "acme/mug/web-1/hand-made.jpg"])
def test_what_others_put_there_is_left_alone(origin: FolderStore, key: str) -> None:
    save(origin, Manifest(tenant="acme", sku="mug", serial=9), None)
    origin.put(key, b"theirs")
    assert swept(origin, unnamed_s=0.0) == Swept()
    assert origin.exists(key)


def test_one_of_all_sweeps_in_an_interval(origin: FolderStore) -> None:
    assert take_turn(origin, 60, 1_000)
    assert not take_turn(origin, 60, 60_999)
    assert take_turn(origin, 60, 61_000)
    assert not take_turn(origin, 60, 61_001)
    assert take_turn(origin, 60, 900), "a clock that was ahead does not hold the sweep up for ever"
    origin.put(LEASE, b"{")
    assert take_turn(origin, 60, 1_000)


def test_the_sweep_goes_on_after_a_store_was_away(origin: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    save(origin, Manifest(tenant="acme", sku="mug", serial=1), None)
    old = uploaded(origin, Manifest(tenant="acme", sku="mug"), age_s=2 * HOUR_S)
    written, errors = origin.written, [StoreUnavailable("away"), ZeroDivisionError("a bug")]
    monkeypatch.setattr(
        origin, "written", lambda prefix="": (_ for _ in ()).throw(errors.pop()) if errors else written(prefix)
    )
    stop, clock = threading.Event(), iter(range(1_000_000, 10**9, 60_000))
    sweep = Sweep(origin, lambda: round(time.time() * 1000))
    arguments = (sweep, FolderStore(origin.root / "leases"), 0.01, lambda: next(clock), stop)
    thread = threading.Thread(target=sweep_at_intervals, args=arguments)
    thread.start()
    deadline_s = time.monotonic() + WITHIN_S
    while origin.exists(old) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert not origin.exists(old)
    assert errors == []


def test_the_command_tells_what_goes(origin: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKSHOT_ORIGIN_URL", origin.url)
    save(origin, Manifest(tenant="acme", sku="mug", serial=1), None)
    old = uploaded(origin, Manifest(tenant="acme", sku="mug"), age_s=2 * HOUR_S)
    dry = CliRunner().invoke(packshot, ["sweep", "--dry-run"])
    assert (dry.exit_code, f"{old}\n1 files would go" in dry.output) == (0, True)
    assert CliRunner().invoke(packshot, ["sweep", "--older-than", "10800"]).output.startswith("0 files are gone")
    done = CliRunner().invoke(packshot, ["sweep", "--json"])
    assert (done.exit_code, old in done.output) == (0, True)
    assert not origin.exists(old)
