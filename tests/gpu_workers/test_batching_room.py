"""The batcher: what memory, a device and lanes have room for."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from fractions import Fraction

import numpy as np
import pytest

from gpu_workers.engines import EngineOutOfMemory, Tensor
from gpu_workers.serving.batching import (
    QUEUED_BATCHES_MAX,
    Batcher,
    BatcherClosed,
    DeviceTokens,
    EngineFailed,
    PoisonInput,
)
from tests.gpu_workers.doubling import Doubling, ask_behind, batching, item, items


@pytest.fixture
def engine() -> Doubling:
    return Doubling()


class ShortOfMemory(Doubling):
    """Has memory for `room` items at a time, and is short of it `short` times."""

    def __init__(self, room: int, short: int = 1000) -> None:
        super().__init__()
        self.room = room
        self.short = short
        self.answer = self._answer

    def _answer(self, batch: Tensor) -> Tensor:
        if len(batch) > self.room and self.short:
            self.short -= 1
            raise EngineOutOfMemory("no room")
        return batch * 2


def test_out_of_memory_makes_smaller_batches_and_loses_nothing() -> None:
    engine = ShortOfMemory(room=2)
    with batching(engine, max_batch=8) as batcher:
        answers = batcher.infer(items(*range(16)))
        assert answers[:, 0, 0, 0].tolist() == [2 * value for value in range(16)]
        assert [len(batch) for batch in engine.batches] == [8, 4, *[2] * 8]
        assert (batcher.counters.out_of_memory, batcher.counters.failed_items) == (2, 0)


def test_batches_grow_again_once_there_is_memory() -> None:
    engine = ShortOfMemory(room=2, short=2)
    with batching(engine, max_batch=8) as batcher:
        batcher.infer(items(*range(8)))
        assert batcher.cap == 2
        while batcher.cap < 8:
            batcher.infer(items(*range(100)))
        assert engine.short == 0
        assert len(engine.batches[-1]) <= 8


def test_no_memory_for_a_single_item_is_the_engines_failure() -> None:
    with batching(ShortOfMemory(room=0)) as batcher, pytest.raises(EngineFailed, match="no room"):
        batcher.infer(items(1, 2, 3))


def test_what_may_wait_is_bounded_and_callers_wait_for_room(engine: Doubling) -> None:
    with batching(engine, max_batch=1) as batcher, ThreadPoolExecutor(QUEUED_BATCHES_MAX + 2) as threads:
        _, behind = ask_behind(engine, batcher, threads, [float(value) for value in range(QUEUED_BATCHES_MAX)])
        too_many = threads.submit(batcher.infer, item(99))
        assert wait([too_many], timeout=0.1).not_done
        assert batcher.queued == QUEUED_BATCHES_MAX
        engine.gate.set()
        answers = [future.result(10)[0, 0, 0, 0] for future in [*behind, too_many]]
        assert answers == [*(2 * value for value in range(QUEUED_BATCHES_MAX)), 198]


def test_who_waits_for_room_is_refused_when_it_closes(engine: Doubling) -> None:
    with batching(engine, max_batch=1) as batcher, ThreadPoolExecutor(QUEUED_BATCHES_MAX + 3) as threads:
        _, behind = ask_behind(engine, batcher, threads, [1.0] * QUEUED_BATCHES_MAX)
        too_many = threads.submit(batcher.infer, item(99))
        assert wait([too_many], timeout=0.1).not_done
        closing = threads.submit(batcher.close)
        with pytest.raises(BatcherClosed):
            too_many.result(10)
        engine.gate.set()
        closing.result(10)
        assert len([future.result(10) for future in behind]) == QUEUED_BATCHES_MAX


def test_a_request_larger_than_the_bound_is_answered(engine: Doubling) -> None:
    with batching(engine, max_batch=2) as batcher:
        assert len(batcher.infer(items(*range(3 * QUEUED_BATCHES_MAX)))) == 3 * QUEUED_BATCHES_MAX


class Hopeless(BaseException):
    """Nothing that a batcher could answer for."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_batcher_that_broke_down(engine: Doubling) -> None:
    def broken(_batch: Tensor) -> Tensor:
        raise Hopeless

    engine.answer = broken
    with batching(engine, max_batch=2) as batcher:
        with pytest.raises(BatcherClosed, match="broke down"):
            batcher.infer(items(1, 2, 3))
        with pytest.raises(BatcherClosed):
            batcher.infer(item(1))


def test_the_earliest_deadline_goes_first(engine: Doubling) -> None:
    with batching(engine, max_batch=1) as batcher, ThreadPoolExecutor(4) as threads:
        now = batcher._clock()
        engine.gate.clear()
        answer = [threads.submit(batcher.infer, item(0))]
        assert engine.entered.acquire(timeout=10)
        for count, value in enumerate((3, 1, 2), start=1):
            answer.append(threads.submit(batcher.infer, item(value), now + 1000 * value))
            while batcher.queued < count:
                threading.Event().wait(0.001)
        engine.gate.set()
        assert [future.result(10)[0, 0, 0, 0] for future in answer] == [0, 6, 2, 4]
        assert engine.batches == [[0], [1], [2], [3]]


def test_models_that_share_a_device_take_turns() -> None:
    tokens, running, most = DeviceTokens(), set(), []
    engines = [Doubling(), Doubling()]
    for engine in engines:

        def answer(batch: Tensor, me: Doubling = engine) -> Tensor:
            running.add(me)
            most.append(len(running))
            threading.Event().wait(0.001)
            running.discard(me)
            return batch * 2

        engine.answer = answer
    batchers = [Batcher(engine, max_batch=2, max_wait_ms=0, tokens=tokens) for engine in engines]
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda batcher: batcher.infer(items(*range(20))), batchers))
    for batcher in batchers:
        batcher.close()
    assert [len(answer) for answer in answers] == [20, 20]
    assert set(most) == {1}


def test_a_device_may_take_several_batches_at_a_time() -> None:
    tokens = DeviceTokens(2)
    third_has_it = threading.Event()

    def third() -> None:
        with tokens.hold():
            third_has_it.set()

    with tokens.hold():
        with tokens.hold():
            thread = threading.Thread(target=third)
            thread.start()
            assert not third_has_it.wait(0.05)
        assert third_has_it.wait(10)
    thread.join()


def test_an_engine_with_lanes_takes_one_item_in_each_at_once(engine: Doubling) -> None:
    engine.lanes = 2
    engine.gate.clear()
    with batching(engine) as batcher, batcher.requester(), ThreadPoolExecutor(1) as threads:
        answer = threads.submit(batcher.infer, items(0, 1, 2))  # though another might still come
        assert engine.entered.acquire(timeout=10)
        assert engine.entered.acquire(timeout=10)
        assert batcher.queued == 1
        engine.gate.set()
        assert answer.result(10)[:, 0, 0, 0].tolist() == [0, 2, 4]
    assert sorted(engine.batches) == [[0], [1], [2]]


def test_lanes_that_share_a_device_are_parts_of_its_token() -> None:
    tokens, half = DeviceTokens(), Fraction(1, 2)
    whole_has_it = threading.Event()

    def whole() -> None:
        with tokens.hold():
            whole_has_it.set()

    with tokens.hold(half):
        with tokens.hold(half):
            thread = threading.Thread(target=whole)
            thread.start()
        assert not whole_has_it.wait(0.05)
    assert whole_has_it.wait(10)
    thread.join()


def test_a_lane_that_breaks_down_fails_its_own_item_only(engine: Doubling) -> None:
    class Exit(BaseException):
        """Gets past every handler."""

    engine.lanes = 2
    batcher = Batcher(engine, max_batch=4, max_wait_ms=0)

    def answer(batch: Tensor) -> Tensor:
        if batch[0, 0, 0, 0] == 1:
            raise Exit
        return batch * 2

    engine.answer = answer
    engine.gate.clear()
    with ThreadPoolExecutor(3) as threads, pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)
        answers = [threads.submit(batcher.infer, item(value)) for value in range(3)]
        while batcher.queued < 1:
            threading.Event().wait(0.001)
        engine.gate.set()
        wait(answers)
    assert sum(isinstance(future.exception(), BatcherClosed) for future in answers) == 1
    assert isinstance(answers[1].exception(), BatcherClosed)
    batcher.close()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_engine_does_every_item_is_answered_or_failed_once(seed: int) -> None:
    """Out of memory, crashes, answers that are not finite and poison, all at random."""
    rng = np.random.default_rng(seed)
    engine = Doubling()

    def answer(batch: Tensor) -> Tensor:
        chance = rng.random()
        if chance < 0.1 and len(batch) > 1:
            raise EngineOutOfMemory("no room")
        if chance < 0.2:
            raise RuntimeError("crash")
        if chance < 0.25:
            return batch[:-1] * 2
        return np.where((batch % 10 == 7) | (rng.random(batch.shape) < 0.01), np.float32(np.nan), batch * 2)

    engine.answer = answer
    found = list(range(1, 201))
    ended: list[float] = []

    def ask(value: int) -> None:
        try:
            assert batcher.infer(item(value), batcher._clock() + value % 3, str(value % 4))[0, 0, 0, 0] == 2 * value
        except (PoisonInput, EngineFailed):
            failed.append(value)
        ended.append(value)

    failed: list[int] = []
    with batching(engine, max_batch=8, max_wait_ms=1) as batcher, ThreadPoolExecutor(16) as threads:
        list(threads.map(ask, found))
        assert batcher.queued == 0
    assert sorted(ended) == found
    assert {value for value in found if value % 10 == 7} <= set(failed)
    assert batcher.counters.failed_items == len(failed)
