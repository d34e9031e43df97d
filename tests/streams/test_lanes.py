"""Which work goes next: the lanes, their credit, deadlines, ageing, and tenants within a lane."""

import random
import threading
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import LANES, Lane
from streams.consumer.lanes import AGEING_S, NEAR_DEADLINE_MS, URGENT_AHEAD_MS, WEIGHTS, Lanes, Turn
from tests.simulation.clock import VirtualClock

TASK_MS = 100.0


class Worker:
    """Takes work from lanes, and needs its time for it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.lanes: Lanes[str] = Lanes(self.clock)

    def work(self, took_ms: float = TASK_MS) -> str | None:
        turn = self.lanes.take_now()
        if turn is None:
            return None
        self.clock.sleep(took_ms / 1000)
        self.lanes.charge(turn, took_ms)
        return turn.item

    def fill(self, lane: Lane, count: int, tenant: str = "", deadline_ms: int | None = None) -> None:
        for _ in range(count):
            self.lanes.put(lane, lane + tenant, tenant, deadline_ms)


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_urgent_goes_first_then_standard_then_bulk(worker: Worker) -> None:
    for lane in reversed(LANES):
        worker.fill(lane, 1)
    assert [worker.work() for _ in range(4)] == ["urgent", "standard", "bulk", None]


def test_urgent_work_goes_next_however_much_bulk_waits(worker: Worker) -> None:
    worker.fill("bulk", 10_000)
    for _ in range(100):
        assert worker.work() == "bulk"
        assert worker.work() == "bulk"
        worker.fill("urgent", 1)
        assert worker.work() == "urgent"


def test_lanes_that_are_never_empty_share_the_time_by_weight(worker: Worker) -> None:
    costs: dict[Lane, float] = {"urgent": 30.0, "standard": 110.0, "bulk": 400.0}
    held_ms: Counter[str] = Counter()
    for lane in LANES:
        worker.fill(lane, 20_000)
    while worker.clock.now_s < 1000 + 600:
        began = worker.clock.now_s
        turn = worker.lanes.take_now()
        assert turn is not None
        worker.clock.sleep(costs[turn.lane] / 1000)
        worker.lanes.charge(turn, costs[turn.lane])
        held_ms[turn.lane] += round((worker.clock.now_s - began) * 1000)
    shared_ms = held_ms.total() - URGENT_AHEAD_MS
    for name in LANES[1:]:
        assert held_ms[name] / shared_ms == pytest.approx(WEIGHTS[name] / sum(WEIGHTS.values()), rel=0.1)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32).map(random.Random))
def test_waiting_urgent_work_is_never_passed_over_twice_in_a_row(rng: random.Random) -> None:
    worker = Worker()
    passed_over = 0
    for _ in range(300):
        worker.fill(rng.choice(LANES), rng.randrange(3), rng.choice("ab"), rng.choice([None, 0]))
        urgent_waits = worker.lanes.waiting("urgent") > 0
        taken = worker.work(rng.choice([1, 100, 30_000]))
        passed_over = passed_over + 1 if urgent_waits and taken and not taken.startswith("urgent") else 0
        assert passed_over <= 1


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32).map(random.Random))
def test_every_lane_moves_within_the_ageing_bound(rng: random.Random) -> None:
    """However the costs lie and whatever is measured: from one turn to the next no lane waits for longer than the
    bound, one turn each of the others, and their urgent turns in between."""
    worker = Worker()
    longest_s = 20.0
    for lane in LANES:
        worker.fill(lane, 2000)
    last_s = dict.fromkeys(LANES, worker.clock.now_s)
    for _ in range(500):
        turn = worker.lanes.take_now()
        assert turn is not None
        assert worker.clock.now_s - last_s[turn.lane] <= AGEING_S + 4 * longest_s
        worker.clock.sleep(rng.choice([0.001, 1.0, longest_s]))
        worker.lanes.charge(turn, rng.choice([0.0, 1.0, 1e6]))
        last_s[turn.lane] = worker.clock.now_s


def test_a_near_deadline_goes_right_behind_urgent_every_second_time(worker: Worker) -> None:
    near_ms = int(worker.clock.time() * 1000) + NEAR_DEADLINE_MS // 2
    worker.fill("standard", 3)
    worker.fill("bulk", 3, deadline_ms=near_ms)
    worker.fill("urgent", 1)
    assert [worker.work() for _ in range(4)] == ["urgent", "bulk", "standard", "bulk"]


def test_a_deadline_that_is_far_waits_for_its_turn(worker: Worker) -> None:
    far_ms = int(worker.clock.time() * 1000) + NEAR_DEADLINE_MS + 1000
    worker.fill("bulk", 1, deadline_ms=far_ms)
    worker.fill("standard", 1)
    assert worker.work() == "standard"


def test_the_earliest_deadline_goes_first_within_its_lane(worker: Worker) -> None:
    now_ms = int(worker.clock.time() * 1000)
    worker.lanes.put("bulk", "late", "a", now_ms + 3000)
    worker.lanes.put("bulk", "soon", "a", now_ms + 1000)
    assert [worker.work(), worker.work()] == ["soon", "late"]


def test_a_tenant_that_floods_a_lane_delays_itself(worker: Worker) -> None:
    worker.fill("standard", 5000, "flood")
    for _ in range(50):
        worker.work()
    worker.fill("standard", 10, "small")
    taken = [worker.work() for _ in range(20)]
    assert taken.count("standardsmall") == 10


def test_tenants_share_time_and_not_turns(worker: Worker) -> None:
    worker.fill("standard", 1000, "slow")
    worker.fill("standard", 1000, "fast")
    taken: Counter[str] = Counter()
    for _ in range(440):
        turn = worker.lanes.take_now()
        assert turn is not None
        worker.lanes.charge(turn, 1000.0 if turn.tenant == "slow" else 100.0)
        taken[turn.tenant] += 1
    assert 9 <= taken["fast"] / taken["slow"] <= 11


def test_deadlines_of_one_tenant_do_not_shut_out_the_others(worker: Worker) -> None:
    worker.fill("urgent", 100, "flood", deadline_ms=0)
    worker.fill("urgent", 5, "small")
    assert [worker.work() for _ in range(10)].count("urgentsmall") == 5


def test_a_lane_that_may_give_out_nothing_does_not_stop_the_others(worker: Worker) -> None:
    worker.fill("urgent", 3)
    worker.fill("bulk", 1)
    worker.lanes.allow("urgent", 1)
    assert [worker.work() for _ in range(3)] == ["urgent", "bulk", None]
    worker.lanes.allow("urgent", None)
    assert worker.work() == "urgent"


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32).map(random.Random))
def test_everything_comes_out_once_and_a_tenants_work_in_its_order(rng: random.Random) -> None:
    lanes: Lanes[tuple[str, str, int]] = Lanes(VirtualClock())
    numbers = range(200)
    for number in numbers:
        lane, tenant = rng.choice(LANES), rng.choice("abc")
        lanes.put(lane, (lane, tenant, number), tenant)
    dropped = lanes.drop(lambda item: item[2] % 7 == 0)
    taken = []
    while (turn := lanes.take_now()) is not None:
        lanes.charge(turn, rng.choice([0.0, 50.0, 5000.0]))
        taken.append(turn.item)
    assert sorted(number for _, _, number in taken + dropped) == list(numbers)
    for lane in LANES:
        for tenant in "abc":
            mine = [number for its, whose, number in taken if (its, whose) == (lane, tenant)]
            assert mine == sorted(mine)


def test_what_has_been_taken_is_let_go_of(worker: Worker) -> None:
    """A lane that is never empty holds no more after a million deliveries than after a thousand."""
    lane = worker.lanes._lanes["bulk"]
    for number in range(5000):
        worker.fill("bulk", 1, f"tenant {number}", deadline_ms=number % 2 * 10**15)
        if number > 50:
            worker.work()
    kept = [len(lane._deadlines), len(lane._tenants.entries()), len(lane._tenants._queues)]
    assert max(kept) <= 300
    assert len(lane._tenants._held_ms) <= 300
    assert len(lane._tenants._turns) <= 300


def test_closed_lanes_give_nothing_more() -> None:
    lanes: Lanes[int] = Lanes()
    lanes.put("bulk", 1)
    assert lanes.drop(lambda item: item == 1) == [1]
    lanes.close()
    assert lanes.take() is None
    assert lanes.take_now() is None


def test_urgent_work_that_is_left_to_its_own_threads_wakes_one_of_them() -> None:
    """Its share may come back while it waits, which nobody is told of."""
    lanes, taken = Lanes[str](), list[Turn[str] | None]()
    urgent = lanes._lanes["urgent"]
    urgent.credit_ms = 0.0
    thread = threading.Thread(target=lambda: taken.append(lanes.take_urgent()), daemon=True)
    thread.start()
    while not lanes._urgent_idle:
        time.sleep(0.01)
    lanes.put("urgent", "quick")
    time.sleep(0.2)  # it has looked, and found that its lane has had its share
    urgent.credit_ms = 1000.0
    lanes.put("bulk", "slow")
    turn = lanes.take()
    assert turn is not None
    assert turn.item == "slow"
    thread.join(5)
    assert [each.item for each in taken if each is not None] == ["quick"]
