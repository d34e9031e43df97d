"""Operations on this machine: the same pictures and the same refusals as in the pools."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from gpu_workers.local.rendering import source_of
from gpu_workers.local.studio import Studio
from gpu_workers.metering import Meter, Prices
from gpu_workers.operations.cutout import cutout as cutting
from gpu_workers.pools import admission
from gpu_workers.pools import cutout as cutout_pool
from gpu_workers.pools.memory import memory_budget
from gpu_workers.reading.opening import open_reader
from gpu_workers.results import Results
from gpu_workers.serving.serving import Serving
from schemas.records import Source, Step, Task
from schemas.releases import ModelSplit
from streams.blobs import Blobs
from streams.flow.processors.judging import judge
from streams.runtime.errors import Refused
from streams.runtime.settings import Settings
from tests.e2e.system import draw_product
from tests.gpu_workers.local_pictures import PICTURES, RED, opened, photograph
from tests.memory_store import MemoryStore

pytestmark = pytest.mark.usefixtures("one_reader")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(cutout_pool, "open_network", opened)
    return Settings(data_folder=tmp_path / "data", source_file_roots=["/"], source_max_bytes=200_000)


def in_pool(settings: Settings, file: Path) -> Refused | None:
    """How the cutout pool refuses a file."""
    with serving() as networks:
        pool = cutout_pool.Cutout(settings, Blobs(MemoryStore()), None, networks, memory_budget(settings, 1))
        source = Source(uri=file.as_uri())
        task = Task(
            task_id="0" * 64, tenant="t", sku="s", version=1, lane="bulk", step=Step(operation="cutout"), source=source
        )
        try:
            pool.work(task, Results(Blobs(MemoryStore())), Meter(Prices()))
        except Refused as refusal:
            return refusal
        return None


def at_home(settings: Settings, file: Path) -> Refused | None:
    """How this machine does."""
    with Studio(settings, judge) as studio:
        try:
            studio.render(studio.order("cutout", None, "", {}), [source_of(file, settings)])
        except Refused as refusal:
            return refusal
        return None


@contextmanager
def serving() -> Iterator[Serving]:
    networks = Serving(lambda: ModelSplit(("u2netp@1",)), opened)
    try:
        yield networks
    finally:
        networks.close()


def explained(refusal: Refused | None) -> tuple[str, str, str] | None:
    return None if refusal is None else (refusal.code, refusal.field, refusal.kind)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_refused_here_as_the_pool_refuses_it(name: str, settings: Settings, tmp_path: Path) -> None:
    code, content = PICTURES[name]
    file = tmp_path / name
    if name != "missing.png":
        file.write_bytes(content())
    here, there = at_home(settings, file), in_pool(settings, file)
    assert explained(here) == explained(there)
    assert (here.code if here else "") == code


def test_what_the_operation_does_not_take_and_what_memory_does_not_hold_is_reported_as_in_the_pool(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(photograph())
    little = replace(settings, memory_budget_mb=admission.PROCESS_MB + 100)
    assert (
        explained(at_home(little, file))
        == explained(in_pool(little, file))
        == ("source_too_many_pixels", "sources", "permanent")
    )

    def refuses(*_: object) -> None:
        raise cutting.BadImage("not of this kind")

    monkeypatch.setattr(cutting, "cutout", refuses)
    assert (
        explained(at_home(settings, file))
        == explained(in_pool(settings, file))
        == ("bad_image", "sources", "permanent")
    )


def test_a_cutout_is_the_same_here_and_in_the_pool(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(photograph())
    with Studio(settings, judge) as studio:
        made = studio.render(studio.order("cutout", None, "", {}), [source_of(tmp_path / "a.png", settings)])
    blobs = Blobs(MemoryStore())
    with serving() as networks, open_reader(settings.weights_folder) as reader:
        pool = cutout_pool.Cutout(settings, blobs, None, networks, memory_budget(settings, 1), reader=reader)
        task = Task(
            task_id="0" * 64,
            tenant="t",
            sku="s",
            version=1,
            lane="bulk",
            step=Step(operation="cutout", next=[Step(operation="packshot", asset="web-1", channel="web")]),
            source=Source(uri=(tmp_path / "a.png").as_uri()),
        )
        _, result, _ = pool.work(task, Results(blobs), Meter(Prices()))
    assert made.file == blobs.get(result.outputs[0].digest)
    assert made.measures == result.measures


def test_one_order_knows_what_pixels_depend_on(settings: Settings) -> None:
    with Studio(settings, judge) as studio:
        order = partial(studio.order, "packshot", category="")
        ids = {
            order(channel="shopify", parameters={}).result_id(["0"]),
            order(channel="shopify", parameters={"padding": "0.2"}).result_id(["0"]),
            order(channel="amazon", parameters={}).result_id(["0"]),
            order(channel="shopify", parameters={}).result_id(["1"]),
            studio.order("cutout", None, "", {}).result_id(["0"]),
        }
        assert len(ids) == 5
    with Studio(settings, judge, model="u2netp-fast@1") as other:
        ids.add(other.order("packshot", "shopify", "", {}).result_id(["0"]))
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("operation", "channel", "parameters", "refusal"),
    [
        ("packshot", None, {}, "missing_channel channel"),
        ("packshot", "bazaar", {}, "unknown_channel channel"),
        ("packshot", "shopify", {"padding": "9"}, "bad_parameters padding"),
        ("cutout", None, {"nonsense": "1"}, "bad_parameters nonsense"),
        ("engrave", "shopify", {}, "unknown_operation operation"),
    ],
)
def test_an_order_that_cannot_be_is_refused_before_any_picture(
    settings: Settings, operation: str, channel: str | None, parameters: dict[str, str], refusal: str
) -> None:
    with Studio(settings, judge) as studio, pytest.raises(Refused) as caught:
        studio.order(operation, channel, "", parameters)
    assert f"{caught.value.code} {caught.value.field}" == refusal


def test_an_operation_that_takes_one_picture_is_not_given_two(settings: Settings, tmp_path: Path) -> None:
    settings = replace(settings, source_max_bytes=10_000_000)
    for name in ("a.png", "b.png"):
        draw_product(tmp_path / name, RED)
    sources = [source_of(tmp_path / name, settings) for name in ("a.png", "b.png")]
    with Studio(settings, judge) as studio:
        for operation, channel in (("cutout", None), ("packshot", "shopify")):
            with pytest.raises(Refused) as caught:
                studio.render(studio.order(operation, channel, "", {}), sources)
            assert (caught.value.code, caught.value.field) == ("bad_inputs", "inputs")
