"""A worker's completions: what the work cost, what the cache saved, and which task is told of which."""

import io
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image
from prometheus_client import REGISTRY

from gpu_workers.library import brands
from gpu_workers.metering import Meter
from gpu_workers.pools import compose as compose_pool
from gpu_workers.results import Results
from gpu_workers.worker import Worker
from schemas.costs import total
from schemas.records import Source, Step
from streams.blobs import Blobs
from streams.facts import Database
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.gpu_workers.worker_parts import (
    PRICES,
    ROOM,
    completed,
    cut_out,
    cutout_work,
    photograph,
    task,
)


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


def test_a_task_that_had_a_deadline_is_counted_by_whether_it_ended_before_it(
    tmp_path: Path, blobs: Blobs, database: Database
) -> None:
    def missed_and_met() -> tuple[float, float]:
        said = {"pool": "cutout", "lane": "bulk"}
        return counted("task_deadlines", met="false", **said), counted("task_deadlines", met="true", **said)

    source = Source(uri=photograph(tmp_path).as_uri())
    before = missed_and_met()
    far_ms = 4_000_000_000_000
    with cutout_work(tmp_path, blobs) as work:
        worker = Worker("cutout", work, Results(blobs), database, PRICES)
        assert completed(worker, task(Step(operation="source"), source=source)).outcome == "done"
        assert completed(worker, task(Step(operation="source"), source=source, deadline_ms=far_ms)).outcome == "done"
        assert completed(worker, task(Step(operation="source"), source=source, deadline_ms=1)).outcome == "expired"
    missed, met = missed_and_met()
    assert (missed - before[0], met - before[1]) == (1, 1)
