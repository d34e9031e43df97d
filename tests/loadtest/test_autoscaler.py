"""The autoscaler's simulation: nothing is lost or made up in it, and what it must tell apart it does."""

import numpy as np
import pytest

from loadtest.benchmarks import autoscaler_contenders as contenders
from loadtest.benchmarks.autoscaler import best
from loadtest.benchmarks.autoscaler_oracle import oracle
from loadtest.benchmarks.autoscaler_pool import PAUSE_S, REPLICAS_MAX, Pool, Score, run
from loadtest.benchmarks.autoscaler_trace import SLOT_S, SLOTS, TASK_S, Campaign, Trace, trace
from schemas.records import LANES


@pytest.fixture(scope="module")
def made() -> Trace:
    return trace(3)


def quiet(**campaign: int) -> Trace:
    """Nothing comes but, where one is given, a campaign of `hours` engine-hours, due in `due` slots."""
    campaigns = []
    if campaign:
        arrivals = np.zeros(campaign["due"])
        arrivals[0] = campaign["hours"] * 3600.0
        campaigns = [Campaign(0, campaign["due"], arrivals, at_once=True)]
    return Trace({lane: np.zeros(SLOTS) for lane in LANES}, campaigns)


def test_a_trace_is_the_same_for_the_same_seed(made: Trace) -> None:
    again, other = trace(3), trace(4)
    assert all((made.arrivals[lane] == again.arrivals[lane]).all() for lane in LANES)
    assert made.work_s == again.work_s != other.work_s


def test_who_has_all_replicas_always_misses_nothing_and_pays_for_them(made: Trace) -> None:
    score = run(made, 60.0, lambda _: REPLICAS_MAX)
    assert score.missed < 1e-5 * made.tasks
    assert score.gpu_hours == REPLICAS_MAX * SLOTS * SLOT_S / 3600
    assert score.starts == REPLICAS_MAX - 1


def test_who_has_none_misses_all_that_is_due_within_the_trace(made: Trace) -> None:
    score = run(made, 60.0, lambda _: 0)
    tight = sum(float(made.arrivals[lane].sum() / TASK_S[lane]) for lane in ("urgent", "standard"))
    assert tight * 0.99 < score.missed <= made.tasks
    assert score.gpu_hours == 0


def test_the_work_that_is_done_is_the_work_that_came() -> None:
    done_s = 0.0

    def one(pool: Pool) -> int:
        nonlocal done_s
        done_s += pool.busy * SLOT_S * pool.ready
        return 1

    assert run(quiet(hours=2, due=1000), 60.0, one).missed == 0
    assert done_s == pytest.approx(2 * 3600.0)


def test_a_change_of_members_stops_the_group_for_a_while() -> None:
    def swinging(pool: Pool) -> int:
        return 1 + pool.slot % 2

    campaign = quiet(hours=2, due=480)  # as many seconds as one replica has until then
    assert run(campaign, 0.0, lambda _: 1).missed == 0
    assert run(campaign, 10_000.0, swinging).missed == 0  # none of those that are asked for ever comes
    late = run(campaign, 0.0, lambda pool: 1 if pool.slot % 4 else 0).missed
    assert late > 0
    assert PAUSE_S < SLOT_S


def test_a_start_costs_before_it_works() -> None:
    score = run(quiet(), 600.0, lambda pool: 2 if pool.slot < 10 else 0)
    assert score.gpu_hours == pytest.approx(2 * 10 * SLOT_S / 3600)


def test_the_oracle_pays_at_least_for_the_work_and_misses_next_to_nothing(made: Trace) -> None:
    score = oracle(made, 300.0)
    assert score.missed < 1e-3 * made.tasks
    assert made.work_s / 3600 <= score.gpu_hours <= 2 * made.work_s / 3600


def test_ours_ends_a_campaign_in_time_with_no_more_than_that_takes() -> None:
    campaign = quiet(hours=20, due=4 * 240)  # in four hours
    score = run(campaign, 300.0, contenders.ours(campaign, 300.0))
    assert score.missed == 0
    assert score.gpu_hours < 20 / 0.85 * 1.25


def test_the_best_is_the_cheapest_of_those_that_miss_next_to_no_more_than_the_fewest() -> None:
    scores = [Score(1000.0, 50.0, 1), Score(1050.0, 40.0, 1), Score(1200.0, 10.0, 1)]
    assert best(scores) is scores[1]
    assert best([Score(0.0, 50.0, 1), Score(20.0, 40.0, 1)]).gpu_hours == 40.0


def test_erlangs_formula() -> None:
    assert contenders._erlang_c_size(0.0, 0.2) == 1
    assert contenders._erlang_c_size(2.0, 1 / 3 + 0.15) == 3  # three servers at a load of 2: 4/9 wait
    assert contenders._erlang_c_size(2.0, 0.4) == 4
