"""Two networks on one photograph, as pictures: whose they are, which are shown, and where they differ."""

import io
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from schemas.records import Shadow, Source, TaskCompleted
from streams.blobs import Blobs, open_store
from streams.facts import Database, Shadowed
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from streams.services.display.showing import Shown
from streams.services.releases import shadows
from tests.streams.case_flow import made
from tests.streams.flow import Flow, tasks, upsert

ROOT = Path(__file__).parents[2]
PHOTOGRAPH = next((ROOT / "loadtest" / "rendering" / "catalogue").rglob("*.jpg"))
OTHER = "mine@1"
pytestmark = pytest.mark.usefixtures("one_reader")


@pytest.fixture
def database(either_database: Database) -> Database:
    return either_database


@pytest.fixture
def flow(database: Database) -> Flow:
    return Flow(database)


def compared(flow: Flow, sku: str, agreement: float, model: str = OTHER, **more: object) -> TaskCompleted:
    """A cutout beside which another network ran in the shadow."""
    (task,) = tasks(flow.say(upsert(sku=sku, photo=f"{sku}.jpg")))
    shadow = Shadow(model=model, agreement=agreement, difference=1 - agreement)
    event = replace(made(task), model="u2netp@1", shadow=shadow, **more)
    flow.say(event)
    return event


def cutout(left: int, right: int, width: int = 40, height: int = 20) -> Shown:
    """A cutout whose product is what lies between two columns."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[:, left:right] = (90, 90, 90, 255)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return Shown(written.getvalue(), "image/png")


def test_the_worst_are_shown_first_and_only_ones_own(flow: Flow) -> None:
    for number, agreement in enumerate((0.9, 0.2, 0.6)):
        compared(flow, f"S{number}", agreement)
    compared(flow, "T", 0.1, model="another@1")
    with flow.database.read() as facts:
        found = facts.models.shadowed("demo", OTHER, 2)
        assert [(each.completed.task.sku, each.agreement) for each in found] == [("S1", 0.2), ("S2", 0.6)]
        assert facts.models.shadowed("other", OTHER, 2) == []
        task_id = found[0].completed.task.task_id
        assert shadows.find("demo", OTHER, task_id, facts).agreement == 0.2
        for tenant, model in (("other", OTHER), ("demo", "another@1"), ("demo", "")):
            with pytest.raises(Refused) as refused:
                shadows.find(tenant, model, task_id, facts)
            assert refused.value.code == "unknown_picture"


def test_one_that_failed_is_not_shown(flow: Flow) -> None:
    (task,) = tasks(flow.say(upsert()))
    flow.say(replace(made(task), shadow=Shadow(model=OTHER, error="no subject")))
    with flow.database.read() as facts:
        assert facts.models.shadowed("demo", OTHER, 5) == []


def test_the_map_says_who_holds_what_for_product() -> None:
    shown = shadows.difference(cutout(10, 30), cutout(20, 35))
    with Image.open(io.BytesIO(shown.data)) as picture:
        seen = np.asarray(picture.convert("RGB")).astype(int)
    for column, colour in (
        (5, shadows.GROUND),
        (15, shadows.USED_ONLY),
        (25, shadows.SHARED),
        (32, shadows.OTHER_ONLY),
    ):
        assert np.abs(seen[10, column] - colour).max() <= 12, column


def test_cutouts_of_other_sizes_are_laid_over_each_other() -> None:
    shown = shadows.difference(cutout(1000, 2000, 4000, 2000), cutout(10, 20))
    with Image.open(io.BytesIO(shown.data)) as picture:
        assert max(picture.size) == shadows.SIDE_PX
        middle = np.asarray(picture.convert("RGB"))[picture.height // 2].astype(int)
    assert np.abs(middle[picture.width * 3 // 8] - shadows.SHARED).max() <= 12
    assert np.abs(middle[picture.width // 8] - shadows.GROUND).max() <= 12


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_folder=tmp_path, source_file_roots=[str(tmp_path)])


def test_what_the_other_makes_is_made_again_of_the_photograph(flow: Flow, settings: Settings, tmp_path: Path) -> None:
    small = tmp_path / "small.jpg"
    with Image.open(PHOTOGRAPH) as photograph:
        photograph.thumbnail((400, 400))
        photograph.save(small)
    blobs = Blobs(open_store(settings.blobs, s3_endpoint=None))
    event = upsert()
    (task,) = tasks(flow.say(replace(event, sources=[Source(uri=small.as_uri())])))
    found = Shadowed(made(task), "u2netp@1", 0.5, 0.5)
    shown = shadows.made_by_other(settings, blobs, found)
    with Image.open(io.BytesIO(shown.data)) as picture, Image.open(small) as photograph:
        assert picture.size == photograph.size
        alpha = np.asarray(picture.getchannel("A"))
    assert 0.02 < (alpha > 127).mean() < 0.95
    with pytest.raises(Refused) as refused:
        shadows.made_by_other(settings, blobs, replaced(found, "nobodys@1"))
    assert refused.value.code


def replaced(found: Shadowed, model: str) -> Shadowed:
    return Shadowed(found.completed, model, found.agreement, found.difference)
