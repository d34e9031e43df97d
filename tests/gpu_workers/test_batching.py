"""The batcher: what runs together, and when."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest

from gpu_workers.engines import BadShape, Tensor
from gpu_workers.serving.batching import (
    Batcher,
    BatcherClosed,
    EngineFailed,
    PoisonInput,
)
from tests.gpu_workers.doubling import POISON, Doubling, ask_behind, batching, item, items


@pytest.fixture
def engine() -> Doubling:
    return Doubling()


def test_an_idle_engine_starts_at_once_when_nobody_else_could_add(engine: Doubling) -> None:
    with batching(engine) as batcher:
        np.testing.assert_array_equal(batcher.infer(item(3)), item(6))


def test_what_queues_behind_a_batch_runs_together(engine: Doubling) -> None:
    with batching(engine) as batcher, ThreadPoolExecutor(8) as threads:
        first, behind = ask_behind(engine, batcher, threads, [1, 2, 3])
        engine.gate.set()
        assert first.result(10)[0, 0, 0, 0] == 0
        assert [future.result(10)[0, 0, 0, 0] for future in behind] == [2, 4, 6]
        assert engine.batches == [[0], [1, 2, 3]]


def test_each_caller_is_charged_for_its_share_of_its_batches_and_not_for_its_wait(engine: Doubling) -> None:
    def slowly(batch: Tensor) -> Tensor:
        threading.Event().wait(0.06)
        return batch * 2

    engine.answer = slowly
    charged: list[list[float]] = [[], [], []]
    with batching(engine) as batcher, ThreadPoolExecutor(8) as threads:
        engine.gate.clear()
        futures = [threads.submit(batcher.infer, item(0), charge=charged[0].append)]
        assert engine.entered.acquire(timeout=10)
        for place, request in ((1, items(1, 2)), (2, item(3))):
            futures.append(threads.submit(batcher.infer, request, charge=charged[place].append))
            while batcher.queued < place + 1:
                threading.Event().wait(0.001)
        engine.gate.set()
        for future in futures:
            future.result(10)
        assert engine.batches == [[0], [1, 2, 3]]
    (_, (two,), (one,)) = charged
    assert two == pytest.approx(2 * one)
    assert one >= 20
    assert sum(map(sum, charged)) == pytest.approx(batcher.counters.busy_seconds * 1000)


def test_a_batch_is_never_larger_than_the_cap(engine: Doubling) -> None:
    with batching(engine, max_batch=2) as batcher:
        answers = batcher.infer(items(1, 2, 3, 4, 5))
        assert answers[:, 0, 0, 0].tolist() == [2, 4, 6, 8, 10]
        assert engine.batches == [[1, 2], [3, 4], [5]]


def test_it_waits_for_requesters_it_knows_of(engine: Doubling) -> None:
    with batching(engine) as batcher, ThreadPoolExecutor(2) as threads, ExitStack() as stack:
        stack.enter_context(batcher.requester())
        stack.enter_context(batcher.requester())
        one = threads.submit(batcher.infer, item(1))
        two = threads.submit(batcher.infer, item(2))
        assert one.result(10)[0, 0, 0, 0] + two.result(10)[0, 0, 0, 0] == 6
        assert sorted(engine.batches[0]) == [1, 2]


def test_a_requester_that_leaves_is_not_waited_for(engine: Doubling) -> None:
    with batching(engine) as batcher, ThreadPoolExecutor(1) as threads, batcher.requester():
        with batcher.requester():
            one = threads.submit(batcher.infer, item(1))
            while not batcher.queued:
                threading.Event().wait(0.001)
            assert engine.batches == []
        assert one.result(10)[0, 0, 0, 0] == 2


def test_the_longest_wait_is_bounded(engine: Doubling) -> None:
    with batching(engine, max_wait_ms=20) as batcher, batcher.requester(), batcher.requester():
        assert batcher.infer(item(1))[0, 0, 0, 0] == 2


def test_a_deadline_starts_the_batch_in_time_for_its_latency(engine: Doubling) -> None:
    with batching(engine) as batcher, ThreadPoolExecutor(1) as threads:
        with batcher.requester(), batcher.requester():
            batcher.latency.record(1, 30_000)
            now = batcher._clock()
            answer = threads.submit(batcher.infer, item(1), now + 50)
            while not batcher.queued:
                threading.Event().wait(0.001)
            assert batcher.due_in_s(now) == pytest.approx(20)
            assert batcher.due_in_s(now + 20.5) <= 0
        assert answer.result(10)[0, 0, 0, 0] == 2


def test_a_deadline_that_is_near_does_not_wait(engine: Doubling) -> None:
    with batching(engine) as batcher, batcher.requester(), batcher.requester():
        assert batcher.infer(item(1), batcher._clock())[0, 0, 0, 0] == 2


def test_poison_fails_alone(engine: Doubling) -> None:
    with batching(engine, max_batch=8) as batcher, ThreadPoolExecutor(8) as threads:
        _, behind = ask_behind(engine, batcher, threads, [1, 2, POISON, 4, 5])
        engine.gate.set()
        for value, future in zip([1, 2, 4, 5], [*behind[:2], *behind[3:]], strict=True):
            assert future.result(10)[0, 0, 0, 0] == 2 * value
        with pytest.raises(PoisonInput, match="RuntimeError: kernel fault"):
            behind[2].result(10)
        assert batcher.counters.failed_items == 1


def test_poison_keeps_its_cause(engine: Doubling) -> None:
    with batching(engine) as batcher:
        with pytest.raises(PoisonInput) as caught:
            batcher.infer(item(POISON))
        assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_engine_that_fails_on_anything_is_not_the_inputs_fault(engine: Doubling) -> None:
    def broken(_batch: Tensor) -> Tensor:
        raise RuntimeError("device lost")

    engine.answer = broken
    with batching(engine) as batcher, pytest.raises(EngineFailed, match="device lost"):
        batcher.infer(item(1))


def test_a_fault_that_passes_is_not_noticed(engine: Doubling) -> None:
    faults = [RuntimeError("hiccup")]

    def once(batch: Tensor) -> Tensor:
        if faults:
            raise faults.pop()
        return batch * 2

    engine.answer = once
    with batching(engine) as batcher:
        assert batcher.infer(items(1, 2))[:, 0, 0, 0].tolist() == [2, 4]
        assert batcher.counters.failed_items == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_fails_its_input_only(engine: Doubling, bad: float) -> None:
    engine.answer = lambda batch: np.where(batch == 7, np.float32(bad), batch)
    with batching(engine) as batcher, ThreadPoolExecutor(4) as threads:
        _, (good, broken) = ask_behind(engine, batcher, threads, [1, 7])
        engine.gate.set()
        assert good.result(10)[0, 0, 0, 0] == 1
        with pytest.raises(PoisonInput, match="not finite"):
            broken.result(10)


def test_fewer_answers_than_inputs_are_never_handed_out(engine: Doubling) -> None:
    engine.answer = lambda batch: batch[:1] * 2
    with batching(engine) as batcher:
        assert batcher.infer(items(1, 2, 3))[:, 0, 0, 0].tolist() == [2, 4, 6]
        assert engine.batches == [[1, 2, 3], [1], [2, 3], [2], [3]]


def test_a_wrong_shape_never_reaches_the_queue(engine: Doubling) -> None:
    with batching(engine) as batcher:
        for wrong in (np.zeros((1, 1, 2, 3), np.float32), np.zeros((0, 1, 2, 2), np.float32)):
            with pytest.raises(BadShape):
                batcher.infer(wrong)
        assert engine.batches == []


def test_closing_answers_what_is_queued_and_takes_no_more(engine: Doubling) -> None:
    with batching(engine) as batcher, ThreadPoolExecutor(8) as threads:
        _, behind = ask_behind(engine, batcher, threads, [1, 2])
        closing = threads.submit(batcher.close)
        engine.gate.set()
        closing.result(10)
        assert [future.result(10)[0, 0, 0, 0] for future in behind] == [2, 4]
        with pytest.raises(BatcherClosed):
            batcher.infer(item(1))


def test_counters_add_up(engine: Doubling) -> None:
    with batching(engine, max_batch=2) as batcher:
        batcher.infer(items(1, 2, 3))
        counters = batcher.counters
        assert (counters.batches, counters.items) == (2, 3)
        assert counters.batch_sizes == {1: 1, 2: 1}
        assert counters.busy_seconds > 0


def test_warm_up_measures_every_size_the_most_telling_first(engine: Doubling) -> None:
    with batching(engine, max_batch=6) as batcher:
        batcher.warm_up(within_s=600)
        assert [len(batch) for batch in engine.batches[::2]] == [1, 2, 4, 6, 3, 5]
        assert batcher.latency.estimate_ms(6) > 0


def test_a_warm_up_that_has_no_time_measures_one_and_reckons_the_rest(engine: Doubling) -> None:
    with batching(engine, max_batch=6) as batcher:
        batcher.warm_up(within_s=0)
        assert {len(batch) for batch in engine.batches} == {1}
        assert batcher.latency.estimate_ms(6) == 6 * batcher.latency.estimate_ms(1)


@pytest.mark.parametrize("max_batch", [0, 9])
def test_a_cap_the_engine_cannot_take_is_refused(engine: Doubling, max_batch: int) -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        Batcher(engine, max_batch=max_batch, max_wait_ms=1)


def test_many_threads_get_their_own_answers(engine: Doubling) -> None:
    with batching(engine, max_batch=8) as batcher, ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda value: batcher.infer(item(value))[0, 0, 0, 0], range(300)))
    assert answers == [2 * value for value in range(300)]
    assert batcher.counters.items == 300
