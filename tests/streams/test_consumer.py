"""Offsets, lanes and letters: the pure parts of the consumer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import as_mapping
from schemas.records import LANES
from streams.consumer import letters
from streams.consumer.lanes import PASSED_OVER_MAX, Lanes
from streams.consumer.letters import Delivery, RetryPolicy, returned
from streams.consumer.offsets import OffsetTracker
from streams.errors import Refused


@given(st.permutations(range(8)), st.integers(0, 8))
def test_only_the_contiguous_prefix_is_committable(order: list[int], finished: int) -> None:
    tracker = OffsetTracker()
    for offset in range(8):
        tracker.track(10 + offset)
    for offset in order[:finished]:
        tracker.finish(10 + offset)
    first_unfinished = min(set(range(8)) - set(order[:finished]), default=8)
    assert tracker.committable() == 10 + first_unfinished
    assert tracker.in_flight == 8 - finished
    assert tracker.span == 8 - first_unfinished


def test_gaps_in_the_offsets_are_no_obstacle() -> None:
    tracker = OffsetTracker()
    for offset in (3, 7, 20):
        tracker.track(offset)
    tracker.finish(3)
    assert tracker.committable() == 7
    tracker.finish(20)
    tracker.finish(7)
    assert tracker.committable() == 21


def test_a_commit_is_asked_for_once_and_counted_once() -> None:
    tracker = OffsetTracker()
    assert tracker.committable() is None
    tracker.track(5)
    tracker.track(6)
    tracker.finish(5)
    assert tracker.committed(6) == 1
    assert tracker.committable() is None
    tracker.finish(6)
    assert tracker.committed(7) == 1


def test_offsets_that_go_back_are_a_bug() -> None:
    tracker = OffsetTracker()
    tracker.track(5)
    with pytest.raises(ValueError, match="offset 5"):
        tracker.track(5)


def test_urgent_goes_first_and_bulk_still_moves() -> None:
    lanes: Lanes[str] = Lanes()
    for number in range(100):
        lanes.put("urgent", f"urgent {number}")
    lanes.put("bulk", "bulk")
    lanes.put("standard", "standard")
    taken = [lanes.take() for _ in range(2 * PASSED_OVER_MAX + 4)]
    assert taken[:PASSED_OVER_MAX] == [f"urgent {number}" for number in range(PASSED_OVER_MAX)]
    assert "bulk" in taken
    assert taken.index("standard") < taken.index("bulk") <= 2 * PASSED_OVER_MAX


@given(st.lists(st.sampled_from(LANES), min_size=1, max_size=60))
def test_nothing_waits_longer_than_the_ageing_bound_allows(arrivals: list[str]) -> None:
    lanes: Lanes[tuple[str, int]] = Lanes()
    for number, lane in enumerate(arrivals):
        lanes.put(lane, (lane, number))  # type: ignore[arg-type]
    taken = [lanes.take() for _ in arrivals]
    assert sorted(number for _, number in filter(None, taken)) == list(range(len(arrivals)))
    for lane in LANES:
        mine = [number for its, number in filter(None, taken) if its == lane]
        assert mine == sorted(mine)


def test_closed_lanes_give_nothing_more() -> None:
    lanes: Lanes[int] = Lanes()
    lanes.put("bulk", 1)
    assert lanes.drop(lambda item: item == 1) == [1]
    lanes.close()
    assert lanes.take() is None


DELIVERY = Delivery("imagery.catalog", 2, 7, b"demo|A", b"bytes", [("ce_id", b"1"), ("traceparent", b"00-x")], 123)


def test_a_transient_refusal_is_retried_with_growing_delays_and_then_dead() -> None:
    policy = RetryPolicy((1000, 5000), random_share=lambda: 0.5)
    refusal = Refused("away", "not there yet", field="skus", transient=True)
    first = policy.letter(DELIVERY, refusal, now_ms=10_000)
    assert (first.topic, first.key, first.value) == ("imagery.retry.1000ms", b"demo|A", b"bytes")
    story = as_mapping(first.headers)
    assert (story[letters.ATTEMPT], story[letters.NOT_BEFORE], story["traceparent"]) == ("1", "11100", "00-x")
    back = returned(Delivery(first.topic, 0, 0, first.key, first.value, first.headers))
    assert (back.topic, back.value) == ("imagery.catalog", b"bytes")
    again = Delivery(back.topic, 1, 9, back.key, back.value, back.headers)
    second = policy.letter(again, refusal, now_ms=20_000)
    assert second.topic == "imagery.retry.5000ms"
    last = policy.letter(Delivery(back.topic, 1, 11, back.key, back.value, second.headers), refusal, now_ms=30_000)
    assert last.topic == "imagery.dead"
    story = as_mapping(last.headers)
    assert (story[letters.FIRST_SEEN], story[letters.ERROR_CODE], story[letters.ERROR_FIELD]) == ("123", "away", "skus")
    assert story[letters.ORIGIN_OFFSET] == "11"


def test_a_permanent_refusal_is_dead_at_once() -> None:
    letter = RetryPolicy((1000,)).letter(DELIVERY, Refused("bad", "no"), now_ms=1)
    assert letter.topic == "imagery.dead"
    assert as_mapping(letter.headers)[letters.ERROR_KIND] == "permanent"
