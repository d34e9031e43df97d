"""A model of one's own: added, released while work goes on, and recalled."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from PIL import Image

from tests.e2e.system import System, draw_product, running, upsert
from tests.gpu_workers.test_verifying import model, write

pytestmark = pytest.mark.heavy  # not green since the flow's outbox; back into `make test-long` once it is

SKUS = [f"JAR-{number}" for number in range(12)]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("models")
    for number, sku in enumerate(SKUS):
        photograph(folder / f"{sku}.png", (170 - number, 40, 60 + number))
        photograph(folder / f"{sku}-again.png", (150 - number, 50, 70 + number))
    with running(folder, {"PACKSHOT_EMBEDDED_BROKER": "memory"}) as started:
        yield started


def photograph(file: Path, colour: tuple[int, int, int]) -> None:
    """A jar on a light ground, leaning: upright, its straight edges would pass for a picture's frame, and wait."""
    draw_product(file, colour)
    jar = Image.open(file).rotate(8, Image.Resampling.BICUBIC, expand=True)
    ground = Image.new("RGB", jar.size, (226, 226, 228))
    ground.paste(jar, mask=jar)
    ground.save(file)


def add(system: System) -> str:
    """Adds a network that holds for product what is not green."""
    graph = write(system.folder)
    own = replace(model(), version="1", sha256=hashlib.sha256(graph.read_bytes()).hexdigest())
    (system.folder / "dark.yaml").write_bytes(msgspec.yaml.encode(own))
    return system.run("models", "add", str(system.folder / "dark.yaml"))


def models(system: System) -> dict[str, dict[str, Any]]:
    return {row["ref"]: row for row in system.json("models", "list")}


def live_of(system: System, ref: str, count: int) -> None:
    """Waits until as many live assets were made by a model."""
    give_up_at = time.monotonic() + 300
    while models(system)[ref]["live"] != count:
        assert time.monotonic() < give_up_at, f"{models(system)}{system.log()}"


def test_a_model_is_released_under_load_and_recalled_without_a_failed_task(system: System) -> None:
    assert "added dark@1" in add(system)
    events = [upsert(sku) for sku in SKUS]
    before = system.submit(*events[:4])
    assert {each["state"] for each in before["submitted"]} == {"done"}
    (system.folder / "rest.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, events[4:])))
    system.run("submit", str(system.folder / "rest.jsonl"))
    assert system.run("models", "release", "dark@1", "--why", "it is quicker") == "dark@1 is stable\n"
    photographed_again = [upsert(sku, 2, sources=[{"uri": f"{sku}-again.png"}]) for sku in SKUS[:2]]
    after = system.submit(*events[4:], *photographed_again)
    assert {each["state"] for each in after["submitted"]} == {"done"}
    assert system.json("dead", "list") == []
    stand = models(system)
    assert (stand["dark@1"]["stage"], stand["u2netp@1"]["stage"]) == ("stable", "before")
    assert stand["dark@1"]["live"] > 0
    assert stand["dark@1"]["live"] + stand["u2netp@1"]["live"] + stand["dark@1"]["in_review"] == 2 * len(SKUS)

    assert "dark@1 is withdrawn, u2netp@1 works" in system.run("models", "rollback", "--recall", "--why", "halo")
    live_of(system, "dark@1", 0)
    live_of(system, "u2netp@1", 2 * len(SKUS))
    assert models(system)["dark@1"]["stage"] == "recalled"
    assert system.json("audit")["findings"] == []


def test_a_model_that_is_no_good_is_not_added(system: System) -> None:
    graph = write(system.folder, side_px=32)
    own = replace(model(), version="2", sha256=hashlib.sha256(graph.read_bytes()).hexdigest())
    (system.folder / "small.yaml").write_bytes(msgspec.yaml.encode(own))
    system.run("models", "add", str(system.folder / "small.yaml"), status=2)
    assert "dark@2" not in models(system)


def test_the_last_model_is_not_withdrawn(system: System) -> None:
    system.run("models", "rollback", "u2netp@1", status=2)
    system.run("models", "release", "nobody@1", status=2)
