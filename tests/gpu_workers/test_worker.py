"""A worker's completions: what the work cost, what the cache saved, and which task is told of which."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image, ImageDraw
from prometheus_client import REGISTRY

from gpu_workers.engines import EngineError, Tensor
from gpu_workers.library import brands
from gpu_workers.metering import Meter, Prices
from gpu_workers.models.manifest import load_manifest
from gpu_workers.operations.base import Library
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.operations.cutout.operation import find_people
from gpu_workers.pools import compose as compose_pool
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools import outputs
from gpu_workers.pools.admission import Budget
from gpu_workers.results import Results
from gpu_workers.serving.batching import Batcher
from gpu_workers.serving.serving import Network, Serving
from gpu_workers.worker import Work, Worker
from schemas import codec
from schemas.costs import total
from schemas.records import Blob, Lane, ModelReleased, Source, Step, Task, TaskCompleted
from schemas.releases import ModelSplit
from streams.blobs import Blobs
from streams.consumer.letters import Delivery, outgoing
from streams.consumer.work import Wait
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.memory_store import MemoryStore
from tests.streams.flow import upsert

ROOM = Budget(2**33)
PRICES = Prices(engine_hour=3600.0, cpu_hour=36.0, fetched_gb=1.0, stored_gb=1.0)


class Disc:
    """A network that sees a disc in every picture."""

    name = "disc"
    fingerprint = "0" * 64
    input_shape = (3, 320, 320)
    max_batch = 4
    lanes = 1
    radius = 90

    def infer(self, batch: Tensor) -> Tensor:
        y, x = np.mgrid[:320, :320]
        disc = ((x - 160) ** 2 + (y - 160) ** 2 < self.radius**2).astype(np.float32)
        return np.repeat(disc[None, None], len(batch), axis=0)

    def close(self) -> None: ...


@pytest.fixture
def blobs() -> Blobs:
    return Blobs(MemoryStore())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path}/facts.db")
    opened.create_tables()
    with opened.begin() as facts:
        for sku in "AB":
            facts.products.put(upsert(sku=sku))
    yield opened
    opened.close()


class Larger(Disc):
    """One that sees a larger disc."""

    fingerprint = "1" * 64
    radius = 100


class Lost(Disc):
    """One whose device is lost."""

    fingerprint = "2" * 64

    def infer(self, batch: Tensor) -> Tensor:
        raise EngineError(f"no device for {len(batch)} pictures")


class NotANumber(Disc):
    """One that answers a picture, but not a blank, with what is no number."""

    fingerprint = "3" * 64

    def infer(self, batch: Tensor) -> Tensor:
        return super().infer(batch) * (np.nan if batch.any() else 1)


ENGINES = {"disc@1": Disc, "larger@1": Larger, "lost@1": Lost, "nan@1": NotANumber}


def network(ref: str) -> Network:
    name, _, version = ref.partition("@")
    model = replace(load_manifest("u2netp@1"), name=name, version=version)
    engine = ENGINES[ref]()
    return Network(model, engine, Batcher(engine, max_batch=4, max_wait_ms=0))


@contextmanager
def cutout_work(folder: Path, blobs: Blobs, standing: ModelSplit = ModelSplit(("disc@1",))) -> Iterator[Work]:  # noqa: B008
    settings = Settings(source_file_roots=[str(folder)])
    serving = Serving(lambda: standing, network)
    try:
        yield cutout_pool.Cutout(settings, blobs, None, serving, ROOM).work
    finally:
        serving.close()


def photograph(folder: Path) -> Path:
    picture = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(picture).ellipse((45, 45, 155, 155), fill="firebrick")
    picture.save(folder / "photo.png")
    return folder / "photo.png"


def cut_out(blobs: Blobs) -> Blob:
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((45, 45, 155, 155), fill="firebrick")
    file = io.BytesIO()
    picture.save(file, "PNG")
    return outputs.store(blobs, "cutout", file.getvalue(), "image/png", (200, 200, 4))


def task(step: Step, sku: str = "A", **more: object) -> Task:
    digit = {"A": "a", "B": "b"}[sku]
    return Task(task_id=digit * 64, tenant="demo", sku=sku, version=1, lane="bulk", step=step, **more)  # type: ignore[arg-type]


def completed(worker: Worker, work: Task) -> TaskCompleted:
    record = outgoing(work, "test")
    (told,) = worker.handle(Delivery(record.topic, 0, 0, record.key, record.value, record.headers), Wait())
    event = codec.decode(told.value)
    assert isinstance(event, TaskCompleted)
    return event


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"packshot_{name}_total", labels) or 0.0


def test_a_cutout_tells_what_each_stage_cost(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    file = photograph(tmp_path)
    before = counted("engine_seconds", pool="cutout", operation="cutout")
    with cutout_work(tmp_path, blobs) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        event = completed(worker, task(Step(operation="cutout"), source=Source(uri=file.as_uri())))
    assert list(event.costs) == list(event.timings_ms) == ["fetch", "lookup", "decode", "cutout", "engine", "store"]
    assert event.costs["fetch"].bytes_in == file.stat().st_size
    assert event.costs["store"].bytes_out == event.outputs[0].size_bytes
    assert [stage for stage, cost in event.costs.items() if cost.engine_ms] == ["engine"]
    engine_ms = event.costs["engine"].engine_ms
    assert 0 < engine_ms <= event.timings_ms["engine"] + 0.1
    assert event.costs["engine"].price_nanos >= engine_ms * 1e6
    assert event.costs["cutout"].cpu_ms > 0
    assert (event.cached, event.saved) == (False, None)
    after = counted("engine_seconds", pool="cutout", operation="cutout")
    assert after - before == pytest.approx(engine_ms / 1000)


def test_a_source_is_kept_with_all_that_is_in_it_and_asks_no_network(
    tmp_path: Path, blobs: Blobs, database: Database
) -> None:
    source = Source(uri=photograph(tmp_path).as_uri())
    with cutout_work(tmp_path, blobs) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        event = completed(worker, task(Step(operation="source"), source=source))
        again = completed(worker, task(Step(operation="source"), "B", source=source))
    assert list(event.costs) == ["fetch", "lookup", "decode", "store"]
    assert (event.model, event.measures["source_bits"], event.measures["source_scale"]) == (None, 8.0, 1.0)
    (blob,) = event.outputs
    assert (blob.role, blob.width_px, blob.height_px) == ("source", 200, 200)
    kept, sent = (Image.open(file) for file in (io.BytesIO(blobs.get(blob.digest)), tmp_path / "photo.png"))
    assert kept.tobytes() == sent.tobytes()
    assert again.cached
    assert again.outputs == event.outputs


def test_a_photograph_that_was_cut_out_before_costs_its_fetch_and_says_what_was_saved(
    tmp_path: Path, blobs: Blobs, database: Database
) -> None:
    source = Source(uri=photograph(tmp_path).as_uri())
    saved_before = counted("saved_engine_seconds", pool="cutout")
    hits_before = counted("task_results", pool="cutout", cached="true")
    with cutout_work(tmp_path, blobs) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        first = completed(worker, task(Step(operation="cutout"), source=source))
        second = completed(worker, task(Step(operation="cutout"), "B", source=source))
    assert (second.cached, second.outputs) == (True, first.outputs)
    assert list(second.costs) == ["fetch", "lookup"]
    assert total(second.costs.values()).engine_ms == 0
    assert second.saved == total(first.costs[stage] for stage in ("decode", "cutout", "engine", "store"))
    saved = counted("saved_engine_seconds", pool="cutout") - saved_before
    assert saved == pytest.approx(first.costs["engine"].engine_ms / 1000)
    assert counted("task_results", pool="cutout", cached="true") - hits_before == 1


def test_a_task_that_finds_what_it_had_made_itself_tells_the_same_again(blobs: Blobs, database: Database) -> None:
    packshot = task(Step(operation="packshot", channel="amazon", asset="amazon-1"), inputs=[cut_out(blobs)])
    worker = Worker(
        "compose",
        compose_pool.Compose(blobs, lambda: compose_pool.library(Settings()), ROOM).work,
        Results(blobs),
        database,
        PRICES,
    )
    first, again = completed(worker, packshot), completed(worker, packshot)
    assert list(first.costs) == ["lookup", "load", "compose", "store"]
    assert first.costs["load"].bytes_in == packshot.inputs[0].size_bytes
    assert first.costs["store"].bytes_out == first.outputs[0].size_bytes
    assert again == replace(first, cached=True)


def test_a_packshot_that_was_made_for_another_product_costs_a_look_and_says_what_was_saved(
    blobs: Blobs, database: Database
) -> None:
    step = Step(operation="packshot", channel="amazon", asset="amazon-1")
    inputs = [cut_out(blobs)]
    worker = Worker(
        "compose",
        compose_pool.Compose(blobs, lambda: compose_pool.library(Settings()), ROOM).work,
        Results(blobs),
        database,
        PRICES,
    )
    first = completed(worker, task(step, inputs=inputs))
    second = completed(worker, task(step, "B", inputs=inputs))
    assert list(second.costs) == ["lookup"]
    assert second.saved is not None
    assert second.saved.price_nanos == sum(c.price_nanos for stage, c in first.costs.items() if stage != "lookup") > 0


def test_a_brand_that_is_learned_while_a_worker_works_is_there_for_its_next_task(tmp_path: Path, blobs: Blobs) -> None:
    work = compose_pool.Compose(blobs, partial(compose_pool.library, Settings(brands=tmp_path)), ROOM).work
    styled = task(Step(operation="style", channel="shopify", parameters={"brand": "house"}), inputs=[cut_out(blobs)])
    codes = []
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            work(styled, Results(blobs), Meter(PRICES))
        codes.append(caught.value.code)
        text = (brands.shipped_folder() / "earthy.yaml").read_text()
        (tmp_path / "house.yaml").write_text(text.replace("name: earthy", "name: house"))
    assert codes == ["bad_brand", "bad_inputs"], "the second time it is only the product's mask that is not there"


def test_a_result_of_before_costs_were_kept_is_found(blobs: Blobs, database: Database) -> None:
    packshot = task(Step(operation="packshot", channel="amazon", asset="amazon-1"), inputs=[cut_out(blobs)])
    worker = Worker(
        "compose",
        compose_pool.Compose(blobs, lambda: compose_pool.library(Settings()), ROOM).work,
        Results(blobs),
        database,
        PRICES,
    )
    first = completed(worker, packshot)
    old = b'{"outputs":[],"measures":{},"engine":"old","timings_ms":{}}'
    blobs.put_result(first.result_id, old)
    found = completed(worker, packshot)
    assert (found.engine, found.cached) == ("old", True)
    assert found.saved is not None
    assert found.saved.price_nanos == 0


def test_what_failed_is_counted_with_what_it_used_up(tmp_path: Path, blobs: Blobs, database: Database) -> None:
    file = tmp_path / "text.png"
    file.write_bytes(photograph(tmp_path).read_bytes()[:-40])
    before = counted("moved_bytes", pool="cutout", way="in")
    with cutout_work(tmp_path, blobs) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        with pytest.raises(Refused):
            completed(worker, task(Step(operation="cutout"), source=Source(uri=file.as_uri())))
    assert counted("moved_bytes", pool="cutout", way="in") - before == file.stat().st_size


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
    looked: list[object] = []
    cut = cutting.cutout

    def spied(pixels: Any, look: Any, parameters: Any = None, people: Any = None) -> Any:
        looked.append((parameters.subject, people))
        return cut(pixels, look, parameters, people)

    monkeypatch.setattr(cutting, "cutout", spied)
    with cutout_work(tmp_path, blobs, shadowed("larger@1")) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        completed(worker, replace(photographed(tmp_path), category="Dresses"))
    used, shadow = looked
    assert used == shadow == ("everything", find_people(Settings().weights_folder))


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
def test_what_an_engine_fails_at_is_told_for_what_it_is(
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
    ("channel", "input_bytes", "told"),
    [
        ("bazaar", b"", ("unknown_channel", "step.channel")),
        ("amazon", b"no picture", ("source_not_an_image", "inputs")),
    ],
)
def test_a_task_of_others_making_is_refused(
    blobs: Blobs, channel: str, input_bytes: bytes, told: tuple[str, str]
) -> None:
    blob = outputs.store(blobs, "cutout", input_bytes, "image/png", (9, 9, 4))
    work = task(Step(operation="packshot", asset="a", channel=channel), inputs=[blob])
    with pytest.raises(Refused) as caught:
        compose_pool.Compose(blobs, Library, ROOM).work(work, Results(blobs), Meter(PRICES))
    assert (caught.value.code, caught.value.field) == told
