"""The decision what goes into a batch, on a clock that stands where the test puts it."""

import math
import random

import pytest

from gpu_workers.serving.batch_policy import (
    AGEING_S,
    GROW_AFTER_BATCHES,
    TENANTS_KEPT_MAX,
    BatchPolicy,
    Entry,
    LatencyTable,
    warm_up_sizes,
)

Policy = BatchPolicy[Entry]


def policy(cap: int, latency_ms: dict[int, float], wait_max_s: float = 1.0) -> Policy:
    made: Policy = BatchPolicy(cap, wait_max_s)
    for size, ms in latency_ms.items():
        made.latency.record(size, ms)
    return made


def put(to: Policy, *deadlines: float, tenant: str = "", at: float = 0.0) -> list[Entry]:
    entries = [Entry(at, deadline, tenant) for deadline in deadlines]
    for entry in entries:
        to.put(entry)
    return entries


def test_latency_follows_drift_and_what_was_not_measured_costs_what_the_next_larger_does() -> None:
    table = LatencyTable()
    assert table.estimate_ms(3) == 0
    table.record(4, 30)
    table.record(2, 20)
    assert [table.estimate_ms(size) for size in (1, 2, 3, 4, 8)] == [20, 20, 30, 30, 60]
    for _ in range(40):
        table.record(4, 50)
    assert table.estimate_ms(4) == pytest.approx(50, rel=0.01)
    table.record(3, 25)
    assert table.estimate_ms(3) == 25


def test_the_earliest_deadline_goes_first() -> None:
    waiting = policy(2, {1: 10, 2: 12})
    third, first, last, second = put(waiting, 3, 1, math.inf, 2)
    assert [waiting.take(0), waiting.take(0)] == [[first, second], [third, last]]


def test_a_batch_ends_before_the_earliest_deadline_of_its_items() -> None:
    waiting = policy(8, {1: 10, 2: 15, 4: 25, 8: 45})
    tight, *ample = put(waiting, 0.02, 5, 5)
    assert [waiting.take(0), waiting.take(0.015)] == [[tight, ample[0]], [ample[1]]]


def test_one_is_left_behind_where_that_saves_more() -> None:
    waiting = policy(8, {1: 10, 2: 11, 4: 13, 8: 16})
    tight, *others = put(waiting, 0.012, *[0.017] * 8)
    assert waiting.take(0) == others
    assert waiting.take(0.016) == [tight]


def test_what_cannot_be_in_time_goes_last_and_is_not_lost() -> None:
    waiting = policy(1, {1: 10})
    late, in_time = put(waiting, 0.005, 1)
    assert [waiting.take(0), waiting.take(0.01)] == [[in_time], [late]]
    assert len(waiting) == 0


def test_the_quickest_size_is_taken_from_a_backlog() -> None:
    waiting = policy(8, {1: 10, 2: 12, 4: 16, 8: 60})
    put(waiting, *[math.inf] * 20)
    assert len(waiting.take(0)) == 4


def test_a_size_that_is_padded_is_not_taken_where_two_are_through_sooner() -> None:
    waiting = policy(8, {1: 1, 2: 2, 3: 30, 4: 30, 5: 30, 8: 30})
    put(waiting, 9, 9, 9)
    assert len(waiting.take(0)) < 3


def test_tenants_of_the_same_deadline_take_turns() -> None:
    waiting = policy(2, {1: 1, 2: 1})
    put(waiting, 9, 9, 9, 9, tenant="large")
    put(waiting, 9, 9, tenant="small")
    tenants = [[entry.tenant for entry in waiting.take(0)] for _ in range(3)]
    assert tenants == [["large", "small"], ["large", "small"], ["large", "large"]]


def test_a_tenant_that_comes_late_has_not_saved_up_turns() -> None:
    waiting = policy(1, {1: 1})
    put(waiting, *[9] * 10, tenant="old")
    for _ in range(4):
        waiting.take(0)
    put(waiting, *[9] * 3, tenant="new")
    tenants = [waiting.take(0)[0].tenant for _ in range(5)]
    assert tenants.count("old") in (2, 3)


def test_tenants_that_are_gone_are_forgotten() -> None:
    waiting = policy(4, {1: 1})
    for number in range(10 * TENANTS_KEPT_MAX):
        put(waiting, math.inf, tenant=str(number))
        waiting.take(0)
    assert len(waiting._turns) <= TENANTS_KEPT_MAX + 1


def test_what_waited_long_gets_a_place_whatever_else_waits() -> None:
    waiting = policy(4, {1: 10, 4: 10})
    late, endless = put(waiting, 0.001, math.inf)
    hurried = put(waiting, *[AGEING_S + 1] * 8)
    assert waiting.take(0) == hurried[:4]
    batch = waiting.take(AGEING_S)
    assert batch[:2] == [late, endless]
    assert len(batch) == 4


def test_nothing_is_waited_for_when_nobody_can_come() -> None:
    waiting = policy(4, {1: 10})
    put(waiting, math.inf)
    assert waiting.due_in_s(0, others_may_come=False) == 0
    assert waiting.due_in_s(0.25, others_may_come=True) == 0.75


def test_a_full_batch_waits_for_nothing() -> None:
    waiting = policy(2, {1: 10})
    put(waiting, 99, 99)
    assert waiting.due_in_s(0, others_may_come=True) == 0


def test_the_wait_ends_in_time_for_the_earliest_deadline() -> None:
    waiting = policy(4, {1: 10, 2: 30})
    put(waiting, 0.5, 99)
    assert waiting.due_in_s(0.1, others_may_come=True) == pytest.approx(0.37)


def test_memory_halves_the_cap_and_full_batches_lift_it_again() -> None:
    waiting = policy(8, {1: 1})
    waiting.ran_out_of_memory(8)
    waiting.ran_out_of_memory(4)
    assert waiting.cap == 2
    for _ in range(GROW_AFTER_BATCHES):
        waiting.ran(1, 1)
    assert waiting.cap == 2
    for _ in range(GROW_AFTER_BATCHES):
        waiting.ran(2, 1)
    assert waiting.cap == 3
    for _ in range(100 * GROW_AFTER_BATCHES):
        waiting.ran(waiting.cap, 1)
    assert waiting.cap == 8


def test_warm_up_comes_to_every_size_once() -> None:
    assert list(warm_up_sizes(1)) == [1]
    assert list(warm_up_sizes(6)) == [1, 2, 4, 6, 3, 5]
    assert sorted(warm_up_sizes(128)) == list(range(1, 129))


@pytest.mark.parametrize("seed", range(20))
def test_every_item_is_taken_once_and_no_batch_is_larger_than_the_cap(seed: int) -> None:
    rng = random.Random(seed)
    cap = rng.randint(1, 9)
    waiting = policy(cap, {size: rng.uniform(1, 90) for size in rng.sample(range(1, 10), 4)})
    now, entered, taken = 0.0, [], []
    for _ in range(300):
        now += rng.expovariate(1)
        deadlines = [rng.choice([math.inf, now + rng.expovariate(2)]) for _ in range(rng.randint(0, 4))]
        entered += put(waiting, *deadlines, tenant=rng.choice("abc"), at=now)
        if len(waiting) and rng.random() < 0.7:
            batch = waiting.take(now)
            assert 1 <= len(batch) <= cap
            taken += batch
    taken += waiting.drain()
    assert len(taken) == len(entered)
    assert set(map(id, taken)) == set(map(id, entered))
