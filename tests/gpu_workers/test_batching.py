import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from fractions import Fraction

import numpy as np
import pytest

from gpu_workers.engines import BadShape, EngineOutOfMemory, Tensor
from gpu_workers.serving.batching import (
    QUEUED_BATCHES_MAX,
    Batcher,
    BatcherClosed,
    DeviceTokens,
    EngineFailed,
    PoisonInput,
)

POISON = 666.0


class Doubling:
    """An engine that doubles, waits at `gate`, fails on poison, and remembers its batches."""

    name = "doubling"
    fingerprint = "0" * 64
    input_shape = (1, 2, 2)
    max_batch = 8
    lanes = 1

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.answer: Callable[[Tensor], Tensor] = lambda batch: batch * 2

    def infer(self, batch: Tensor) -> Tensor:
        self.batches.append([float(item[0, 0, 0]) for item in batch])
        self.entered.release()
        assert self.gate.wait(10)
        if (batch == POISON).any():
            raise RuntimeError("kernel fault")
        return self.answer(batch)

    def close(self) -> None: ...


@pytest.fixture
def engine() -> Doubling:
    return Doubling()


@contextmanager
def batching(engine: Doubling, max_batch: int = 4, max_wait_ms: float = 60_000) -> Iterator[Batcher]:
    batcher = Batcher(engine, max_batch=max_batch, max_wait_ms=max_wait_ms)
    try:
        yield batcher
    finally:
        engine.gate.set()
        batcher.close()


def item(value: float) -> Tensor:
    return np.full((1, 1, 2, 2), value, np.float32)


def items(*values: float) -> Tensor:
    return np.concatenate([item(value) for value in values])


def ask_behind(
    engine: Doubling, batcher: Batcher, threads: ThreadPoolExecutor, values: list[float]
) -> tuple[Future[Tensor], list[Future[Tensor]]]:
    """One request that holds the engine at the gate, and one request a value queued behind it, in order."""
    engine.gate.clear()
    first = threads.submit(batcher.infer, item(0))
    assert engine.entered.acquire(timeout=10)
    behind = []
    for count, value in enumerate(values, start=1):
        behind.append(threads.submit(batcher.infer, item(value)))
        while batcher.queued < count:
            threading.Event().wait(0.001)
    return first, behind


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
        for place, asked in ((1, items(1, 2)), (2, item(3))):
            futures.append(threads.submit(batcher.infer, asked, charge=charged[place].append))
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
            asked = threads.submit(batcher.infer, item(1), now + 50)
            while not batcher.queued:
                threading.Event().wait(0.001)
            assert batcher.due_in_s(now) == pytest.approx(20)
            assert batcher.due_in_s(now + 20.5) <= 0
        assert asked.result(10)[0, 0, 0, 0] == 2


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


def test_who_waits_for_room_is_told_when_it_closes(engine: Doubling) -> None:
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
        asked = [threads.submit(batcher.infer, item(0))]
        assert engine.entered.acquire(timeout=10)
        for count, value in enumerate((3, 1, 2), start=1):
            asked.append(threads.submit(batcher.infer, item(value), now + 1000 * value))
            while batcher.queued < count:
                threading.Event().wait(0.001)
        engine.gate.set()
        assert [future.result(10)[0, 0, 0, 0] for future in asked] == [0, 6, 2, 4]
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
        asked = threads.submit(batcher.infer, items(0, 1, 2))  # though another might still come
        assert engine.entered.acquire(timeout=10)
        assert engine.entered.acquire(timeout=10)
        assert batcher.queued == 1
        engine.gate.set()
        assert asked.result(10)[:, 0, 0, 0].tolist() == [0, 2, 4]
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
        asked = [threads.submit(batcher.infer, item(value)) for value in range(3)]
        while batcher.queued < 1:
            threading.Event().wait(0.001)
        engine.gate.set()
        wait(asked)
    assert sum(isinstance(future.exception(), BatcherClosed) for future in asked) == 1
    assert isinstance(asked[1].exception(), BatcherClosed)
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
    asked = list(range(1, 201))
    ended: list[float] = []

    def ask(value: int) -> None:
        try:
            assert batcher.infer(item(value), batcher._clock() + value % 3, str(value % 4))[0, 0, 0, 0] == 2 * value
        except (PoisonInput, EngineFailed):
            failed.append(value)
        ended.append(value)

    failed: list[int] = []
    with batching(engine, max_batch=8, max_wait_ms=1) as batcher, ThreadPoolExecutor(16) as threads:
        list(threads.map(ask, asked))
        assert batcher.queued == 0
    assert sorted(ended) == asked
    assert {value for value in asked if value % 10 == 7} <= set(failed)
    assert batcher.counters.failed_items == len(failed)
