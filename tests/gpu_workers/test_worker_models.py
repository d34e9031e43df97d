"""Workers and networks: which one worked, shadows, and what an engine fails at."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from gpu_workers.metering import Meter
from gpu_workers.operations.base import Library
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.cutout.operation import find_people
from gpu_workers.pools import compose as compose_pool
from gpu_workers.pools import outputs
from gpu_workers.results import Results
from gpu_workers.worker import Worker
from schemas.records import Lane, ModelReleased, Source, Step, Task
from schemas.releases import ModelSplit
from streams.blobs import Blobs
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.gpu_workers.worker_parts import PRICES, ROOM, completed, cut_out, cutout_work, photograph, task
from tests.memory_store import MemoryStore


def photographed(folder: Path, lane: Lane = "standard") -> Task:
    return replace(task(Step(operation="cutout"), source=Source(uri=photograph(folder).as_uri())), lane=lane)


def shadowed(ref: str) -> ModelSplit:
    release = ModelReleased(operation="cutout", model=ref, stage="shadow", released_at_ms=1)
    return ModelSplit(("disc@1",), shadow=release)


def test_a_completion_tells_the_model_that_was_asked(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    with cutout_work(tmp_path, blobs) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        assert completed(worker, photographed(tmp_path)).model == "disc@1"


def test_a_picture_that_was_cut_out_already_was_made_by_no_model(
    tmp_path: Path, blobs: Blobs, database: Database
) -> None:
    (tmp_path / "cut.png").write_bytes(blobs.get(cut_out(blobs).digest))
    source = Source(uri=(tmp_path / "cut.png").as_uri())
    with cutout_work(tmp_path, blobs, shadowed("larger@1")) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        event = completed(worker, task(Step(operation="cutout"), source=source))
    assert (event.model, event.shadow) == (None, None)


def test_a_shadow_is_compared_and_not_used(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    with cutout_work(tmp_path, Blobs(MemoryStore())) as work:
        worker = Worker("cutout", work, Results(Blobs(MemoryStore())), database, PRICES)
        alone = completed(worker, photographed(tmp_path))
    with cutout_work(tmp_path, blobs, shadowed("larger@1")) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        event = completed(worker, photographed(tmp_path))
        again = completed(worker, replace(photographed(tmp_path), task_id="b" * 64, sku="B"))
    assert event.outputs == alone.outputs
    assert event.shadow is not None
    assert (event.shadow.model, event.shadow.error) == ("larger@1", "")
    assert 0.5 < event.shadow.agreement <= 1
    assert event.shadow.engine_ms > 0
    assert event.costs["shadow"].engine_ms == pytest.approx(event.shadow.engine_ms, abs=0.01)
    assert again.shadow is None  # found in the cache: nothing was compared


def test_a_shadow_looks_for_who_wears_it_as_well(
    tmp_path: Path, blobs: Blobs, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[tuple[str, Any]] = []
    cut = cutting.cutout

    def recorded(pixels: Any, predict: Any, parameters: Any, people: Any, retouching: Any) -> Any:
        looked.append((parameters.subject, people))
        return cut(pixels, predict, parameters, people, retouching)

    monkeypatch.setattr(cutting, "cutout", recorded)
    with cutout_work(tmp_path, blobs, shadowed("larger@1")) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        completed(worker, replace(photographed(tmp_path), category="Dresses"))
    used, shadow = looked
    (subject, people), (shadows, shadows_people) = used, shadow
    assert subject == shadows == "everything"
    assert shadows_people == find_people(Settings().weights_folder)
    blank = np.zeros((9, 9, 3), np.uint8)
    np.testing.assert_array_equal(people(blank), shadows_people(blank))


def test_what_is_worn_is_another_result_than_what_is_not(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    with cutout_work(tmp_path, blobs) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        known = [
            completed(worker, replace(photographed(tmp_path), category=category)).cached
            for category in ("Mugs", "Dresses", "Books", "Shirts")
        ]
    assert known == [False, False, True, True]


def test_urgent_work_does_not_wait_for_a_shadow(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    with cutout_work(tmp_path, blobs, shadowed("larger@1")) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        assert completed(worker, photographed(tmp_path, lane="urgent")).shadow is None


@pytest.mark.parametrize("ref", ["lost@1", "nan@1"])
def test_a_shadow_that_fails_fails_no_task(tmp_path: Path, blobs: Blobs, database: Database, ref: str) -> None:
    with cutout_work(tmp_path, blobs, shadowed(ref)) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        event = completed(worker, photographed(tmp_path))
    assert event.model == "disc@1"
    assert event.shadow is not None
    assert event.shadow.error


@pytest.mark.parametrize(
    ("ref", "code", "kind"), [("lost@1", "engine_failed", "transient"), ("nan@1", "poison_input", "poison")]
)
def test_what_an_engine_fails_at_is_reported_for_what_it_is(
    tmp_path: Path, blobs: Blobs, database: Database, ref: str, code: str, kind: str
) -> None:
    with cutout_work(tmp_path, blobs, ModelSplit((ref,))) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        with pytest.raises(Refused) as refused:
            completed(worker, photographed(tmp_path))
    assert (refused.value.code, refused.value.kind) == (code, kind)


def test_without_a_model_that_may_work_a_task_comes_again(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    with cutout_work(tmp_path, blobs, ModelSplit(())) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        with pytest.raises(Refused, match="withdrawn or recalled") as refused:
            completed(worker, photographed(tmp_path))
    assert (refused.value.code, refused.value.kind) == ("no_model", "transient")


@pytest.mark.parametrize(
    ("channel", "input_bytes", "refusal"),
    [
        ("bazaar", b"", ("unknown_channel", "step.channel")),
        ("amazon", b"no picture", ("source_not_an_image", "inputs")),
    ],
)
def test_a_task_of_others_making_is_refused(
    blobs: Blobs, channel: str, input_bytes: bytes, refusal: tuple[str, str]
) -> None:
    blob = outputs.store(blobs, "cutout", input_bytes, "image/png", (9, 9, 4))
    work = task(Step(operation="packshot", asset="a", channel=channel), inputs=[blob])
    with pytest.raises(Refused) as caught:
        compose_pool.Compose(blobs, Library, ROOM).work(work, Results(blobs), Meter(PRICES))
    assert (caught.value.code, caught.value.field) == refusal
