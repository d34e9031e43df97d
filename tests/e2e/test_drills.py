"""Operating drills: the database is lost, or a bucket; what can be made again is, and what cannot is told."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.asking import wait_until_ready
from tests.e2e.system import System, draw_product, running, upsert

pytestmark = pytest.mark.long
SKUS = ("JAR", "POT")


@pytest.fixture(scope="module")
def system(memory_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two products are live, on a broker that outlives the system."""
    folder = tmp_path_factory.mktemp("drills")
    for sku, colour in zip(SKUS, ((170, 90, 60), (70, 110, 160)), strict=True):
        draw_product(folder / f"{sku}.png", colour)
    around = {"PACKSHOT_KAFKA_BOOTSTRAP_SERVERS": memory_bootstrap, "PACKSHOT_SOURCE_FILE_ROOTS": str(folder)}
    with running(folder, around) as started:
        wait_until_ready(started)
        started.submit(*(upsert(sku) for sku in SKUS))
        yield started


def standing(system: System) -> dict[str, Any]:
    return {sku: [(each["asset"], each["state"]) for each in system.json("status", sku)["assets"]] for sku in SKUS}


def test_a_database_that_is_lost_comes_back_from_the_topics(system: System) -> None:
    before, published = standing(system), system.published()
    system.stop()
    for file in (system.folder / "data").glob("facts.db*"):
        file.unlink()
    system.run("rebuild-facts")
    system.start()
    assert standing(system) == before
    assert system.json("audit", "--deep")["findings"] == []
    assert system.published() == published


def test_buckets_that_are_lost_are_told_and_filled_by_newer_versions(system: System) -> None:
    """But for a product whose photograph went with them, which is told."""
    for name in ("origin", "blobs"):
        shutil.rmtree(system.folder / "data" / name)
    (system.folder / "POT.png").unlink()
    lost = system.json("audit", status=1)["findings"]
    assert {each["name"].split("|")[1].split(" ")[0] for each in lost} == set(SKUS)

    told = system.submit(*(upsert(sku, version=2) for sku in SKUS), status=1)
    became = {each["subject"]: {asset["state"] for asset in each["assets"]} for each in told["submitted"]}
    assert became == {"JAR v2": {"published"}}
    [wrong] = told["bad_lines"]
    assert "POT.png" in wrong["message"]
    left = system.json("audit", "--deep", status=1)["findings"]
    assert {each["name"].split(" ")[0] for each in left} == {"demo|POT"}
