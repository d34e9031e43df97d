"""Models that come, go, fail and break while tasks run."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from msgspec.structs import replace

from gpu_workers.engines import EngineClosed, EngineError, Tensor
from gpu_workers.models.loader import WeightsCorrupt
from gpu_workers.models.manifest import UnknownModel, load_manifest
from gpu_workers.serving import serving as module
from gpu_workers.serving.batching import Batcher, EngineFailed
from gpu_workers.serving.serving import Leased, Network, NoModel, Serving
from schemas.records import ModelReleased
from schemas.releases import ModelSplit
from streams.runtime.errors import Unavailable

SHIPPED = load_manifest("u2netp@1")
PICTURE = np.full((8, 8, 3), 200, np.uint8)
SOON_S = 10.0


class StandIn:
    """An engine that answers with its number, and refuses once it is closed or broken."""

    name = "stand-in"
    input_shape = SHIPPED.input.shape
    max_batch = 4
    lanes = 1

    def __init__(self, ref: str) -> None:
        self.fingerprint = ref
        self.value = int(ref.rpartition("@")[2]) / 100
        self.is_closed = False
        self.is_broken = False

    def infer(self, batch: Tensor) -> Tensor:
        if self.is_closed:
            raise EngineClosed(self.fingerprint)
        if self.is_broken:
            raise EngineError("the device is lost")
        return np.full((len(batch), *SHIPPED.output.shape), self.value, np.float32)

    def close(self) -> None:
        self.is_closed = True


class World:
    """What operators decided and what can be opened."""

    def __init__(self) -> None:
        self.split = ModelSplit(("net@1",))
        self.engines: list[StandIn] = []
        self.failing: dict[str, Exception] = {}
        self.away = False
        self.opening_takes_s = 0.0

    def current_split(self) -> ModelSplit:
        if self.away:
            raise Unavailable("the database does not answer")
        return self.split

    def open_network(self, ref: str) -> Network:
        time.sleep(self.opening_takes_s)
        if ref in self.failing:
            raise self.failing[ref]
        engine = StandIn(ref)
        self.engines.append(engine)
        name, _, version = ref.partition("@")
        model = replace(SHIPPED, name=name, version=version)
        return Network(model, engine, Batcher(engine, max_batch=4, max_wait_ms=0))

    def open_now(self) -> list[str]:
        return sorted(engine.fingerprint for engine in self.engines if not engine.is_closed)


@contextmanager
def served(world: World) -> Iterator[Serving]:
    serving = Serving(world.current_split, world.open_network, look_every_s=0.01)
    try:
        yield serving
    finally:
        serving.close()
    assert world.open_now() == []


def value(leased: Leased) -> float:
    mask = leased.network.predict(time.monotonic() + 60, "t", lambda _ms: None)(PICTURE)
    return round(float(mask[0, 0]), 2)


def leased_s(serving: Serving, sku: str = "s") -> float:
    with serving.lease("t", sku) as leased:
        return value(leased)


def soon(true: object) -> None:
    """Waits until what is asked is so."""
    assert callable(true)
    give_up_at = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


@pytest.fixture
def world() -> World:
    return World()


def test_a_release_swaps_the_model_and_closes_the_old_one(world: World) -> None:
    with served(world) as serving:
        assert leased_s(serving) == 0.01
        world.split = ModelSplit(("net@2", "net@1"))
        soon(lambda: leased_s(serving) == 0.02)
        soon(lambda: world.open_now() == ["net@2"])


def test_no_task_fails_or_waits_while_models_are_swapped_under_load(world: World) -> None:
    world.opening_takes_s = 0.05
    stop = threading.Event()
    seen: set[float] = set()
    waits: list[float] = []

    def work(number: int) -> int:
        done = 0
        while not stop.is_set():
            began = time.monotonic()
            with serving.lease("t", f"{number}-{done}") as leased:
                waits.append(time.monotonic() - began)
                seen.add(value(leased))
            done += 1
        return done

    with served(world) as serving, ThreadPoolExecutor(8) as threads:
        working = [threads.submit(work, number) for number in range(8)]
        for version in range(2, 22):
            world.split = ModelSplit((f"net@{version}", f"net@{version - 1}"))
            soon(lambda version=version: version / 100 in seen)
        stop.set()
        assert sum(each.result() for each in working) > 100
    assert len(seen) == 21
    assert max(waits) < 20 * world.opening_takes_s  # far less than the openings take in all, on a busy machine too


def test_a_lease_keeps_its_model_open_until_it_ends(world: World) -> None:
    with served(world) as serving:
        with serving.lease("t", "s") as leased:
            world.split = ModelSplit(("net@2",))
            soon(lambda: leased_s(serving) == 0.02)
            assert value(leased) == 0.01
            assert world.open_now() == ["net@1", "net@2"]
        soon(lambda: world.open_now() == ["net@2"])


@pytest.mark.parametrize("error", [WeightsCorrupt("net@2: sha256 is another"), ZeroDivisionError("a bug")])
def test_a_model_that_cannot_be_opened_leaves_the_one_before_at_work(world: World, error: Exception) -> None:
    world.failing["net@2"] = error
    with served(world) as serving:
        world.split = ModelSplit(("net@2", "net@1"))
        soon(lambda: serving._split.stable[0] == "net@2" and "net@2" in serving._failed)
        assert leased_s(serving) == 0.01


def test_a_model_that_cannot_be_opened_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRY_AGAIN_S", 0.05)
    world.failing["net@2"] = Unavailable("the blob store does not answer")
    with served(world) as serving:
        world.split = ModelSplit(("net@2", "net@1"))
        soon(lambda: "net@2" in serving._failed)
        world.failing.clear()
        soon(lambda: leased_s(serving) == 0.02)


def test_a_worker_whose_only_model_cannot_be_opened_does_not_start(world: World) -> None:
    world.failing["net@1"] = WeightsCorrupt("net@1: sha256 is another")
    with pytest.raises(WeightsCorrupt, match="net@1"):
        Serving(world.current_split, world.open_network)


def test_a_worker_starts_with_the_model_before_one_that_cannot_be_opened(world: World) -> None:
    world.split = ModelSplit(("net@2", "net@1"))
    world.failing["net@2"] = WeightsCorrupt("net@2: sha256 is another")
    with served(world) as serving:
        assert leased_s(serving) == 0.01


def test_a_recalled_model_never_works_again_however_long_the_other_takes(world: World) -> None:
    world.split = ModelSplit(("net@2", "net@1"))
    with served(world) as serving:
        assert leased_s(serving) == 0.02
        world.opening_takes_s = 0.3
        world.split = ModelSplit(("net@1",), recalled=frozenset({"net@2"}))
        soon(lambda: "net@2" in serving._split.recalled)
        assert leased_s(serving) == 0.01


def test_a_withdrawn_model_works_until_the_other_is_open(world: World) -> None:
    world.split = ModelSplit(("net@2", "net@1"))
    with served(world) as serving:
        world.opening_takes_s = 0.3
        world.split = ModelSplit(("net@1",))
        soon(lambda: serving._split.stable == ("net@1",))
        assert leased_s(serving) == 0.02
        soon(lambda: leased_s(serving) == 0.01)


def test_without_a_model_that_may_work_a_task_fails_with_that(world: World) -> None:
    with served(world) as serving:
        world.split = ModelSplit((), recalled=frozenset({"net@1"}))
        soon(lambda: serving._split.stable == ())
        with pytest.raises(NoModel, match="withdrawn or recalled"):
            leased_s(serving)


def test_a_canary_works_for_its_tenants_and_the_stable_one_for_the_rest(world: World) -> None:
    canary = ModelReleased(
        operation="cutout", model="net@2", stage="canary", share=0, tenants=["keen"], released_at_ms=1
    )
    world.split = ModelSplit(("net@1",), canary=canary)
    with served(world) as serving:
        with serving.lease("keen", "s") as leased:
            assert value(leased) == 0.02
        assert leased_s(serving) == 0.01


def test_a_shadow_is_leased_beside_the_one_that_works(world: World) -> None:
    shadow = ModelReleased(operation="cutout", model="net@2", stage="shadow", released_at_ms=1)
    world.split = ModelSplit(("net@1",), shadow=shadow)
    with served(world) as serving, serving.lease("t", "s") as leased:
        assert leased.network.model.ref == "net@1"
        assert leased.beside is not None
        assert leased.beside.model.ref == "net@2"


def test_the_newest_are_held_ready(world: World) -> None:
    world.split = ModelSplit(("net@3", "net@2", "net@1"), kept=2)
    with served(world):
        assert world.open_now() == ["net@2", "net@3"]


def test_a_broken_engine_is_opened_anew(world: World) -> None:
    with served(world) as serving:
        world.engines[0].is_broken = True
        with serving.lease("t", "s") as leased:
            with pytest.raises(EngineFailed, match="device is lost"):
                value(leased)
            serving.report_broken(leased.network)
            serving.report_broken(leased.network)
        soon(lambda: len(world.engines) == 2)
        assert leased_s(serving) == 0.01
        assert world.engines[0].is_closed


def test_a_bug_where_releases_are_looked_up_does_not_end_the_looking(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def broken() -> ModelSplit:
        opened.append(1)
        if len(opened) == 2:
            raise ZeroDivisionError("a bug")
        return world.split

    monkeypatch.setattr(world, "current_split", broken)
    with served(world) as serving:
        soon(lambda: len(opened) > 2)
        world.split = ModelSplit(("net@2",))
        soon(lambda: leased_s(serving) == 0.02)


def test_while_the_facts_are_away_it_goes_on_as_before(world: World) -> None:
    with served(world) as serving:
        world.away = True
        time.sleep(0.05)
        assert leased_s(serving) == 0.01
        world.away, world.split = False, ModelSplit(("net@2",))
        soon(lambda: leased_s(serving) == 0.02)


def test_one_that_is_asked_for_by_name_works_alone_and_for_nobody_else() -> None:
    world = World()
    with served(world) as serving:
        with serving.lease("t", "s", "other@7") as leased:
            assert (leased.network.model.ref, leased.beside) == ("other@7", None)
        with serving.lease("t", "s") as leased:
            assert leased.network.model.ref == "net@1"
        assert world.open_now() == ["net@1", "other@7"], "who mends one picture mends the next"


def test_one_that_is_asked_for_is_closed_when_nobody_asks_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUESTED_FOR_S", 0.2)
    world = World()
    with served(world) as serving:
        with serving.lease("t", "s", "other@7"):
            time.sleep(0.5)
            assert "other@7" in world.open_now(), "not while somebody works with it"
        give_up_at = time.monotonic() + SOON_S
        while world.open_now() != ["net@1"]:
            assert time.monotonic() < give_up_at
            time.sleep(0.02)


def test_a_recalled_one_does_not_work_for_who_asks_for_it_either() -> None:
    world = World()
    world.split = ModelSplit(("net@1",), recalled=frozenset({"other@7"}))
    with served(world) as serving, serving.lease("t", "s", "other@7") as leased:
        assert leased.network.model.ref == "net@1"
    assert [engine.fingerprint for engine in world.engines] == ["net@1"]


def test_one_that_there_is_not_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.failing = {"none@1": UnknownModel("no model is called none@1"), "lost@1": EngineError("the device is lost")}
    monkeypatch.setattr(module, "WAIT_MAX_S", 0.5)
    with served(world) as serving:
        with pytest.raises(UnknownModel), serving.lease("t", "s", "none@1"):
            pass
        with pytest.raises(NoModel, match="the device is lost"), serving.lease("t", "s", "lost@1"):
            pass
        with serving.lease("t", "s") as leased:
            assert leased.network.model.ref == "net@1"
