"""How many replicas a pool wants: what holds for any backlog, and what is meant for some."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import LANES, Lane
from streams.scaling.sizing import DRAINED_WITHIN, Job, LaneLoad, Observed, Terms, _jobs, replicas
from streams.scaling.steadying import COLD_START_MAX_S, HELD_MIN_S, ColdStarts, Steady

TARGETS_S: dict[Lane, float] = {"urgent": 120.0, "standard": 600.0, "bulk": 43_200.0}
TERMS = Terms(cold_start_s=300.0, replicas_max=24, targets_s=TARGETS_S)
HOUR_S = 3600.0

seconds = st.integers(0, 10**6).map(float)  # whole: their sums are exact
loads = st.builds(LaneLoad, seconds, st.floats(0, 50), st.floats(-0.01, 0.01), st.floats(0, 60), st.floats(0, 1e5))
jobs = st.builds(Job, st.sampled_from(LANES), seconds, st.floats(-1e5, 1e5), seconds)
everything = st.builds(
    Observed, st.fixed_dictionaries(dict.fromkeys(LANES, loads)), st.lists(jobs, max_size=5), st.integers(0, 40)
)
every_terms = st.builds(
    Terms, st.floats(0, 1800), st.integers(0, 64), st.just(TARGETS_S), st.floats(0.1, 1, exclude_min=True)
)


def waiting(lane: Lane, waiting_s: float, ready: int = 1, **more: float) -> Observed:
    return Observed({lane: LaneLoad(waiting_s, **more)}, ready=ready)


@given(everything, every_terms)
def test_never_below_none_nor_above_the_caps(observed: Observed, terms: Terms) -> None:
    assert 0 <= replicas(observed, terms) <= terms.replicas_max


@given(everything, every_terms, st.sampled_from(LANES), seconds)
def test_more_that_waits_never_wants_fewer(observed: Observed, terms: Terms, lane: Lane, more_s: float) -> None:
    load = observed.lanes[lane]
    fuller = {**observed.lanes, lane: replace(load, waiting_s=load.waiting_s + more_s)}
    assert replicas(replace(observed, lanes=fuller), terms) >= replicas(observed, terms)


@given(everything, every_terms, jobs)
def test_a_campaign_more_of_what_does_not_wait_yet_never_wants_fewer(
    observed: Observed, terms: Terms, job: Job
) -> None:
    lanes = {**observed.lanes}
    lanes[job.lane] = replace(lanes[job.lane], waiting_s=lanes[job.lane].waiting_s + job.work_s)
    more = replace(observed, lanes=lanes, campaigns=[*observed.campaigns, job])
    assert replicas(more, terms) >= replicas(replace(observed, lanes=observed.lanes), terms)


@given(every_terms, st.integers(0, 40))
def test_none_where_nothing_waits_comes_or_is_due(terms: Terms, ready: int) -> None:
    assert replicas(Observed({lane: LaneLoad(task_s=1.0) for lane in LANES}, ready=ready), terms) == 0
    assert replicas(Observed(ready=ready), terms) == 0


def test_a_backlog_is_done_within_what_its_lane_allows() -> None:
    assert replicas(waiting("bulk", 20 * HOUR_S), TERMS) == math.ceil(20 / 0.85 / (12 * DRAINED_WITHIN))
    assert replicas(waiting("standard", 600 * DRAINED_WITHIN * 0.85 * 3, ready=3), TERMS) == 3


def test_what_those_who_work_can_do_in_time_starts_nobody() -> None:
    assert replicas(waiting("standard", 500.0 * DRAINED_WITHIN), TERMS) == 1


def test_a_start_is_counted_with_the_time_that_it_takes() -> None:
    work_s = 12 * HOUR_S * DRAINED_WITHIN * 0.85 * 4
    at_once = replicas(waiting("bulk", work_s), replace(TERMS, cold_start_s=0.0))
    assert at_once == 4
    assert replicas(waiting("bulk", work_s), replace(TERMS, cold_start_s=HOUR_S)) > at_once


def test_a_campaign_is_planned_by_its_deadline() -> None:
    def due_in(hours: float) -> int:
        campaign = Job("urgent", 8 * HOUR_S, hours * HOUR_S)
        return replicas(Observed({"urgent": LaneLoad(8 * HOUR_S)}, [campaign], 1), TERMS)

    assert [due_in(10), due_in(5), due_in(2)] == [1, 2, 5]


def test_a_campaign_counts_before_it_has_tasks() -> None:
    assert replicas(Observed(campaigns=[Job("urgent", 4 * HOUR_S, HOUR_S)], ready=0), TERMS) == 6


def test_a_campaign_of_which_tasks_wait_counts_once() -> None:
    campaign = Job("standard", 4 * HOUR_S, 4 * HOUR_S)
    assert replicas(Observed({"standard": LaneLoad(4 * HOUR_S)}, [campaign], 2), TERMS) == 2


def test_what_comes_beside_a_campaign_in_its_lane_is_not_hidden_by_it() -> None:
    edits = LaneLoad(waiting_s=4 * HOUR_S, coming=0.5, task_s=1.0)
    campaign = Job("urgent", 8 * HOUR_S, 100 * HOUR_S)  # of which half waits in the lane, and edits with it
    (_, beside) = _jobs(Observed({"urgent": edits}, [campaign], 1), TERMS)
    assert beside.work_s == pytest.approx(0.5 * 120 * DRAINED_WITHIN)


def test_other_lanes_and_tenants_get_their_share_until_then() -> None:
    alone = Observed({"standard": LaneLoad(300.0)}, ready=1)
    beside = Observed({"standard": LaneLoad(300.0), "urgent": LaneLoad(10 * HOUR_S)}, ready=1)
    assert replicas(beside, TERMS) > replicas(alone, TERMS)


def test_one_is_held_while_something_may_come_that_cannot_wait_for_a_start() -> None:
    assert replicas(waiting("urgent", 0.0, ready=0, tasks_an_hour=12), TERMS) == 1
    assert replicas(waiting("urgent", 0.0, ready=0, tasks_an_hour=12), replace(TERMS, cold_start_s=10.0)) == 0
    assert replicas(waiting("bulk", 0.0, ready=0, tasks_an_hour=12), TERMS) == 0


def test_a_little_that_may_wait_starts_nobody_until_it_is_worth_a_start() -> None:
    assert replicas(waiting("bulk", 100.0, ready=0), TERMS) == 0
    assert replicas(waiting("bulk", 400.0, ready=0), TERMS) == 1
    assert replicas(Observed(campaigns=[Job("bulk", 100.0, 500.0)]), TERMS) == 1


def test_one_is_ready_for_what_is_still_to_come_before_a_deadline() -> None:
    def due_in(seconds_left: float) -> int:
        return replicas(Observed(campaigns=[Job("urgent", 0.0, seconds_left, to_come_s=50.0)]), TERMS)

    assert (due_in(HOUR_S), due_in(500.0), due_in(-1.0)) == (0, 1, 0)


def test_what_comes_is_staffed_with_room_for_chance() -> None:
    steady = LaneLoad(coming=4.0, task_s=1.0)
    bumpy = LaneLoad(coming=4.0, task_s=60.0)
    assert replicas(Observed({"urgent": steady}), TERMS) == math.ceil(4 / 0.85 + 2 * math.sqrt(4 * 1 / 120))
    assert replicas(Observed({"urgent": bumpy}), TERMS) == math.ceil(4 / 0.85 + 2 * math.sqrt(4 * 60 / 120))


def test_what_rises_is_met_where_it_will_be_after_a_start() -> None:
    rising = Observed({"standard": LaneLoad(coming=4.0, rising=0.01, task_s=0.1)})
    assert replicas(rising, TERMS) == 4 + 3


@pytest.mark.parametrize(
    ("cold_start_s", "most", "use"), [(-1.0, 1, 0.5), (1.0, -1, 0.5), (1.0, 1, 0.0), (1.0, 1, 1.5)]
)
def test_terms_that_make_no_sense_are_refused(cold_start_s: float, most: int, use: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        Terms(cold_start_s, most, TARGETS_S, use)


def test_what_comes_has_its_share_beside_a_campaign() -> None:
    """A standard task has 2 of 10 shares beside a campaign in lane urgent: five times what comes, or it waits."""
    lanes: dict[Lane, LaneLoad] = {"standard": LaneLoad(coming=1.0, task_s=0.1), "urgent": LaneLoad(100 * HOUR_S)}
    beside = Observed(lanes, [Job("urgent", 100 * HOUR_S, 1000 * HOUR_S)], ready=24)
    assert replicas(beside, TERMS) == math.ceil(5 / 0.85 + 2 * math.sqrt(0.1 / 600))


# what keeps the number from going up and down


@given(st.lists(st.tuples(st.floats(0, 500), st.integers(0, 64)), min_size=1), st.floats(0, 900))
def test_it_tells_the_most_of_what_was_wanted_within_a_cold_start(
    steps: list[tuple[float, int]], cold_start_s: float
) -> None:
    steady, now_s, seen = Steady(), 0.0, list[tuple[float, int]]()
    for passes_s, wanted in steps:
        now_s += passes_s
        seen.append((now_s, wanted))
        lately = [each for at_s, each in seen if at_s >= now_s - max(cold_start_s, HELD_MIN_S)]
        assert steady.step(now_s, wanted, cold_start_s) == max(lately)


def test_a_start_is_measured_and_assumed_until_then() -> None:
    starts = ColdStarts(300.0)
    assert starts.cold_start_s == 300.0
    starts.step(0.0, 2, 0)
    starts.step(50.0, 2, 0)
    starts.step(90.0, 2, 1)
    assert starts.cold_start_s == 90.0
    starts.step(100.0, 5, 1)
    starts.step(140.0, 5, 3)
    assert starts.cold_start_s == 90.0


def test_a_replica_that_finds_no_room_is_no_slow_start() -> None:
    starts = ColdStarts(300.0)
    starts.step(0.0, 2, 0)
    starts.step(COLD_START_MAX_S + 1, 2, 1)
    assert starts.cold_start_s == 300.0
    starts.step(COLD_START_MAX_S + 2, 2, 1)
    starts.step(COLD_START_MAX_S + 3, 1, 1)  # given up
    starts.step(COLD_START_MAX_S + 9, 2, 2)
    assert starts.cold_start_s == 300.0


def test_work_without_end_has_all_that_there_may_be() -> None:
    """As a hostile completion may make of a mean: it says what its task took."""
    load = LaneLoad(waiting_s=math.inf, task_s=math.inf)
    terms = Terms(60.0, 7, {"urgent": 30.0, "standard": 120.0, "bulk": 480.0})
    assert replicas(Observed({"bulk": load}, ready=1), terms) == 7
